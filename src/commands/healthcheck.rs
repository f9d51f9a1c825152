//! `healthcheck`: for images without curl.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, ensure};

use super::remote::reachable;
use super::settings;
use crate::app::Failure;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks `/health/simple` of the daemon that the settings describe.
///
/// # Errors
/// When it does not answer with 200 in time.
pub fn run() -> Result<(), Failure> {
    ask(reachable(settings()?.http.listen))
        .map_err(|error| Failure::Cycle(format!("unhealthy: {error:#}")))
}

fn ask(address: SocketAddr) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)
        .with_context(|| format!("nothing listens on {address}"))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "GET /health/simple HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
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
