//! A process that may open no more files and connections, or start no more threads.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::process::Folder;
use crate::support::binary::Daemon;
use crate::support::faults::Failing;
use crate::support::matches::{a_match, list};

fn connect(daemon: &Daemon) -> TcpStream {
    let stream = TcpStream::connect(daemon.address()).unwrap();
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).unwrap();
    stream
}

/// Asks on a connection that stays open, and reads up to `end`.
fn ask(mut stream: &TcpStream, request: &str, end: &str) -> String {
    write!(stream, "{request} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut read = String::new();
    while !read.ends_with(end) {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "{read}");
        read.push(byte[0].into());
    }
    read
}

fn open_files(daemon: &Daemon) -> usize {
    let folder = format!("/proc/{}/fd", daemon.id());
    std::fs::read_dir(folder).unwrap().count()
}

fn allow(daemon: &Daemon, files: usize) {
    let limit = format!("--nofile={files}:4096");
    let mut prlimit = Command::new("prlimit");
    prlimit.args(["--pid", &daemon.id(), &limit]);
    assert!(prlimit.status().unwrap().success());
}

/// Started with this soft and this hard limit of descriptors; its log and its last metrics.
fn run_with_limits(limits: &str, connections: &str) -> (String, String) {
    let folder = Folder::new();
    let settings = [
        ("PROCESSOR_MODE", "event-driven"),
        ("MAX_CONNECTIONS", connections),
    ];
    let inner = folder.command(&settings);
    let mut command = Command::new("prlimit");
    command
        .args([&format!("--nofile={limits}"), "--"])
        .arg(inner.get_program())
        .env_clear()
        .envs(inner.get_envs().filter_map(|(k, v)| Some((k, v?))));
    Daemon::of(command).stop()
}

#[test]
fn it_takes_the_descriptors_that_it_may_have_and_tells_when_they_are_too_few() {
    let (log, metrics) = run_with_limits("256:2048", "1500");
    assert!(metrics.contains("\nprocess_max_fds 2048\n"), "{metrics}");
    assert!(!log.contains("MAX_CONNECTIONS"), "{log}");
    let (log, metrics) = run_with_limits("256:1024", "1500");
    assert!(metrics.contains("\nprocess_max_fds 1024\n"), "{metrics}");
    assert!(log.contains("Raise the hard limit to 1628"), "{log}");
    // Nobody chose a number, so that there is nothing to warn of.
    let (log, _) = run_with_limits("256:1024", "");
    assert!(!log.contains("MAX_CONNECTIONS"), "{log}");
    assert!(log.contains("a listener takes 896 connections"), "{log}");
}

#[test]
fn without_descriptors_what_is_open_is_served_and_the_rest_waits() {
    let folder = Folder::new();
    folder.list(&list(&[a_match(1)]));
    let daemon = Daemon::of(folder.command(&[("PROCESSOR_MODE", "event-driven")]));
    assert_eq!(daemon.process("")["status"], "success");
    daemon.await_deliveries();
    let open = connect(&daemon);
    ask(&open, "GET /livez", "{\"status\":\"alive\"}");
    allow(&daemon, open_files(&daemon));
    let waiting: Vec<TcpStream> = (0..3).map(|_| connect(&daemon)).collect();
    let request = "GET /health/simple";
    for mut stream in &waiting {
        write!(stream, "{request} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    }
    ask(&open, "GET /livez", "{\"status\":\"alive\"}");
    let accepted = ask(&open, "POST /process", "\"}");
    assert!(accepted.starts_with("HTTP/1.1 200 "), "{accepted}");
    // More files may be needed than there are, so the cycle may fail; it must not be lost.
    let id = accepted.rsplit('"').nth(1).unwrap().to_owned();
    allow(&daemon, 4096);
    for mut stream in waiting {
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
    daemon.await_done(&[id]);
    daemon.stop();
}

/// Threads of the pools for blocking work end after ten idle seconds; the others stay.
fn has_idle_threads(daemon: &Daemon) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", daemon.id())).unwrap();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    let names: Vec<String> = names.collect();
    let count = |name: &str| names.iter().filter(|one| one.trim() == name).count();
    count("main") > 2 || count("http") > 2
}

#[test]
fn without_threads_it_ends_rather_than_accept_what_it_cannot_do() {
    let folder = Folder::new();
    folder.list(&list(&[a_match(1)]));
    let settings = [
        ("PROCESSOR_MODE", "event-driven"),
        ("PROBE_INTERVAL_SECONDS", "3600"),
    ];
    let daemon = Daemon::of(folder.command(&settings));
    Daemon::await_until("idle threads to end", || !has_idle_threads(&daemon));
    let failing = Failing::calls(&daemon.id(), "clone3", "EAGAIN", &[]);
    // The end may be faster than the answer.
    let answered = daemon.exchange("POST /process HTTP/1.1\r\n");
    let (code, log) = daemon.wait();
    drop(failing);
    assert_eq!(code, Some(70), "{log}");
    assert!(log.contains("a panic, which is a defect"), "{log}");
    let daemon = Daemon::of(folder.command(&settings));
    assert_eq!(daemon.counted("starts_total{previous=\"unclean\"}"), 1.0);
    if let Some((_, answered)) = answered {
        let answered: serde_json::Value = serde_json::from_str(&answered).unwrap();
        daemon.await_done(&[answered["trigger_id"].as_str().unwrap().to_owned()]);
    }
    daemon.stop();
}
