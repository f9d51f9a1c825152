//! Webhooks out: signed, guarded, and sent once more where it makes sense.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use match_list_processor::auth::{Key, Scheme, Validity};
use match_list_processor::client::{CallError, HealthStatus, Reach};
use match_list_processor::clock::Clock;
use match_list_processor::delivery::{Messenger, Messengers, Webhook, WebhookSettings};
use match_list_processor::domain::delivery::{Destination, Lane};
use match_list_processor::domain::notify::{Language, MatchNews, Message, MessageKind, Wording};
use match_list_processor::domain::routing::Routing;
use match_list_processor::telemetry::labels::ErrorKind;
use match_list_processor::telemetry::metrics::Metrics;
use serde_json::{Value, json};
use url::Url;

use crate::senders::{folder, installed};
use crate::support::scripted::{Act, Scripted};
use crate::support::wire::{Asked, unused_address};

const FIRST: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const SECOND: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRZY";
const EXPIRED: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRZZ";

fn key(text: &str, validity: Validity) -> Key {
    Key::new(Scheme::StandardWebhooks, "test", text, validity).unwrap()
}

fn keys() -> Vec<Key> {
    let expired = Validity {
        from: None,
        until: Some(1e9),
    };
    vec![
        key(EXPIRED, expired),
        key(FIRST, Validity::default()),
        key(SECOND, Validity::default()),
    ]
}

fn webhook_with(url: Url, keys: Vec<Key>, reach: Reach) -> Webhook {
    let settings = WebhookSettings { url, keys, reach };
    Webhook::new(settings, Clock::system(), Arc::new(Metrics::new())).unwrap()
}

fn webhook(url: Url) -> Webhook {
    webhook_with(url, keys(), Reach::Any)
}

fn event() -> Value {
    json!({ "type": "match.changed", "data": { "venue": "Ängen – \u{26bd}" } })
}

/// Whether the library of those who receive takes it.
async fn verifies(secret: &'static str, asked: &Asked, body: Vec<u8>) -> bool {
    let header = |name: &str| asked.header(name).unwrap();
    let headers = json!({
        "webhook-id": header("webhook-id"),
        "webhook-timestamp": header("webhook-timestamp"),
        "webhook-signature": header("webhook-signature"),
    });
    let verified = tokio::task::spawn_blocking(move || {
        let mut child = Command::new(installed().join("bin/python"))
            .arg(folder().join("verify.py"))
            .args([secret, &headers.to_string()])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&body).unwrap();
        child.wait_with_output().unwrap()
    });
    let output = verified.await.unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() || told.contains("refused"),
        "{told}"
    );
    output.status.success()
}

#[tokio::test]
async fn receivers_verify_what_was_signed_with_any_secret_that_counts() {
    let receiver = Scripted::start(Act::status(204));
    let webhook = webhook(receiver.url("/hook?token=secret"));
    webhook.send("delivery-1-2", &event()).await.unwrap();
    webhook.send("delivery-1-2", &event()).await.unwrap();
    let asked = receiver.asked();
    assert_eq!(asked.len(), 2);
    let first = &asked[0];
    assert!(first.head.starts_with("POST /hook?token=secret HTTP/1.1"));
    assert_eq!(first.header("content-type").unwrap(), "application/json");
    let sent: Value = serde_json::from_slice(&first.body).unwrap();
    assert_eq!(sent, event());
    for asked in &asked {
        assert_eq!(asked.header("webhook-id").unwrap(), "delivery-1-2");
    }
    assert!(verifies(FIRST, first, first.body.clone()).await);
    assert!(verifies(SECOND, first, first.body.clone()).await);
    assert!(!verifies(EXPIRED, first, first.body.clone()).await);
    assert!(!verifies(FIRST, first, b"{}".to_vec()).await);
}

#[tokio::test]
async fn without_a_secret_that_counts_nothing_is_sent() {
    let receiver = Scripted::start(Act::status(200));
    let over = Validity {
        from: None,
        until: Some(1e9),
    };
    let keys = vec![key(FIRST, over)];
    let webhook = webhook_with(receiver.url("/"), keys, Reach::Any);
    let error = webhook.send("x", &event()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized);
    assert!(receiver.asked().is_empty());
    let open = webhook_with(receiver.url("/"), Vec::new(), Reach::Any);
    open.send("x", &event()).await.unwrap();
    assert!(receiver.asked()[0].header("webhook-signature").is_none());
}

async fn failure(receiver: &Scripted, act: Act) -> CallError {
    receiver.act(act);
    let webhook = webhook(receiver.url("/hook?token=secret"));
    let error = webhook.send("x", &event()).await.unwrap_err();
    assert!(!error.message.contains("hook?"), "{error}");
    error
}

#[tokio::test]
async fn an_answer_decides_what_becomes_of_it() {
    let receiver = Scripted::start(Act::status(200));
    let location = format!("Location: {}\r\n", receiver.url("/elsewhere"));
    for (act, kind, is_permanent) in [
        (Act::status(400), ErrorKind::Status4xx, true),
        (Act::status(401), ErrorKind::Unauthorized, false),
        (Act::status(404), ErrorKind::Status4xx, true),
        (Act::status(410), ErrorKind::Gone, true),
        (Act::status(429), ErrorKind::RateLimited, false),
        (Act::status(500), ErrorKind::Status5xx, false),
        (Act::status(304), ErrorKind::Invalid, false),
        (Act::with(307, &location, ""), ErrorKind::Redirect, false),
        (Act::Reset, ErrorKind::Reset, false),
        (
            Act::Answer(b"nonsense\r\n\r\n".to_vec()),
            ErrorKind::Reset,
            false,
        ),
    ] {
        let error = failure(&receiver, act).await;
        assert_eq!(error.kind, kind, "{error}");
        assert_eq!(error.is_permanent(), is_permanent, "{error}");
        assert_eq!(receiver.asked().len(), 1, "{error}");
    }
}

#[tokio::test]
async fn a_receiver_says_when_it_wants_to_be_asked_again() {
    let receiver = Scripted::start(Act::status(200));
    for (headers, body, expected) in [
        ("Retry-After: 120\r\n", "", Some(120)),
        ("Retry-After: 120\r\n", "{\"retry_after\": 3}", Some(120)),
        ("Retry-After: soon\r\n", "{\"retry_after\": 2.3}", Some(3)),
        ("", "{\"retry_after\": 1e300}", Some(3600)),
        ("", "{\"retry_after\": \"x\"}", None),
        ("", "nothing", None),
    ] {
        let error = failure(&receiver, Act::with(429, headers, body)).await;
        let wish = error.retry_after.map(|wish| wish.as_secs());
        assert_eq!(wish, expected, "{headers} {body}");
    }
    let error = failure(&receiver, Act::with(503, "Retry-After: 7\r\n", "")).await;
    assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn what_is_in_an_answer_costs_nothing() {
    let endless = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx".to_vec();
    let receiver = Scripted::start(Act::Answer(endless));
    let begun = Instant::now();
    webhook(receiver.url("/"))
        .send("x", &event())
        .await
        .unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
    let refuses = b"HTTP/1.1 429 No\r\nContent-Length: 99999999999\r\n\r\n{".to_vec();
    let error = failure(&receiver, Act::Answer(refuses)).await;
    assert_eq!(error.kind, ErrorKind::RateLimited);
}

#[tokio::test]
async fn a_receiver_that_hangs_costs_its_time_and_no_more() {
    let receiver = Scripted::start(Act::status(200));
    let begun = Instant::now();
    let error = failure(&receiver, Act::Hang).await;
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(begun.elapsed() < Duration::from_secs(25));
}

#[tokio::test]
async fn what_is_not_public_is_not_called() {
    let receiver = Scripted::start(Act::status(200));
    let port = receiver.port();
    for host in [
        "localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
        "10.0.0.1",
    ] {
        let url: Url = format!("http://{host}:{port}/hook?token=secret")
            .parse()
            .unwrap();
        let guarded = webhook_with(url, keys(), Reach::Public);
        let error = guarded.send("x", &event()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Connect, "{host}: {error}");
        assert!(error.message.contains("public internet"), "{host}: {error}");
        assert!(!error.is_permanent(), "{host}");
        assert!(!error.message.contains("token"), "{error}");
        let health = guarded.probe().await;
        assert_eq!(health.status, HealthStatus::Unhealthy, "{host}");
        let error = health.error.unwrap();
        assert!(error.contains("public internet"), "{host}: {error}");
    }
    assert!(receiver.asked().is_empty());
    for host in ["localhost", "127.1", "[::ffff:127.0.0.1]"] {
        let url: Url = format!("http://{host}:{port}/").parse().unwrap();
        let allowed = webhook_with(url, keys(), Reach::Any);
        allowed.send("x", &event()).await.unwrap();
        assert_eq!(allowed.probe().await.status, HealthStatus::Healthy);
        assert_eq!(receiver.asked().len(), 1, "{host}");
    }
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_seen_as_such() {
    let url: Url = format!("http://{}/", unused_address()).parse().unwrap();
    let webhook = webhook(url);
    let error = webhook.send("x", &event()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Connect);
    assert_eq!(webhook.probe().await.status, HealthStatus::Unhealthy);
    assert!(!format!("{webhook:?}").contains("http://"));
}

#[tokio::test]
async fn a_long_digest_arrives_whole_and_its_repeat_has_the_same_ids() {
    let receiver = Scripted::start(Act::status(204));
    let lane = Lane::named(Destination::Webhook, "club");
    let ways = BTreeMap::from([(
        lane.clone(),
        Messenger::Webhook(webhook(receiver.url("/hook"))),
    )]);
    let wording = Wording::new(BTreeMap::new()).unwrap();
    let messengers = Messengers::new(ways, Arc::new(Routing::default()), Some(wording));
    let of = |match_id| MatchNews {
        match_id,
        ..MatchNews::default()
    };
    let digest = Message {
        kind: MessageKind::Digest,
        matches: (1..=1_100).map(of).collect(),
        ..Message::changes(Language::English, of(1))
    };
    let send = async || {
        let at = jiff::Timestamp::UNIX_EPOCH;
        let sent = messengers.send(&lane, "kim", &digest, ("delivery-7-0", at));
        sent.await
    };
    let second = |asked: &Asked| String::from_utf8_lossy(&asked.body).contains("\"match_id\":501,");
    receiver.acts(move |asked| match second(asked) {
        true => Act::status(503),
        false => Act::status(204),
    });
    assert_eq!(send().await.unwrap_err().kind, ErrorKind::Status5xx);
    let ids = |asked: &[Asked]| -> Vec<String> {
        let id = |one: &Asked| one.header("webhook-id").unwrap();
        asked.iter().map(id).collect()
    };
    let failed = receiver.asked();
    assert_eq!(failed.len(), 2, "nothing goes out before what it follows");
    receiver.act(Act::status(204));
    send().await.unwrap();
    let all = receiver.asked();
    assert_eq!(ids(&all)[..2], ids(&failed));
    assert_eq!(
        ids(&all),
        ["delivery-7-0-1", "delivery-7-0-2", "delivery-7-0-3",]
    );
    let told: Vec<i64> = all
        .iter()
        .flat_map(|one| {
            let body: Value = serde_json::from_slice(&one.body).unwrap();
            body["data"]["matches"].as_array().unwrap().clone()
        })
        .map(|one| one["match"]["match_id"].as_i64().unwrap())
        .collect();
    assert_eq!(told, (1..=1_100).collect::<Vec<_>>());
}
