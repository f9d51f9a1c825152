//! Discord, ntfy and the calendar service, as their own documents and code have them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use match_list_processor::client::HealthStatus;
use match_list_processor::config::Secret;
use match_list_processor::delivery::{Calendar, Discord, Ntfy, NtfyMessage, NtfySettings};
use match_list_processor::telemetry::labels::ErrorKind;
use match_list_processor::telemetry::metrics::Metrics;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::support::scripted::{Act, Scripted};

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new())
}

fn discord(server: &Scripted) -> Discord {
    let url = server.url("/api/webhooks/1/invented-token?thread_id=7");
    Discord::new(url, metrics()).unwrap()
}

#[tokio::test]
async fn a_message_goes_to_discord_as_it_is() {
    let server = Scripted::start(Act::with(200, "", "{\"id\":\"1\"}"));
    let message = json!({ "content": "Ändrad tid", "allowed_mentions": { "parse": [] } });
    discord(&server).send(&message).await.unwrap();
    let asked = &server.asked()[0];
    let line = "POST /api/webhooks/1/invented-token?thread_id=7&wait=true HTTP/1.1";
    assert!(asked.head.starts_with(line), "{}", asked.head);
    let sent: Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(sent, message);
}

#[tokio::test]
async fn discord_is_not_called_more_often_than_it_wants() {
    let last = "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset-After: 0.7\r\n";
    let server = Scripted::start(Act::with(200, last, "{}"));
    let discord = discord(&server);
    let begun = Instant::now();
    discord.send(&json!({})).await.unwrap();
    discord.send(&json!({})).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(700));
    // Eight calls are two periods, whatever the answers say.
    server.act(Act::status(204));
    let begun = Instant::now();
    let send = || {
        let discord = discord.clone();
        async move { discord.send(&json!({})).await.unwrap() }
    };
    tokio::join!(send(), send(), send(), send(), send(), send());
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(server.asked().len(), 8);
}

#[tokio::test]
async fn a_limit_of_discord_is_kept_by_the_next_call_too() {
    let body =
        "{\"message\": \"You are being rate limited.\", \"retry_after\": 64.57, \"global\": false}";
    let server = Scripted::start(Act::with(429, "", body));
    let discord = discord(&server);
    let error = discord.send(&json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::RateLimited);
    assert_eq!(error.retry_after, Some(Duration::from_secs(65)));
    server.act(Act::status(204));
    let error = discord.send(&json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::RateLimited);
    let wish = error.retry_after.unwrap();
    assert!((60..=65).contains(&wish.as_secs()), "{wish:?}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_webhook_that_discord_does_not_know_is_gone() {
    let server = Scripted::start(Act::status(200));
    let discord = discord(&server);
    assert_eq!(discord.probe().await.status, HealthStatus::Healthy);
    for (code, kind, is_permanent) in [
        (401, ErrorKind::Gone, true),
        (404, ErrorKind::Gone, true),
        (400, ErrorKind::Status4xx, true),
        (403, ErrorKind::Unauthorized, false),
        (503, ErrorKind::Status5xx, false),
    ] {
        server.act(Act::with(
            code,
            "",
            "{\"message\": \"Unknown Webhook\", \"code\": 10015}",
        ));
        let error = discord.send(&json!({})).await.unwrap_err();
        assert_eq!(error.kind, kind, "{code}");
        assert_eq!(error.is_permanent(), is_permanent, "{code}");
        assert!(!error.message.contains("invented"), "{error}");
        assert_eq!(
            discord.probe().await.status,
            HealthStatus::Unhealthy,
            "{code}"
        );
    }
    let asked = server.asked();
    assert!(
        asked[0]
            .head
            .starts_with("GET /api/webhooks/1/invented-token")
    );
    assert!(!format!("{discord:?}").contains("invented"));
}

fn ntfy(server: &Scripted, token: Option<&str>) -> Ntfy {
    let settings = NtfySettings {
        base: server.url("/behind/a/proxy/"),
        topic: Secret::new("invented-topic".to_owned()),
        token: token.map(|token| Secret::new(token.to_owned())),
    };
    Ntfy::new(settings, metrics()).unwrap()
}

fn message() -> NtfyMessage {
    NtfyMessage {
        title: "Ny avspark 18:30: Hemma – Borta".to_owned(),
        message: "x".repeat(5000),
        priority: 4,
        click: Some("https://example.com/match?id=1".to_owned()),
        tags: vec!["soccer".to_owned()],
    }
}

#[tokio::test]
async fn a_message_goes_to_a_topic_of_ntfy() {
    let server = Scripted::start(Act::with(200, "", "{\"id\":\"x\"}"));
    ntfy(&server, Some("tk_invented"))
        .send(message())
        .await
        .unwrap();
    let asked = &server.asked()[0];
    assert!(
        asked.head.starts_with("POST /behind/a/proxy/ HTTP/1.1"),
        "{}",
        asked.head
    );
    assert_eq!(asked.header("authorization").unwrap(), "Bearer tk_invented");
    let mut sent: Value = serde_json::from_slice(&asked.body).unwrap();
    let text = sent["message"].take();
    assert_eq!(text.as_str().unwrap().len(), 4096);
    let expected = json!({
        "topic": "invented-topic", "title": "Ny avspark 18:30: Hemma – Borta", "message": null,
        "priority": 4, "click": "https://example.com/match?id=1", "tags": ["soccer"],
    });
    assert_eq!(sent, expected);
    let mut plain = message();
    plain.click = None;
    ntfy(&server, None).send(plain).await.unwrap();
    let asked = &server.asked()[0];
    assert!(asked.header("authorization").is_none());
    assert!(!String::from_utf8_lossy(&asked.body).contains("click"));
}

#[tokio::test]
async fn what_ntfy_refuses_is_tried_again_if_that_can_help() {
    let server = Scripted::start(Act::status(200));
    let ntfy = ntfy(&server, Some("tk_invented"));
    for (code, is_permanent) in [
        (400, true),
        (401, false),
        (403, false),
        (413, true),
        (429, false),
        (500, false),
        (507, false),
    ] {
        server.act(Act::with(
            code,
            "",
            "{\"code\":1,\"error\":\"invented-topic\"}",
        ));
        let error = ntfy.send(message()).await.unwrap_err();
        assert_eq!(error.status, Some(code));
        assert_eq!(error.is_permanent(), is_permanent, "{code}");
        assert!(!error.message.contains("invented"), "{error}");
    }
    for (act, status) in [
        (
            Act::with(200, "", "{\"healthy\":true}"),
            HealthStatus::Healthy,
        ),
        (
            Act::with(200, "", "{\"healthy\":false}"),
            HealthStatus::Degraded,
        ),
        (Act::status(502), HealthStatus::Unhealthy),
    ] {
        server.act(act);
        assert_eq!(ntfy.probe().await.status, status);
    }
    assert!(!format!("{ntfy:?}").contains("invented"));
}

fn raw() -> Box<RawValue> {
    let text = r#"{"matchid": 1,"lat":57.10,"namn":"\u00c5"}"#;
    RawValue::from_string(text.to_owned()).unwrap()
}

#[tokio::test]
async fn a_newer_calendar_takes_the_matches_that_changed() {
    let server = Scripted::start(Act::with(
        200,
        "",
        "{\"success\":true,\"matches_processed\":1}",
    ));
    let calendar = Calendar::new(server.url(""), metrics()).unwrap();
    calendar.sync("delivery-1-2", &[&raw()]).await.unwrap();
    let asked = &server.asked()[0];
    assert!(
        asked.head.starts_with("POST /manual-sync HTTP/1.1"),
        "{}",
        asked.head
    );
    assert_eq!(asked.header("idempotency-key").unwrap(), "\"delivery-1-2\"");
    let expected = format!("{{\"matches\":[{}]}}", raw().get());
    assert_eq!(String::from_utf8_lossy(&asked.body), expected);
    for (act, is_permanent) in [
        (Act::with(200, "", "{\"success\":false}"), false),
        (Act::with(200, "", "{\"status\":\"success\"}"), false),
        (Act::with(200, "", "<html>"), false),
        (Act::status(500), false),
        (Act::status(400), true),
    ] {
        server.act(act);
        let error = calendar.sync("x", &[&raw()]).await.unwrap_err();
        assert_eq!(error.is_permanent(), is_permanent, "{error}");
        assert_eq!(server.asked().len(), 1, "{error}");
    }
    assert_eq!(calendar.probe().await.status, HealthStatus::Unhealthy);
    server.act(Act::with(200, "", "{}"));
    assert_eq!(calendar.probe().await.status, HealthStatus::Healthy);
    assert!(server.asked()[1].head.starts_with("GET /health "));
}

#[tokio::test]
async fn an_older_calendar_is_told_to_fetch_for_itself() {
    let server = Scripted::start(Act::status(404));
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    server.acts(move |asked| {
        counted.fetch_add(1, Ordering::Relaxed);
        match asked.head.starts_with("POST /sync ") && asked.body.is_empty() {
            true => Act::with(200, "", "{\"status\":\"warning\"}"),
            false => Act::with(404, "", "<html>"),
        }
    });
    let calendar = Calendar::new(server.url(""), metrics()).unwrap();
    calendar.sync("x", &[&raw()]).await.unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    calendar.sync("x", &[&raw()]).await.unwrap();
    assert_eq!(
        calls.load(Ordering::Relaxed),
        3,
        "which one it is was noted"
    );
    // It is replaced by a newer one.
    server.acts(|asked| match asked.head.starts_with("POST /manual-sync ") {
        true => Act::with(200, "", "{\"success\":true}"),
        false => Act::status(404),
    });
    calendar.sync("x", &[&raw()]).await.unwrap();
    server.act(Act::with(200, "", "{\"status\":\"error\"}"));
    let error = calendar.sync("x", &[&raw()]).await.unwrap_err();
    assert!(error.message.contains("reported an error"), "{error}");
    server.act(Act::status(404));
    let error = calendar.sync("x", &[&raw()]).await.unwrap_err();
    assert_eq!(error.status, Some(404), "it has neither");
}
