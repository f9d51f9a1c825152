//! Quiet hours hold for what was tried before them, too.

use std::time::Duration;

use match_list_processor::clock::Clock;
use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::matches::{a_match, list, with};
use crate::support::scripted::{Act, Scripted};

/// Seven in the morning in Stockholm.
const MORNING: &str = "2030-06-02T05:00:00Z";

/// The matches of the messages so far, in order.
fn told(hook: &Scripted, all: &mut Vec<i64>) -> Vec<i64> {
    let asked = hook.asked().into_iter();
    let posts = asked.filter(|one| one.head.starts_with("POST"));
    all.extend(posts.map(|one| {
        let event: Value = serde_json::from_slice(&one.body).unwrap();
        event["data"]["match"]["match_id"].as_i64().unwrap()
    }));
    all.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_comes_back_at_night_wakes_nobody() {
    let hook = Scripted::start(Act::status(503));
    let document = format!(
        "[[channel]]\nname = 'hook'\nkind = 'webhook'\nurl = '{}'\nallow_private = true\n\
         [[stakeholder]]\nid = 'kim'\nrole = 'coordinator'\nminimum_priority = 'low'\n\
         channels = ['hook']\nquiet_hours = '22:00-07:00'\n",
        hook.url("/hook")
    );
    // Half a minute before ten in the evening in Stockholm.
    let clock = Clock::starting_at("2030-06-01T19:59:30Z".parse().unwrap());
    let daemon = Daemon::start_with(clock, &[("NOTIFICATIONS", document.as_str())]).await;
    let on = |id: i64, day: &str| with(a_match(id), json!({ "speldatum": day }));
    let far: Vec<Value> = (1..=5).map(|id| on(id, "2030-06-20")).collect();
    daemon.look(list(&far)).await;
    let open = "delivery_breaker_open{destination=\"webhook\"}";
    daemon.await_count(open, 1.0).await;
    let is_news = |row: &Value| row["destination"] == "webhook:hook";
    let tried = |row: &Value| !is_news(row) || (row["state"] == "pending" && row["attempts"] != 0);
    daemon.await_deliveries("five failures", tried).await;
    let mut all = Vec::new();
    let before = told(&hook, &mut all).len();
    hook.act(Act::status(204));
    daemon.clock.pass(Duration::from_mins(2));
    // A match of today is critical, and its success shows that the receiver is back.
    let today = [far.clone(), vec![on(6, "2030-06-01")]].concat();
    daemon.look(list(&today)).await;
    let morning: jiff::Timestamp = MORNING.parse().unwrap();
    let asleep = |row: &Value| {
        let next = row["next_attempt"].as_f64().unwrap_or_default();
        let until_morning = (next - morning.as_duration().as_secs_f64()).abs() < 5.0;
        match row["match_id"].as_i64() {
            _ if !is_news(row) => true,
            Some(6) => row["state"] == "delivered",
            _ => row["state"] == "pending" && until_morning,
        }
    };
    daemon.await_deliveries("a quiet night", asleep).await;
    // A daemon that starts at night wakes nobody either.
    let daemon = daemon.restart().await;
    daemon.clock.pass(Duration::from_mins(30));
    daemon.command("/resume").await;
    daemon.await_deliveries("a quiet night", asleep).await;
    assert_eq!(told(&hook, &mut all)[before..], [6]);
    daemon.clock.pass(Duration::from_hours(9));
    daemon.command("/resume").await;
    let delivered = |row: &Value| !is_news(row) || row["state"] == "delivered";
    daemon.await_deliveries("the morning", delivered).await;
    let mut later = told(&hook, &mut all)[before + 1..].to_vec();
    later.sort_unstable();
    assert_eq!(later, [1, 2, 3, 4, 5]);
    daemon.stop().await;
}
