//! The real Prometheus and Alertmanager, as Debian packages them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// For a server to begin and for what it is to find out.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running server.
pub struct Server {
    child: Child,
    address: String,
    #[allow(dead_code, reason = "removed when the server is gone")]
    folder: tempfile::TempDir,
}

impl Server {
    /// A Prometheus with these settings, into which `{folder}` is put, and these files beside them.
    pub fn prometheus(config: &str, files: &[(&str, &str)], arguments: &[&str]) -> Self {
        let fixed = |folder: &str| {
            vec![
                format!("--config.file={folder}/config.yml"),
                format!("--storage.tsdb.path={folder}/data"),
                "--web.listen-address=127.0.0.1:0".to_owned(),
                "--log.format=json".to_owned(),
            ]
        };
        Self::start("prometheus", config, files, fixed, arguments)
    }

    /// An Alertmanager with these settings.
    pub fn alertmanager(config: &str) -> Self {
        let fixed = |folder: &str| {
            vec![
                format!("--config.file={folder}/config.yml"),
                format!("--storage.path={folder}/data"),
                "--web.listen-address=127.0.0.1:0".to_owned(),
                "--cluster.listen-address=".to_owned(),
                "--log.format=json".to_owned(),
            ]
        };
        let program = match Command::new("alertmanager").arg("--version").output() {
            Ok(_) => "alertmanager",
            Err(_) => "prometheus-alertmanager",
        };
        Self::start(program, config, &[], fixed, &[])
    }

    fn start(
        program: &str,
        config: &str,
        files: &[(&str, &str)],
        fixed: impl Fn(&str) -> Vec<String>,
        arguments: &[&str],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let config = config.replace("{folder}", path);
        for (name, text) in files.iter().chain([&("config.yml", config.as_str())]) {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let mut child = Command::new(program)
            .args(fixed(path))
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{program}: {error}: run `bash tests/ops.sh --install`")
            });
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut read = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "{program}: {read}");
            read.push_str(&line);
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if line["msg"] == "Listening on" {
                break line["address"].as_str().unwrap().to_owned();
            }
        };
        std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
        let server = Self {
            child,
            address,
            folder,
        };
        Self::until("readiness", || {
            server.get("/-/ready").is_some().then_some(())
        });
        server
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The body of the answer, if that is 200.
    pub fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        // With 1.0 the body comes in one piece.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: x\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        (head.split(' ').nth(1) == Some("200")).then(|| body.to_owned())
    }

    /// The `data` of an answer of Prometheus's API.
    pub fn data(&self, path: &str) -> Value {
        let body = self.get(path).unwrap_or_else(|| panic!("no {path}"));
        serde_json::from_str::<Value>(&body).unwrap()["data"].take()
    }

    /// Waits until `found` finds something.
    pub fn until<T>(what: &str, found: impl Fn() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = found() {
                return found;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
