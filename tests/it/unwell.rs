//! Neighbours that fail in every way that they can: which figure shows it, and how often they are
//! asked again.

use std::time::{Duration, Instant, SystemTime};

use match_list_processor::clock::Clock;
use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::matches::{a_match, list, matches};
use crate::support::neighbours::{Drive, ListService, Mood, answer, serve, unused_address};
use crate::support::scripted::{Act, Scripted};

async fn asking(url: &str) -> Daemon {
    Daemon::start_with(Clock::system(), &[("API_BASE_URL", url)]).await
}

fn failures(stage: &str, kind: &str) -> String {
    format!("cycle_stage_failures_total{{error_type=\"{kind}\",stage=\"{stage}\"}}")
}

fn calls(dependency: &str, result: &str) -> String {
    format!("client_requests_total{{dependency=\"{dependency}\",result=\"{result}\"}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_of_the_list_has_its_figure() {
    let lists = ListService::start();
    let daemon = asking(&lists.url()).await;
    let ok = |body: &[u8]| answer("200 OK", "Content-Type: application/json\r\n", body);
    let status = |code: &str| answer(code, "Retry-After: 1\r\n", b"{}");
    let mut cut = ok(&list(&matches(1..4)));
    cut.truncate(cut.len() - 10);
    let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[{\"ma\r\n";
    let cases = [
        (status("500 Oops"), "fetch", "status_5xx"),
        (status("503 Later"), "fetch", "status_5xx"),
        (status("404 None"), "fetch", "status_4xx"),
        (status("410 Gone"), "fetch", "gone"),
        (status("401 No"), "fetch", "unauthorized"),
        (status("403 No"), "fetch", "unauthorized"),
        (status("429 Slow"), "fetch", "rate_limited"),
        (status("302 Found"), "fetch", "redirect"),
        (cut, "fetch", "invalid_response"),
        (chunks.to_vec(), "fetch", "invalid_response"),
        (Vec::new(), "fetch", "reset"),
        (ok(b"<!doctype html>"), "fetch", "invalid_response"),
        (ok(b""), "fetch", "invalid_response"),
        (ok(b"[{\"matchid\": 1"), "compare", "invalid_response"),
        (
            ok(b"[{\"matchid\": 1, \"a\": \"\xff\"}]"),
            "compare",
            "invalid_response",
        ),
        (ok(&vec![b'['; 100_000]), "compare", "invalid_response"),
    ];
    for (index, (bytes, stage, kind)) in cases.into_iter().enumerate() {
        let what = String::from_utf8_lossy(&bytes[..bytes.len().min(30)]).into_owned();
        let before = daemon.counted_if_begun(&failures(stage, kind));
        let before = before.unwrap_or(0.0);
        lists.answer(bytes);
        assert_eq!(daemon.process().await["outcome"], "failure", "{what}");
        let counted = daemon.counted(&failures(stage, kind)) - before;
        assert_eq!(counted, 1.0, "{index}: {what}: {stage}, {kind}");
    }
    let odd_type = "Content-Type: text/plain; charset=latin1\r\n";
    lists.answer(answer("200 OK", odd_type, &list(&[a_match(1)])));
    assert_eq!(
        daemon.process().await["outcome"],
        "success",
        "the bytes count"
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_service_that_is_not_there_is_seen_as_down() {
    let url = format!("http://{}", unused_address());
    let daemon = asking(&url).await;
    assert_eq!(daemon.process().await["outcome"], "failure");
    assert_eq!(daemon.counted(&failures("fetch", "connect")), 1.0);
    daemon
        .await_count("dependency_up{dependency=\"api_client\"}", 0.0)
        .await;
    daemon.await_health("unhealthy").await;
    daemon.stop().await;
}

/// The next probe may be seconds away.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_succeeds_shows_that_the_list_service_is_up() {
    let service = Scripted::start(Act::status(500));
    let url = service.url("/").to_string();
    let daemon = asking(&url).await;
    let down = daemon.await_health("unhealthy").await;
    assert_eq!(down["dependencies"]["api_client"], "unhealthy");
    // It stays as it is for whoever asks how it is.
    service.acts(|asked| match asked.head.contains("/health") {
        true => Act::status(500),
        false => Act::with(200, "", "[]"),
    });
    assert_eq!(daemon.process().await["outcome"], "success");
    let health = daemon.get("/health/detailed").await;
    assert_eq!(health["status"], "healthy", "{health}");
    let list = &health["dependencies"]["api_client"];
    assert_eq!(
        (&list["status"], &list["error"]),
        (&json!("healthy"), &Value::Null)
    );
    daemon.scrape().await;
    assert_eq!(
        daemon.counted("dependency_up{dependency=\"api_client\"}"),
        1.0
    );
    // A probe that was begun later knows better.
    daemon.await_health("unhealthy").await;
    daemon.stop().await;
}

/// One takes the request and is silent; one sends a byte a second for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_hangs_or_drips_is_given_up() {
    let silent = serve(|mut stream| {
        // Until the daemon closes it.
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let dripping = serve(|mut stream| {
        use std::io::{Read, Write};
        // An answer before its question would be a broken connection.
        let _ = stream.read(&mut [0; 4096]);
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n[";
        let mut sent = stream.write_all(head);
        while sent.is_ok() {
            std::thread::sleep(Duration::from_secs(1));
            sent = stream.write_all(b" ");
        }
    });
    let given_up = |address: std::net::SocketAddr| async move {
        let daemon = asking(&format!("http://{address}")).await;
        // Both take longer than a client may wait.
        let begun = Instant::now();
        let request = daemon.client.post(format!("{}/process", daemon.public));
        assert_eq!(request.send().await.unwrap().status(), 200);
        let figure = failures("fetch", "timeout");
        daemon
            .await_figure(Duration::from_secs(90), &figure, |found| found > 0.0)
            .await;
        let took = begun.elapsed();
        daemon.await_count("cycles_in_progress", 0.0).await;
        daemon.stop().await;
        took
    };
    let (silent, dripping) = tokio::join!(given_up(silent), given_up(dripping));
    assert!(silent > Duration::from_secs(14), "{silent:?}");
    assert!(dripping > Duration::from_secs(59), "{dripping:?}");
}

/// How long after the first request the daemon asks again, by itself.
async fn asks_again_after(code: &str, headers: String) -> (Duration, SystemTime) {
    let lists = ListService::start();
    let daemon = asking(&lists.url()).await;
    lists.answer(answer(code, &headers, b"{}"));
    daemon.process().await;
    let begun = Instant::now();
    let lists = tokio::task::spawn_blocking(move || {
        lists.await_asked(2);
        lists
    });
    let lists = lists.await.unwrap();
    let again = (begun.elapsed(), SystemTime::now());
    assert_eq!(lists.asked().len(), 2);
    daemon.stop().await;
    again
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_refuses_is_asked_again_when_it_wishes_and_not_before() {
    let named = SystemTime::now() + Duration::from_secs(12);
    let date = httpdate::fmt_http_date(named);
    let (login, seconds, date, junk) = tokio::join!(
        asks_again_after("401 No", String::new()),
        asks_again_after("429 Slow", "Retry-After: 9\r\n".to_owned()),
        asks_again_after("429 Slow", format!("Retry-After: {date}\r\n")),
        asks_again_after("429 Slow", "Retry-After: soon\r\n".to_owned()),
    );
    for (what, (after, _), least) in [
        ("a lost login", login, 4.9),
        ("seconds", seconds, 8.9),
        ("junk", junk, 4.9),
    ] {
        assert!(after.as_secs_f64() >= least, "{what}: {after:?}");
    }
    // A date names a whole second.
    let early = named.duration_since(date.1).unwrap_or_default();
    assert!(early < Duration::from_secs(1), "{early:?} before the date");
}

/// A wish for ten years is cut to an hour (`domain::retry`), and holds no new trigger up.
#[tokio::test(flavor = "multi_thread")]
async fn no_wish_of_a_service_holds_a_new_trigger_up() {
    let lists = ListService::start();
    let daemon = asking(&lists.url()).await;
    lists.answer(answer("429 Slow", "Retry-After: 315360000\r\n", b"{}"));
    assert_eq!(daemon.process().await["outcome"], "failure");
    lists.answer(answer("200 OK", "", &list(&[a_match(1)])));
    let record = daemon.process().await;
    assert_eq!(record["outcome"], "success");
    assert_eq!(record["triggers"], 2);
    assert_eq!(lists.asked().len(), 2);
    daemon.stop().await;
}

async fn storing_at(drive: &Drive) -> Daemon {
    let url = drive.url();
    Daemon::start_with(Clock::system(), &[("ASSET_STORE_URL", &url)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drive_service_that_answers_nonsense_is_tried_again() {
    let elsewhere = Drive::start();
    let moved = format!(
        "HTTP/1.1 307 Moved\r\nLocation: {}/upload_file\r\nContent-Length: 0\r\n\r\n",
        elsewhere.url()
    );
    let huge = answer("200 OK", "", &vec![b' '; 1 << 20]);
    let cases: [(Vec<u8>, &str); 5] = [
        (Vec::new(), "reset"),
        (moved.into_bytes(), "redirect"),
        (huge, "too_large"),
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), "reset"),
        (answer("503 Busy", "Retry-After: 1\r\n", b""), "status_5xx"),
    ];
    for (bytes, result) in cases {
        let drive = Drive::start();
        drive.mood(Mood::Raw(bytes.leak()));
        let daemon = storing_at(&drive).await;
        let record = daemon.look(list(&[a_match(1)])).await;
        assert_eq!(record["status"], "success", "{result}: cycles go on");
        daemon.await_some(&calls("storage_service", result)).await;
        let retried = "delivery_attempts_total{destination=\"assets\",result=\"retry\"}";
        daemon.await_some(retried).await;
        drive.mood(Mood::Well);
        daemon
            .await_deliveries("all files", |row| row["state"] == "delivered")
            .await;
        assert_eq!(drive.uploads().len(), 3, "{result}");
        daemon.stop().await;
    }
    assert_eq!(elsewhere.uploads(), [], "a redirect is not followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_the_drive_service_goes_out_soon_after_its_return() {
    let address = unused_address();
    let url = format!("http://{address}");
    let daemon = Daemon::start_with(Clock::system(), &[("ASSET_STORE_URL", &url)]).await;
    daemon.look(list(&matches(1..4))).await;
    // So long that the schedule is hours away.
    let retries = "delivery_attempts_total{destination=\"assets\",result=\"retry\"}";
    daemon.await_some(retries).await;
    let folder = std::sync::Arc::clone(&daemon.folder);
    let store = folder.path().join("data/match-list-processor.db");
    let later = daemon.clock.unix() + 6.0 * 3600.0;
    let connection = rusqlite::Connection::open(store).unwrap();
    let daemon = daemon.restart_after(|| {
        let sql = "UPDATE outbox SET state = 'pending', attempts = 7, next_attempt = ?1";
        connection.execute(sql, [later]).unwrap();
    });
    let daemon = daemon.await;
    daemon
        .await_count("dependency_up{dependency=\"storage_service\"}", 0.0)
        .await;
    daemon.await_health("degraded").await;
    let entries = "outbox_entries{destination=\"assets\",state=\"pending\"}";
    daemon.scrape().await;
    assert_eq!(daemon.counted(entries), 6.0);
    let begun = Instant::now();
    let drive = Drive::start_at(address);
    daemon
        .await_deliveries("all files", |row: &Value| row["state"] == "delivered")
        .await;
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(drive.uploads().len(), 9);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_says_when_to_come_back_and_counts_it() {
    let lists = ListService::start();
    lists.hold(true);
    let url = lists.url();
    let settings = [("API_BASE_URL", url.as_str()), ("QUEUE_CAPACITY", "1")];
    let daemon = Daemon::start_with(Clock::system(), &settings).await;
    let post = || {
        daemon
            .client
            .post(format!("{}/process", daemon.public))
            .send()
    };
    assert_eq!(post().await.unwrap().status(), 200);
    let refused = post().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "5");
    let full = "triggers_total{result=\"rejected_full\",source=\"webhook\"}";
    assert_eq!(daemon.counted(full), 1.0);
    daemon.scrape().await;
    assert_eq!(
        daemon.counted("queue_depth"),
        daemon.counted("queue_capacity")
    );
    lists.hold(false);
    daemon.stop().await;
}
