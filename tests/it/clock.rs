//! A wall clock that is set by hours and days, both ways: whatever runs by timers goes on, and a
//! stored "not before" that an earlier run left far ahead holds nothing up.

use std::path::PathBuf;

use jiff::SignedDuration;
use match_list_processor::clock::Clock;
use serde_json::Value;

use crate::process::Folder;
use crate::support::binary;
use crate::support::daemon::Daemon;
use crate::support::matches::{a_match, list, matches};
use crate::support::neighbours::{Drive, ListService, Mood, answer};

const DAYS: SignedDuration = SignedDuration::from_hours(5 * 24);
const ASSETS: &str = "deliveries_total{destination=\"assets\",result=\"delivered\"}";

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_waits_for_no_clock_that_was_set() {
    for by in [-DAYS, SignedDuration::from_hours(-5), DAYS] {
        let drive = Drive::start();
        // The service seems well, so that nothing but the schedule tries again.
        drive.mood(Mood::SaysError);
        let url = drive.url();
        let daemon = Daemon::start_with(Clock::system(), &[("ASSET_STORE_URL", &url)]).await;
        daemon.look(list(&[a_match(1)])).await;
        await_failure(&daemon).await;
        daemon.clock.advance(by);
        for row in daemon.deliveries().await {
            let wait = row["next_attempt"].as_f64().unwrap() - daemon.clock.unix();
            assert!((-20.0..40.0).contains(&wait), "set by {by}: {row}");
        }
        drive.mood(Mood::Well);
        daemon
            .await_deliveries("all files", |row| row["state"] == "delivered")
            .await;
        assert_eq!(daemon.counted(ASSETS), 2.0);
        assert_eq!(daemon.look(list(&matches(1..3))).await["status"], "success");
        daemon.await_count(ASSETS, 4.0).await;
        daemon.stop().await;
    }
}

async fn await_failure(daemon: &Daemon) {
    daemon
        .await_deliveries("a failed attempt", |row| {
            row["last_error"].is_string() || row["kind"] == "group_info"
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_not_before_from_a_clock_that_was_ahead_is_due_at_the_start() {
    let drive = Drive::start();
    drive.mood(Mood::SaysError);
    let url = drive.url();
    let ahead = Clock::starting_at(Clock::system().now() + DAYS);
    let mut daemon = Daemon::start_with(ahead, &[("ASSET_STORE_URL", &url)]).await;
    daemon.look(list(&[a_match(1)])).await;
    await_failure(&daemon).await;
    daemon.clock = Clock::system();
    let daemon = daemon.restart().await;
    drive.mood(Mood::Well);
    daemon
        .await_deliveries("all files", |row| row["state"] == "delivered")
        .await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_list_is_held_no_longer_by_a_clock_that_jumps() {
    let daemon = Daemon::start_with(Clock::system(), &[("HOLD_CONFIRM_SECONDS", "1")]).await;
    daemon.look(list(&matches(1..31))).await;
    daemon.clock.advance(DAYS);
    let half = list(&matches(1..11));
    assert_eq!(daemon.look(half.clone()).await["outcome"], "held");
    daemon.clock.advance(-DAYS);
    // The daemon looks again by itself.
    let accepted = "cycles_total{outcome=\"success\"}";
    daemon.await_count(accepted, 2.0).await;
    assert_eq!(daemon.exported().as_array().unwrap().len(), 10);
    daemon.stop().await;
}

/// What the daemon takes the time to be, Unix seconds.
fn time(daemon: &binary::Daemon) -> f64 {
    let health = daemon.exchange("GET /health HTTP/1.1\r\n").unwrap().1;
    let health: Value = serde_json::from_str(&health).unwrap();
    health["timestamp"].as_f64().unwrap()
}

/// The real binary on a clock that the test sets.
pub struct Jumping {
    pub daemon: binary::Daemon,
    jump: PathBuf,
}

impl Jumping {
    fn start(folder: &Folder, settings: &[(&str, &str)]) -> Self {
        Self::start_at("+0d", folder, settings)
    }

    /// With a clock that is so far from the right time, in the words of libfaketime.
    pub fn start_at(offset: &str, folder: &Folder, settings: &[(&str, &str)]) -> Self {
        let jump = folder.path("jump");
        std::fs::write(&jump, offset).unwrap();
        let mut command = folder.command(settings);
        command
            .env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketime.so.1")
            .env("FAKETIME_TIMESTAMP_FILE", &jump)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let daemon = binary::Daemon::of(command);
        Self { daemon, jump }
    }

    /// Sets the clock to so many days from the right time, `was` days from it before.
    fn set(&self, was: f64, days: f64) {
        let before = time(&self.daemon);
        std::fs::write(&self.jump, format!("{days:+}d")).unwrap();
        let jumped = (time(&self.daemon) - before) / 86_400.0;
        assert!((jumped - (days - was)).abs() < 0.1, "{days}: {jumped}");
    }
}

#[test]
fn cycles_keep_their_pace_while_the_machine_s_clock_jumps() {
    let (folder, lists) = (Folder::new(), ListService::start());
    lists.answer(answer("200 OK", "", &list(&[a_match(1)])));
    let url = lists.url();
    let settings = [
        ("API_BASE_URL", url.as_str()),
        ("RUN_MODE", "service"),
        ("SERVICE_INTERVAL", "1"),
    ];
    let clock = Jumping::start(&folder, &settings);
    for (was, days) in [(0.0, 0.0), (0.0, 5.0), (5.0, -5.0), (-5.0, 0.0)] {
        clock.set(was, days);
        lists.await_asked(lists.asked().len() + 2);
    }
    let daemon = clock.daemon;
    let failed = "cycles_total{outcome=\"failure\"}";
    assert_eq!(daemon.counted(failed), 0.0);
    assert_eq!(daemon.process("")["status"], "success");
    daemon.await_count(ASSETS, 2.0);
    daemon.stop();
}

#[test]
fn deliveries_keep_their_schedule_while_the_machine_s_clock_is_set_back() {
    let (folder, drive) = (Folder::new(), Drive::start());
    folder.list(&list(&[a_match(1)]));
    drive.mood(Mood::SaysError);
    let url = drive.url();
    let settings = [
        ("PROCESSOR_MODE", "event-driven"),
        ("ASSET_STORE_URL", url.as_str()),
    ];
    let clock = Jumping::start(&folder, &settings);
    clock.daemon.process("");
    let failed = "delivery_attempts_total{destination=\"assets\",result=\"retry\"}";
    clock.daemon.await_count(failed, 1.0);
    clock.set(0.0, -0.5);
    drive.mood(Mood::Well);
    clock.daemon.await_count(ASSETS, 2.0);
    clock.daemon.stop();
}
