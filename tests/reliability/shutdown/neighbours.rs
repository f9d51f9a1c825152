//! The neighbours of a daemon that is stopped: a list that changes at each look, a Drive service, a
//! webhook and a collector of spans, each of which may hang.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::messages::Message;
use crate::support::wire::{Asked, answer, serve};

/// Matches in the list.
const MATCHES: u64 = 6;

/// For an upload or a message, so that some are under way at any moment.
const TAKING: Duration = Duration::from_millis(150);

/// What a neighbour does to all who ask.
#[derive(Default)]
pub struct Gate {
    hangs: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    pub fn set(&self, hangs: bool) {
        *lock(&self.hangs) = hangs;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let hangs = lock(&self.hangs);
        drop(self.changed.wait_while(hangs, |hangs| *hangs));
    }
}

/// All four.
pub struct Neighbours {
    pub list: SocketAddr,
    pub drive: SocketAddr,
    pub hook: SocketAddr,
    pub collector: SocketAddr,
    pub list_gate: Arc<Gate>,
    pub drive_gate: Arc<Gate>,
    pub hook_gate: Arc<Gate>,
    pub collector_gate: Arc<Gate>,
    /// How often each file came whole.
    pub uploads: Arc<Mutex<BTreeMap<String, u32>>>,
    /// Messages that came whole, in their order.
    pub messages: Arc<Mutex<Vec<Message>>>,
    /// Looks at the list.
    looks: Arc<Mutex<u64>>,
    /// All that the collector was sent.
    pub spans: Arc<Mutex<Vec<u8>>>,
}

impl Neighbours {
    pub fn start() -> Self {
        let gates: [Arc<Gate>; 4] = std::array::from_fn(|_| Arc::default());
        let [list_gate, drive_gate, hook_gate, collector_gate] = gates;
        let uploads: Arc<Mutex<BTreeMap<String, u32>>> = Arc::default();
        let spans: Arc<Mutex<Vec<u8>>> = Arc::default();
        let messages: Arc<Mutex<Vec<Message>>> = Arc::default();
        let looks: Arc<Mutex<u64>> = Arc::default();
        let (gate, theirs) = (Arc::clone(&list_gate), Arc::clone(&looks));
        let list = serve(move |stream| {
            respond(&stream, |asked| {
                if !asked.head.starts_with("GET /matches ") {
                    return b"{\"status\":\"healthy\"}".to_vec();
                }
                gate.pass();
                let mut looks = lock(&theirs);
                *looks += 1;
                serde_json::to_vec(&list_at(*looks)).unwrap_or_default()
            });
        });
        let (gate, theirs) = (Arc::clone(&drive_gate), Arc::clone(&uploads));
        let drive = serve(move |stream| {
            respond(&stream, |asked| {
                if let Some(file) = upload(&asked) {
                    std::thread::sleep(TAKING);
                    gate.pass();
                    *lock(&theirs).entry(file).or_default() += 1;
                }
                b"{\"status\":\"success\",\"file_url\":\"https://drive.example/1\"}".to_vec()
            });
        });
        let (gate, theirs) = (Arc::clone(&hook_gate), Arc::clone(&messages));
        let hook = serve(move |stream| {
            respond(&stream, |asked| {
                if let Some(message) = Message::read(&asked) {
                    std::thread::sleep(TAKING);
                    gate.pass();
                    lock(&theirs).push(message);
                }
                Vec::new()
            });
        });
        let (gate, theirs) = (Arc::clone(&collector_gate), Arc::clone(&spans));
        let collector = serve(move |stream| {
            respond(&stream, |asked| {
                gate.pass();
                lock(&theirs).extend_from_slice(&asked.body);
                Vec::new()
            });
        });
        Self {
            list,
            drive,
            hook,
            collector,
            list_gate,
            drive_gate,
            hook_gate,
            collector_gate,
            uploads,
            messages,
            looks,
            spans,
        }
    }

    /// Nobody hangs any more.
    pub fn recover(&self) {
        for gate in [
            &self.list_gate,
            &self.drive_gate,
            &self.hook_gate,
            &self.collector_gate,
        ] {
            gate.set(false);
        }
    }

    /// The list as it was sent last.
    pub fn list(&self) -> Vec<Value> {
        list_at(*lock(&self.looks))
    }
}

pub fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn respond(mut stream: &TcpStream, body: impl FnOnce(Asked) -> Vec<u8>) {
    if let Some(asked) = Asked::read(stream) {
        let _ = stream.write_all(&answer("200 OK", "", &body(asked)));
    }
}

/// The file of an upload that came to its last boundary.
fn upload(asked: &Asked) -> Option<String> {
    let boundary = asked
        .head
        .split("boundary=")
        .nth(1)?
        .lines()
        .next()?
        .trim_matches('"');
    let end = format!("--{boundary}--");
    let whole = asked
        .body
        .windows(end.len())
        .any(|part| part == end.as_bytes());
    let text = String::from_utf8_lossy(&asked.body);
    let file = text.split("filename=\"").nth(1)?.split('"').next()?;
    whole.then(|| file.to_owned())
}

/// Each look moves the kick-off of one match.
fn list_at(look: u64) -> Vec<Value> {
    let referee = |id: u64, role: &str| {
        json!({
            "domareid": id, "domarrollnamn": role, "personnamn": format!("Domare {id}"),
        })
    };
    (1..=MATCHES).map(|id| {
        let moved = look / MATCHES + u64::from(look % MATCHES >= id);
        json!({
            "matchid": id, "matchnr": format!("{id:09}"), "lag1namn": "Hemma IF", "lag2namn": "Borta BK",
            "lag1foreningid": 11, "lag2foreningid": 12, "speldatum": "2030-01-01",
            "avsparkstid": format!("{:02}:{:02}", 10 + moved / 60 % 10, moved % 60),
            "anlaggningnamn": "Vallen", "tavlingnamn": "Div 9",
            "domaruppdraglista": [referee(1, "Huvuddomare"), referee(2, "Assisterande 1")],
        })
    }).collect()
}
