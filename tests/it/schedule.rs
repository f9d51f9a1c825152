//! Cycles that the calendar asks for, against the real daemon.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use match_list_processor::clock::Clock;
use serde_json::{Value, json};

use crate::clock::Jumping;
use crate::process::Folder;
use crate::support::binary::{Daemon as Binary, ListService};
use crate::support::daemon::Daemon;
use crate::support::neighbours;

const ASKED: &str = "triggers_total{result=\"accepted\",source=\"schedule\"}";
const DONE: &str = "cycles_total{outcome=\"success\"}";

/// In summer the clock in Stockholm is two hours ahead of this.
async fn start_at(now: &str, settings: &[(&str, &str)]) -> Daemon {
    let now: Timestamp = now.parse().unwrap();
    Daemon::start_with(Clock::starting_at(now), settings).await
}

fn unix(at: &str) -> f64 {
    let at: Timestamp = at.parse().unwrap();
    at.as_duration().as_secs_f64()
}

async fn planned(daemon: &Daemon) -> Value {
    daemon.get("/health/detailed").await["schedule"].clone()
}

/// A webhook's cycle; how many triggers it served. What the calendar had asked for before is in it.
async fn served_with_a_webhook(daemon: &Daemon) -> u64 {
    daemon.process().await["triggers"].as_u64().unwrap()
}

#[tokio::test]
async fn a_cycle_runs_when_the_calendar_says() {
    let settings = [("SCHEDULE", "0 6,18 * * *")];
    let daemon = start_at("2027-05-01T03:59:58Z", &settings).await;
    daemon.await_count(ASKED, 1.0).await;
    daemon.await_count(DONE, 1.0).await;
    let planned = planned(&daemon).await;
    assert_eq!(planned["next"], unix("2027-05-01T16:00:00Z"));
    let last = planned["last"].as_f64().unwrap() - unix("2027-05-01T04:00:00Z");
    assert!((0.0..5.0).contains(&last), "{planned}");
    assert_eq!(planned["missed"], 0);
    daemon.stop().await;
}

#[tokio::test]
async fn without_a_schedule_there_is_none() {
    let daemon = start_at("2027-05-01T03:59:58Z", &[]).await;
    daemon.process().await;
    assert_eq!(planned(&daemon).await, Value::Null);
    daemon.stop().await;
}

#[tokio::test]
async fn what_was_missed_is_made_up_once() {
    let settings = [("SCHEDULE", "0 * * * *")];
    let daemon = start_at("2027-05-01T08:10:00Z", &settings).await;
    assert_eq!(
        served_with_a_webhook(&daemon).await,
        1,
        "nothing before the first start"
    );
    let clock = daemon.clock.clone();
    let down = || clock.pass(Duration::from_mins(200));
    let daemon = daemon.restart_after(down).await;
    daemon.await_count(ASKED, 1.0).await;
    daemon.await_count(DONE, 1.0).await;
    let after = planned(&daemon).await;
    assert_eq!(after["missed"], 3, "{after}");
    assert_eq!(after["next"], unix("2027-05-01T12:00:00Z"));
    let missed = "schedule_missed_total";
    assert_eq!(daemon.counted(missed), 3.0);
    let daemon = daemon.restart().await;
    assert_eq!(served_with_a_webhook(&daemon).await, 1, "not twice");
    assert_eq!(daemon.counted(ASKED), 0.0);
    assert_eq!(planned(&daemon).await, after);
    daemon.stop().await;
}

#[tokio::test]
async fn a_schedule_that_is_new_has_missed_nothing() {
    let daemon = start_at("2027-05-01T08:10:00Z", &[("SCHEDULE", "0 * * * *")]).await;
    daemon.process().await;
    daemon.clock.pass(Duration::from_hours(24));
    let daemon = daemon.restart_with(&[("SCHEDULE", "5 * * * *")]).await;
    assert_eq!(served_with_a_webhook(&daemon).await, 1);
    let planned = planned(&daemon).await;
    assert_eq!(planned["missed"], 0);
    assert_eq!(planned["next"], unix("2027-05-02T09:05:00Z"));
    daemon.stop().await;
}

#[tokio::test]
async fn in_quiet_hours_only_webhooks_lead_to_cycles() {
    let settings = [("SCHEDULE", "30 * * * *"), ("QUIET_HOURS", "23:00-06:00")];
    let daemon = start_at("2027-05-01T18:15:00Z", &settings).await;
    daemon.process().await;
    // From 20:15 until shortly before 06:00: 20:30, 21:30 and 22:30 were missed.
    let clock = daemon.clock.clone();
    let night = Duration::from_mins(9 * 60 + 45) - Duration::from_secs(4);
    let daemon = daemon.restart_after(|| clock.pass(night)).await;
    assert_eq!(served_with_a_webhook(&daemon).await, 1, "it is quiet");
    assert_eq!(daemon.counted(ASKED), 0.0);
    daemon.await_count(ASKED, 1.0).await;
    assert!(daemon.clock.unix() >= unix("2027-05-02T04:00:00Z"));
    let planned = planned(&daemon).await;
    assert_eq!(planned["missed"], 3, "{planned}");
    assert_eq!(planned["next"], unix("2027-05-02T04:30:00Z"));
    daemon.stop().await;
}

#[tokio::test]
async fn quiet_hours_hold_for_the_interval_too() {
    let settings = [("SERVICE_INTERVAL", "1"), ("QUIET_HOURS", "05:00-06:00")];
    let daemon = start_at("2027-05-02T03:59:57Z", &settings).await;
    daemon.await_count(ASKED, 1.0).await;
    assert!(daemon.clock.unix() >= unix("2027-05-02T04:00:00Z"));
    daemon.stop().await;
}

#[tokio::test]
async fn the_calendar_follows_a_clock_that_is_set() {
    let settings = [("SCHEDULE", "0 6 * * *")];
    let daemon = start_at("2027-05-10T08:00:00Z", &settings).await;
    daemon.process().await;
    let days = SignedDuration::from_hours(5 * 24);
    daemon.clock.advance(-days);
    daemon.process().await;
    let back = planned(&daemon).await;
    assert_eq!(back["next"], unix("2027-05-06T04:00:00Z"), "{back}");
    assert_eq!(daemon.counted(ASKED), 0.0);
    daemon.clock.advance(days);
    // Whatever wakes the daemon lets it see the time.
    daemon.process().await;
    daemon.await_some("schedule_missed_total").await;
    let ahead = planned(&daemon).await;
    assert_eq!(ahead["next"], unix("2027-05-11T04:00:00Z"), "{ahead}");
    assert_eq!(ahead["missed"], 5);
    daemon.stop().await;
}

#[tokio::test]
async fn a_day_on_which_the_clock_is_set_has_its_run() {
    // 02:30 does not exist on 2027-03-28; the clock goes on at 03:00, which is 01:00 UTC.
    let settings = [("SCHEDULE", "30 2 * * *")];
    let daemon = start_at("2027-03-28T00:59:58Z", &settings).await;
    daemon.await_count(ASKED, 1.0).await;
    assert_eq!(planned(&daemon).await["next"], unix("2027-03-29T00:30:00Z"));
    daemon.stop().await;
    // It comes twice on 2027-10-31 and counts once.
    let daemon = start_at("2027-10-31T00:29:58Z", &settings).await;
    daemon.await_count(ASKED, 1.0).await;
    assert_eq!(planned(&daemon).await["next"], unix("2027-11-01T01:30:00Z"));
    daemon.stop().await;
}

#[tokio::test]
async fn a_pause_is_made_up_for_once() {
    let settings = [("SCHEDULE", "0 * * * *")];
    let daemon = start_at("2027-05-01T08:10:00Z", &settings).await;
    daemon.process().await;
    assert_eq!(daemon.command("/pause").await.0, 200);
    daemon.clock.pass(Duration::from_hours(5));
    assert_eq!(daemon.counted(ASKED), 0.0);
    assert_eq!(daemon.command("/resume").await.0, 200);
    daemon.await_count(ASKED, 1.0).await;
    daemon.await_count(DONE, 2.0).await;
    assert_eq!(planned(&daemon).await["missed"], 5);
    daemon.stop().await;
}

#[test]
fn a_daemon_that_is_killed_again_and_again_makes_up_once() {
    let (folder, lists) = (Folder::new(), neighbours::ListService::start());
    let url = lists.url();
    let settings = [
        ("PROCESSOR_MODE", "event-driven"),
        ("API_BASE_URL", url.as_str()),
        ("SCHEDULE", "0 * * * *"),
    ];
    let clock = Jumping::start_at("+0h", &folder, &settings);
    clock.daemon.process("");
    drop(clock);
    lists.hold(true);
    for times in 2..5 {
        let clock = Jumping::start_at("+5h", &folder, &settings);
        // In the middle of the cycle.
        lists.await_asked(times);
        let detail = clock.daemon.detail();
        assert_eq!(detail["queue"]["waiting"], 1, "{detail}");
        assert!(detail["schedule"]["missed"].as_u64() >= Some(4), "{detail}");
        drop(clock);
    }
}

#[test]
fn the_schedule_changes_while_the_daemon_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "").unwrap();
    let path = file.display().to_string();
    let daemon = Binary::start(&ListService::start(), &[("CONFIG_FILE", path.as_str())]);
    assert_eq!(daemon.detail()["schedule"], Value::Null);
    let change = |text: &str, done: &dyn Fn(&Value) -> bool| {
        std::fs::write(&file, text).unwrap();
        daemon.hang_up();
        Binary::await_until(text, || done(&daemon.detail()["schedule"]));
    };
    change("schedule = \"0 6 * * *\"", &|planned| {
        planned["next"].is_number()
    });
    let local = daemon.detail()["schedule"]["next"].clone();
    change(
        "schedule = \"0 6 * * *\"\nschedule_tz = \"Asia/Tokyo\"",
        &|planned| planned["next"].is_number() && planned["next"] != local,
    );
    let quiet = "schedule = \"0 6 * * *\"\nquiet_hours = \"05:00-06:00\"";
    change(quiet, &|planned| planned["next"] == local);
    change("", &|planned| *planned == json!(null));
    daemon.stop();
}
