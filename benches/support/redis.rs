//! The real Redis, with somebody who listens.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::receiver::Arrivals;

/// A server that keeps nothing; killed when dropped.
pub struct RedisServer {
    child: Child,
    address: SocketAddr,
}

impl RedisServer {
    /// Starts it and waits until it answers. Its files, if it wrote any, would be in `folder`.
    pub fn start(folder: &Path) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, super::daemon::free_port()));
        let mut child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &address.port().to_string()])
            .arg("--dir")
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let mut log = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut read = String::new();
        while !read.contains("eady to accept connections") {
            assert!(
                log.read_line(&mut read).is_ok_and(|bytes| bytes > 0),
                "Redis ended: {read}"
            );
        }
        std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
        Self { child, address }
    }

    /// How it is reached.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Listens to a channel on a thread of its own, until the server ends.
    pub fn subscribe(&self, channel: &str) -> Arrivals {
        let stream = TcpStream::connect(self.address).expect("Redis listens");
        write!(&stream, "SUBSCRIBE {channel}\r\n").expect("Redis reads");
        let mut stream = BufReader::new(stream);
        assert!(next(&mut stream).is_some(), "Redis subscribes");
        let arrivals = Arrivals::default();
        let ours = Arc::clone(&arrivals);
        std::thread::spawn(move || {
            while next(&mut stream).is_some() {
                let mut arrivals = ours.lock().unwrap_or_else(PoisonError::into_inner);
                arrivals.push(Instant::now());
            }
        });
        arrivals
    }

    /// Whether it keeps its connections and answers nothing from now on.
    pub fn hang(&self, hangs: bool) {
        let signal = if hangs { "-STOP" } else { "-CONT" };
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "no signal");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a message, an array of three, to its end.
fn next(stream: &mut impl BufRead) -> Option<()> {
    let mut parts = 1;
    while parts > 0 {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|&read| read > 0)?;
        parts -= 1;
        let (kind, rest) = line.trim_end().split_at_checked(1)?;
        match kind {
            "*" => parts += rest.parse::<usize>().ok()?,
            "$" => {
                let length = rest.parse::<u64>().ok()? + 2;
                let read = std::io::copy(&mut stream.by_ref().take(length), &mut std::io::sink());
                read.ok().filter(|&read| read == length)?;
            }
            _ => {}
        }
    }
    Some(())
}
