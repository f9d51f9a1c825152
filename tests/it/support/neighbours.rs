//! Neighbours on real sockets: a list service that answers whatever bytes a test wants, and a Drive
//! service that notes what it gets.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::wire::serve_at;
pub use super::wire::{Asked, answer, serve, unused_address};

/// A list service; `/health` is always well.
pub struct ListService {
    pub address: SocketAddr,
    script: Arc<Mutex<Script>>,
    changed: Arc<Condvar>,
}

struct Script {
    bytes: Vec<u8>,
    held: bool,
    asked: Vec<String>,
}

impl ListService {
    pub fn start() -> Self {
        let script = Script {
            bytes: answer("200 OK", "", b"[]"),
            held: false,
            asked: vec![],
        };
        let (script, changed) = (Arc::new(Mutex::new(script)), Arc::new(Condvar::new()));
        let (theirs, signal) = (Arc::clone(&script), Arc::clone(&changed));
        let address = serve(move |mut stream| {
            let Some(asked) = Asked::read(&stream) else {
                return;
            };
            if !asked.head.starts_with("GET /matches ") {
                let _ = stream.write_all(&answer("200 OK", "", b"{\"status\":\"healthy\"}"));
                return;
            }
            let mut script = theirs.lock().unwrap();
            script.asked.push(asked.head);
            signal.notify_all();
            let script = signal.wait_while(script, |script| script.held).unwrap();
            let bytes = script.bytes.clone();
            drop(script);
            let _ = stream.write_all(&bytes);
        });
        Self {
            address,
            script,
            changed,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers these bytes from now on.
    pub fn answer(&self, bytes: Vec<u8>) {
        self.script.lock().unwrap().bytes = bytes;
    }

    /// Holds every answer back, or lets them go.
    pub fn hold(&self, held: bool) {
        self.script.lock().unwrap().held = held;
        self.changed.notify_all();
    }

    /// The heads of the requests for the list so far.
    pub fn asked(&self) -> Vec<String> {
        self.script.lock().unwrap().asked.clone()
    }

    /// Waits until the list was asked for so many times.
    pub fn await_asked(&self, times: usize) {
        let script = self.script.lock().unwrap();
        let patience = Duration::from_secs(20);
        let waited = self
            .changed
            .wait_timeout_while(script, patience, |s| s.asked.len() < times);
        assert!(
            !waited.unwrap().1.timed_out(),
            "the list was not asked for {times} times"
        );
    }
}

/// How the Drive service behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Well,
    Status(u16),
    SaysError,
    /// Answers an upload with these bytes and closes.
    Raw(&'static [u8]),
    /// Takes uploads and does not answer them before the mood changes.
    Hangs,
}

/// A Drive service that notes uploads and whether two were under way where only one may be.
#[derive(Clone)]
pub struct Drive {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<DriveState>,
    changed: Condvar,
}

#[derive(Default)]
struct DriveState {
    mood: Option<Mood>,
    /// How long an upload takes.
    slowness: Duration,
    under_way: BTreeMap<String, usize>,
    collisions: usize,
    most_at_once: usize,
    uploads: Vec<(String, String)>,
    bodies: Vec<String>,
    begun: Vec<Instant>,
    keys: Vec<(String, String)>,
    refused: usize,
}

impl Drive {
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap())
    }

    pub fn start_at(address: SocketAddr) -> Self {
        let shared: Arc<Shared> = Arc::default();
        let theirs = Arc::clone(&shared);
        let address = serve_at(address, move |mut stream| {
            let Some(asked) = Asked::read(&stream) else {
                return;
            };
            let bytes = handle(&theirs, &asked);
            let _ = stream.write_all(&bytes);
        });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn mood(&self, mood: Mood) {
        self.state().mood = Some(mood);
        self.shared.changed.notify_all();
    }

    /// Every upload takes this long from now on.
    pub fn slow(&self, slowness: Duration) {
        self.state().slowness = slowness;
    }

    /// Waits until an upload is under way.
    pub fn await_upload(&self) {
        let idle = |state: &mut DriveState| state.under_way.values().all(|&count| count == 0);
        let waited =
            self.shared
                .changed
                .wait_timeout_while(self.state(), Duration::from_secs(20), idle);
        assert!(!waited.unwrap().1.timed_out(), "nothing was uploaded");
    }

    fn state(&self) -> MutexGuard<'_, DriveState> {
        self.shared.state.lock().unwrap()
    }

    /// Folder and file name of each upload that was stored, in order.
    pub fn uploads(&self) -> Vec<(String, String)> {
        self.state().uploads.clone()
    }

    /// The bodies of the uploads that were stored.
    pub fn bodies(&self) -> Vec<String> {
        self.state().bodies.clone()
    }

    /// File name and idempotency key of each upload, also of those that were refused.
    pub fn keys(&self) -> Vec<(String, String)> {
        self.state().keys.clone()
    }

    /// Uploads that began while another below the folder of the same day was under way.
    pub fn collisions(&self) -> usize {
        self.state().collisions
    }

    /// Uploads that were under way at the same time, at most.
    pub fn most_at_once(&self) -> usize {
        self.state().most_at_once
    }

    pub fn refused(&self) -> usize {
        self.state().refused
    }

    /// The mean time between the starts of two uploads.
    pub fn mean_gap(&self) -> Duration {
        let begun = self.state().begun.clone();
        let gaps = u32::try_from(begun.len() - 1).unwrap();
        (begun[begun.len() - 1] - begun[0]) / gaps
    }
}

fn handle(shared: &Shared, asked: &Asked) -> Vec<u8> {
    if !asked.head.starts_with("POST /upload_file ") {
        let well = !matches!(shared.state.lock().unwrap().mood, Some(Mood::Status(_)));
        return answer(if well { "200 OK" } else { "503 Down" }, "", b"{}");
    }
    let text = String::from_utf8_lossy(&asked.body).into_owned();
    let field = |name: &str, until: &str| {
        let start = text.find(name).map(|at| at + name.len());
        start
            .and_then(|at| text[at..].split(until).next())
            .unwrap_or_default()
            .to_owned()
    };
    let folder = field("name=\"folder_path\"\r\n\r\n", "\r\n");
    let file = field("filename=\"", "\"");
    let day = folder
        .rsplit_once('/')
        .map_or("", |(day, _)| day)
        .to_owned();
    let slowness = {
        let mut state = shared.state.lock().unwrap();
        state.begin(&day);
        let key = asked.header("idempotency-key").unwrap_or_default();
        state.keys.push((file.clone(), key));
        state.slowness
    };
    shared.changed.notify_all();
    std::thread::sleep(slowness);
    let hangs = |state: &mut DriveState| state.mood == Some(Mood::Hangs);
    let mut state = shared
        .changed
        .wait_while(shared.state.lock().unwrap(), hangs)
        .unwrap();
    *state.under_way.get_mut(&day).unwrap() -= 1;
    match state.mood.unwrap_or(Mood::Well) {
        Mood::Well | Mood::Hangs => {
            state.uploads.push((folder, file));
            state.bodies.push(text);
            let number = state.uploads.len();
            let body = format!(
                "{{\"status\":\"success\",\"file_url\":\"https://drive.example/{number}\"}}"
            );
            answer("200 OK", "", body.as_bytes())
        }
        Mood::Raw(bytes) => {
            state.refused += 1;
            bytes.to_vec()
        }
        Mood::Status(code) => {
            state.refused += 1;
            answer(&format!("{code} No"), "", b"{\"error\":{}}")
        }
        Mood::SaysError => {
            state.refused += 1;
            answer(
                "200 OK",
                "",
                b"{\"status\":\"error\",\"message\":\"quota\"}",
            )
        }
    }
}

impl DriveState {
    fn begin(&mut self, day: &str) {
        self.begun.push(Instant::now());
        let others = self.under_way.entry(day.to_owned()).or_default();
        *others += 1;
        if *others > 1 {
            self.collisions += 1;
        }
        let all = self.under_way.values().sum();
        self.most_at_once = self.most_at_once.max(all);
    }
}

/// What an avatar service sends; only its first bytes are those of a PNG.
pub const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\nof two clubs";

/// An avatar service that can fail or hang.
pub struct Avatars {
    address: SocketAddr,
    script: Arc<(Mutex<AvatarScript>, Condvar)>,
}

struct AvatarScript {
    code: u16,
    held: bool,
    asked: Vec<String>,
}

impl Avatars {
    pub fn start() -> Self {
        let script = AvatarScript {
            code: 200,
            held: false,
            asked: vec![],
        };
        let script = Arc::new((Mutex::new(script), Condvar::new()));
        let theirs = Arc::clone(&script);
        let address = serve(move |mut stream| {
            if let Some(asked) = Asked::read(&stream) {
                let _ = stream.write_all(&picture(&theirs, &asked));
            }
        });
        Self { address, script }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers with this status from now on.
    pub fn code(&self, code: u16) {
        self.script.0.lock().unwrap().code = code;
    }

    /// Holds every picture back, or lets them go.
    pub fn hold(&self, held: bool) {
        self.script.0.lock().unwrap().held = held;
        self.script.1.notify_all();
    }

    /// The bodies of the requests for pictures so far.
    pub fn asked(&self) -> Vec<String> {
        self.script.0.lock().unwrap().asked.clone()
    }
}

fn picture((script, changed): &(Mutex<AvatarScript>, Condvar), asked: &Asked) -> Vec<u8> {
    let mut script = script.lock().unwrap();
    if asked.head.starts_with("POST /create_avatar ") {
        let body = String::from_utf8_lossy(&asked.body).into_owned();
        script.asked.push(body);
        script = changed.wait_while(script, |script| script.held).unwrap();
    }
    match script.code {
        200 => answer("200 OK", "Content-Type: image/png\r\n", PICTURE),
        code => answer(&format!("{code} No"), "", b"{\"error\":\"logo\"}"),
    }
}
