//! What operators are told of their own program says where it is wrong, and why.

use std::time::Duration;

use jiff::SignedDuration;
use match_list_processor::client::CallError;
use match_list_processor::clock::Clock;
use match_list_processor::telemetry::labels::ErrorKind;
use serde_json::{Value, json};

use super::ask;
use crate::support::daemon::Daemon;
use crate::support::matches::{a_match, list, matches};
use crate::support::scripted::{Act, Scripted};

/// What a receiver was told, once something in it says this.
async fn told(receiver: &Scripted, part: &str) -> String {
    let waiting = async {
        loop {
            let asked = receiver.asked();
            let bodies = asked
                .iter()
                .map(|one| String::from_utf8_lossy(&one.body).into_owned());
            if let Some(found) = bodies.into_iter().find(|body| body.contains(part)) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    waited.unwrap_or_else(|_| panic!("nobody was told {part:?}"))
}

/// A daemon whose coordinator is told by `club`, and its operator by `duty`.
async fn told_by(club: &Scripted, duty: &Scripted) -> Daemon {
    let channel = |name: &str, receiver: &Scripted| {
        format!(
            "[[channel]]\nname = '{name}'\nkind = 'webhook'\nurl = '{}'\nallow_private = true\n",
            receiver.url("/hook")
        )
    };
    let document = format!(
        "{}{}[[stakeholder]]\nid = 'kim'\nrole = 'coordinator'\nminimum_priority = 'low'\n\
         channels = ['club']\n[[stakeholder]]\nid = 'ove'\nrole = 'operator'\nchannels = ['duty']\n",
        channel("club", club),
        channel("duty", duty),
    );
    let settings = [
        ("NOTIFICATIONS", document.as_str()),
        ("PROBE_INTERVAL_SECONDS", "1"),
    ];
    Daemon::start_with(Clock::system(), &settings).await
}

/// Waits until the store's note about dead letters says this.
async fn noted(daemon: &Daemon, part: &str) {
    let path = daemon.folder.path().join("data/match-list-processor.db");
    let waiting = async {
        let store = rusqlite::Connection::open(path).unwrap();
        let sql = "SELECT value FROM meta WHERE key = 'alert:dead_letters'";
        loop {
            let note = store.query_row(sql, [], |row| row.get::<_, String>(0));
            if note.is_ok_and(|note| note.contains(part)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    waited.unwrap_or_else(|_| panic!("nothing noted {part:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_after_others_were_discarded_are_told() {
    let (club, duty) = (
        Scripted::start(Act::status(400)),
        Scripted::start(Act::status(204)),
    );
    let daemon = told_by(&club, &duty).await;
    daemon.look(list(&matches(1..4))).await;
    told(&duty, "dead_letters").await;
    let discarded = ask(&daemon, &["deliveries", "discard", "--all-dead"]);
    assert_eq!(discarded.code, 0, "{discarded:?}");
    noted(&daemon, "\"extent\":0").await;
    daemon.look(list(&matches(1..5))).await;
    let is_over = |row: &Value| {
        let state = row["state"].as_str().unwrap();
        row["destination"] != "webhook:club" || matches!(state, "dead" | "discarded")
    };
    daemon
        .await_deliveries("one more dead letter", is_over)
        .await;
    drop(duty.asked());
    daemon.clock.advance(SignedDuration::from_mins(61));
    let again = told(&duty, "system.alert").await;
    assert!(again.contains("1 to webhook:club"), "{again}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_told_with_where_they_were_to_go() {
    let (club, duty) = (
        Scripted::start(Act::status(400)),
        Scripted::start(Act::status(204)),
    );
    let daemon = told_by(&club, &duty).await;
    // The channels have no secret. Names that somebody gave are for nobody who only asks for the health.
    let odd = "2 things about stakeholders or channels are odd: check-config tells them";
    for page in ["/health", "/health/detailed"] {
        assert_eq!(daemon.get(page).await["warnings"], json!([odd]));
    }
    daemon.look(list(&[a_match(1)])).await;
    let alert = told(&duty, "dead_letters").await;
    let alert: Value = serde_json::from_str(&alert).unwrap();
    let detail = alert["data"]["alerts"][0]["detail"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        detail.contains("1 to webhook:club. `deliveries list --state dead`"),
        "{detail}"
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_had_is_no_good_health() {
    let daemon = Daemon::start_with(Clock::system(), &[]).await;
    let fails = |kind, message| *daemon.next.lock().unwrap() = Err(CallError::of(kind, message));
    for (kind, answered) in [
        (
            ErrorKind::Unauthorized,
            "the service answered 401 (is its login still valid?)",
        ),
        (ErrorKind::Status5xx, "the service answered 500"),
    ] {
        fails(kind, answered);
        ask(&daemon, &["trigger", "--wait", "60"]);
        let status = ask(&daemon, &["status"]);
        assert_eq!(status.code, 0, "{status:?}");
        assert!(
            status.out.contains(answered) && status.out.contains(": degraded"),
            "{status:?}"
        );
        assert_eq!(daemon.get("/health").await["status"], "degraded");
    }
    daemon.look(list(&[a_match(1)])).await;
    let well = daemon.get("/health").await;
    assert_eq!(well["status"], "healthy", "{well}");
    assert_eq!(well["warnings"].as_array().map_or(0, Vec::len), 0, "{well}");
    daemon.stop().await;
}
