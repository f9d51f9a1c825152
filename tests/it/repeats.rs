//! Requests that come again, by the name that their sender gave them.

use jiff::SignedDuration;
use match_list_processor::clock::Clock;
use serde_json::Value;

use crate::support::daemon::Daemon;
use crate::support::matches::{a_match, list};

struct Answer {
    status: u16,
    replayed: bool,
    body: Value,
}

async fn post(daemon: &Daemon, name: (&str, &str), body: &str) -> Answer {
    let request = daemon.client.post(format!("{}/process", daemon.public));
    let request = request.header(name.0, name.1).body(body.to_owned());
    let answer = request.send().await.unwrap();
    Answer {
        status: answer.status().as_u16(),
        replayed: answer.headers().contains_key("idempotent-replayed"),
        body: serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap(),
    }
}

async fn settled(daemon: &Daemon, id: &Value) {
    daemon.await_trigger(id, "done").await;
    daemon.await_idle().await;
}

#[tokio::test]
async fn a_repeat_is_answered_as_the_first_time_and_triggers_nothing() {
    let mut daemon = Daemon::start_with(Clock::system(), &[]).await;
    for header in ["Idempotency-Key", "webhook-id", "X-GitHub-Delivery"] {
        let first = post(&daemon, (header, "one"), "{\"n\":1}").await;
        assert_eq!((first.status, first.replayed), (200, false), "{header}");
        settled(&daemon, &first.body["trigger_id"]).await;
        let cycles = daemon.get("/status").await["processing_count"].clone();
        for _ in 0..2 {
            let again = post(&daemon, (header, "one"), "{\"n\":1}").await;
            assert_eq!((again.status, again.replayed), (200, true), "{header}");
            assert_eq!(again.body, first.body, "{header}");
            daemon = daemon.restart().await;
        }
        assert_eq!(
            daemon.get("/status").await["processing_count"],
            cycles,
            "{header}"
        );
        let other = post(&daemon, (header, "one"), "{\"n\":2}").await;
        assert_eq!(other.status, 409, "{header}");
        assert_eq!(other.body["title"], "Conflict");
        let new = post(&daemon, (header, "two"), "{\"n\":1}").await;
        assert_ne!(new.body["trigger_id"], first.body["trigger_id"], "{header}");
        settled(&daemon, &new.body["trigger_id"]).await;
    }
    let conflict = "triggers_total{result=\"rejected_conflict\",source=\"webhook\"}";
    assert_eq!(daemon.counted(conflict), 1.0, "since the last start");
    daemon.stop().await;
}

#[tokio::test]
async fn repeats_at_the_same_time_are_one_trigger() {
    let daemon = Daemon::start_with(Clock::system(), &[]).await;
    let all = (0..64).map(|_| post(&daemon, ("Idempotency-Key", "burst"), "x"));
    let answers = futures_util::future::join_all(all).await;
    let new = answers.iter().filter(|answer| !answer.replayed).count();
    assert_eq!(new, 1);
    let ids: std::collections::BTreeSet<_> = answers
        .iter()
        .map(|answer| answer.body["trigger_id"].to_string())
        .collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let duplicate = "triggers_total{result=\"duplicate\",source=\"webhook\"}";
    assert_eq!(daemon.counted(duplicate), 63.0);
    daemon.stop().await;
}

#[tokio::test]
async fn a_repeat_may_wait_for_a_cycle_that_has_ended() {
    let daemon = Daemon::start_with(Clock::system(), &[]).await;
    *daemon.next.lock().unwrap() = Ok(list(&[a_match(1)]));
    let mut records = Vec::new();
    for _ in 0..2 {
        let request = daemon.client.post(format!("{}/process", daemon.public));
        let request = request
            .header("prefer", "wait=20")
            .header("idempotency-key", "k");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["preference-applied"], "wait");
        let text = answer.text().await.unwrap();
        let mut record: Value = serde_json::from_str(&text).unwrap();
        // They go on meanwhile.
        record["deliveries"] = Value::Null;
        records.push(record);
    }
    assert_eq!(records[0], records[1]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_name_is_forgotten_after_seven_days() {
    let clock = Clock::system();
    let daemon = Daemon::start_with(clock.clone(), &[]).await;
    let first = post(&daemon, ("webhook-id", "old"), "x").await;
    let minute = SignedDuration::from_mins(1);
    clock.advance(SignedDuration::from_hours(7 * 24) - minute);
    let again = post(&daemon, ("webhook-id", "old"), "x").await;
    assert_eq!(again.body["trigger_id"], first.body["trigger_id"]);
    clock.advance(minute);
    let new = post(&daemon, ("webhook-id", "old"), "y").await;
    assert_eq!((new.status, new.replayed), (200, false));
    assert_ne!(new.body["trigger_id"], first.body["trigger_id"]);
    let again = post(&daemon, ("webhook-id", "old"), "y").await;
    assert_eq!(again.body["trigger_id"], new.body["trigger_id"]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_name_that_is_none_is_refused_and_stores_nothing() {
    let daemon = Daemon::start_with(Clock::system(), &[]).await;
    let long = "n".repeat(257);
    for name in ["", long.as_str()] {
        let refused = post(&daemon, ("Idempotency-Key", name), "x").await;
        assert_eq!(refused.status, 400, "{name}");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains("idempotency-key"), "{detail}");
    }
    assert_eq!(daemon.get("/status").await["processing_count"], 0);
    daemon.stop().await;
}
