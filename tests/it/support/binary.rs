//! The real binary, and a list service that notes the trace context that it is sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::kept::{Kind, canary, keep, keep_answer};

fn list() -> String {
    let referee = |id: u32, role: &str| {
        let mut referee =
            json!({ "domareid": id, "domarrollnamn": role, "namn": canary("personnamn") });
        for field in [
            "personnamn",
            "telefon",
            "mobiltelefon",
            "telefonarbete",
            "epostadress",
            "adress",
            "coadress",
            "postnr",
            "postort",
        ] {
            referee[field] = canary(field).into();
        }
        referee
    };
    json!([{
        "matchid": 42, "matchnr": "000000042", "lag1namn": "Hemma IF", "lag2namn": "Borta BK",
        "lag1foreningid": 11, "lag2foreningid": 12, "speldatum": "2030-01-01",
        "avsparkstid": "19:00", "anlaggningnamn": "Vallen", "tavlingnamn": "Div 9",
        "domaruppdraglista": [referee(1, "Huvuddomare"), referee(2, "Assisterande 1")],
        "noteringfrandomare": canary("noteringfrandomare"),
        "kontaktpersoner": [{
            "lagid": 1, "personnamn": canary("kontaktnamn"), "telefon": canary("kontakttelefon"),
            "mobiltelefon": canary("kontaktmobil"), "epostadress": canary("kontaktepost"),
            "adress": canary("kontaktadress"),
        }],
    }])
    .to_string()
}

/// A list service of one match.
pub struct ListService {
    pub address: SocketAddr,
    traceparent: Arc<Mutex<String>>,
}

impl ListService {
    pub fn start() -> Self {
        Self::slow(Duration::ZERO)
    }

    /// One that takes its time for the list.
    pub fn slow(pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let traceparent = Arc::new(Mutex::new(String::new()));
        let noted = Arc::clone(&traceparent);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &noted, pause);
            }
        });
        Self {
            address,
            traceparent,
        }
    }

    /// What came with the last request for the list.
    pub fn traceparent(&self) -> String {
        self.traceparent.lock().unwrap().clone()
    }
}

fn answer(stream: TcpStream, noted: &Mutex<String>, pause: Duration) {
    let mut reader = BufReader::new(&stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let is_list = head.starts_with("GET /matches ");
    if is_list {
        let found = head
            .lines()
            .find_map(|line| line.strip_prefix("traceparent: "));
        *noted.lock().unwrap() = found.unwrap_or_default().to_owned();
        std::thread::sleep(pause);
    }
    let body = if is_list {
        list()
    } else {
        "{\"status\":\"healthy\"}".to_owned()
    };
    let _ = write!(
        &stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
}

/// A connection to the public listener.
pub trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

/// The real binary.
pub struct Daemon {
    child: Child,
    address: String,
    log: Option<JoinHandle<String>>,
    /// Removed when the daemon is gone.
    #[allow(dead_code)]
    folder: Option<tempfile::TempDir>,
}

impl Daemon {
    /// Starts this command and waits until it listens.
    pub fn of(command: Command) -> Self {
        Self::try_of(command)
            .unwrap_or_else(|(code, log)| panic!("the daemon did not start ({code:?}): {log}"))
    }

    /// The same; if it ends before it listens, its exit code and what it said.
    pub fn try_of(mut command: Command) -> Result<Self, (Option<i32>, String)> {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut read = String::new();
        let address = loop {
            let mut line = String::new();
            if log.read_line(&mut line).unwrap() == 0 {
                keep(Kind::Log, &read);
                return Err((child.wait().unwrap().code(), read));
            }
            read.push_str(&line);
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if line["listener"] == "Public" {
                break line["address"].as_str().unwrap().to_owned();
            }
        };
        let rest = std::thread::spawn(move || {
            log.read_to_string(&mut read).unwrap();
            keep(Kind::Log, &read);
            read
        });
        Ok(Self {
            child,
            address,
            log: Some(rest),
            folder: None,
        })
    }

    pub fn start(list: &ListService, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = format!("file://{}/files", folder.path().display());
        Self::spawn(list, settings, folder, &files)
    }

    /// The first upload fails, the later ones succeed.
    pub fn start_with_failing_files(list: &ListService, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let drive = failing_once();
        Self::spawn(list, settings, folder, &format!("http://{drive}"))
    }

    fn spawn(
        list: &ListService,
        settings: &[(&str, &str)],
        folder: tempfile::TempDir,
        files: &str,
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_match-list-processor"));
        command
            .current_dir(folder.path())
            .env_clear()
            .env("PROCESSOR_MODE", "event-driven")
            .env("HOST", "127.0.0.1")
            .env("PORT", "0")
            .env("ADMIN_LISTEN", "off")
            .env("LOG_FORMAT", "json")
            .env("LOG_LEVEL", "DEBUG")
            .env("DATA_FOLDER", folder.path().join("data"))
            .env("API_BASE_URL", format!("http://{}", list.address))
            .env("WHATSAPP_AVATAR_SERVICE_URL", "embedded")
            .env("ASSET_STORE_URL", files)
            .envs(settings.iter().copied());
        let mut daemon = Self::of(command);
        daemon.folder = Some(folder);
        daemon
    }

    pub fn id(&self) -> String {
        self.child.id().to_string()
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// A new connection to the public listener.
    pub fn connect(&self) -> std::io::Result<Box<dyn Wire>> {
        Ok(match self.address.strip_prefix("unix:") {
            Some(path) => Box::new(UnixStream::connect(path)?),
            None => Box::new(TcpStream::connect(&self.address)?),
        })
    }

    /// The body of the answer, which must be 200; the request line and headers are given.
    pub fn ask(&self, request: &str) -> String {
        let (head, body) = self.exchange(request).expect("an answer");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}: {body}");
        body
    }

    /// Head and body of whatever is answered, if anything is.
    pub fn exchange(&self, request: &str) -> Option<(String, String)> {
        let mut stream = self.connect().ok()?;
        write!(stream, "{request}Host: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let path = request.split(' ').nth(1).unwrap_or_default();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        keep_answer(path, status.unwrap_or(500), body);
        Some((head.to_owned(), body.to_owned()))
    }

    /// What `/health/detailed` says.
    pub fn detail(&self) -> Value {
        let (_, body) = self.exchange("GET /health/detailed HTTP/1.1\r\n").unwrap();
        serde_json::from_str(&body).unwrap()
    }

    /// Has it read its settings again.
    pub fn hang_up(&self) {
        let mut kill = Command::new("kill");
        assert!(kill.args(["-HUP", &self.id()]).status().unwrap().success());
    }

    /// Sends this as it stands, and returns all that is answered until the connection ends.
    pub fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        if !answer.starts_with("HTTP/1.1 200 ") {
            keep(Kind::Error, &answer);
        }
        answer
    }

    /// The value of a series, named with its labels.
    pub fn counted(&self, series: &str) -> f64 {
        let text = self.ask("GET /metrics/prom HTTP/1.1\r\n");
        let series = format!("match_list_processor_{series} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&series));
        line.unwrap_or_else(|| panic!("no {series}"))
            .parse()
            .unwrap()
    }

    /// Waits until the series has this value.
    pub fn await_count(&self, series: &str, value: f64) {
        Self::await_until(&format!("{series} to be {value}"), || {
            self.counted(series) == value
        });
    }

    /// What `/triggers/{id}` says of a trigger.
    pub fn trigger(&self, id: &str) -> Value {
        serde_json::from_str(&self.ask(&format!("GET /triggers/{id} HTTP/1.1\r\n"))).unwrap()
    }

    /// Waits until every one of these triggers is done.
    pub fn await_done(&self, ids: &[String]) {
        for id in ids {
            Self::await_until(&format!("{id} to be done"), || {
                self.trigger(id)["status"] == "done"
            });
        }
    }

    /// Triggers a cycle and returns its record.
    pub fn process(&self, traceparent: &str) -> Value {
        let request =
            format!("POST /process HTTP/1.1\r\nPrefer: wait=20\r\ntraceparent: {traceparent}\r\n");
        serde_json::from_str(&self.ask(&request)).unwrap()
    }

    pub fn await_until(what: &str, done: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !done() {
            assert!(Instant::now() < deadline, "waited in vain for {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until every file that the last cycle planned is delivered.
    pub fn await_deliveries(&self) {
        Self::await_until("the deliveries", || {
            let status: Value =
                serde_json::from_str(&self.ask("GET /status HTTP/1.1\r\n")).unwrap();
            let history = status["processing_history"].as_array().unwrap();
            let deliveries = &history.last().unwrap()["deliveries"];
            deliveries["total"] != 0 && deliveries["delivered"] == deliveries["total"]
        });
    }

    /// Waits until it says that it is stopping.
    pub fn await_draining(&self) {
        Self::await_until("the stop to begin", || {
            // A connection that came just before is closed unread.
            self.exchange("GET /readyz HTTP/1.1\r\n")
                .is_some_and(|(head, _)| head.starts_with("HTTP/1.1 503 "))
        });
    }

    /// Waits until no connection is taken any more.
    pub fn await_refusal(&self) {
        Self::await_until("the listener to close", || self.connect().is_err());
    }

    /// Waits until the figure is above this one.
    pub fn await_metric(&self, name: &str, case: &str, above: f64) {
        Self::await_until(&format!("{name} ({case})"), || {
            let text = self.ask("GET /metrics/prom HTTP/1.1\r\n");
            let value = text
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{name} ")));
            value.is_some_and(|value| value.parse::<f64>().unwrap() > above)
        });
    }

    /// Stops it in order; returns its log and its last metrics.
    pub fn stop(mut self) -> (String, String) {
        let metrics = self.ask("GET /metrics/prom HTTP/1.1\r\n");
        assert!(
            Command::new("kill")
                .args(["-TERM", &self.id()])
                .status()
                .unwrap()
                .success()
        );
        assert!(self.child.wait().unwrap().success());
        (self.log.take().unwrap().join().unwrap(), metrics)
    }

    /// Waits for its end; the exit code and the log.
    pub fn wait(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        (status.code(), self.log.take().unwrap().join().unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(log) = self.log.take() {
            let _ = log.join();
        }
    }
}

/// A Drive service whose first upload fails.
fn failing_once() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut failed = false;
        for mut stream in listener.incoming().flatten() {
            let upload = read_request(&mut stream);
            let fails = upload && !failed;
            failed |= upload;
            let (code, body) = match fails {
                true => ("500 Oops", "{}"),
                false => (
                    "200 OK",
                    "{\"status\":\"success\",\"file_url\":\"https://x/1\"}",
                ),
            };
            let length = body.len();
            let head = format!("HTTP/1.1 {code}\r\nContent-Length: {length}\r\nConnection: close");
            let _ = write!(stream, "{head}\r\n\r\n{body}");
        }
    });
    address
}

/// Reads a request to its end; whether it is an upload.
fn read_request(stream: &mut TcpStream) -> bool {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap_or(0) > 0 {}
    let length = head.lines().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    let mut body = vec![0; length.unwrap_or(0)];
    let _ = reader.read_exact(&mut body);
    head.starts_with("POST /upload_file")
}
