//! Clients that keep their connections and ask as soon as they are answered, and note what they were
//! told of each request.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::support::Result;
use crate::support::daemon::parse;

/// What the clients of one run were told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// Triggers that were acknowledged.
    pub stored: u64,
    /// Requests that were answered otherwise: refused, or not a trigger.
    pub others: u64,
    /// Connections that were closed on a request without a byte of an answer.
    pub closed: u64,
}

pub struct Load(Vec<JoinHandle<Result<Told>>>);

impl Load {
    /// So many clients; they end when the daemon takes no more connections.
    pub fn start(address: SocketAddr, clients: u32) -> Self {
        let start = |number| std::thread::spawn(move || client(address, number));
        Self((0..clients).map(start).collect())
    }

    /// What they were told all together.
    ///
    /// # Errors
    /// When an answer was cut off or could not be read.
    pub fn end(self) -> Result<Told> {
        let mut all = Told::default();
        for client in self.0 {
            let told = client
                .join()
                .map_err(|_| anyhow::anyhow!("a client ended early"))??;
            all.stored += told.stored;
            all.others += told.others;
            all.closed += told.closed;
        }
        Ok(all)
    }
}

fn request(number: u32, turn: u64) -> (&'static str, bool) {
    match (number % 4, turn % 8) {
        (3, 7) => ("GET /status HTTP/1.1\r\nHost: x\r\n\r\n", false),
        (2, _) => (
            "POST /process HTTP/1.1\r\nHost: x\r\nPrefer: wait=2\r\nContent-Length: 0\r\n\r\n",
            true,
        ),
        (1, _) => (
            "POST /process HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            true,
        ),
        _ => (
            "POST /process HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
            true,
        ),
    }
}

fn client(address: SocketAddr, number: u32) -> Result<Told> {
    let mut told = Told::default();
    let mut turn = 0;
    while let Ok(mut stream) = TcpStream::connect(address) {
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        loop {
            turn += 1;
            let (text, is_trigger) = request(number, turn);
            let sent = stream.write_all(text.as_bytes());
            let answer = match sent {
                Ok(()) => one_answer(&mut stream)?,
                Err(_) => None,
            };
            let Some(bytes) = answer else {
                told.closed += 1;
                break;
            };
            match parse(&bytes)?.status {
                200 if is_trigger => told.stored += 1,
                200 | 429 | 503 => told.others += 1,
                status => bail!("answered {status}"),
            }
            if bytes
                .windows(17)
                .any(|part| part.eq_ignore_ascii_case(b"connection: close"))
            {
                break;
            }
        }
    }
    Ok(told)
}

/// One whole answer; none if the connection ended before its first byte.
fn one_answer(stream: &mut TcpStream) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) if bytes.is_empty() => return Ok(None),
            Ok(0) => bail!("an answer was cut off after {} bytes", bytes.len()),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) if bytes.is_empty() && error.kind() != ErrorKind::WouldBlock => {
                return Ok(None);
            }
            Err(error) => return Err(error).context("an answer did not come whole"),
        }
        if parse(&bytes).is_ok() {
            return Ok(Some(bytes));
        }
    }
}
