//! Days pass while a destination is down. The clock is the test's; everything else is real.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use match_list_processor::domain::retry::next_delay;
use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::matches::{a_match, list, matches, with};
use crate::support::neighbours::{Drive, Mood};

fn is_settled(row: &Value) -> bool {
    row["state"] == "delivered" || row["state"] == "superseded"
}

/// Lets `time` pass in steps: seconds at first, then minutes. After each, what has become due is
/// under way or held back.
async fn pass(daemon: &Daemon, time: Duration) {
    let mut passed = Duration::ZERO;
    while passed < time {
        let step = if passed < Duration::from_mins(3) {
            Duration::from_secs(15)
        } else {
            Duration::from_mins(20)
        };
        passed += step;
        daemon.clock.pass(step);
        let (code, _) = daemon.command("/resume").await;
        assert_eq!(code, 200, "a resumed daemon looks at once");
        idle(daemon).await;
    }
}

/// Waits until no attempt is under way and each that is due is held back.
async fn idle(daemon: &Daemon) {
    let patience = Instant::now() + Duration::from_secs(30);
    let held_back = |row: &Value| {
        let destination = row["destination"].as_str().unwrap();
        daemon.counted(&format!(
            "delivery_breaker_open{{destination=\"{destination}\"}}"
        )) == 1.0
    };
    loop {
        let rows = daemon.deliveries().await;
        let now = daemon.clock.unix();
        let waits = |row: &Value| row["state"] == "pending";
        let place = |row: &Value| (row["destination"].clone(), row["match_id"].clone());
        let id = |row: &Value| row["id"].as_i64();
        let is_first = |row: &Value| {
            let before = |other: &&Value| id(other) < id(row) && place(other) == place(row);
            !rows.iter().filter(before).any(waits)
        };
        let is_due = |row: &&Value| {
            let at = row["next_attempt"].as_f64();
            waits(row) && at.is_some_and(|at| at <= now) && is_first(row)
        };
        let running = rows.iter().any(|row| row["state"] == "running");
        if !running && rows.iter().filter(is_due).all(held_back) {
            return;
        }
        assert!(Instant::now() < patience, "never idle: {rows:#?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Attempts that the schedule has for an entry that waits for so long.
fn scheduled(waited: Duration) -> usize {
    let mut at = Duration::ZERO;
    let due = (1..).map_while(|made| {
        at += next_delay(made, 0.0)?;
        (at <= waited).then_some(())
    });
    1 + due.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_three_days_everything_arrives_in_order_and_nobody_was_hammered() {
    let drive = Drive::start();
    drive.mood(Mood::Status(503));
    let daemon = Daemon::start_with_drive(&drive.url()).await;
    daemon.look(list(&matches(1..4))).await;
    pass(&daemon, Duration::from_hours(20)).await;
    let moved = |id, time: &str| with(a_match(id), json!({ "avsparkstid": time }));
    daemon
        .look(list(&[
            moved(1, "20:00"),
            a_match(2),
            a_match(3),
            a_match(4),
        ]))
        .await;
    pass(&daemon, Duration::from_hours(10)).await;
    let daemon = daemon.restart().await;
    pass(&daemon, Duration::from_hours(20)).await;
    daemon
        .look(list(&[
            moved(1, "21:00"),
            a_match(2),
            a_match(3),
            a_match(4),
        ]))
        .await;
    pass(&daemon, Duration::from_hours(22)).await;

    let refused = drive.refused();
    let waited = |row: &Value| match (row["match_id"].as_i64(), row["id"].as_i64()) {
        (Some(1), Some(1..=9)) if row["state"] == "superseded" => 20,
        (Some(1), _) if row["state"] == "superseded" => 30,
        (Some(1), Some(10..)) if row["kind"] == "group_info" => 22,
        (Some(4), _) => 52,
        _ => 72,
    };
    let rows = daemon.deliveries().await;
    let asked: usize = rows
        .iter()
        .map(|row| scheduled(Duration::from_hours(waited(row))))
        .sum();
    println!("{refused} attempts during the outage, {asked} by the schedule");
    assert!(
        refused * 5 <= asked * 6,
        "{refused} attempts, {asked} by the schedule"
    );
    assert!(refused >= rows.len(), "it was tried at all: {refused}");
    let opened = daemon.counted("delivery_breaker_opened_total{destination=\"assets\"}");
    assert!(opened >= 1.0, "{opened}");

    drive.mood(Mood::Well);
    daemon.await_deliveries("an end of all", is_settled).await;
    assert_eq!(daemon.summed("dead_letters_total"), 0.0);
    assert_eq!(daemon.summed("delivery_breaker_open"), 0.0);
    let mut last = BTreeMap::new();
    for (place, (_, name)) in drive.uploads().into_iter().enumerate() {
        assert_eq!(last.insert(name.clone(), place), None, "{name} twice");
    }
    assert_eq!(last.len(), 12, "three files for each of four matches");
    for id in 2..=4 {
        let place = |kind: &str| last[&format!("whatsapp_group_{kind}_match_{id}.txt")];
        assert!(
            place("description") < place("info"),
            "in order for match {id}"
        );
    }
    let newest = drive.bodies();
    let newest = newest
        .iter()
        .filter(|body| body.contains("info_match_1.txt"));
    assert!(newest.clone().all(|body| body.contains("2030-05-05 21:00")));
    assert_eq!(newest.count(), 1);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_is_down_is_not_asked_for_each_match() {
    let drive = Drive::start();
    drive.mood(Mood::Status(500));
    let daemon = Daemon::start_with_drive(&drive.url()).await;
    daemon.look(list(&matches(1..30))).await;
    let open = "delivery_breaker_open{destination=\"assets\"}";
    daemon.await_count(open, 1.0).await;
    idle(&daemon).await;
    // Five failures open it; four are under way at a time, to each of two destinations.
    assert!(drive.refused() <= 2 * (5 + 3), "{}", drive.refused());
    drive.mood(Mood::Well);
    daemon
        .await_deliveries("all files", |row| row["state"] == "delivered")
        .await;
    daemon.await_count(open, 0.0).await;
    daemon.stop().await;
}
