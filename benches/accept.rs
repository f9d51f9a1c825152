//! Triggers stored durably per second, beside a bare server that stores nothing.

mod support;

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::daemon::Daemon;
use support::figures::{against, median, median_number, ms, title};
use support::list::{Edition, list};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONNECTIONS: usize = 64;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(3);
const BARE: &str = "serve-bare";
const REQUEST: &[u8] = b"POST /process HTTP/1.1\r\nhost: bench\r\n\
    content-type: application/json\r\ncontent-length: 18\r\n\r\n{\"source\":\"bench\"}";

fn main() {
    if std::env::args().any(|argument| argument == BARE) {
        return support::server::bare();
    }
    title(
        "accept",
        "durable POST /process at 64 connections beside a server that stores nothing",
    );
    let folder = support::folder("accept");
    let file = folder.join("list.json");
    std::fs::write(&file, list(20, Edition::First)).expect("a list on disk");
    let daemon = Daemon::start(&folder, &format!("file://{}", file.display()), &[]);
    let bare = Bare::start();
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let (a, b) = (load(daemon.address), load(bare.address));
        if round == 0 {
            continue;
        }
        println!("  round {round}: daemon {a}   bare {b}");
        ours.push(a.rate);
        floor.push(b.rate);
    }
    let (ours, floor) = (median_number(ours), median_number(floor));
    println!("\n  medians: daemon {ours:.0}/s, bare {floor:.0}/s");
    let ratio = ours / floor;
    against(
        "stored triggers / bare answers",
        ratio,
        "x",
        ">= 0.5",
        ratio >= 0.5,
    );
}

/// What a round of load found.
struct Load {
    rate: f64,
    median: Duration,
    p99: Duration,
    refused: usize,
}

impl std::fmt::Display for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (median, p99) = (ms(self.median), ms(self.p99));
        write!(
            f,
            "{:>7.0}/s (median {median}, p99 {p99}, {} not 200)",
            self.rate, self.refused
        )
    }
}

/// One thread asks on every connection as soon as the last answer has come.
fn load(address: SocketAddr) -> Load {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let until = Instant::now() + ROUND;
    let answers = runtime.expect("a runtime").block_on(async {
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|_| tokio::spawn(client(address, until)))
            .collect();
        let mut all = Vec::new();
        for one in clients {
            all.extend(one.await.expect("no panic"));
        }
        all
    });
    let refused = answers.iter().filter(|(ok, _)| !ok).count();
    let mut times: Vec<_> = answers.iter().map(|(_, time)| *time).collect();
    times.sort_unstable();
    let p99 = times
        .get(times.len() * 99 / 100)
        .copied()
        .unwrap_or_default();
    let served = u32::try_from(times.len() - refused).unwrap_or(u32::MAX);
    Load {
        rate: f64::from(served) / ROUND.as_secs_f64(),
        median: median(times),
        p99,
        refused,
    }
}

async fn client(address: SocketAddr, until: Instant) -> Vec<(bool, Duration)> {
    let mut stream = TcpStream::connect(address)
        .await
        .expect("the server listens");
    stream.set_nodelay(true).expect("a TCP socket");
    let (mut buffer, mut answers) = (vec![0; 4096], Vec::new());
    while Instant::now() < until {
        let begun = Instant::now();
        stream.write_all(REQUEST).await.expect("the server reads");
        let mut filled = 0;
        while !is_whole(&buffer[..filled]) {
            match stream.read(&mut buffer[filled..]).await {
                Ok(0) | Err(_) => panic!("the server closed the connection"),
                Ok(read) => filled += read,
            }
        }
        answers.push((buffer.starts_with(b"HTTP/1.1 200"), begun.elapsed()));
    }
    answers
}

/// Both servers' bodies are one JSON object without another `}` in it.
fn is_whole(answer: &[u8]) -> bool {
    answer.ends_with(b"}")
}

/// This program once more, as the bare server.
struct Bare {
    child: Child,
    address: SocketAddr,
}

impl Bare {
    fn start() -> Self {
        let program = std::env::current_exe().expect("this program's path");
        let mut child = Command::new(program)
            .arg(BARE)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the bare server starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("a pipe");
        BufReader::new(out)
            .read_line(&mut line)
            .expect("the bare server's port");
        let port: u16 = line.trim().parse().expect("a port");
        Self {
            child,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
