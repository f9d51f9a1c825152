//! What services are told of changes, through a real Redis.

use std::time::{Duration, Instant};

use match_list_processor::clock::Clock;
use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::matches::{a_match, list, with};
use crate::support::redis::{Client, RedisServer};

const UPDATES: &str = "fogis:matches:updates";

async fn telling(url: &str, more: &[(&str, &str)]) -> Daemon {
    let mut settings = vec![
        ("REDIS_ENABLED", "true"),
        ("REDIS_URL", url),
        ("PROBE_INTERVAL_SECONDS", "1"),
    ];
    settings.extend(more);
    Daemon::start_with(Clock::system(), &settings).await
}

fn updates(server: &RedisServer) -> Client {
    server.subscriber(&format!("SUBSCRIBE {UPDATES}"))
}

/// The next message, and its text.
fn message(subscriber: &mut Client) -> (Value, String) {
    let text = subscriber.next().pop().unwrap();
    (serde_json::from_str(&text).unwrap(), text)
}

fn moved(id: i64, kickoff: &str) -> Value {
    with(a_match(id), json!({ "avsparkstid": kickoff }))
}

/// The oldest entry of the outbox to Redis, once it is like this.
async fn awaited(daemon: &Daemon, done: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let rows = daemon.admin("/deliveries?destination=redis").await;
        let rows = rows["deliveries"].as_array().unwrap();
        if let Some(row) = rows.last().filter(|row| done(row)) {
            return row.clone();
        }
        assert!(Instant::now() < deadline, "waited in vain: {rows:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn failed(row: &Value) -> bool {
    row["last_error"].is_string() && row["state"] == "pending"
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_hear_of_a_change_set_once_as_it_came() {
    let server = RedisServer::start();
    let mut subscriber = updates(&server);
    let mut progress = server.subscriber("SUBSCRIBE fogis:processor:status");
    let daemon = telling(&server.url(), &[]).await;
    // A number that no parser of floats would write like this again.
    let odd = "{\"matchid\":7,\"odd\":1.10,\"lag1namn\":\"Sm\\u00e5 \\/ Bj\u{f6}rk\"}";
    let other = serde_json::to_string(&a_match(8)).unwrap();
    daemon.look(format!("[{odd},{other}]")).await;
    let (told, text) = message(&mut subscriber);
    assert_eq!(told["type"], "match_updates");
    assert_eq!(told["schema_version"], "2.0");
    assert_eq!(told["payload"]["metadata"]["has_changes"], true);
    assert!(text.contains(odd) && text.contains(&other), "{text}");
    let changes = told["payload"]["detailed_changes"].as_array().unwrap();
    assert_eq!(changes.len(), 2);
    assert_eq!(told["payload"]["high_priority"], true);
    for status in ["started", "completed"] {
        let (told, _) = message(&mut progress);
        assert_eq!(told["type"], "processing_status");
        assert_eq!(told["payload"]["status"], status);
    }
    daemon.look(format!("[{odd},{other}]")).await;
    // Of two that are gone there is nothing to show but that they are.
    let moved = serde_json::to_string(&moved(8, "20:15")).unwrap();
    daemon.look(format!("[{odd},{moved}]")).await;
    let (told, text) = message(&mut subscriber);
    assert!(text.contains(&moved) && !text.contains(odd), "{text}");
    let change = &told["payload"]["detailed_changes"][0];
    assert_eq!(change["category"], "time_change");
    assert_eq!(change["current_value"], "20:15");
    daemon.look(format!("[{odd}]")).await;
    let (told, _) = message(&mut subscriber);
    assert_eq!(told["payload"]["matches"], Value::Array(vec![]));
    assert_eq!(
        told["payload"]["detailed_changes"][0]["category"],
        "assignment_removed"
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_gone_and_back_misses_nothing_and_hears_it_in_order() {
    let mut server = RedisServer::start();
    let mut subscriber = updates(&server);
    let daemon = telling(&server.url(), &[]).await;
    daemon.look(list(&[a_match(1)])).await;
    let (first, _) = message(&mut subscriber);
    server.kill();
    let kickoffs = ["20:01", "20:02", "20:03"];
    for kickoff in kickoffs {
        daemon.look(list(&[moved(1, kickoff)])).await;
    }
    let daemon = daemon.restart().await;
    server.again();
    let back = Instant::now();
    // It comes after the daemon could have told nobody.
    let mut subscriber = updates(&server);
    let mut ids = vec![first["message_id"].clone()];
    for kickoff in kickoffs {
        let (told, _) = message(&mut subscriber);
        let change = &told["payload"]["detailed_changes"][0];
        assert_eq!(change["current_value"], kickoff);
        let now = &told["payload"]["matches"][0]["avsparkstid"];
        assert_eq!(now, "20:03", "a match is told as it is, not as it was");
        ids.push(told["message_id"].clone());
    }
    assert!(
        back.elapsed() < Duration::from_secs(30),
        "{:?}",
        back.elapsed()
    );
    ids.sort_by_key(ToString::to_string);
    ids.dedup();
    assert_eq!(ids.len(), 4, "each has its own id");
    daemon
        .await_count(
            "deliveries_total{destination=\"redis\",result=\"delivered\"}",
            3.0,
        )
        .await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_is_away_hears_of_it_when_it_is_back() {
    let server = RedisServer::start();
    let daemon = telling(&server.url(), &[]).await;
    daemon.look(list(&[a_match(1)])).await;
    awaited(&daemon, failed).await;
    let mut subscriber = updates(&server);
    let (told, _) = message(&mut subscriber);
    assert_eq!(told["payload"]["matches"][0]["matchid"], 1);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_for_those_who_read_later() {
    let server = RedisServer::start();
    let daemon = telling(&server.url(), &[("REDIS_DELIVERY", "stream")]).await;
    daemon.look(list(&[a_match(1)])).await;
    daemon.look(list(&[moved(1, "20:15")])).await;
    daemon
        .await_count(
            "deliveries_total{destination=\"redis\",result=\"delivered\"}",
            2.0,
        )
        .await;
    let read = server.client().ask(&format!("XRANGE {UPDATES} - +"));
    let messages: Vec<Value> = read
        .iter()
        .filter_map(|text| serde_json::from_str(text).ok())
        .filter(Value::is_object)
        .collect();
    assert_eq!(messages.len(), 2, "{read:?}");
    assert_eq!(messages[1]["payload"]["matches"][0]["avsparkstid"], "20:15");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_destination_that_is_no_more_is_seen_and_can_be_retried() {
    let mut server = RedisServer::start();
    let url = server.url();
    let daemon = telling(&url, &[]).await;
    server.kill();
    daemon.look(list(&[a_match(1)])).await;
    awaited(&daemon, failed).await;
    let daemon = daemon.restart_with(&[]).await;
    let row = awaited(&daemon, |row| row["state"] == "dead").await;
    daemon.scrape().await;
    assert!(row["last_error"].as_str().unwrap().contains("settings"));
    assert_eq!(daemon.counted("dead_letters{destination=\"redis\"}"), 1.0);
    server.again();
    let mut subscriber = updates(&server);
    let daemon = daemon
        .restart_with(&[("REDIS_ENABLED", "true"), ("REDIS_URL", &url)])
        .await;
    let (code, _) = daemon
        .command(&format!("/deliveries/{}/retry", row["id"]))
        .await;
    assert_eq!(code, 200);
    let (told, _) = message(&mut subscriber);
    assert_eq!(told["payload"]["matches"][0]["matchid"], 1);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_listens_for_alerts_is_told_once_that_the_login_has_expired_and_once_that_it_is_over() {
    use match_list_processor::client::CallError;
    use match_list_processor::telemetry::labels::ErrorKind;
    let server = RedisServer::start();
    let mut alerts = server.subscriber("SUBSCRIBE fogis:system:alerts");
    let settings = [
        ("REDIS_ENABLED", "true"),
        ("REDIS_URL", &server.url()),
        ("REDIS_REQUIRE_SUBSCRIBER", "false"),
        ("ALERT_AFTER_SECONDS", "600"),
        ("PROBE_INTERVAL_SECONDS", "1"),
    ];
    let daemon = Daemon::start_with(Clock::system(), &settings).await;
    let expired = CallError::of(ErrorKind::Redirect, "redirected to a login page");
    *daemon.next.lock().unwrap() = Err(expired.clone());
    daemon.process().await;
    // At least one look at how it is. Nobody else sees that nothing comes of it.
    let look = || tokio::time::sleep(Duration::from_millis(1_500));
    let kept = |daemon: &Daemon| {
        let file = daemon.folder.path().join("data/match-list-processor.db");
        let store = rusqlite::Connection::open(file).unwrap();
        let sql = "SELECT count(*) FROM outbox WHERE kind LIKE 'alert_%'";
        store
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    look().await;
    assert_eq!(kept(&daemon), 0, "it may be over soon");
    daemon.clock.pass(Duration::from_secs(601));
    let (told, _) = message(&mut alerts);
    assert_eq!(told["type"], "system_alert");
    let payload = &told["payload"];
    assert_eq!(payload["alert_type"], "login_expired");
    assert_eq!(payload["severity"], "critical");
    assert!(payload["message"].as_str().unwrap().contains("login page"));
    assert_eq!(payload["details"]["until"], Value::Null);
    let daemon = daemon.restart().await;
    *daemon.next.lock().unwrap() = Err(expired);
    daemon.process().await;
    daemon.clock.pass(Duration::from_hours(5));
    look().await;
    daemon.look(list(&[a_match(1)])).await;
    look().await;
    daemon.clock.pass(Duration::from_secs(61));
    let (told, _) = message(&mut alerts);
    assert_eq!(told["payload"]["alert_type"], "login_expired");
    assert_ne!(told["payload"]["details"]["until"], Value::Null, "{told}");
    assert_eq!(told["payload"]["severity"], "info");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_can_be_told_again_what_changed_and_everything() {
    let server = RedisServer::start();
    let mut subscriber = updates(&server);
    let daemon = telling(&server.url(), &[]).await;
    daemon.look(list(&[a_match(1), a_match(2)])).await;
    message(&mut subscriber);
    let before = daemon.clock.now();
    daemon.look(list(&[moved(1, "20:15"), a_match(2)])).await;
    message(&mut subscriber);
    let (code, told) = daemon.command(&format!("/republish?since={before}")).await;
    assert_eq!((code, &told["changes"]), (200, &json!(1)), "{told}");
    let (told, _) = message(&mut subscriber);
    let payload = &told["payload"];
    assert_eq!(payload["detailed_changes"][0]["current_value"], "20:15");
    assert_eq!(payload["matches"].as_array().unwrap().len(), 1);
    let (code, told) = daemon.command("/republish").await;
    assert_eq!(
        (code, &told["destinations"]),
        (200, &json!(["redis"])),
        "{told}"
    );
    let (told, _) = message(&mut subscriber);
    let payload = &told["payload"];
    assert_eq!(
        payload["metadata"]["has_changes"], true,
        "or nobody reads it"
    );
    assert_eq!(payload["matches"].as_array().unwrap().len(), 2);
    let later = daemon.clock.now();
    let (code, told) = daemon.command(&format!("/republish?since={later}")).await;
    assert_eq!((code, &told["changes"]), (200, &json!(0)), "{told}");
    let (code, _) = daemon.command("/republish?since=yesterday").await;
    assert_eq!(code, 400);
    let daemon = daemon.restart_with(&[]).await;
    let (code, told) = daemon.command("/republish").await;
    assert_eq!(code, 409, "{told}");
    assert!(told["detail"].as_str().unwrap().contains("REDIS_ENABLED"));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_list_is_told_at_intervals_that_go_on_over_restarts() {
    let server = RedisServer::start();
    let mut subscriber = updates(&server);
    let daemon = telling(&server.url(), &[("FULL_STATE_INTERVAL", "86400")]).await;
    daemon.look(list(&[a_match(1)])).await;
    message(&mut subscriber);
    daemon.clock.pass(Duration::from_hours(23));
    let daemon = daemon.restart().await;
    daemon.look(list(&[a_match(1)])).await;
    daemon.clock.pass(Duration::from_hours(2));
    let daemon = daemon.restart().await;
    let (told, _) = message(&mut subscriber);
    assert_eq!(told["payload"]["detailed_changes"], json!([]));
    assert_eq!(told["payload"]["matches"][0]["matchid"], 1);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_is_no_recovery_of_what_is_still_down() {
    use crate::support::matches::matches;
    use crate::support::scripted::{Act, Scripted};
    let server = RedisServer::start();
    let mut alerts = server.subscriber("SUBSCRIBE fogis:system:alerts");
    let down = Scripted::start(Act::status(503));
    let document = format!(
        "[[channel]]\nname = 'club'\nkind = 'webhook'\nurl = '{}'\nallow_private = true\n\
         [[stakeholder]]\nid = 'kim'\nrole = 'coordinator'\nminimum_priority = 'low'\n\
         channels = ['club']\n",
        down.url("/hook")
    );
    let settings = [
        ("REDIS_ENABLED", "true"),
        ("REDIS_URL", &server.url()),
        ("REDIS_REQUIRE_SUBSCRIBER", "false"),
        ("NOTIFICATIONS", &document),
        ("ALERT_AFTER_SECONDS", "600"),
        ("PROBE_INTERVAL_SECONDS", "1"),
    ];
    let daemon = Daemon::start_with(Clock::system(), &settings).await;
    daemon.look(list(&matches(1..9))).await;
    let opened = "delivery_breaker_opened_total{destination=\"webhook\"}";
    daemon.await_count(opened, 1.0).await;
    // At least one look at how it is. Nobody else sees that nothing comes of it.
    let look = || tokio::time::sleep(Duration::from_millis(1_500));
    look().await;
    daemon.clock.pass(Duration::from_secs(601));
    let (told, _) = message(&mut alerts);
    assert_eq!(told["payload"]["details"]["subject"], "webhook:club");
    assert!(
        told.to_string().contains("the service answered 503"),
        "{told}"
    );
    let daemon = daemon.restart().await;
    look().await;
    daemon.clock.pass(Duration::from_secs(61));
    look().await;
    let file = daemon.folder.path().join("data/match-list-processor.db");
    let store = rusqlite::Connection::open(file).unwrap();
    let sql = "SELECT count(*) FROM outbox WHERE kind = 'alert_destination_down:webhook:club' \
               AND destination = 'redis' AND state <> 'delivered'";
    let sql_all = "SELECT value FROM meta WHERE key = 'alert:destination_down:webhook:club'";
    let more: i64 = store.query_row(sql, [], |row| row.get(0)).unwrap();
    let note: String = store.query_row(sql_all, [], |row| row.get(0)).unwrap();
    let note: Value = serde_json::from_str(&note).unwrap();
    assert_eq!(
        (more, &note["is_open"]),
        (0, &json!(true)),
        "it is still down"
    );
    down.act(Act::status(204));
    let delivered = "deliveries_total{destination=\"webhook\",result=\"delivered\"}";
    daemon.clock.pass(Duration::from_hours(1));
    daemon.command("/resume").await;
    let patience = Duration::from_secs(20);
    daemon
        .await_figure(patience, delivered, |found| found >= 8.0)
        .await;
    look().await;
    daemon.clock.pass(Duration::from_secs(61));
    let (told, _) = message(&mut alerts);
    assert_ne!(told["payload"]["details"]["until"], Value::Null, "{told}");
    daemon.stop().await;
}

/// What the store holds of alerts: the text of each note.
fn notes(folder: &std::path::Path) -> Vec<(String, Value)> {
    let store = rusqlite::Connection::open(folder.join("match-list-processor.db")).unwrap();
    let mut statement = store
        .prepare("SELECT key, value FROM meta WHERE key LIKE 'alert:%' ORDER BY key")
        .unwrap();
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, String>(1)?));
    let rows = statement.query_map([], row).unwrap().map(Result::unwrap);
    rows.map(|(key, note)| (key, serde_json::from_str(&note).unwrap()))
        .collect()
}

#[test]
fn who_runs_it_now_and_then_is_told_what_is_wrong_and_that_it_is_over() {
    use crate::process::Folder;
    use crate::support::scripted::{Act, Scripted};
    let folder = Folder::new();
    let duty = Scripted::start(Act::status(204));
    let document = format!(
        "[[channel]]\nname = 'duty'\nkind = 'webhook'\nurl = '{}'\nallow_private = true\n\
         [[stakeholder]]\nid = 'jour'\nrole = 'operator'\nchannels = ['duty']\n",
        duty.url("/duty")
    );
    let settings = [
        ("NOTIFICATIONS", document.as_str()),
        ("ALERT_AFTER_SECONDS", "3600"),
    ];
    let run = || folder.run(&settings, &[]);
    let told = || -> Vec<(Value, Value)> {
        let asked = duty
            .asked()
            .into_iter()
            .filter(|one| one.head.starts_with("POST"));
        let event = |one: crate::support::wire::Asked| -> Value {
            serde_json::from_slice(&one.body).unwrap()
        };
        asked
            .map(event)
            .map(|event| {
                (
                    event["type"].clone(),
                    event["data"]["alerts"][0]["kind"].clone(),
                )
            })
            .collect()
    };
    let earlier = |seconds: i64| {
        let file = folder.path("data/match-list-processor.db");
        let store = rusqlite::Connection::open(file).unwrap();
        let sql = "UPDATE meta SET value = json_set(value, '$.wrong_since', \
                   json_extract(value, '$.wrong_since') - ?1) WHERE key LIKE 'alert:%'";
        assert_eq!(store.execute(sql, [seconds]).unwrap(), 1);
    };
    folder.list(b"<html>");
    assert_eq!(run().0, 1);
    assert_eq!(told(), [], "it may be over soon");
    let known = notes(&folder.path("data"));
    assert_eq!(known[0].0, "alert:list_unreachable", "{known:?}");
    assert!(known[0].1["wrong_since"].is_number(), "{known:?}");
    earlier(1_800);
    assert_eq!(run().0, 1);
    assert_eq!(told(), []);
    earlier(1_800);
    let (code, log) = run();
    assert_eq!(code, 1);
    let wrong = (json!("system.alert"), json!("list_unreachable"));
    assert_eq!(told(), [wrong], "in the run that finds it: {log}");
    assert_eq!(run().0, 1);
    assert_eq!(told(), [], "once");
    folder.list(&list(&[a_match(1)]));
    assert_eq!(run().0, 0);
    let over = (json!("system.recovered"), json!("list_unreachable"));
    assert_eq!(told(), [over]);
    assert_eq!(run().0, 0);
    assert_eq!(told(), [], "once");
    // It comes back within an hour of the alert: that is told when the hour is over.
    folder.list(b"<html>");
    run();
    earlier(3_600);
    assert_eq!(run().0, 1);
    assert_eq!(told(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_about_a_channel_that_is_no_more_is_forgotten() {
    let server = RedisServer::start();
    let daemon = telling(&server.url(), &[]).await;
    let file = daemon.folder.path().join("data/match-list-processor.db");
    let store = rusqlite::Connection::open(file).unwrap();
    let note = r#"{"wrong_since":1,"right_since":null,"told":1,"is_open":true,"open_since":1}"#;
    for about in ["destination_down:webhook:gone", "destination_down:redis"] {
        let sql = "INSERT INTO meta VALUES ('alert:' || ?1, ?2)";
        store.execute(sql, [about, note]).unwrap();
    }
    let daemon = daemon.restart().await;
    let left = || -> Vec<String> {
        notes(&daemon.folder.path().join("data"))
            .into_iter()
            .map(|(key, _)| key)
            .collect()
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while left() != ["alert:destination_down:redis"] {
        assert!(std::time::Instant::now() < deadline, "{:?}", left());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    daemon.stop().await;
}
