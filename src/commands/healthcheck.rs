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
use crate::config::Config;
use crate::socket::Address;
use crate::tls::Tls;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks `/health/simple` of the daemon that the settings describe.
///
/// # Errors
/// When it does not answer with 200 in time.
pub fn run() -> Result<(), Failure> {
    let http = Config::listeners_from_env();
    let (listen, tls) = (http.listen, http.tls);
    let address = listen.reachable().unwrap_or(listen);
    connect(&address)
        .with_context(|| format!("nothing listens on {address}"))
        .and_then(|stream| ask(&mut *secured(stream, tls)?, &address))
        .map_err(|error| Failure::Cycle(format!("unhealthy: {error:#}")))
}

/// What can be asked.
trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A connection on which nothing takes longer than the timeout.
fn connect(address: &Address) -> std::io::Result<Box<dyn Stream>> {
    let timeout = Some(TIMEOUT);
    match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect_timeout(address, TIMEOUT)?;
            stream.set_read_timeout(timeout)?;
            stream.set_write_timeout(timeout)?;
            Ok(Box::new(stream))
        }
        Address::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(timeout)?;
            stream.set_write_timeout(timeout)?;
            Ok(Box::new(stream))
        }
    }
}

/// What the daemon's own certificate secures, if it has one.
fn secured(stream: Box<dyn Stream>, tls: Option<Tls>) -> anyhow::Result<Box<dyn Stream>> {
    let Some(tls) = tls else { return Ok(stream) };
    let name = ServerName::try_from("localhost")?;
    let client = ClientConnection::new(Arc::new(tls.client()?), name)?;
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
