//! Sockets that a service manager hands over: the real binary, started as systemd starts it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::process::{Folder, term};
use crate::support::binary::Daemon;
use crate::support::matches::{a_match, list};

/// Moves the standard input and output to where handed over sockets are, and becomes the daemon.
const HAND_OVER: &str = "exec 3<&0 4<&1 0</dev/null 1>&2\n\
                         export LISTEN_PID=${PID:-$$}\n\
                         exec \"$0\" \"$@\"";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.list(&list(&[a_match(1)]));
    folder
}

/// A command that starts the daemon with these sockets.
fn handing(
    folder: &Folder,
    settings: &[(&str, &str)],
    names: &str,
    given: Vec<OwnedFd>,
) -> Command {
    let inner = folder.command(&[("PROCESSOR_MODE", "event-driven"), ("PORT", "1")]);
    let mut command = Command::new("sh");
    command
        .args(["-c", HAND_OVER])
        .arg(inner.get_program())
        .current_dir(folder.path(""))
        .env_clear()
        .envs(inner.get_envs().filter_map(|(k, v)| Some((k, v?))))
        .env("LISTEN_FDS", given.len().to_string())
        .env("LISTEN_FDNAMES", names)
        .envs(settings.iter().copied());
    let mut given = given.into_iter();
    if let Some(first) = given.next() {
        command.stdin(first);
    }
    match given.next() {
        Some(second) => command.stdout(second),
        None => command.stdout(Stdio::null()),
    };
    command
}

fn bound() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The status of a probe, whenever it comes.
fn probe(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let patience = Some(Duration::from_mins(1));
    stream.set_read_timeout(patience).unwrap();
    let request = "GET /health/simple HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn sockets_that_are_handed_over_stand_for_the_settings() {
    let folder = folder();
    let (public, address) = bound();
    let path = folder.path("admin.sock");
    let admin = UnixListener::bind(&path).unwrap();
    let given = vec![OwnedFd::from(admin), public.into()];
    let settings = [("ADMIN_LISTEN", "0.0.0.0:1")];
    let daemon = Daemon::of(handing(&folder, &settings, "admin:public", given));
    assert_eq!(daemon.address(), address.to_string());
    assert_eq!(probe(address), "200");
    let mut stream = UnixStream::connect(&path).unwrap();
    stream
        .write_all(b"GET /changes HTTP/1.1\r\nHost: any.example\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let status = daemon.ask("GET /status/detailed HTTP/1.1\r\n");
    assert!(
        status.contains(&format!("\"listen\":\"{address}\"")),
        "{status}"
    );
    term(&daemon);
    assert_eq!(daemon.wait().0, Some(0));
    assert!(path.exists(), "it is the manager's");
}

#[test]
fn no_connection_is_lost_over_restarts() {
    let (listener, address) = bound();
    let folder = folder();
    let start = || {
        let given = vec![OwnedFd::from(listener.try_clone().unwrap())];
        Daemon::of(handing(&folder, &[], "match-list-processor.socket", given))
    };
    let mut daemon = start();
    let stop = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..3)
        .map(|_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut sent = 0;
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(probe(address), "200");
                    sent += 1;
                }
                sent
            })
        })
        .collect();
    for _ in 0..3 {
        term(&daemon);
        assert_eq!(daemon.wait().0, Some(0));
        // Nobody is there; who connects now is answered by the next one.
        daemon = start();
    }
    stop.store(true, Ordering::Relaxed);
    let sent: usize = senders.into_iter().map(|one| one.join().unwrap()).sum();
    assert!(sent > 3, "{sent}");
    term(&daemon);
    assert_eq!(daemon.wait().0, Some(0));
}

#[test]
fn who_was_taken_just_before_a_stop_may_still_ask() {
    let folder = folder();
    let (listener, address) = bound();
    let given = vec![OwnedFd::from(listener)];
    let daemon = Daemon::of(handing(&folder, &[], "public", given));
    let mut taken = TcpStream::connect(address).unwrap();
    let mut silent = TcpStream::connect(address).unwrap();
    // With the one that asks.
    daemon.await_count("http_connections", 3.0);
    let mut noticing = TcpStream::connect(address).unwrap();
    noticing
        .write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    assert!(noticing.read(&mut [0; 4096]).unwrap() > 0);
    term(&daemon);
    // An idle one is closed when the stop begins.
    assert_eq!(noticing.read(&mut [0]).unwrap(), 0);
    let request = "GET /health/simple HTTP/1.1\r\nHost: x\r\n\r\n";
    taken.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    taken.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    assert_eq!(daemon.wait().0, Some(0));
}

#[test]
fn sockets_that_cannot_be_used_stop_the_start() {
    let socket = || OwnedFd::from(bound().0);
    let udp = OwnedFd::from(UdpSocket::bind("127.0.0.1:0").unwrap());
    let (listener, address) = bound();
    let connected = OwnedFd::from(TcpStream::connect(address).unwrap());
    for (names, given, problem) in [
        (
            "public:web",
            vec![socket(), socket()],
            "\"web\" is not known",
        ),
        (
            "public:public",
            vec![socket(), socket()],
            "another of the name public",
        ),
        ("public", vec![udp], "no connections can come on it"),
        ("public", vec![connected], "it does not listen"),
        (
            "public",
            vec![std::fs::File::open("/dev/null").unwrap().into()],
            "no connections",
        ),
    ] {
        let folder = folder();
        let started = Daemon::try_of(handing(&folder, &[], names, given));
        let (code, told) = started.err().expect("it does not start");
        assert_eq!(code, Some(78), "{told}");
        assert!(told.contains(problem), "{problem}: {told}");
    }
    drop(listener);
    // What is handed over is bound by the same rules as what is bound.
    let folder = folder();
    let admin = OwnedFd::from(TcpListener::bind("0.0.0.0:0").unwrap());
    let started = Daemon::try_of(handing(&folder, &[], "admin", vec![admin]));
    let (code, told) = started.err().expect("it does not start");
    assert_eq!(code, Some(78), "{told}");
    assert!(told.contains("has no token"), "{told}");
}

#[test]
fn sockets_for_another_process_are_left_alone() {
    let folder = folder();
    let (listener, address) = bound();
    let settings = [("PID", "1"), ("PORT", "0")];
    let given = vec![OwnedFd::from(listener)];
    let daemon = Daemon::of(handing(&folder, &settings, "public", given));
    assert_ne!(daemon.address(), address.to_string());
    daemon.ask("GET /livez HTTP/1.1\r\n");
    term(&daemon);
    assert_eq!(daemon.wait().0, Some(0));
}
