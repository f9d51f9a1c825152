//! From where, and how often, may be triggered: asked of the real daemon.

use std::time::Duration;

use match_list_processor::clock::Clock;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::support::binary::{Daemon as Binary, ListService};
use crate::support::daemon::Daemon;

const PROXIES: (&str, &str) = ("TRUSTED_PROXIES", "127.0.0.1,10.0.0.0/8");

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("-", |value| value.to_str().unwrap())
    }
}

async fn post(daemon: &Daemon, forwarded: &[&str]) -> Answer {
    let mut request = daemon.client.post(format!("{}/process", daemon.public));
    for line in forwarded {
        request = request.header("x-forwarded-for", *line);
    }
    let answer = request.send().await.unwrap();
    Answer {
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        body: serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap(),
    }
}

fn rejected(daemon: &Daemon, result: &str) -> f64 {
    daemon.counted(&format!(
        "triggers_total{{result=\"{result}\",source=\"webhook\"}}"
    ))
}

async fn start(settings: &[(&str, &str)]) -> Daemon {
    Daemon::start_with(Clock::system(), settings).await
}

#[tokio::test]
async fn whoever_asks_too_often_is_told_when_to_come_back() {
    let limits = [
        ("RATE_LIMIT_PER_CLIENT", "60/h burst 2"),
        ("RATE_LIMIT_TOTAL", "100/min"),
    ];
    let daemon = start(&limits).await;
    let policy = "\"client\";q=60;w=3600, \"total\";q=100;w=60";
    for left in [1, 0] {
        let answer = post(&daemon, &[]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), policy);
        let told = answer.header("ratelimit");
        assert!(
            told.starts_with(&format!("\"client\";r={left};t=60, ")),
            "{told}"
        );
        assert_eq!(answer.header("retry-after"), "-");
    }
    let answer = post(&daemon, &[]).await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.body["title"], "Too Many Requests");
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((50..=60).contains(&wait), "{wait}");
    let told = format!("\"client\";r=0;t={wait}");
    assert_eq!(answer.header("ratelimit"), told, "the other is not used up");
    assert_eq!(rejected(&daemon, "rejected_rate"), 1.0);
    daemon.clock.pass(Duration::from_secs(wait));
    assert_eq!(post(&daemon, &[]).await.status, 200);
    // Only triggers are limited.
    for path in ["/health", "/status", "/livez"] {
        for _ in 0..5 {
            daemon.get(path).await;
        }
    }
    daemon.stop().await;
}

#[tokio::test]
async fn without_limits_nothing_is_said_of_them() {
    let daemon = start(&[]).await;
    for _ in 0..50 {
        let answer = post(&daemon, &["198.51.100.1"]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit"), "-");
        assert_eq!(answer.header("ratelimit-policy"), "-");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn all_together_have_a_limit_too() {
    let daemon = start(&[PROXIES, ("RATE_LIMIT_TOTAL", "3/h")]).await;
    for n in 1..5 {
        let answer = post(&daemon, &[&format!("198.51.100.{n}")]).await;
        assert_eq!(answer.status, if n < 4 { 200 } else { 429 }, "{n}");
        assert_eq!(answer.header("ratelimit-policy"), "\"total\";q=3;w=3600");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn a_forged_request_uses_the_quota_up_before_anybody_judges_it() {
    let settings = [
        ("RATE_LIMIT_PER_CLIENT", "2/h"),
        ("WEBHOOK_AUTH", "bearer"),
        ("WEBHOOK_SECRET", "an-invented-token"),
    ];
    let daemon = start(&settings).await;
    let statuses = [
        post(&daemon, &[]).await.status,
        post(&daemon, &[]).await.status,
        post(&daemon, &[]).await.status,
    ];
    assert_eq!(statuses, [401, 401, 429]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_client_behind_a_proxy_is_told_apart_and_cannot_lie() {
    let daemon = start(&[PROXIES, ("RATE_LIMIT_PER_CLIENT", "1/h")]).await;
    for (forwarded, status) in [
        (&["198.51.100.1"][..], 200),
        (&["198.51.100.1"], 429),
        // It says that it is somebody else; the proxy says who it is.
        (&["203.0.113.1, 198.51.100.1"], 429),
        (&["203.0.113.2", "198.51.100.1"], 429),
        (&["203.0.113.3, 198.51.100.1, 10.1.1.1"], 429),
        (&["10.1.1.1, 198.51.100.1"], 429),
        (&["198.51.100.2"], 200),
        // What cannot be read counts for the proxy itself.
        (&["nonsense"], 200),
        (&["198.51.100.3, unknown"], 429),
        (&["198.51.100.3,"], 429),
        (&[""], 429),
        (&[], 429),
        // A /64 is one client.
        (&["2001:db8:0:1::1"], 200),
        (&["2001:db8:0:1::2"], 429),
        (&["2001:db8:0:1:ffff::2, 10.0.0.1"], 429),
        (&["2001:db8:0:2::1"], 200),
    ] {
        assert_eq!(
            post(&daemon, forwarded).await.status,
            status,
            "{forwarded:?}"
        );
    }
    daemon.stop().await;
    let daemon = start(&[("RATE_LIMIT_PER_CLIENT", "1/h")]).await;
    assert_eq!(post(&daemon, &["198.51.100.1"]).await.status, 200);
    let status = post(&daemon, &["198.51.100.2"]).await.status;
    assert_eq!(status, 429, "nobody trusts this peer");
    daemon.stop().await;
}

#[tokio::test]
async fn only_allowed_networks_may_trigger() {
    let allowed = ("ALLOWED_NETWORKS", "198.51.100.0/24,2001:db8::/32");
    let daemon = start(&[PROXIES, allowed, ("RATE_LIMIT_PER_CLIENT", "100/h")]).await;
    for (forwarded, status) in [
        (&["198.51.100.9"][..], 200),
        (&["2001:db8:7::1"], 200),
        (&["203.0.113.9"], 403),
        (&["198.51.100.9, 203.0.113.9"], 403),
        (&["2001:db9::1"], 403),
        (&[], 403),
    ] {
        let answer = post(&daemon, forwarded).await;
        assert_eq!(answer.status, status, "{forwarded:?}");
        if status == 403 {
            assert_eq!(answer.body["title"], "Forbidden");
            assert_eq!(answer.header("ratelimit"), "-");
        }
    }
    assert_eq!(rejected(&daemon, "rejected_network"), 4.0);
    assert_eq!(daemon.get("/health").await["status"], "healthy");
    daemon.stop().await;
}

#[test]
fn limits_change_while_the_daemon_runs_and_no_address_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "rate_limit_per_client = \"1/h\"").unwrap();
    let path = file.display().to_string();
    let settings = [("CONFIG_FILE", path.as_str()), PROXIES];
    let daemon = Binary::start(&ListService::start(), &settings);
    let post = || {
        let request = "POST /process HTTP/1.1\r\nX-Forwarded-For: 198.51.100.77\r\n";
        let (head, _) = daemon.exchange(request).unwrap();
        head.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!([post(), post()], ["200", "429"]);
    std::fs::write(&file, "rate_limit_per_client = \"1/h burst 2\"").unwrap();
    daemon.hang_up();
    Binary::await_until("the new limit", || post() == "200");
    // A file that is cut off for a moment must not open the door.
    std::fs::write(&file, "allowed_networks = \"192.0.2.0/24\"").unwrap();
    daemon.hang_up();
    daemon.await_count("config_last_load_successful", 0.0);
    let (log, metrics) = daemon.stop();
    assert!(log.contains("ALLOWED_NETWORKS"), "{log}");
    for text in [&log, &metrics] {
        assert!(!text.contains("198.51.100.77"), "{text}");
    }
}

/// What is answered to these bytes, and whether the connection was closed without a word.
fn say(daemon: &Daemon, bytes: &[u8]) -> String {
    use std::io::{Read, Write};
    let mut stream = daemon.connect();
    let _ = stream.write_all(bytes);
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer.get(9..12).unwrap_or_default().to_owned()
}

/// A PROXY header for a client with this address, and a trigger.
fn proxied(source: [u8; 4]) -> Vec<u8> {
    let request =
        b"POST /process HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let head = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c";
    [&head[..], &source, &[127, 0, 0, 1, 4, 0, 31, 64], request].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_tells_by_its_protocol_whose_a_connection_is() {
    let settings = [
        PROXIES,
        ("PROXY_PROTOCOL", "v2"),
        ("RATE_LIMIT_PER_CLIENT", "1/h"),
        ("HEADER_TIMEOUT_SECONDS", "1"),
    ];
    let daemon = start(&settings).await;
    assert_eq!(say(&daemon, &proxied([198, 51, 100, 1])), "200");
    assert_eq!(say(&daemon, &proxied([198, 51, 100, 1])), "429");
    assert_eq!(say(&daemon, &proxied([198, 51, 100, 2])), "200");
    let closed = "http_connections_closed_total{reason=\"proxy_header\"}";
    let whole = proxied([198, 51, 100, 3]);
    let mut lying = whole.clone();
    lying[14] = 0xff;
    let bad = [
        &whole[28..],
        &whole[..20],
        &lying,
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        b"\r\n",
    ];
    for (n, bytes) in bad.iter().enumerate() {
        assert_eq!(say(&daemon, bytes), "", "{}", bytes.escape_ascii());
        daemon.await_count(closed, (n + 1) as f64).await;
    }
    let port = daemon.public.rsplit_once(':').unwrap().1.to_owned();
    let health = move |protocol: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_match-list-processor"));
        command.arg("healthcheck").env_clear();
        command.envs([
            ("PORT", port.as_str()),
            PROXIES,
            ("PROXY_PROTOCOL", protocol),
        ]);
        command.output().unwrap().status.success()
    };
    let (told, untold) = tokio::task::spawn_blocking(move || (health("v2"), health("off")))
        .await
        .unwrap();
    assert_eq!((told, untold), (true, false), "it speaks for itself");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_anybody_else_a_proxy_header_is_no_http() {
    let settings = [("PROXY_PROTOCOL", "v2"), ("TRUSTED_PROXIES", "10.0.0.0/8")];
    let daemon = start(&settings).await;
    let whole = proxied([198, 51, 100, 1]);
    assert_eq!(say(&daemon, &whole), "400");
    assert_eq!(say(&daemon, &whole[28..]), "200");
    daemon.stop().await;
}
