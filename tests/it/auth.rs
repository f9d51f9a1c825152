//! Who may trigger, asked of the real daemon; rotation without a lost request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use match_list_processor::auth::{self, Auth, Headers, Key, Scheme, Validity};
use match_list_processor::clock::Clock;
use serde_json::{Value, json};

use crate::support::binary::{Daemon as Binary, ListService};
use crate::support::daemon::Daemon;

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

fn signer(scheme: Scheme, secret: &str) -> Auth {
    Auth {
        scheme,
        keys: vec![Key::new(scheme, "test", secret, Validity::default()).unwrap()],
        ..Auth::open()
    }
}

fn signed(auth: &Auth, id: &str, body: &str) -> Headers {
    auth::sign(auth, id, body.as_bytes(), Clock::system().unix()).unwrap()
}

async fn start(scheme: &str, secret: &str) -> Daemon {
    let settings = [("WEBHOOK_AUTH", scheme), ("WEBHOOK_SECRET", secret)];
    Daemon::start_with(Clock::system(), &settings).await
}

struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Value,
}

async fn post(daemon: &Daemon, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = daemon.client.post(format!("{}/process", daemon.public));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.body(body.to_owned()).send().await.unwrap();
    Answer {
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        body: serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap(),
    }
}

async fn send(daemon: &Daemon, headers: &Headers, body: &str) -> Answer {
    let pairs: Vec<_> = headers
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    post(daemon, &pairs, body).await
}

fn refusals(daemon: &Daemon, reason: &str) -> f64 {
    daemon.counted(&format!("auth_refusals_total{{reason=\"{reason}\"}}"))
}

#[tokio::test]
async fn every_refusal_looks_the_same_and_is_counted_by_its_reason() {
    let daemon = start("standard-webhooks", SECRET).await;
    let auth = signer(Scheme::StandardWebhooks, SECRET);
    let other = signer(
        Scheme::StandardWebhooks,
        "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRZY",
    );
    let right = signed(&auth, "msg_1", "{}");
    let long_ago = auth::sign(&auth, "msg_1", b"{}", Clock::system().unix() - 3600.0).unwrap();
    let ahead = auth::sign(&auth, "msg_1", b"{}", Clock::system().unix() + 3600.0).unwrap();
    let mut doubled = right.clone();
    doubled.push(right[0].clone());
    let mut garbled = right.clone();
    garbled[2].1 = "v1,!".to_owned();
    let mut bodies = Vec::new();
    for (reason, headers, body) in [
        ("missing", Headers::new(), "{}"),
        ("repeated", doubled, "{}"),
        ("malformed", garbled, "{}"),
        ("stale", long_ago, "{}"),
        ("future", ahead, "{}"),
        ("mismatch", right.clone(), "{ }"),
        ("mismatch", signed(&other, "msg_1", "{}"), "{}"),
    ] {
        let before = refusals(&daemon, reason);
        let mut answer = send(&daemon, &headers, body).await;
        assert_eq!(answer.status, 401, "{reason}");
        assert_eq!(answer.headers["www-authenticate"], "StandardWebhooks");
        assert_eq!(refusals(&daemon, reason), before + 1.0, "{reason}");
        answer.body["request_id"] = Value::Null;
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    let rejected = "triggers_total{result=\"rejected_auth\",source=\"webhook\"}";
    assert_eq!(daemon.counted(rejected), 7.0);
    assert_eq!(daemon.get("/status").await["processing_count"], 0);
    let answer = send(&daemon, &right, "{}").await;
    assert_eq!(answer.status, 200);
    daemon
        .await_trigger(&answer.body["trigger_id"], "done")
        .await;
    daemon.stop().await;
}

#[tokio::test]
async fn only_triggering_is_guarded() {
    let daemon = start("bearer", "an-invented-token").await;
    assert_eq!(post(&daemon, &[], "").await.status, 401);
    for path in ["/", "/health", "/status", "/metrics", "/readyz"] {
        daemon.get(path).await;
    }
    let detailed = daemon.get("/health/detailed").await;
    let expected = json!({
        "scheme": "bearer",
        "secrets": [
            { "label": "default", "valid": true, "not_before": null, "not_after": null }
        ],
    });
    assert_eq!(detailed["authentication"], expected);
    let status = daemon.get("/status/detailed").await;
    assert!(
        !status.to_string().contains("an-invented-token"),
        "{status}"
    );
    assert_eq!(daemon.counted("auth_scheme{scheme=\"bearer\"}"), 1.0);
    assert_eq!(daemon.counted("auth_scheme{scheme=\"none\"}"), 0.0);
    daemon.stop().await;
}

#[tokio::test]
async fn a_body_of_any_size_is_signed_as_it_came() {
    let daemon = start("github", "an invented secret").await;
    let auth = signer(Scheme::Github, "an invented secret");
    for size in [0, 1, 65_536, 65_537, 1 << 20] {
        let body = "x".repeat(size);
        let headers = signed(&auth, "", &body);
        assert_eq!(send(&daemon, &headers, &body).await.status, 200, "{size}");
        let other = format!("{}y", body.get(1..).unwrap_or_default());
        assert_eq!(send(&daemon, &headers, &other).await.status, 401, "{size}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn an_open_door_is_told_of_everywhere() {
    let open = [("HOST", "0.0.0.0")];
    let daemon = Daemon::start_with(Clock::system(), &open).await;
    let health = daemon.get("/health").await;
    assert_eq!(health["authentication"], "none");
    assert!(
        health["warnings"].to_string().contains("WEBHOOK_AUTH"),
        "{health}"
    );
    assert_eq!(daemon.counted("auth_open"), 1.0);
    daemon.stop().await;
    let local = Daemon::start_with(Clock::system(), &[]).await;
    assert_eq!(local.get("/health").await["warnings"], json!([]));
    assert_eq!(local.counted("auth_open"), 0.0);
    local.stop().await;
}

fn two(first: &str, second: &str) -> String {
    let entry = |label: &str, value: &str| {
        format!("[[secret]]\nlabel = \"{label}\"\nvalue = \"{value}\"\n")
    };
    entry("old", first) + &entry("new", second)
}

fn bearer(daemon: &Binary, token: &str) -> String {
    let request = format!("POST /process HTTP/1.1\r\nAuthorization: Bearer {token}\r\n");
    let (head, _) = daemon.exchange(&request).expect("an answer");
    head.split(' ').nth(1).unwrap_or_default().to_owned()
}

fn await_loads(daemon: &Binary, before: f64) {
    Binary::await_until("the settings to be read again", || {
        daemon.counted("config_last_load_success_timestamp_seconds") > before
    });
}

#[test]
fn secrets_are_rotated_without_a_lost_request() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.toml");
    let (old, new, newest) = (
        "token-number-one-1",
        "token-number-two-2",
        "token-number-three",
    );
    std::fs::write(&file, two(old, new)).unwrap();
    let list = ListService::start();
    let path = file.display().to_string();
    let settings = [
        ("WEBHOOK_AUTH", "bearer"),
        ("WEBHOOK_SECRETS_FILE", path.as_str()),
    ];
    let daemon = Arc::new(Binary::start(&list, &settings));
    let stop = Arc::new(AtomicBool::new(false));
    // The token that is in both files: whoever uses it must not notice.
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let (daemon, stop) = (Arc::clone(&daemon), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut sent = 0;
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(bearer(&daemon, new), "200");
                    sent += 1;
                }
                sent
            })
        })
        .collect();
    for round in 0..10 {
        let before = daemon.counted("config_last_load_success_timestamp_seconds");
        let even = round % 2 == 0;
        std::fs::write(
            &file,
            if even {
                two(new, newest)
            } else {
                two(old, new)
            },
        )
        .unwrap();
        daemon.hang_up();
        await_loads(&daemon, before);
        assert_eq!(bearer(&daemon, old), if even { "401" } else { "200" });
        assert_eq!(bearer(&daemon, newest), if even { "200" } else { "401" });
    }
    stop.store(true, Ordering::Relaxed);
    let sent: usize = senders.into_iter().map(|one| one.join().unwrap()).sum();
    assert!(sent > 20, "{sent}");
    let daemon = Arc::into_inner(daemon).unwrap();
    let (log, _) = daemon.stop();
    assert!(log.contains("WEBHOOK_SECRETS_FILE changed"), "{log}");
    for token in [old, new, newest] {
        assert!(!log.contains(token), "{log}");
    }
}

#[test]
fn a_file_that_changed_is_read_without_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "token-number-one-1").unwrap();
    let path = file.display().to_string();
    let settings = [
        ("WEBHOOK_AUTH", "bearer"),
        ("WEBHOOK_SECRET_FILE", path.as_str()),
    ];
    let daemon = Binary::start(&ListService::start(), &settings);
    assert_eq!(bearer(&daemon, "token-number-two-2"), "401");
    std::fs::write(&file, "token-number-two-2").unwrap();
    Binary::await_until("the new secret", || {
        bearer(&daemon, "token-number-two-2") == "200"
    });
    assert_eq!(bearer(&daemon, "token-number-one-1"), "401");
    daemon.stop();
}

#[test]
fn a_bad_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.toml");
    let (old, new) = ("token-number-one-1", "token-number-two-2");
    std::fs::write(&file, two(old, new)).unwrap();
    let path = file.display().to_string();
    let settings = [
        ("WEBHOOK_AUTH", "bearer"),
        ("WEBHOOK_SECRETS_FILE", path.as_str()),
    ];
    let daemon = Binary::start(&ListService::start(), &settings);
    for (n, bad) in [
        "",
        "not toml, but a token-number-six",
        &two(old, "short"),
        &two(old, "with space "),
    ]
    .into_iter()
    .enumerate()
    {
        std::fs::write(&file, bad).unwrap();
        daemon.hang_up();
        let errors = "log_events_total{level=\"error\"}";
        Binary::await_until("the complaint", || daemon.counted(errors) > n as f64);
        assert_eq!(daemon.counted("config_last_load_successful"), 0.0);
        assert_eq!(bearer(&daemon, old), "200", "{bad}");
        assert_eq!(bearer(&daemon, new), "200", "{bad}");
    }
    std::fs::write(&file, two(old, new)).unwrap();
    daemon.hang_up();
    daemon.await_count("config_last_load_successful", 1.0);
    let (log, _) = daemon.stop();
    assert!(!log.contains("token-number"), "{log}");
}

/// A daemon whose scheme and secret stand in a TOML file, or in `.env`.
fn with_file(name: &str, text: &str) -> (tempfile::TempDir, std::path::PathBuf, Binary) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    std::fs::write(&file, text).unwrap();
    let path = file.display().to_string();
    let daemon = Binary::start(&ListService::start(), &[("CONFIG_FILE", path.as_str())]);
    (folder, file, daemon)
}

#[test]
fn a_file_that_is_cut_off_or_gone_does_not_open_the_door() {
    let text = "webhook_auth = \"bearer\"\nwebhook_secret = \"token-number-one-1\"\n";
    let (_folder, file, daemon) = with_file("settings.toml", text);
    let errors = "log_events_total{level=\"error\"}";
    for (n, cut) in [
        Some(""),
        Some("webhook_secret = \"token-number-one-1\"\n"),
        None,
    ]
    .into_iter()
    .enumerate()
    {
        match cut {
            Some(cut) => std::fs::write(&file, cut).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        daemon.hang_up();
        Binary::await_until("the complaint", || daemon.counted(errors) > n as f64);
        assert_eq!(bearer(&daemon, "another-token-there"), "401", "{cut:?}");
        assert_eq!(bearer(&daemon, "token-number-one-1"), "200", "{cut:?}");
    }
    let (log, _) = daemon.stop();
    assert!(log.contains("WEBHOOK_AUTH"), "{log}");
    assert!(!log.contains("nothing was started"), "{log}");
}

#[test]
fn a_secret_that_comes_after_its_table_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (table, late) = (folder.path().join("table"), folder.path().join("late"));
    std::fs::write(&table, two("token-number-one-1", "token-number-two-2")).unwrap();
    let path = table.display().to_string();
    let settings = [
        ("WEBHOOK_AUTH", "bearer"),
        ("WEBHOOK_SECRETS_FILE", path.as_str()),
    ];
    let daemon = Binary::start(&ListService::start(), &settings);
    let text = format!(
        "[[secret]]\nlabel = \"late\"\nfile = \"{}\"\n",
        late.display()
    );
    std::fs::write(&table, text).unwrap();
    daemon.await_count("config_last_load_successful", 0.0);
    std::fs::write(&late, "token-number-six-6").unwrap();
    daemon.await_count("config_last_load_successful", 1.0);
    assert_eq!(bearer(&daemon, "token-number-six-6"), "200");
    assert_eq!(bearer(&daemon, "token-number-one-1"), "401");
    let (log, _) = daemon.stop();
    let complaints = log.matches("not taken").count();
    assert_eq!(complaints, 1, "told once: {log}");
}

#[test]
fn another_file_with_the_same_secret_is_the_one_that_is_watched() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    for file in [&first, &second] {
        std::fs::write(file, "token-number-one-1").unwrap();
    }
    let text = |file: &std::path::Path| {
        let file = file.display();
        format!("webhook_auth = \"bearer\"\nwebhook_secret_file = \"{file}\"\n")
    };
    let (_settings, settings, daemon) = with_file("settings.toml", &text(&first));
    let before = daemon.counted("config_last_load_success_timestamp_seconds");
    std::fs::write(&settings, text(&second)).unwrap();
    daemon.hang_up();
    await_loads(&daemon, before);
    std::fs::write(&second, "token-number-two-2").unwrap();
    Binary::await_until("the new secret", || {
        bearer(&daemon, "token-number-two-2") == "200"
    });
    daemon.stop();
}

#[tokio::test]
async fn it_is_told_when_no_secret_counts_any_more() {
    let until = Clock::system().now() + jiff::SignedDuration::from_secs(60);
    let table =
        format!("[[secret]]\nlabel = \"a\"\nvalue = \"an-invented-token\"\nnot_after = {until}\n");
    let settings = [
        ("WEBHOOK_AUTH", "bearer"),
        ("WEBHOOK_SECRETS", table.as_str()),
    ];
    let clock = Clock::system();
    let daemon = Daemon::start_with(clock.clone(), &settings).await;
    let token = [("authorization", "Bearer an-invented-token")];
    assert_eq!(post(&daemon, &token, "").await.status, 200);
    assert_eq!(daemon.get("/health").await["warnings"], json!([]));
    clock.advance(jiff::SignedDuration::from_mins(2));
    assert_eq!(post(&daemon, &token, "").await.status, 401);
    let health = daemon.get("/health").await;
    assert!(
        health["warnings"][0]
            .as_str()
            .unwrap()
            .contains("counts now"),
        "{health}"
    );
    daemon.scrape().await;
    assert_eq!(daemon.counted("auth_secrets"), 0.0);
    daemon.stop().await;
}

#[tokio::test]
async fn a_refusal_leaves_the_connection_to_the_next_request() {
    use std::io::{Read, Write};
    let daemon = start("bearer", "an-invented-token").await;
    let mut stream = daemon.connect();
    for token in [
        "wrong-token-wrong",
        "an-invented-token",
        "wrong-token-wrong",
        "an-invented-token",
    ] {
        let head = format!(
            "POST /process HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: 5\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        // The body comes after the head was looked at, as from a sender far away.
        daemon.get("/livez").await;
        stream.write_all(b"12345").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            let mut byte = [0];
            assert_eq!(stream.read(&mut byte).unwrap(), 1, "{token}");
            answer.push(byte[0]);
        }
        let expected = if token.starts_with("wrong") {
            "401"
        } else {
            "200"
        };
        let answer = String::from_utf8(answer).unwrap();
        assert_eq!(answer.split(' ').nth(1), Some(expected), "{answer}");
        assert!(
            !answer.to_lowercase().contains("connection: close"),
            "{answer}"
        );
    }
    daemon.stop().await;
}
