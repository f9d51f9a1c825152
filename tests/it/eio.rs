//! System calls that fail with EIO, one after the other. Whatever the call, an answer of 200 holds
//! after the next start, and a commit whose outcome nobody knows ends the process with 74.

use std::process::Command;

use serde_json::{Value, json};

use crate::process::{Folder, term};
use crate::support::binary::Daemon;
use crate::support::faults::{Failing, with_failing_call};
use crate::support::matches::{a_match, list, matches, with};

const SYNCS: &str = "fsync,fdatasync";

/// A folder with a store, after a run in order.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.list(&list(&[a_match(1)]));
    assert_eq!(folder.once().0, 0);
    folder
}

fn daemon(folder: &Folder) -> Command {
    folder.command(&[("PROCESSOR_MODE", "event-driven")])
}

/// Posts triggers until the daemon is gone, or enough are acknowledged; their ids.
fn acknowledged(daemon: &Daemon) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..8 {
        let Some((head, body)) = daemon.exchange("POST /process HTTP/1.1\r\n") else {
            break;
        };
        if head.starts_with("HTTP/1.1 200 ") {
            let body: Value = serde_json::from_str(&body).unwrap();
            ids.push(body["trigger_id"].as_str().unwrap().to_owned());
        } else {
            assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
        }
    }
    ids
}

/// One run with a fault and one without; the exit code of the first.
fn survives(calls: &str, error: &str, when: &str) -> i32 {
    let folder = folder();
    folder.list(&list(&matches(1..3)));
    let faulty = with_failing_call(&daemon(&folder), calls, error, when);
    let (code, ids) = match Daemon::try_of(faulty) {
        Err((code, log)) => {
            assert!(log.contains("match-list-processor"), "{log}");
            (code.unwrap(), Vec::new())
        }
        Ok(running) => {
            let ids = acknowledged(&running);
            let _ = term_if_running(&running);
            let (code, log) = running.wait();
            let code = code.unwrap_or_else(|| panic!("{calls} {when}: killed: {log}"));
            assert!(!log.contains("a panic"), "{calls} {when}: {log}");
            (code, ids)
        }
    };
    assert!([0, 71, 74, 78].contains(&code), "{calls} {when}: {code}");
    let healthy = Daemon::of(daemon(&folder));
    healthy.await_done(&ids);
    let unclean = healthy.counted("starts_total{previous=\"unclean\"}");
    if code == 74 {
        assert_eq!(unclean, 1.0, "{calls} {when}");
    }
    // Whatever was written, it is whole: the list is seen as it is.
    assert_eq!(healthy.process("")["status"], "success");
    healthy.stop();
    let exported = std::fs::read(folder.path("data/previous_matches.json")).unwrap();
    let exported: Value = serde_json::from_slice(&exported).unwrap();
    assert_eq!(exported, json!(matches(1..3)), "{calls} {when}");
    code
}

/// A daemon that has met its end needs no signal.
fn term_if_running(daemon: &Daemon) -> std::io::Result<std::process::ExitStatus> {
    let mut kill = Command::new("kill");
    kill.args(["-TERM", &daemon.id()])
        .stderr(std::process::Stdio::null());
    kill.status()
}

fn sweep(calls: &str, error: &str, last: u32) -> Vec<i32> {
    (1..=last)
        .map(|n| survives(calls, error, &n.to_string()))
        .collect()
}

fn ended_with_74(codes: &[i32]) -> usize {
    codes.iter().filter(|&&code| code == 74).count()
}

#[test]
fn a_failed_sync_never_costs_what_was_acknowledged() {
    let codes = sweep(SYNCS, "EIO", 18);
    assert!(ended_with_74(&codes) >= 5, "{codes:?}");
}

#[test]
fn a_failed_write_never_costs_what_was_acknowledged() {
    let codes = sweep("pwrite64", "EIO", 24);
    assert!(ended_with_74(&codes) >= 5, "{codes:?}");
}

#[test]
fn a_disk_that_is_gone_for_good_ends_the_process() {
    for (when, code) in [
        // At the start, before anything was acknowledged; later.
        ("1+", 71),
        ("8+", 74),
    ] {
        assert_eq!(survives(SYNCS, "EIO", when), code, "{when}");
    }
}

#[test]
fn a_failed_commit_ends_the_process_with_74_and_answers_503() {
    let folder = folder();
    let running = Daemon::of(daemon(&folder));
    let wal = folder.path("data/match-list-processor.db-wal");
    let failing = Failing::calls(&running.id(), SYNCS, "EIO", &[wal]);
    // The answer may be lost with the process; a success it is not.
    let answered = running.exchange("POST /process HTTP/1.1\r\n");
    assert!(answered.is_none_or(|(head, _)| head.starts_with("HTTP/1.1 503 ")));
    let (code, log) = running.wait();
    drop(failing);
    assert_eq!(code, Some(74), "{log}");
    assert!(
        log.contains("start again to read what was written"),
        "{log}"
    );
}

#[test]
fn an_exported_list_that_cannot_be_replaced_is_tried_again() {
    let kept = |folder: &Folder| std::fs::read(folder.path("data/previous_matches.json")).unwrap();
    let new = "previous_matches.json.new";
    for (calls, file) in [
        ("openat", new),
        ("write", new),
        (SYNCS, new),
        ("rename", new),
    ] {
        let folder = folder();
        let before = kept(&folder);
        let running = Daemon::of(daemon(&folder));
        let path = folder.path("data").join(file);
        let failing = Failing::calls(&running.id(), calls, "EIO", &[path]);
        let later = with(a_match(1), json!({ "avsparkstid": "20:00" }));
        folder.list(&list(std::slice::from_ref(&later)));
        let record = running.process("");
        assert_eq!(
            record["changes"]["updated"], 1,
            "{calls}: committed all the same"
        );
        assert_eq!(kept(&folder), before, "{calls}: whole, and the old one");
        let errors = "store_errors_total{operation=\"export\"}";
        assert_eq!(running.counted(errors), 1.0, "{calls}");
        assert_eq!(running.counted("store_writable"), 1.0, "{calls}");
        drop(failing);
        assert_eq!(running.process("")["changes"]["updated"], 0);
        let exported: Value = serde_json::from_slice(&kept(&folder)).unwrap();
        assert_eq!(exported, json!([later]), "{calls}");
        term(&running);
        assert_eq!(running.wait().0, Some(0));
    }
}
