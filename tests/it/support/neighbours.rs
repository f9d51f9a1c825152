//! Neighbours on real sockets: a list service that answers whatever bytes a test wants, and a Drive
//! service that notes what it gets.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// A request, read to its end.
pub struct Asked {
    pub head: String,
    pub body: Vec<u8>,
}

impl Asked {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let header = |name: &str| {
            head.lines()
                .find_map(|line| line.to_lowercase().strip_prefix(name).map(str::to_owned))
        };
        let mut body = Vec::new();
        if let Some(length) = header("content-length: ") {
            body = vec![0; length.parse().unwrap()];
            reader.read_exact(&mut body).ok()?;
        } else if header("transfer-encoding: chunked").is_some() {
            loop {
                let mut size = String::new();
                reader.read_line(&mut size).ok()?;
                let size = usize::from_str_radix(size.trim(), 16).ok()?;
                let mut chunk = vec![0; size + 2];
                reader.read_exact(&mut chunk).ok()?;
                if size == 0 {
                    break;
                }
                body.extend_from_slice(&chunk[..size]);
            }
        }
        Some(Self { head, body })
    }
}

/// Serves each connection on a thread of its own.
pub fn serve(each: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let each = Arc::new(each);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let each = Arc::clone(&each);
            std::thread::spawn(move || each(stream));
        }
    });
    address
}

/// A whole answer.
pub fn answer(code: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {code}\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

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
}

/// A Drive service that notes uploads and whether two were under way where only one may be.
#[derive(Clone)]
pub struct Drive {
    pub address: SocketAddr,
    state: Arc<Mutex<DriveState>>,
}

#[derive(Default)]
struct DriveState {
    mood: Option<Mood>,
    under_way: BTreeMap<String, usize>,
    collisions: usize,
    uploads: Vec<(String, String)>,
    bodies: Vec<String>,
    begun: Vec<Instant>,
    refused: usize,
}

impl Drive {
    pub fn start() -> Self {
        let state: Arc<Mutex<DriveState>> = Arc::default();
        let theirs = Arc::clone(&state);
        let address = serve(move |mut stream| {
            let Some(asked) = Asked::read(&stream) else {
                return;
            };
            let bytes = handle(&theirs, &asked);
            let _ = stream.write_all(&bytes);
        });
        Self { address, state }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn mood(&self, mood: Mood) {
        self.state.lock().unwrap().mood = Some(mood);
    }

    /// Folder and file name of each upload that was stored, in order.
    pub fn uploads(&self) -> Vec<(String, String)> {
        self.state.lock().unwrap().uploads.clone()
    }

    /// The bodies of the uploads that were stored.
    pub fn bodies(&self) -> Vec<String> {
        self.state.lock().unwrap().bodies.clone()
    }

    pub fn collisions(&self) -> usize {
        self.state.lock().unwrap().collisions
    }

    pub fn refused(&self) -> usize {
        self.state.lock().unwrap().refused
    }

    /// The mean time between the starts of two uploads.
    pub fn mean_gap(&self) -> Duration {
        let begun = self.state.lock().unwrap().begun.clone();
        let gaps = u32::try_from(begun.len() - 1).unwrap();
        (begun[begun.len() - 1] - begun[0]) / gaps
    }
}

fn handle(state: &Mutex<DriveState>, asked: &Asked) -> Vec<u8> {
    if !asked.head.starts_with("POST /upload_file ") {
        let well = !matches!(state.lock().unwrap().mood, Some(Mood::Status(_)));
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
    let mood = {
        let mut state = state.lock().unwrap();
        state.begun.push(Instant::now());
        let others = state.under_way.entry(day.clone()).or_default();
        *others += 1;
        if *others > 1 {
            state.collisions += 1;
        }
        state.mood.unwrap_or(Mood::Well)
    };
    let mut state = state.lock().unwrap();
    *state.under_way.get_mut(&day).unwrap() -= 1;
    match mood {
        Mood::Well => {
            state.uploads.push((folder, file));
            state.bodies.push(text);
            let number = state.uploads.len();
            let body = format!(
                "{{\"status\":\"success\",\"file_url\":\"https://drive.example/{number}\"}}"
            );
            answer("200 OK", "", body.as_bytes())
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
