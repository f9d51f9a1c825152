//! Listeners that are Unix sockets: the real binary, and its own commands over them.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::process::{Folder, term};
use crate::support::binary::Daemon;
use crate::support::matches::{a_match, list};

/// A folder with settings that have all three listeners on sockets in it.
struct Sockets {
    folder: Folder,
    more: Vec<(String, String)>,
}

impl Sockets {
    fn new(more: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        folder.list(&list(&[a_match(1)]));
        let more = more.iter();
        let more = more.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self {
            folder,
            more: more.collect(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path(&format!("{name}.sock"))
    }

    fn at(&self, name: &str) -> String {
        format!("unix:{}", self.path(name).display())
    }

    fn settings(&self) -> Vec<(String, String)> {
        let own = [
            ("PROCESSOR_MODE", "event-driven".to_owned()),
            ("HOST", String::new()),
            ("PORT", String::new()),
            ("LISTEN", self.at("public")),
            ("ADMIN_LISTEN", self.at("admin")),
            ("METRICS_LISTEN", self.at("metrics")),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        own.into_iter().chain(self.more.iter().cloned()).collect()
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let settings = self.settings();
        let pairs: Vec<_> = settings.iter().map(|(n, v)| (&**n, &**v)).collect();
        let mut command = self.folder.command(&pairs);
        command.args(arguments);
        command
    }

    fn start(&self) -> Daemon {
        Daemon::of(self.command(&[]))
    }

    /// What a command says, which must end well.
    fn told(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The exit code and the complaint of a daemon that does not start.
    fn refused(&self) -> (Option<i32>, String) {
        let started = Daemon::try_of(self.command(&[]));
        started.err().expect("it does not start")
    }

    fn ask(&self, name: &str, request: &str) -> (String, String) {
        let mut stream = connect(&self.path(name));
        write!(stream, "{request}Connection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let (line, _) = head.split_once("\r\n").unwrap();
        (line.to_owned(), body.to_owned())
    }
}

fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).unwrap();
    stream
}

const OK: &str = "HTTP/1.1 200 OK";

#[test]
fn all_listeners_can_be_unix_sockets() {
    let sockets = Sockets::new(&[]);
    let daemon = sockets.start();
    for name in ["public", "admin", "metrics"] {
        let found = std::fs::metadata(sockets.path(name)).unwrap();
        assert!(found.file_type().is_socket(), "{name}");
        assert_eq!(found.permissions().mode() & 0o777, 0o660, "{name}");
    }
    // Whoever reaches a socket is as near as whoever reaches loopback.
    let health: Value = serde_json::from_str(&daemon.ask("GET /health HTTP/1.1\r\n")).unwrap();
    assert_eq!(health["warnings"], serde_json::json!([]));
    assert_eq!(daemon.counted("auth_open"), 0.0);
    let get = "GET /changes HTTP/1.1\r\nHost: any.example\r\n";
    assert_eq!(sockets.ask("admin", get).0, OK);
    let (line, _) = sockets.ask("admin", &format!("{get}Origin: https://any.example\r\n"));
    assert_eq!(line, "HTTP/1.1 403 Forbidden");
    let get = "GET /metrics/prom HTTP/1.1\r\nHost: x\r\n";
    assert_eq!(sockets.ask("metrics", get).0, OK);
    let (log, _) = daemon.stop();
    for name in ["public", "admin", "metrics"] {
        assert!(!sockets.path(name).exists(), "{name}");
        assert!(log.contains(&sockets.at(name)), "{log}");
    }
}

#[test]
fn commands_find_the_daemon_on_its_sockets() {
    let sockets = Sockets::new(&[("SOCKET_MODE", "0600")]);
    let daemon = sockets.start();
    let mode = std::fs::metadata(sockets.path("public")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    sockets.told(&["healthcheck"]);
    let told = sockets.told(&["trigger", "--wait", "60"]);
    assert!(told.contains("success"), "{told}");
    let told = sockets.told(&["status"]);
    assert!(told.contains(&sockets.at("public")), "{told}");
    assert!(sockets.told(&["changes"]).contains("new"));
    sockets.told(&["deliveries", "list"]);
    sockets.told(&["pause"]);
    sockets.told(&["resume"]);
    let (public, admin) = (sockets.at("public"), sockets.at("admin"));
    let mut elsewhere = sockets.command(&["status", "--url", &public]);
    elsewhere.env_remove("LISTEN");
    assert!(elsewhere.output().unwrap().status.success());
    let mut elsewhere = sockets.command(&["pause", "--admin-url", &admin]);
    elsewhere.env_remove("ADMIN_LISTEN");
    assert!(elsewhere.output().unwrap().status.success());
    daemon.stop();
    let gone = sockets.command(&["status"]).output().unwrap();
    assert_eq!(gone.status.code(), Some(69), "{gone:?}");
    let told = String::from_utf8(gone.stderr).unwrap();
    assert!(told.contains(&public), "{told}");
    let gone = sockets.command(&["healthcheck"]).output().unwrap();
    assert_eq!(gone.status.code(), Some(1), "{gone:?}");
}

#[test]
fn a_socket_is_taken_over_from_the_dead_only() {
    let sockets = Sockets::new(&[("ADMIN_LISTEN", "off"), ("METRICS_LISTEN", "")]);
    let daemon = sockets.start();
    let other = Sockets::new(&[
        ("ADMIN_LISTEN", "off"),
        ("METRICS_LISTEN", ""),
        ("LISTEN", &sockets.at("public")),
    ]);
    let (code, told) = other.refused();
    assert_eq!(code, Some(71), "{told}");
    for part in [&*sockets.at("public"), "LISTEN", "another process listens"] {
        assert!(told.contains(part), "{told}");
    }
    daemon.ask("GET /livez HTTP/1.1\r\n");
    // A kill leaves the file behind.
    drop(daemon);
    assert!(sockets.path("public").exists());
    let refused = UnixStream::connect(sockets.path("public")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let daemon = sockets.start();
    daemon.ask("GET /livez HTTP/1.1\r\n");
    // Somebody puts a socket of their own in its place: it is theirs.
    std::fs::remove_file(sockets.path("public")).unwrap();
    let _theirs = UnixListener::bind(sockets.path("public")).unwrap();
    term(&daemon);
    assert_eq!(daemon.wait().0, Some(0));
    UnixStream::connect(sockets.path("public")).unwrap();
}

#[test]
fn what_is_no_socket_stays() {
    let sockets = Sockets::new(&[("METRICS_LISTEN", "")]);
    std::fs::write(sockets.path("admin"), "precious").unwrap();
    let (code, told) = sockets.refused();
    assert_eq!(code, Some(71), "{told}");
    assert!(told.contains("ADMIN_LISTEN"), "{told}");
    assert!(told.contains("no socket"), "{told}");
    assert_eq!(std::fs::read(sockets.path("admin")).unwrap(), b"precious");
    assert!(!sockets.path("public").exists(), "it was bound before");
}

#[test]
fn slow_and_idle_clients_are_bounded_there_too() {
    let sockets = Sockets::new(&[("HEADER_TIMEOUT_SECONDS", "1")]);
    let daemon = sockets.start();
    let path = sockets.path("public");
    // Every piece is one message to the kernel; the head is looked at as a whole.
    let mut pieces = connect(&path);
    for piece in [
        "GET /livez HT",
        "TP/1.1\r\nHo",
        "st: x\r\nConnection: close\r\n",
        "\r\n",
    ] {
        pieces.write_all(piece.as_bytes()).unwrap();
        daemon.ask("GET /livez HTTP/1.1\r\n");
    }
    let mut answer = String::new();
    pieces.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with(OK), "{answer}");
    let timeouts = "http_connections_closed_total{reason=\"header_timeout\"}";
    let before = daemon.counted(timeouts);
    let mut unfinished = connect(&path);
    unfinished.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let closed = unfinished.read(&mut [0]).map_err(|error| error.kind());
    assert!(
        matches!(closed, Ok(0) | Err(ErrorKind::ConnectionReset)),
        "{closed:?}"
    );
    assert_eq!(daemon.counted(timeouts), before + 1.0);
    daemon.stop();
}

#[test]
fn a_stop_answers_what_is_under_way_and_closes_what_is_idle() {
    let sockets = Sockets::new(&[]);
    let daemon = sockets.start();
    let path = sockets.path("public");
    let mut idle = connect(&path);
    let mut begun = connect(&path);
    begun.write_all(b"GET /readyz HTTP/1.1\r\n").unwrap();
    daemon.await_count("http_connections", 3.0);
    term(&daemon);
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
    begun.write_all(b"Host: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    begun.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert_eq!(daemon.wait().0, Some(0));
    assert!(!path.exists());
}
