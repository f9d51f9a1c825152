//! What a scrape may cost: no client can make it larger than its budget.

use std::io::{Read, Write};
use std::net::TcpStream;

use match_list_processor::clock::Clock;
use match_list_processor::telemetry::expose;
use match_list_processor::telemetry::labels::Route;
use match_list_processor::telemetry::openmetrics;

use crate::support::daemon::Daemon;

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

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_clients_send_takes_a_scrape_beyond_its_budget() {
    let daemon = Daemon::start_with(Clock::system(), &[("BODY_TIMEOUT_SECONDS", "1")]).await;
    let daemon = tokio::task::spawn_blocking(move || {
        let before = series(&text(&daemon));
        wave(&daemon, "Kanarie1");
        let (first, one) = (text(&daemon), series(&text(&daemon)));
        wave(&daemon, "Kanarie2");
        let (second, other) = (text(&daemon), series(&text(&daemon)));
        assert_eq!(one, other, "a second wave adds no series");
        assert!(first.len().abs_diff(second.len()) < 1000, "but digits");
        println!(
            "{before} series at first, {other} after, {} bytes",
            second.len()
        );
        assert!(
            before < other,
            "the waves reach answers that no client has had before"
        );
        assert!(other <= 1000, "{other} series");
        let open = openmetrics::text(&daemon.metrics.gather(), daemon.metrics.exemplars());
        for text in [&second, &open] {
            assert!(text.len() <= 100_000, "{} bytes", text.len());
            assert!(!text.to_lowercase().contains("kanarie"), "{text}");
        }
        daemon
    });
    daemon.await.unwrap().stop().await;
}
