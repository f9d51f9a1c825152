//! Files in the data folder that are damaged, foreign, newer or no files: named, kept byte for
//! byte, and never taken for empty. And rows that are damaged cost no other row.

use std::path::PathBuf;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::process::Folder;
use crate::support::binary::Daemon;
use crate::support::matches::{a_match, list, matches};

const STORE: &str = "data/match-list-processor.db";
const EXPORT: &str = "data/previous_matches.json";

/// A folder with a store of so many matches, after a run in order.
fn folder(count: i64) -> Folder {
    let folder = Folder::new();
    folder.list(&list(&matches(1..count + 1)));
    let (code, log) = folder.run(&[("MIN_REFEREES_FOR_WHATSAPP", "3")], &[]);
    assert_eq!(code, 0, "{log}");
    folder
}

fn sql(folder: &Folder, statements: &str) {
    let connection = Connection::open(folder.path(STORE)).unwrap();
    connection.execute_batch(statements).unwrap();
}

/// The start fails, names the file and the way out, and leaves the file as it is.
fn is_refused(folder: &Folder, name: &str, way_out: &str) {
    let file = folder.path(name);
    let before = std::fs::read(&file).ok();
    let (code, log) = folder.once();
    assert_eq!(code, 78, "{log}");
    let said = log.lines().last().unwrap();
    assert!(said.contains(file.to_str().unwrap()), "{said}");
    assert!(said.contains(way_out), "{said}");
    assert_eq!(std::fs::read(&file).ok(), before, "kept byte for byte");
}

#[test]
fn a_store_of_somebody_else_or_of_the_future_is_kept() {
    for pragma in ["user_version = 999", "application_id = 1"] {
        let folder = folder(1);
        let version: i32 = Connection::open(folder.path(STORE))
            .unwrap()
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        sql(&folder, &format!("PRAGMA {pragma}"));
        is_refused(&folder, STORE, "Restore it from a backup");
        sql(
            &folder,
            &format!("PRAGMA user_version = {version}; PRAGMA application_id = 1296846963"),
        );
        assert_eq!(folder.once().0, 0, "as before, once it is what it was");
    }
}

#[test]
fn a_store_with_a_damaged_page_is_kept() {
    // Page 1 is the schema; each later one but the tail is overwritten once, where it matters at
    // the start.
    let whole = std::fs::read(folder(300).path(STORE)).unwrap();
    let pages = whole.len() / 4096;
    let mut refused = 0;
    for page in (1..pages).step_by(4) {
        let folder = Folder::new();
        folder.list(&list(&matches(1..301)));
        std::fs::create_dir(folder.path("data")).unwrap();
        let mut damaged = whole.clone();
        damaged[page * 4096..][..4096].fill(0x5a);
        std::fs::write(folder.path(STORE), &damaged).unwrap();
        let (code, log) = folder.once();
        match code {
            78 => {
                refused += 1;
                assert!(log.contains("is damaged. It was left as it is"), "{log}");
            }
            // What is damaged was not needed, or the cycle failed visibly on it, or its commit did.
            0 | 1 => {}
            74 => assert!(log.contains("the store is damaged"), "{log}"),
            _ => panic!("page {page}: {code}: {log}"),
        }
        assert!(!log.contains("a panic"), "page {page}: {log}");
        assert!(!log.contains("new match"), "never taken for empty: {log}");
    }
    assert!(refused >= 2, "{refused} of {pages} pages");
}

#[test]
fn a_folder_where_a_file_should_be_is_no_store_and_no_list() {
    let folder = Folder::new();
    folder.list(b"[]");
    std::fs::create_dir_all(folder.path(STORE)).unwrap();
    is_refused(&folder, STORE, "move it away");
    std::fs::remove_dir(folder.path(STORE)).unwrap();
    std::fs::create_dir(folder.path(EXPORT)).unwrap();
    is_refused(&folder, EXPORT, "it is no regular file");
    std::fs::remove_dir(folder.path(EXPORT)).unwrap();
    assert_eq!(folder.once().0, 0);
}

#[test]
fn an_exported_list_that_is_damaged_costs_nothing_once_the_store_has_one() {
    let folder = folder(3);
    std::fs::write(folder.path(EXPORT), b"[{\"matchid\"").unwrap();
    let (code, log) = folder.once();
    assert_eq!(code, 0, "{log}");
    let exported: Value =
        serde_json::from_slice(&std::fs::read(folder.path(EXPORT)).unwrap()).unwrap();
    assert_eq!(exported, json!(matches(1..4)));
    // In the way, and not a file: the daemon works without it, and says so.
    std::fs::remove_file(folder.path(EXPORT)).unwrap();
    std::fs::create_dir(folder.path(EXPORT)).unwrap();
    let running = Daemon::of(folder.command(&[("PROCESSOR_MODE", "event-driven")]));
    let failures = "store_errors_total{operation=\"export\"}";
    assert_eq!(running.counted(failures), 1.0, "at the start");
    assert_eq!(running.process("")["status"], "success");
    assert_eq!(running.counted(failures), 2.0, "after the cycle");
    std::fs::remove_dir(folder.path(EXPORT)).unwrap();
    running.process("");
    assert!(
        folder.path(EXPORT).is_file(),
        "written as soon as it can be"
    );
    running.stop();
}

/// The state after a kill: triggers in the write-ahead log only. Returns their ids.
fn killed_with_a_log(folder: &Folder) -> Vec<String> {
    folder.list(b"<html>");
    let running = Daemon::of(folder.command(&[("PROCESSOR_MODE", "event-driven")]));
    let ids = (0..5).map(|_| {
        let answered: Value =
            serde_json::from_str(&running.ask("POST /process HTTP/1.1\r\n")).unwrap();
        answered["trigger_id"].as_str().unwrap().to_owned()
    });
    let ids = ids.collect();
    // Dropping it kills it.
    drop(running);
    folder.list(&list(&[a_match(1)]));
    ids
}

#[test]
fn a_write_ahead_log_that_was_cut_counts_up_to_the_cut() {
    let folder = folder(1);
    let ids = killed_with_a_log(&folder);
    let log: PathBuf = folder.path("data/match-list-processor.db-wal");
    let bytes = std::fs::read(&log).unwrap();
    let store = std::fs::read(folder.path(STORE)).unwrap();
    let mut known = Vec::new();
    // Whole, cut within a page, within a header, to nothing.
    for length in [bytes.len(), bytes.len() / 2 + 100, 40, 0] {
        std::fs::write(folder.path(STORE), &store).unwrap();
        std::fs::write(&log, &bytes[..length]).unwrap();
        let _ = std::fs::remove_file(folder.path("data/match-list-processor.db-shm"));
        let running = Daemon::of(folder.command(&[("PROCESSOR_MODE", "event-driven")]));
        let answered = |id: &String| {
            let asked = running.exchange(&format!("GET /triggers/{id} HTTP/1.1\r\n"));
            asked.unwrap().0.starts_with("HTTP/1.1 200 ")
        };
        let here: Vec<bool> = ids.iter().map(answered).collect();
        let kept = here.iter().take_while(|&&here| here).count();
        assert!(!here[kept..].contains(&true), "a prefix: {here:?}");
        assert_eq!(running.process("")["status"], "success");
        running.await_done(&ids[..kept]);
        known.push(kept);
        running.stop();
    }
    assert_eq!(known[0], ids.len(), "all, where nothing was cut");
    assert_eq!(known[3], 0);
    assert!(known[1] < ids.len(), "{known:?}");
}

#[test]
fn a_row_that_cannot_be_read_is_dead_after_its_attempts_and_costs_no_other() {
    let folder = Folder::new();
    folder.list(&list(&matches(1..4)));
    assert_eq!(folder.once().0, 0);
    sql(
        &folder,
        "UPDATE outbox SET state = 'pending', attempts = 100, settled = NULL, \
         payload = CAST(X'7bff' AS TEXT) WHERE match_id = 1;
         UPDATE outbox SET state = 'running', attempts = -7, payload = 'null' \
         WHERE match_id = 2;",
    );
    folder.list(&list(&matches(1..5)));
    let running = Daemon::of(folder.command(&[("PROCESSOR_MODE", "event-driven")]));
    assert_eq!(running.process("")["status"], "success");
    let dead = |destination: &str, reason: &str| {
        format!("dead_letters_total{{destination=\"{destination}\",reason=\"{reason}\"}}")
    };
    // The first match's by this start's attempts; the second's by the attempts of the process that ended.
    running.await_count(&dead("assets", "poisoned"), 4.0);
    running.await_count(&dead("avatars", "poisoned"), 2.0);
    running.await_count("dead_letters{destination=\"assets\"}", 4.0);
    let delivered = "deliveries_total{destination=\"assets\",result=\"delivered\"}";
    running.await_count(delivered, 2.0);
    assert!(
        folder
            .path("files/WhatsApp_Group_Assets/2030-05-05/Match_4_Hemma_IF_Borta_BK")
            .exists()
    );
    running.stop();
}
