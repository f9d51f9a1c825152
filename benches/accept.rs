//! Triggers stored durably per second, beside a bare server that stores nothing.

mod support;

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use support::daemon::Daemon;
use support::figures::{against, median_number, title};
use support::list::{Edition, list};
use support::load::Load;

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

fn load(address: SocketAddr) -> Load {
    let requests = (0..CONNECTIONS).map(|_| std::iter::repeat_with(|| REQUEST.to_vec()));
    support::load::load(address, requests.collect(), ROUND, None)
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
