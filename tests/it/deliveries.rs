//! What is made for a match reaches the Drive service: once, in order, whatever happens between.

use std::time::Duration;

use serde_json::json;

use crate::support::daemon::Daemon;
use crate::support::matches::{a_match, list, matches, with};
use crate::support::neighbours::{Drive, Mood};

fn names(drive: &Drive) -> Vec<String> {
    drive.uploads().into_iter().map(|(_, name)| name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_drive_service_is_used_within_its_limits() {
    let drive = Drive::start();
    let daemon = Daemon::start_with_drive(&drive.url()).await;
    // All on one day, so that all share the folder above theirs.
    daemon.look(list(&matches(1..5))).await;
    daemon
        .await_deliveries("all files", |row| row["state"] == "delivered")
        .await;
    assert_eq!(drive.uploads().len(), 12);
    assert_eq!(
        drive.collisions(),
        0,
        "one upload at a time for the folders of a day"
    );
    let gap = drive.mean_gap();
    assert!(
        gap.as_millis() >= 195,
        "at most about five operations a second, not one per {gap:?}"
    );
    let body = &drive.bodies()[0];
    for part in [
        "name=\"folder_path\"\r\n\r\nWhatsApp_Group_Assets/2030-05-05/Match_",
        "name=\"overwrite\"\r\n\r\ntrue",
        "name=\"file\"; filename=\"whatsapp_group_",
    ] {
        assert!(body.contains(part), "{part:?} is missing");
    }
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_another_program_locks_for_a_while_loses_no_settlement() {
    let drive = Drive::start();
    drive.mood(Mood::Hangs);
    let daemon = Daemon::start_with_drive(&drive.url()).await;
    daemon.look(list(&[a_match(1)])).await;
    daemon.await_under_way().await;
    let store = daemon.folder.path().join("data/match-list-processor.db");
    let (tell, told) = tokio::sync::oneshot::channel();
    // Longer than the daemon waits for a lock.
    let locked = tokio::task::spawn_blocking(move || {
        let there = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE;
        let other = rusqlite::Connection::open_with_flags(store, there).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        tell.send(()).unwrap();
        std::thread::sleep(Duration::from_secs(5));
        other.execute_batch("ROLLBACK").unwrap();
    });
    told.await.unwrap();
    drive.mood(Mood::Well);
    locked.await.unwrap();
    daemon
        .await_deliveries("all files", |row| row["state"] == "delivered")
        .await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_changed_is_made_again() {
    let drive = Drive::start();
    let daemon = Daemon::start_with_drive(&drive.url()).await;
    daemon.look(list(&[a_match(1)])).await;
    daemon
        .await_deliveries("all files", |row| row["state"] == "delivered")
        .await;
    // A goal is no change, and a kick-off stands in one of the three files only.
    daemon
        .look(list(&[with(a_match(1), json!({ "matchlag1mal": 3 }))]))
        .await;
    let later = with(a_match(1), json!({ "avsparkstid": "20:00" }));
    daemon.look(list(&[later])).await;
    daemon
        .await_deliveries("all files", |row| row["state"] == "delivered")
        .await;
    assert_eq!(names(&drive)[3..], ["whatsapp_group_info_match_1.txt"]);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_with_a_restart_in_between_loses_nothing() {
    let drive = Drive::start();
    drive.mood(Mood::Status(503));
    let daemon = Daemon::start_with_drive(&drive.url()).await;
    let record = daemon.look(list(&matches(1..3))).await;
    assert_eq!(
        record["status"], "success",
        "changes are committed whatever the Drive service does"
    );
    assert_eq!(record["deliveries"]["total"], 6);
    daemon
        .await_deliveries("a first attempt", |row| {
            row["last_error"].is_string() || row["kind"] == "group_info"
        })
        .await;
    assert!(drive.refused() > 0);
    let health = daemon.await_health("degraded").await;
    assert_eq!(health["dependencies"]["storage_service"], "unhealthy");
    let daemon = daemon.restart().await;
    assert_eq!(
        daemon.get("/status").await["processing_history"][0]["deliveries"]["pending"],
        6
    );
    daemon.await_health("degraded").await;
    drive.mood(Mood::Well);
    daemon
        .await_deliveries("all files", |row| row["state"] == "delivered")
        .await;
    for (file, key) in drive.keys() {
        let same = |other: &&(String, String)| other.0 == file || other.1 == key;
        assert!(key.starts_with("\"delivery-"), "{key}");
        assert!(
            drive
                .keys()
                .iter()
                .filter(same)
                .all(|other| *other == (file.clone(), key.clone())),
            "a key is the same at each attempt, also of the next run, and for nothing else: {:?}",
            drive.keys()
        );
    }
    let mut stored = names(&drive);
    for id in 1..3 {
        let place = |kind: &str| {
            stored
                .iter()
                .position(|n| *n == format!("whatsapp_group_{kind}_match_{id}.txt"))
                .unwrap()
        };
        assert!(
            place("description") < place("info"),
            "in order for each match: {stored:?}"
        );
    }
    stored.sort();
    stored.dedup();
    assert_eq!(stored.len(), 6, "each file, and each once");
    assert_eq!(drive.uploads().len(), 6);
    daemon.await_health("healthy").await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_state_takes_the_place_of_one_that_is_not_out_yet() {
    let drive = Drive::start();
    drive.mood(Mood::Status(500));
    let daemon = Daemon::start_with_drive(&drive.url()).await;
    daemon.look(list(&[a_match(1)])).await;
    for hour in 10..15 {
        let later = with(a_match(1), json!({ "avsparkstid": format!("{hour}:00") }));
        daemon.look(list(&[later])).await;
    }
    daemon.await_health("degraded").await;
    drive.mood(Mood::Well);
    let settled =
        |row: &serde_json::Value| row["state"] == "delivered" || row["state"] == "superseded";
    let rows = daemon.await_deliveries("an end of all", settled).await;
    let ended = |state: &str| {
        let rows = rows.iter().filter(|row| row["state"] == state).count();
        let of = |way: &str| {
            daemon.counted(&format!(
                "deliveries_total{{destination=\"{way}\",result=\"{state}\"}}"
            ))
        };
        (rows, of("assets") + of("avatars"))
    };
    let (superseded, counted) = ended("superseded");
    assert!(superseded > 0);
    assert_eq!(counted, superseded as f64, "each is counted");
    let (delivered, counted) = ended("delivered");
    assert_eq!(counted, delivered as f64);
    let repeated = "client_retries_total{dependency=\"storage_service\"}";
    assert!(daemon.counted(repeated) > 0.0);
    let infos: Vec<String> = drive
        .bodies()
        .into_iter()
        .filter(|body| body.contains("Group Name:"))
        .collect();
    assert_eq!(infos.len(), 1, "only the newest went out");
    assert!(infos[0].contains("Date & Time: 2030-05-05 14:00"));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_good_waits_for_a_person() {
    let drive = Drive::start();
    drive.mood(Mood::Status(400));
    let daemon = Daemon::start_with_drive(&drive.url()).await;
    daemon.look(list(&[a_match(1)])).await;
    let rows = daemon
        .await_deliveries("dead letters", |row| row["state"] == "dead")
        .await;
    assert_eq!(rows.len(), 3);
    assert!(
        rows.iter()
            .all(|row| row["attempts"] == 1 && row["last_error"].is_string())
    );
    assert_eq!(
        daemon.counted("dead_letters_total{destination=\"assets\",reason=\"rejected\"}"),
        2.0
    );
    let history = daemon.get("/status").await["processing_history"].clone();
    assert_eq!(history[0]["deliveries"]["dead"], 3);
    drive.mood(Mood::Well);
    for row in &rows {
        let (code, answer) = daemon
            .command(&format!("/deliveries/{}/retry", row["id"]))
            .await;
        assert_eq!(code, 200, "{answer}");
    }
    daemon
        .await_deliveries("all files", |row| row["state"] == "delivered")
        .await;
    let (code, _) = daemon
        .command(&format!("/deliveries/{}/retry", rows[0]["id"]))
        .await;
    assert_eq!(code, 409, "what is delivered cannot be retried");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_login_and_a_lying_success_are_tried_again() {
    for mood in [Mood::Status(401), Mood::SaysError, Mood::Status(429)] {
        let drive = Drive::start();
        drive.mood(mood);
        let daemon = Daemon::start_with_drive(&drive.url()).await;
        daemon.look(list(&[a_match(1)])).await;
        let tried =
            |row: &serde_json::Value| row["state"] == "pending" && row["next_attempt"].is_f64();
        daemon.await_deliveries("a failed attempt", tried).await;
        drive.mood(Mood::Well);
        daemon
            .await_deliveries("all files", |row| row["state"] == "delivered")
            .await;
        assert_eq!(drive.uploads().len(), 3, "{mood:?}");
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_given_up_at_the_start_is_counted_like_any_other() {
    let drive = Drive::start();
    drive.mood(Mood::Status(500));
    let daemon = Daemon::start_with_drive(&drive.url()).await;
    daemon.look(list(&[a_match(1)])).await;
    daemon.command("/pause").await;
    daemon
        .await_deliveries("an end of what is under way", |row| {
            row["state"] == "pending"
        })
        .await;
    // What a program leaves that ended during each of its attempts.
    let path = daemon.folder.path().join("data/match-list-processor.db");
    let sql = "UPDATE outbox SET state = 'running', attempts = 99 WHERE kind = 'group_info'";
    let changed = rusqlite::Connection::open(path).unwrap().execute(sql, []);
    assert_eq!(changed, Ok(1));
    let daemon = daemon.restart().await;
    let counted = |name: &str| {
        daemon.counted(&format!(
            "{name}{{destination=\"assets\",reason=\"poisoned\"}}"
        ))
    };
    assert_eq!(counted("dead_letters_total"), 1.0);
    let dead = "deliveries_total{destination=\"assets\",result=\"dead\"}";
    assert_eq!(daemon.counted(dead), 1.0);
    daemon.stop().await;
}
