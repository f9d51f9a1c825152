//! Clients that stop sending once they have asked.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use match_list_processor::clock::Clock;

use crate::support::daemon::Daemon;

const POST: &str = "POST /process HTTP/1.1\r\nHost: x\r\n";

/// Sends the pieces, then closes this half of the connection.
fn asked(daemon: &Daemon, pieces: &[&str]) -> TcpStream {
    let mut stream = daemon.connect();
    for piece in pieces {
        stream.write_all(piece.as_bytes()).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    stream
}

/// What comes until the daemon closes the connection.
fn answers(mut stream: TcpStream) -> String {
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).unwrap();
    String::from_utf8(answers).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_whole_request_is_answered_and_the_connection_closed() {
    let daemon = Daemon::start_with(Clock::system(), &[]).await;
    let chunked = format!("{POST}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n");
    let sized = format!("{POST}Content-Length: 2\r\n\r\n{{}}");
    let bare = format!("{POST}\r\n");
    let get = "GET /status/detailed HTTP/1.1\r\nHost: x\r\n\r\n";
    for (pieces, count) in [
        (&[get][..], 1),
        (&[&bare], 1),
        (&[&sized], 1),
        (&[&sized[..sized.len() - 1], "}"], 1),
        (&[&chunked], 1),
        (&[get, &sized, &chunked, get, &bare], 5),
    ] {
        // Many, because the two may come together or one after the other.
        for _ in 0..20 {
            let answers = answers(asked(&daemon, pieces));
            let good = answers.matches("HTTP/1.1 200 ").count();
            assert_eq!(good, count, "{pieces:?}: {answers}");
        }
    }
    daemon.await_count("http_connections", 0.0).await;
    assert_eq!(
        daemon.counted("http_connections_closed_total{reason=\"reset\"}"),
        0.0
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_cut_off_is_none() {
    let daemon = Daemon::start_with(Clock::system(), &[]).await;
    for rest in [
        "",
        "Content-Length: 2\r\n",
        "Content-Length: 2\r\n\r\n{",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    ] {
        let answers = answers(asked(&daemon, &[POST, rest]));
        assert_eq!(
            answers.matches("HTTP/1.1 200 ").count(),
            0,
            "{rest:?}: {answers}"
        );
    }
    daemon.await_count("http_connections", 0.0).await;
    assert_eq!(daemon.counted("http_requests_in_flight"), 0.0);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_the_cycle_of_a_client_that_may_be_gone() {
    let daemon = Daemon::start_with(Clock::system(), &[]).await;
    assert_eq!(daemon.command("/pause").await.0, 200);
    let begun = Instant::now();
    let waits = format!("{POST}Prefer: wait=60\r\n\r\n");
    // One that listens is told at once what is known.
    let answer = answers(asked(&daemon, &[&waits]));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("trigger_id"), "{answer}");
    assert!(!answer.contains("preference-applied"), "{answer}");
    // Others close while they are waited for, in an orderly way or not.
    for linger in [None, Some(Duration::ZERO)] {
        let mut gone = daemon.connect();
        gone.write_all(waits.as_bytes()).unwrap();
        daemon.await_count("http_requests_in_flight", 1.0).await;
        socket2::SockRef::from(&gone).set_linger(linger).unwrap();
        drop(gone);
        daemon.await_count("http_requests_in_flight", 0.0).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(50));
    assert_eq!(daemon.command("/resume").await.0, 200);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_looks_like_two_lengths_in_a_body_is_a_body() {
    let daemon = Daemon::start_with(Clock::system(), &[]).await;
    let body = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
    let size = body.len();
    let head = format!("{POST}Transfer-Encoding: chunked\r\n\r\n");
    let chunked = format!("{head}{size:x}\r\n{body}\r\n0\r\n\r\n");
    let sized = format!("{POST}Content-Length: {size}\r\n\r\n{body}");
    let pieces = [chunked.as_str(), &sized, &chunked, &sized, &chunked];
    let answers = answers(asked(&daemon, &pieces));
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 5, "{answers}");
    daemon.stop().await;
}
