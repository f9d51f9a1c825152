//! How fast cycles follow triggers and one another, against the real daemon.

use std::time::{Duration, Instant};

use match_list_processor::clock::Clock;

use crate::support::binary::{Daemon as Binary, ListService};
use crate::support::daemon::Daemon;
use crate::support::matches::{list, matches};

const STARTED: &str = "cycles_started_total";

async fn start(settings: &[(&str, &str)]) -> Daemon {
    Daemon::start_with(Clock::system(), settings).await
}

fn not_before(detail: &serde_json::Value) -> Option<f64> {
    detail["next_cycle_not_before"].as_f64()
}

#[tokio::test]
async fn webhooks_that_follow_one_another_are_served_by_one_cycle() {
    let daemon = start(&[("DEBOUNCE_SECONDS", "1")]).await;
    let mut last = serde_json::Value::Null;
    for _ in 0..5 {
        last = daemon.trigger().await;
        assert_eq!(last["processing_count"], 1, "{last}");
        assert_eq!(last["queued"], false, "no other cycle runs before it");
    }
    let came = Instant::now();
    let now = daemon.clock.unix();
    let detail = daemon
        .await_detail("the hold", |detail| not_before(detail).is_some())
        .await;
    let left = not_before(&detail).unwrap() - now;
    assert!((-0.1..1.2).contains(&left), "{detail}");
    daemon.await_trigger(&last["trigger_id"], "done").await;
    assert!(came.elapsed() > Duration::from_millis(900), "{came:?}");
    assert_eq!(daemon.counted(STARTED), 1.0);
    daemon.await_idle().await;
    let status = daemon.get("/status").await;
    assert_eq!(status["processing_history"][0]["triggers"], 5, "{status}");
    let detail = daemon.get("/health/detailed").await;
    assert_eq!(not_before(&detail), None, "{detail}");
    daemon.stop().await;
}

#[tokio::test]
async fn whoever_waits_waits_for_the_others_too() {
    let daemon = start(&[("DEBOUNCE_SECONDS", "1")]).await;
    let begun = Instant::now();
    let record = daemon.process().await;
    assert_eq!(record["status"], "success");
    assert!(begun.elapsed() >= Duration::from_millis(990));
    daemon.stop().await;
}

#[tokio::test]
async fn a_stream_that_does_not_end_is_served_all_the_same() {
    let settings = [("DEBOUNCE_SECONDS", "2"), ("DEBOUNCE_MAX_SECONDS", "3")];
    let daemon = start(&settings).await;
    let begun = Instant::now();
    let first = daemon.trigger().await["trigger_id"].clone();
    let path = format!("/triggers/{}", first.as_str().unwrap());
    while daemon.get(&path).await["status"] == "pending" {
        daemon.trigger().await;
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it waits for ever"
        );
    }
    assert!(begun.elapsed() >= Duration::from_millis(2900));
    daemon.stop().await;
}

#[tokio::test]
async fn two_cycles_keep_their_distance_over_a_restart_too() {
    let apart = [("MIN_CYCLE_INTERVAL_SECONDS", "2")];
    let mut daemon = start(&apart).await;
    let mut begins = Vec::new();
    for _ in 0..3 {
        let record = daemon.process().await;
        begins.push(record["timestamp"].as_f64().unwrap());
        let detail = daemon.get("/health/detailed").await;
        let held = not_before(&detail).expect("a hold") - begins.last().unwrap();
        assert!((1.9..2.5).contains(&held), "{held}");
        daemon = daemon.restart().await;
    }
    let gaps: Vec<f64> = begins.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(
        gaps.iter().all(|gap| (1.99..10.0).contains(gap)),
        "{gaps:?}"
    );
    daemon.stop().await;
}

#[tokio::test]
async fn a_cycle_that_was_cut_short_counts_for_the_distance() {
    let folder = crate::process::Folder::new();
    let lists = crate::support::neighbours::ListService::start();
    lists.hold(true);
    let url = lists.url();
    let settings = [
        ("PROCESSOR_MODE", "event-driven"),
        ("API_BASE_URL", url.as_str()),
        ("MIN_CYCLE_INTERVAL_SECONDS", "600"),
    ];
    let daemon = Binary::of(folder.command(&settings));
    daemon.ask("POST /process HTTP/1.1\r\n");
    lists.await_asked(1);
    // Killed in the middle.
    drop(daemon);
    let daemon = Binary::of(folder.command(&settings));
    Binary::await_until("the hold", || not_before(&daemon.detail()).is_some());
    assert_eq!(daemon.detail()["queue"]["waiting"], 1);
    assert_eq!(daemon.counted(STARTED), 0.0);
    daemon.stop();
}

#[tokio::test]
async fn an_operator_does_not_wait_for_webhooks() {
    let hold = ("HOLD_CONFIRM_SECONDS", "86400");
    let daemon = start(&[hold]).await;
    daemon.look(list(&matches(1..31))).await;
    assert_eq!(daemon.look(list(&matches(1..11))).await["outcome"], "held");
    let debounced = [hold, ("DEBOUNCE_SECONDS", "60")];
    let daemon = daemon.restart_with(&debounced).await;
    let waits = daemon.trigger().await;
    daemon
        .await_detail("the hold", |detail| not_before(detail).is_some())
        .await;
    assert_eq!(daemon.counted(STARTED), 0.0);
    let (code, accepted) = daemon.command("/snapshot/accept").await;
    assert_eq!(code, 200);
    for id in [&accepted["trigger_id"], &waits["trigger_id"]] {
        daemon.await_trigger(id, "done").await;
    }
    assert_eq!(daemon.counted(STARTED), 1.0);
    daemon.stop().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_webhooks_and_loses_none() {
    let daemon = start(&[("DEBOUNCE_SECONDS", "60")]).await;
    let waits = daemon.trigger().await;
    daemon
        .await_detail("the hold", |detail| not_before(detail).is_some())
        .await;
    let begun = Instant::now();
    let daemon = daemon.restart_with(&[]).await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{begun:?}");
    daemon.await_trigger(&waits["trigger_id"], "done").await;
    daemon.stop().await;
}

#[test]
fn the_pace_changes_while_the_daemon_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("debounce_seconds = 600\ndebounce_max_seconds = 600\n");
    let path = file.display().to_string();
    let daemon = Binary::start(&ListService::start(), &[("CONFIG_FILE", path.as_str())]);
    let trigger = || -> String {
        let answer = daemon.ask("POST /process HTTP/1.1\r\n");
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        answer["trigger_id"].as_str().unwrap().to_owned()
    };
    let held = || not_before(&daemon.detail()).is_some();
    let first = trigger();
    Binary::await_until("the hold", held);
    assert_eq!(daemon.counted(STARTED), 0.0);
    write("min_cycle_interval_seconds = 600\n");
    daemon.hang_up();
    daemon.await_done(&[first]);
    let second = trigger();
    Binary::await_until("the hold", held);
    assert_eq!(daemon.trigger(&second)["status"], "pending");
    write("");
    daemon.hang_up();
    daemon.await_done(&[second]);
    assert_eq!(daemon.counted(STARTED), 2.0);
    daemon.stop();
}
