//! The end of the real binary, whatever its clients and neighbours are doing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::process::{Folder, term};
use crate::support::binary::Daemon;
use crate::support::matches::{a_match, list};
use crate::support::neighbours::{Drive, ListService, Mood, answer};

fn start(folder: &Folder, settings: &[(&str, &str)]) -> Daemon {
    let mut all = vec![("PROCESSOR_MODE", "event-driven")];
    all.extend_from_slice(settings);
    Daemon::of(folder.command(&all))
}

fn folder_with_one_match() -> Folder {
    let folder = Folder::new();
    folder.list(&list(&[a_match(1)]));
    folder
}

fn connect(daemon: &Daemon) -> TcpStream {
    let stream = TcpStream::connect(daemon.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

/// Reads lines up to and with the first that contains `text`.
fn read_until(stream: &TcpStream, text: &str) -> String {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut read = String::new();
    while !read.contains(text) {
        assert!(reader.read_line(&mut read).unwrap() > 0, "{read}");
    }
    read
}

fn rest(mut stream: TcpStream) -> String {
    let mut read = String::new();
    stream.read_to_string(&mut read).unwrap();
    read
}

/// Waits for the end, which must be in order and soon.
fn ends_well_within(daemon: Daemon, limit: Duration, begun: Instant) -> String {
    let (code, log) = daemon.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(begun.elapsed() < limit, "{:?}", begun.elapsed());
    assert!(log.contains("stopped in order"), "{log}");
    log
}

#[test]
fn idle_connections_are_closed_and_hold_nothing_up() {
    let folder = folder_with_one_match();
    let daemon = start(&folder, &[("HEADER_TIMEOUT_SECONDS", "300")]);
    let silent: Vec<TcpStream> = (0..100).map(|_| connect(&daemon)).collect();
    let served = connect(&daemon);
    let request = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    (&served).write_all(request).unwrap();
    read_until(&served, "200 OK");
    let begun = Instant::now();
    term(&daemon);
    ends_well_within(daemon, Duration::from_secs(5), begun);
    assert!(silent.into_iter().all(|stream| rest(stream).is_empty()));
}

#[test]
fn a_request_whose_head_comes_too_late_is_told_to_come_back() {
    let folder = folder_with_one_match();
    let daemon = start(&folder, &[]);
    let late = connect(&daemon);
    (&late)
        .write_all(b"POST /process HTTP/1.1\r\nHost: x\r\n")
        .unwrap();
    daemon.await_metric("match_list_processor_http_connections", "the late one", 1.0);
    // Whoever is served after that shows that what had arrived before was read.
    for _ in 0..3 {
        daemon.ask("GET /livez HTTP/1.1\r\n");
    }
    term(&daemon);
    daemon.await_refusal();
    (&late).write_all(b"Content-Length: 0\r\n\r\n").unwrap();
    let told = rest(late);
    assert!(told.starts_with("HTTP/1.1 503 "), "{told:?}");
    let told = told.to_lowercase();
    for part in [
        "retry-after: ",
        "application/problem+json",
        "connection: close",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let (code, log) = daemon.wait();
    assert_eq!(code, Some(0), "{log}");
    let again = start(&folder, &[]);
    let status = again.ask("GET /health/detailed HTTP/1.1\r\n");
    assert!(
        status.contains("\"waiting\":0"),
        "nothing was accepted: {status}"
    );
    again.stop();
}

#[test]
fn whoever_asks_while_it_stops_is_told_so_until_the_last_delivery_has_ended() {
    let folder = folder_with_one_match();
    let drive = Drive::start();
    drive.mood(Mood::Hangs);
    let url = drive.url();
    let settings = [("ASSET_STORE_URL", url.as_str())];
    let daemon = start(&folder, &settings);
    daemon.process("");
    drive.await_upload();
    term(&daemon);
    daemon.await_draining();
    for healthy in ["/livez", "/health/simple", "/metrics/prom", "/status"] {
        daemon.ask(&format!("GET {healthy} HTTP/1.1\r\n"));
    }
    let one_more = connect(&daemon);
    let request = b"POST /process HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    (&one_more).write_all(request).unwrap();
    let told = rest(one_more).to_lowercase();
    assert!(told.starts_with("http/1.1 503 "), "{told}");
    assert!(
        told.contains("retry-after: ") && told.contains("connection: close"),
        "{told}"
    );
    let silent = connect(&daemon);
    drive.mood(Mood::Well);
    daemon.await_refusal();
    assert_eq!(rest(silent), "");
    let (code, log) = daemon.wait();
    assert_eq!(code, Some(0), "{log}");
    let again = start(&folder, &settings);
    again.await_count("queue_depth", 0.0);
    again.stop();
}

#[test]
fn a_body_under_way_is_read_and_its_trigger_kept() {
    let folder = folder_with_one_match();
    let lists = ListService::start();
    lists.answer(answer("200 OK", "", &list(&[a_match(1)])));
    let url = lists.url();
    let settings = [("API_BASE_URL", url.as_str())];
    let daemon = start(&folder, &settings);
    let client = connect(&daemon);
    let head =
        b"POST /process HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n";
    (&client).write_all(head).unwrap();
    read_until(&client, "100 Continue");
    let begun = Instant::now();
    term(&daemon);
    daemon.await_refusal();
    (&client).write_all(b"{\"a\":1}").unwrap();
    let told = rest(client);
    assert!(told.contains("HTTP/1.1 200 "), "{told}");
    ends_well_within(daemon, Duration::from_secs(10), begun);
    assert!(lists.asked().is_empty(), "no cycle begins at the end");
    let again = start(&folder, &settings);
    lists.await_asked(1);
    again.stop();
}

#[test]
fn a_client_that_does_not_read_holds_up_only_for_its_time() {
    let folder = folder_with_one_match();
    let daemon = start(&folder, &[("WRITE_TIMEOUT_SECONDS", "1")]);
    let deaf = connect(&daemon);
    deaf.set_nonblocking(true).unwrap();
    let request = b"GET /metrics/prom HTTP/1.1\r\nHost: x\r\n\r\n".repeat(500);
    let _ = (&deaf).write(&request);
    daemon.ask("GET /livez HTTP/1.1\r\n");
    let begun = Instant::now();
    term(&daemon);
    ends_well_within(daemon, Duration::from_secs(10), begun);
}

#[test]
fn a_stopped_oneshot_says_so_and_loses_no_trigger() {
    let folder = folder_with_one_match();
    let lists = ListService::start();
    lists.hold(true);
    let url = lists.url();
    let mut command = folder.command(&[("API_BASE_URL", url.as_str())]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    lists.await_asked(1);
    let mut kill = Command::new("kill");
    assert!(kill.arg(child.id().to_string()).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    lists.answer(answer("200 OK", "", &list(&[a_match(1)])));
    lists.hold(false);
    let (code, log) = folder.run(&[("API_BASE_URL", url.as_str())], &[]);
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("begins for 2 trigger(s)"), "{log}");
}

#[test]
fn a_stopped_oneshot_leaves_what_hangs_to_the_next_run_within_its_deadline() {
    let folder = folder_with_one_match();
    let drive = Drive::start();
    drive.mood(Mood::Hangs);
    let url = drive.url();
    let settings = [
        ("ASSET_STORE_URL", url.as_str()),
        ("SHUTDOWN_DEADLINE_SECONDS", "4"),
    ];
    let mut child = folder.command(&settings).spawn().unwrap();
    drive.await_upload();
    let begun = Instant::now();
    let mut kill = Command::new("kill");
    assert!(kill.arg(child.id().to_string()).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0), "its cycle succeeded");
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    drive.mood(Mood::Well);
    // An orderly end, so the next run puts nothing back that was not under way.
    let (code, log) = folder.run(&settings, &[]);
    assert_eq!(code, 0, "{log}");
}

#[test]
fn a_hangup_is_no_reason_to_end() {
    let daemon = start(&folder_with_one_match(), &[]);
    let mut kill = Command::new("kill");
    kill.args(["-HUP", &daemon.id()]);
    assert!(kill.status().unwrap().success());
    daemon.process("");
    let loaded = "config_last_load_success_timestamp_seconds";
    let first = daemon.counted(loaded);
    assert!(kill.status().unwrap().success());
    Daemon::await_until("the settings", || daemon.counted(loaded) > first);
    let (log, _) = daemon.stop();
    assert!(
        log.contains("settings read again (SIGHUP): the same"),
        "{log}"
    );
}
