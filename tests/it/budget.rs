//! What a scrape may cost: nothing that is sent or happens makes it larger than its budget.

use std::io::{Read, Write};
use std::net::TcpStream;

use match_list_processor::clock::Clock;
use match_list_processor::domain::delivery::Destination;
use match_list_processor::telemetry::expose;
use match_list_processor::telemetry::labels::Route;
use match_list_processor::telemetry::openmetrics;

use crate::support::daemon::Daemon;
use crate::support::matches::{list, matches};
use crate::support::scripted::{Act, Scripted};
use crate::support::wire::unused_address;

const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "OPTIONS", "CONNECT", "BREW", "get",
];

/// Asks and reads whatever comes back.
fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address.trim_start_matches("http://")).unwrap();
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Every way of asking that leads to another status, with a mark that must not come back as a label.
fn wave(daemon: &Daemon, mark: &str) {
    let known = Route::ALL
        .iter()
        .map(|route| route.label().replace("{id}", mark));
    let odd = [
        format!("/{mark}"),
        format!("/process/{mark}"),
        "/..%2f".into(),
        "*".into(),
    ];
    for path in known.chain(odd) {
        for method in METHODS {
            for extra in [
                format!("Host: {mark}.example\r\nX-{mark}: 1\r\n"),
                format!("Host: a\r\nHost: {mark}\r\n"),
                "Host: x\r\nTransfer-Encoding: gzip\r\n".to_owned(),
                format!("Host: x\r\nOrigin: http://{mark}\r\nAuthorization: Bearer {mark}\r\n"),
                format!("Host: x\r\nContent-Type: {mark}/x\r\nContent-Length: 99999999\r\n"),
            ] {
                let request = format!(
                    "{method} {path}?{mark} HTTP/1.1\r\n{extra}Connection: close\r\n\r\n{mark}"
                );
                for listener in [&daemon.public, &daemon.admin] {
                    // Who waits for a body that does not come takes long.
                    if extra.contains("99999999") && method == &"POST" && path == "/process" {
                        continue;
                    }
                    ask(listener, &request);
                }
            }
        }
    }
    // What cannot be read at all.
    for odd in [
        "\r\n\r\n",
        "G\u{7}T / HTTP/1.1\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
    ] {
        ask(&daemon.public, &format!("{mark}{odd}"));
    }
}

fn text(daemon: &Daemon) -> String {
    expose::text(&daemon.metrics.gather())
}

fn series(text: &str) -> usize {
    text.lines().filter(|line| !line.starts_with('#')).count()
}

/// All six kinds of destinations: of webhooks one that takes everything and one that refuses it, of the others
/// one that fails in its way.
struct Receivers {
    taking: Scripted,
    refusing: Scripted,
    failing: Scripted,
}

impl Receivers {
    fn start() -> Self {
        Self {
            taking: Scripted::start(Act::status(204)),
            refusing: Scripted::start(Act::status(404)),
            failing: Scripted::start(Act::status(500)),
        }
    }

    fn document(&self) -> String {
        let nobody = unused_address();
        format!(
            "[[channel]]\nname = 'hook'\nkind = 'webhook'\nurl = '{}'\nallow_private = true\n\
             [[channel]]\nname = 'other'\nkind = 'webhook'\nurl = '{}'\nallow_private = true\n\
             [[channel]]\nname = 'team'\nkind = 'discord'\nurl = '{}'\n\
             [[channel]]\nname = 'duty'\nkind = 'ntfy'\nurl = 'http://{nobody}'\ntopic = 'invented'\n\
             [smtp]\nhost = '127.0.0.1'\nport = {}\nsecurity = 'none'\nfrom = 'mlp@example.com'\n\
             [[stakeholder]]\nid = 'kim'\nrole = 'coordinator'\nminimum_priority = 'low'\n\
             mail = 'kim@example.com'\nchannels = ['hook', 'other', 'team', 'duty', 'mail']\n",
            self.taking.url("/hook"),
            self.refusing.url("/hook"),
            self.failing.url("/api/webhooks/1/invented"),
            nobody.port(),
        )
    }

    async fn daemon(&self) -> Daemon {
        let (document, calendar) = (self.document(), self.failing.url("/").to_string());
        let redis = format!("redis://{}", unused_address());
        let settings = [
            ("BODY_TIMEOUT_SECONDS", "1"),
            ("NOTIFICATIONS", document.as_str()),
            ("CALENDAR_SERVICE_URL", &calendar),
            ("REDIS_ENABLED", "true"),
            ("REDIS_URL", &redis),
        ];
        Daemon::start_with(Clock::system(), &settings).await
    }
}

/// A cycle with each outcome but that of a stop, and an attempt for each destination.
async fn use_everything(daemon: &Daemon) {
    assert_eq!(
        daemon.look(list(&matches(1..4))).await["outcome"],
        "success"
    );
    for destination in Destination::ALL {
        let name = destination.label();
        let result = match destination {
            Destination::Assets | Destination::Avatars | Destination::Webhook => "success",
            _ => "retry",
        };
        let tried =
            format!("delivery_attempts_total{{destination=\"{name}\",result=\"{result}\"}}");
        daemon.await_some(&tried).await;
    }
    for (destination, result) in [("webhook", "delivered"), ("webhook", "dead")] {
        let ended =
            format!("deliveries_total{{destination=\"{destination}\",result=\"{result}\"}}");
        daemon.await_some(&ended).await;
    }
    assert_eq!(daemon.look(b"[]".to_vec()).await["outcome"], "held");
    assert_eq!(daemon.look(b"<html>".to_vec()).await["outcome"], "failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_clients_nor_events_take_a_scrape_beyond_its_budget() {
    let receivers = Receivers::start();
    let daemon = receivers.daemon().await;
    daemon.scrape().await;
    let before = series(&text(&daemon));
    use_everything(&daemon).await;
    let daemon = tokio::task::spawn_blocking(move || {
        for mark in ["Kanarie1", "Kanarie2"] {
            wave(&daemon, mark);
        }
        daemon
    });
    let daemon = daemon.await.unwrap();
    daemon.scrape().await;
    let open = openmetrics::text(&daemon.metrics.gather(), daemon.metrics.exemplars());
    for text in [&text(&daemon), &open] {
        let after = series(text);
        assert_eq!(after, before, "something made a series");
        assert!(after <= 1000, "{after} series");
        assert!(text.len() <= 100_000, "{} bytes", text.len());
        assert!(!text.to_lowercase().contains("kanarie"), "{text}");
        println!("{after} series, {} bytes", text.len());
    }
    daemon.stop().await;
}
