//! `healthcheck`: for images without curl.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConnection, StreamOwned};

use crate::app::Failure;
use crate::config::{Config, Door};
use crate::http::own_header;
use crate::socket::Address;
use crate::tls;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks `/health/simple` of the daemon that the settings describe.
///
/// # Errors
/// When it does not answer with 200 in time.
pub fn run() -> Result<(), Failure> {
    let door = Config::door_from_env();
    let address = door
        .listen
        .reachable()
        .unwrap_or_else(|| door.listen.clone());
    connect(&address, &door)
        .with_context(|| format!("nothing listens on {address}"))
        .and_then(|stream| ask(&mut *secured(stream, door.is_secured)?, &address))
        .map_err(|error| Failure::Cycle(format!("unhealthy: {error:#}")))
}

/// What can be asked.
trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A connection on which nothing takes longer than the timeout.
fn connect(address: &Address, door: &Door) -> std::io::Result<Box<dyn Stream>> {
    let timeout = Some(TIMEOUT);
    let (mut stream, own): (Box<dyn Stream>, _) = match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect_timeout(address, TIMEOUT)?;
            stream.set_read_timeout(timeout)?;
            stream.set_write_timeout(timeout)?;
            let own = stream.local_addr()?.ip().to_canonical();
            (Box::new(stream), Some(own))
        }
        Address::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(timeout)?;
            stream.set_write_timeout(timeout)?;
            (Box::new(stream), None)
        }
    };
    if door.access.needs_header(own) {
        stream.write_all(&own_header())?;
    }
    Ok(stream)
}

/// With TLS around it, if the listener speaks that.
fn secured(stream: Box<dyn Stream>, is_secured: bool) -> anyhow::Result<Box<dyn Stream>> {
    if !is_secured {
        return Ok(stream);
    }
    let name = ServerName::try_from("localhost")?;
    let client = ClientConnection::new(Arc::new(tls::probing_client()?), name)?;
    Ok(Box::new(StreamOwned::new(client, stream)))
}

fn ask(stream: &mut dyn Stream, address: &Address) -> anyhow::Result<()> {
    let host = address.authority();
    write!(
        stream,
        "GET /health/simple HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream
        .take(4096)
        .read_to_end(&mut answer)
        .context("no answer in time")?;
    ensure!(
        answer.starts_with(b"HTTP/1.1 200 "),
        "the answer is not 200"
    );
    Ok(())
}
