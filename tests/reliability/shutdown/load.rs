//! Clients that keep their connections and ask as soon as they are answered, and note what they were
//! told of each request.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::support::Result;
use crate::support::daemon::parse;

/// Between the head and the body of a patient client: longer than deliveries take to end.
const BODY: Duration = Duration::from_millis(2500);

/// What the clients of one run were told.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Triggers that were acknowledged.
    pub stored: u64,
    /// Requests that were answered otherwise: refused, or not a trigger.
    pub others: u64,
    /// Connections that were closed on a request without a byte of an answer.
    pub closed: u64,
    /// The trace of the last trigger of each patient client that was acknowledged.
    pub traces: Vec<String>,
}

pub struct Load(Vec<JoinHandle<(Told, Result<()>)>>);

impl Load {
    /// So many clients; they end when the daemon takes no more connections.
    pub fn start(address: SocketAddr, clients: u32) -> Self {
        let start = |number| {
            std::thread::spawn(move || {
                let mut told = Told::default();
                let ended = client(address, number, &mut told);
                (told, ended)
            })
        };
        Self((0..clients).map(start).collect())
    }

    /// What they were told all together. A daemon that ended `at_once` may have left any of them in
    /// the middle of an answer.
    ///
    /// # Errors
    /// When an answer was cut off or could not be read.
    pub fn end(self, at_once: bool) -> Result<Told> {
        let mut all = Told::default();
        for client in self.0 {
            let client = client.join();
            let (told, ended) = client.map_err(|_| anyhow::anyhow!("a client ended early"))?;
            if !at_once {
                ended?;
            }
            all.stored += told.stored;
            all.others += told.others;
            all.closed += told.closed;
            all.traces.extend(told.traces);
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

fn client(address: SocketAddr, number: u32, told: &mut Told) -> Result<()> {
    let mut turn = 0;
    while let Ok(mut stream) = TcpStream::connect(address) {
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        loop {
            turn += 1;
            let (answer, is_trigger) = match number % 5 {
                4 => (patiently(&mut stream, &trace(number, turn))?, true),
                _ => ask(&mut stream, number, turn)?,
            };
            let Some(bytes) = answer else {
                told.closed += 1;
                break;
            };
            match parse(&bytes)?.status {
                200 if is_trigger => {
                    told.stored += 1;
                    if number % 5 == 4 {
                        told.traces = vec![trace(number, turn)];
                    }
                }
                200 | 429 | 503 => told.others += 1,
                _ => bail!("client {number}: {}", String::from_utf8_lossy(&bytes)),
            }
            if closes(&bytes) {
                break;
            }
        }
    }
    Ok(())
}

fn trace(number: u32, turn: u64) -> String {
    format!("{:016x}{turn:016x}", u64::from(number) + 1)
}

fn closes(answer: &[u8]) -> bool {
    let line = b"connection: close";
    answer
        .windows(line.len())
        .any(|part| part.eq_ignore_ascii_case(line))
}

fn ask(stream: &mut TcpStream, number: u32, turn: u64) -> Result<(Option<Vec<u8>>, bool)> {
    let (text, is_trigger) = request(number, turn);
    let answer = match stream.write_all(text.as_bytes()) {
        Ok(()) => one_answer(stream)?,
        Err(_) => None,
    };
    Ok((answer, is_trigger))
}

/// Sends its body once it is told to go on: from then on the request is accepted, and must be
/// answered whatever happens.
fn patiently(stream: &mut TcpStream, trace: &str) -> Result<Option<Vec<u8>>> {
    let head = format!(
        "POST /process HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\
         traceparent: 00-{trace}-00f067aa0ba902b7-01\r\n\r\n"
    );
    let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
    if stream.write_all(head.as_bytes()).is_err() {
        return Ok(None);
    }
    let mut first = [0; 25];
    if stream.read(&mut first[..1]).unwrap_or(0) == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut first[1..])?;
    if first != *go_on {
        // Refused at once: what follows is the rest of that answer.
        return rest_of(stream, first.to_vec());
    }
    std::thread::sleep(BODY);
    stream
        .write_all(b"{\"a\":1}")
        .context("an accepted request was given up")?;
    one_answer(stream)?
        .context("an accepted request got no answer")
        .map(Some)
}

/// One whole answer; none if the connection ended before its first byte.
fn one_answer(stream: &mut TcpStream) -> Result<Option<Vec<u8>>> {
    rest_of(stream, Vec::new())
}

fn rest_of(stream: &mut TcpStream, mut bytes: Vec<u8>) -> Result<Option<Vec<u8>>> {
    let mut buffer = [0; 4096];
    while parse(&bytes).is_err() {
        match stream.read(&mut buffer) {
            Ok(0) if bytes.is_empty() => return Ok(None),
            Ok(0) => bail!("an answer was cut off after {} bytes", bytes.len()),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) if bytes.is_empty() && error.kind() == ErrorKind::ConnectionReset => {
                return Ok(None);
            }
            Err(error) => return Err(error).context("an answer did not come whole"),
        }
    }
    Ok(Some(bytes))
}
