//! What operators are told of their own program says where it is wrong, and why.

use std::time::Duration;

use match_list_processor::client::CallError;
use match_list_processor::clock::Clock;
use match_list_processor::telemetry::labels::ErrorKind;
use serde_json::Value;

use super::ask;
use crate::support::daemon::Daemon;
use crate::support::matches::{a_match, list};
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

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_told_with_where_they_were_to_go() {
    let (club, duty) = (
        Scripted::start(Act::status(400)),
        Scripted::start(Act::status(204)),
    );
    let channel = |name: &str, receiver: &Scripted| {
        format!(
            "[[channel]]\nname = '{name}'\nkind = 'webhook'\nurl = '{}'\nallow_private = true\n",
            receiver.url("/hook")
        )
    };
    let document = format!(
        "{}{}[[stakeholder]]\nid = 'kim'\nrole = 'coordinator'\nminimum_priority = 'low'\n\
         channels = ['club']\n[[stakeholder]]\nid = 'ove'\nrole = 'operator'\nchannels = ['duty']\n",
        channel("club", &club),
        channel("duty", &duty),
    );
    let settings = [
        ("NOTIFICATIONS", document.as_str()),
        ("PROBE_INTERVAL_SECONDS", "1"),
    ];
    let daemon = Daemon::start_with(Clock::system(), &settings).await;
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
