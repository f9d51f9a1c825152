//! Clients that send triggers and remember what they were told, and one that looks.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::fuse::{Fuse, Sight};
use crate::support::Result;
use crate::support::daemon::{Daemon, PATIENCE, get, parse};

/// A trigger that was answered with 200.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    pub id: String,
    /// When its request was sent, Unix seconds.
    pub sent: f64,
    /// What its request was, if it had a name.
    pub named: Option<Named>,
}

/// A request with a name, which may come again.
#[derive(Clone, Debug)]
pub struct Named {
    pub key: String,
    pub body: String,
}

impl Named {
    /// The header that carries the name.
    pub fn header(&self) -> String {
        format!("Idempotency-Key: {}\r\n", self.key)
    }
}

/// What the clients of one life were told.
#[derive(Debug, Default)]
pub struct Told {
    pub acknowledged: Vec<Acknowledged>,
    /// Sent and not answered, or not with 200.
    pub unknown: u32,
    /// Those of them that had a name.
    pub unknown_named: Vec<Named>,
    /// The highest count of cycles that `/status` told.
    pub cycles: u64,
    /// Deliveries that were told to be delivered.
    pub delivered: BTreeSet<i64>,
}

/// Clients at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    senders: Vec<JoinHandle<Result<Told>>>,
    watcher: JoinHandle<Told>,
}

const SENDERS: usize = 3;

impl Load {
    pub fn start(daemon: &Daemon, fuse: &Arc<Fuse>, rng: &mut fastrand::Rng) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let public = daemon.public;
        let sender = |rng: fastrand::Rng| {
            let (fuse, stop) = (Arc::clone(fuse), Arc::clone(&stop));
            std::thread::spawn(move || send(public, &fuse, &stop, rng))
        };
        let senders = (0..SENDERS).map(|_| sender(rng.fork())).collect();
        let (addresses, fuse) = ((daemon.public, daemon.admin), Arc::clone(fuse));
        let ended = Arc::clone(&stop);
        let watcher = std::thread::spawn(move || watch(addresses, &fuse, &ended));
        Self {
            stop,
            senders,
            watcher,
        }
    }

    /// Ends the clients; all that they were told.
    pub fn end(self) -> Result<Told> {
        self.stop.store(true, Ordering::SeqCst);
        let mut told = self.watcher.join().expect("the watcher panicked");
        for sender in self.senders {
            let one = sender.join().expect("a sender panicked")?;
            told.acknowledged.extend(one.acknowledged);
            told.unknown += one.unknown;
            told.unknown_named.extend(one.unknown_named);
        }
        Ok(told)
    }
}

pub fn unix() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs_f64()
}

fn send(
    public: SocketAddr,
    fuse: &Fuse,
    stop: &AtomicBool,
    mut rng: fastrand::Rng,
) -> Result<Told> {
    let mut told = Told::default();
    while !stop.load(Ordering::SeqCst) {
        let sent = unix();
        let body = format!("{{\"n\":{}}}", rng.u32(..));
        let mut headers = String::new();
        if rng.u8(..4) == 0 {
            headers.push_str("Prefer: wait=1\r\n");
        }
        let named = rng.bool().then(|| Named {
            key: format!("{:032x}", rng.u128(..)),
            body: body.clone(),
        });
        headers.extend(named.as_ref().map(Named::header));
        match post(public, &body, &headers, fuse) {
            Ok((200, answer)) => {
                let id = answer["trigger_id"].as_str();
                let id = id.with_context(|| format!("200 without an id: {answer}"))?;
                let id = id.to_owned();
                told.acknowledged.push(Acknowledged { id, sent, named });
            }
            Ok((status, answer)) => {
                ensure!(status == 503 || status == 429, "{status}: {answer}");
                told.unknown += 1;
                told.unknown_named.extend(named);
            }
            Err(_) => {
                told.unknown += 1;
                told.unknown_named.extend(named);
                // It is dead, or will be noticed to be alive by the next request.
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        std::thread::sleep(Duration::from_millis(rng.u64(..10)));
    }
    Ok(told)
}

/// Sends one trigger; the answer came whole.
pub fn post(address: SocketAddr, body: &str, headers: &str, fuse: &Fuse) -> Result<(u16, Value)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "POST /process HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    fuse.seen(Sight::TriggerSent);
    let mut bytes = vec![0];
    stream.read_exact(&mut bytes)?;
    fuse.seen(Sight::AnswerBegun);
    stream.read_to_end(&mut bytes)?;
    let answered = parse(&bytes)?;
    fuse.seen(Sight::AnswerRead);
    Ok((answered.status, serde_json::from_slice(&answered.body)?))
}

fn watch((public, admin): (SocketAddr, SocketAddr), fuse: &Fuse, stop: &AtomicBool) -> Told {
    let mut told = Told::default();
    while !stop.load(Ordering::SeqCst) {
        if let Ok(status) = get(public, "/status") {
            let cycles = status["processing_count"].as_u64().unwrap_or(0);
            if cycles > told.cycles {
                told.cycles = cycles;
                fuse.seen(Sight::CycleTold);
            }
        }
        if let Ok(page) = get(admin, "/deliveries?state=delivered&limit=50") {
            let rows = page["deliveries"].as_array().into_iter().flatten();
            let before = told.delivered.len();
            told.delivered
                .extend(rows.filter_map(|row| row["id"].as_i64()));
            if told.delivered.len() > before {
                fuse.seen(Sight::DeliveryTold);
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    told
}
