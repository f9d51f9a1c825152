//! What a client may do to the front door, and for how long.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use match_list_processor::clock::Clock;
use serde_json::json;
use socket2::{Domain, Socket, Type};

use crate::support::daemon::Daemon;

const PROBE: &[u8] = b"GET /health/simple HTTP/1.1\r\nHost: x\r\n\r\n";

async fn daemon(settings: &[(&str, &str)]) -> Daemon {
    Daemon::start_with(Clock::system(), settings).await
}

/// Sends the bytes and reads until the daemon closes the connection.
fn exchange(daemon: &Daemon, request: &[u8]) -> String {
    let mut stream = daemon.connect();
    let _ = stream.write_all(request);
    read_to_close(&mut stream)
}

fn read_to_close(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{answer:?}");
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads one answer that has the body of a probe.
fn read_probe(stream: &mut TcpStream) {
    let mut answer = Vec::new();
    while !answer.ends_with(b"{\"status\":\"healthy\"}") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "closed too early");
        answer.push(byte[0]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
}

/// Sends a byte every so often for as long as the connection lives; what came back, and when.
fn drip(mut stream: TcpStream, byte: u8) -> (String, Duration) {
    let begun = Instant::now();
    let pace = Some(Duration::from_millis(100));
    stream.set_read_timeout(pace).unwrap();
    let mut answer = Vec::new();
    while begun.elapsed() < Duration::from_secs(15) {
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => answer.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let _ = stream.write_all(&[byte]);
            }
            Err(_) => break,
        }
    }
    (
        String::from_utf8_lossy(&answer).into_owned(),
        begun.elapsed(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_read() {
    let daemon = daemon(&[]).await;
    let get = "GET /status HTTP/1.1\r\nHost: x\r\n";
    let post = "POST /process HTTP/1.1\r\nHost: x\r\n";
    let cases = [
        (
            "a length and chunks",
            format!("{post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ),
        (
            "chunks and a length",
            format!("{post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        ),
        (
            "two lengths",
            format!("{post}Content-Length: 0\r\nContent-Length: 44\r\n\r\n"),
        ),
        (
            "a list of lengths",
            format!("{post}Content-Length: 0, 44\r\n\r\n"),
        ),
        (
            "a negative length",
            format!("{post}Content-Length: -1\r\n\r\n"),
        ),
        (
            "a signed length",
            format!("{post}Content-Length: +3\r\n\r\nabc"),
        ),
        (
            "an unknown coding",
            format!("{post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        ),
        (
            "two codings in one line",
            format!("{post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ),
        (
            "two codings in two lines",
            format!("{post}Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ),
        (
            "chunks of chunks",
            format!("{post}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        ),
        (
            "no size of a chunk",
            format!("{post}Transfer-Encoding: chunked\r\n\r\nx\r\n\r\n"),
        ),
        (
            "too large a chunk",
            format!("{post}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"),
        ),
        (
            "trailers",
            format!("{post}Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n"),
        ),
        (
            "trailers that end early for some",
            format!("{post}Transfer-Encoding: chunked\r\n\r\n0\r\n\nGET / HTTP/1.1\r\n\r\n"),
        ),
        (
            "a space before the colon",
            format!("{get}Transfer-Encoding : chunked\r\n\r\n"),
        ),
        ("a folded line", format!("{get}A: b\r\n c\r\n\r\n")),
        ("a zero byte", format!("{get}A: b\0c\r\n\r\n")),
        ("a bare carriage return", format!("{get}A: b\rB: c\r\n\r\n")),
        ("two hosts", format!("{get}Host: y\r\n\r\n")),
        (
            "a user and a host",
            "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n".to_owned(),
        ),
        (
            "a host of two",
            "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n".to_owned(),
        ),
        (
            "a port that is none",
            "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n".to_owned(),
        ),
        (
            "a target with a port that is none",
            "GET http://a:b/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        ),
        ("no host", "GET / HTTP/1.1\r\n\r\n".to_owned()),
        (
            "CONNECT",
            "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        ),
        ("no HTTP version", "GET /status\r\n\r\n".to_owned()),
    ];
    for (what, request) in cases {
        let answer = exchange(&daemon, &[request.as_bytes(), PROBE].concat());
        let answers = answer.matches("HTTP/1.1 ").count();
        assert_eq!(answers, 1, "{what}: {answer}");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{what}: {answer}");
        assert!(!answer.contains("healthy"), "{what}: {answer}");
    }
    assert_eq!(daemon.get("/").await["processing_count"], 0);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_nobody_reads_are_the_last_of_their_connection() {
    let daemon = daemon(&[]).await;
    for (code, request) in [
        ("200", "GET /livez"),
        ("404", "POST /x"),
        ("405", "GET /process"),
    ] {
        let head = format!("{request} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        let answer = exchange(
            &daemon,
            &[head.as_bytes(), b"0\r\n\n\r\n\r\n", PROBE].concat(),
        );
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_beside_chunks_is_seen_behind_other_requests() {
    let daemon = daemon(&[]).await;
    let post = "POST /process HTTP/1.1\r\nHost: x\r\n";
    let both = ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"];
    for [one, other] in [both, [both[1], both[0]]] {
        let mut stream = daemon.connect();
        let smuggled = format!("{post}{one}{other}\r\n0\r\n\r\n");
        stream
            .write_all(&[PROBE, PROBE, smuggled.as_bytes(), PROBE].concat())
            .unwrap();
        read_probe(&mut stream);
        read_probe(&mut stream);
        let rest = read_to_close(&mut stream);
        assert!(rest.starts_with("HTTP/1.1 400 "), "{rest}");
        assert_eq!(rest.matches("HTTP/1.1 ").count(), 1, "{rest}");
    }
    assert_eq!(daemon.get("/").await["processing_count"], 0);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_more_than_16_kib_is_refused_in_whatever_pieces_it_comes() {
    let daemon = daemon(&[]).await;
    let line = "A: ".to_owned() + &"a".repeat(995) + "\r\n";
    for (lines, code) in [(15, "200"), (17, "431")] {
        for pieces in [1, 2, 5, 40] {
            let head = format!(
                "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{}\r\n",
                line.repeat(lines)
            );
            let mut stream = daemon.connect();
            for piece in head.as_bytes().chunks(head.len() / pieces) {
                let _ = stream.write_all(piece);
            }
            let answer = read_to_close(&mut stream);
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {code} ")),
                "{lines}: {answer}"
            );
        }
    }
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_under_way_arrive_although_more_came_than_is_read() {
    let daemon = daemon(&[]).await;
    let mut stream = daemon.connect();
    let mut sender = stream.try_clone().unwrap();
    let requests = [&PROBE.repeat(200), b"\0".as_slice()].concat();
    sender.write_all(&requests).unwrap();
    let sending = std::thread::spawn(move || {
        for _ in 0..64 {
            sender.write_all(&[b'x'; 4096]).expect("no reset");
        }
    });
    let mut answers = String::new();
    stream.read_to_string(&mut answers).expect("no reset");
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 200);
    assert_eq!(answers.matches("HTTP/1.1 400 ").count(), 1);
    sending.join().unwrap();
    drop(stream);
    daemon.await_count("http_connections", 0.0).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_a_route_does_not_have_is_not_timed_with_it() {
    let daemon = daemon(&[]).await;
    let timed = "http_request_duration_seconds_count{method=\"GET\",route=\"health\"}";
    let unmatched = "http_requests_total{code=\"405\",method=\"_OTHER\",route=\"unmatched\"}";
    let before = daemon.counted(timed);
    for (method, code) in [("PUT", 405), ("HEAD", 200), ("POST", 405), ("GET", 200)] {
        let request = format!("{method} /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = exchange(&daemon, request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{answer}");
    }
    assert_eq!(daemon.counted(timed) - before, 2.0);
    assert_eq!(daemon.counted(unmatched), 2.0);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_serves_many_requests_in_order() {
    let daemon = daemon(&[]).await;
    let mut stream = daemon.connect();
    for _ in 0..3 {
        stream.write_all(PROBE).unwrap();
        read_probe(&mut stream);
    }
    let last = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(&[PROBE, PROBE, last].concat()).unwrap();
    read_probe(&mut stream);
    read_probe(&mut stream);
    assert!(read_to_close(&mut stream).ends_with("{\"status\":\"alive\"}"));
    let old = exchange(&daemon, b"GET /livez HTTP/1.0\r\n\r\n");
    assert!(old.contains(" 200 "), "HTTP/1.0 needs no host: {old}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn head_tells_what_get_would() {
    let daemon = daemon(&[]).await;
    for path in ["/health/simple", "/livez", "/readyz", "/openapi.json"] {
        let ask = |method| {
            let request =
                format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            let answer = exchange(&daemon, request.as_bytes());
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            let mut lines: Vec<String> = head.lines().map(str::to_lowercase).collect();
            lines.retain(|line| !line.starts_with("date:"));
            (lines, body.to_owned())
        };
        let ((head, nothing), (get, body)) = (ask("HEAD"), ask("GET"));
        assert_eq!(head, get, "{path}");
        assert_eq!(nothing, "", "{path}");
        let length = format!("content-length: {}", body.len());
        assert!(head.contains(&length), "{path}: {head:?}");
    }
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_slowly_is_cut_off_however_steadily() {
    let settings = [
        ("HEADER_TIMEOUT_SECONDS", "1"),
        ("BODY_TIMEOUT_SECONDS", "1"),
    ];
    let daemon = daemon(&settings).await;
    let mut head = daemon.connect();
    head.write_all(b"GET /status HTTP/1.1\r\nHost: x\r\nA: ")
        .unwrap();
    let (answer, after) = drip(head, b'a');
    assert_eq!(answer, "", "a head that never ends gets no answer");
    assert!(after < Duration::from_secs(5), "{after:?}");
    daemon
        .await_count(
            "http_connections_closed_total{reason=\"header_timeout\"}",
            1.0,
        )
        .await;
    let mut body = daemon.connect();
    body.write_all(b"POST /process HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        .unwrap();
    let (answer, after) = drip(body, b'b');
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
    assert!(after < Duration::from_secs(5), "{after:?}");
    let silent = daemon.connect();
    let mut served = daemon.connect();
    served.write_all(PROBE).unwrap();
    read_probe(&mut served);
    for mut idle in [silent, served] {
        assert_eq!(read_to_close(&mut idle), "");
    }
    assert_eq!(daemon.get("/").await["processing_count"], 0);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_its_answers_is_cut_off() {
    let daemon = daemon(&[("WRITE_TIMEOUT_SECONDS", "1")]).await;
    let mut stream = daemon.connect();
    stream.set_nonblocking(true).unwrap();
    let request = b"GET /metrics/prom HTTP/1.1\r\nHost: x\r\n\r\n".repeat(500);
    let _ = stream.write(&request);
    daemon
        .await_count(
            "http_connections_closed_total{reason=\"write_timeout\"}",
            1.0,
        )
        .await;
    drop(stream);
    assert_eq!(
        daemon.get("/health/simple").await,
        json!({ "status": "healthy" })
    );
    daemon.stop().await;
}

/// A client that takes next to nothing of its answers, and whose system takes little more.
fn deaf(daemon: &Daemon, request: &[u8]) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.set_tcp_mss(536).unwrap();
    let address = daemon.public.trim_start_matches("http://");
    let address: SocketAddr = address.parse().unwrap();
    socket.connect(&address.into()).unwrap();
    (&socket).write_all(request).unwrap();
    socket
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_takes_have_only_so_much_memory() {
    let daemon = daemon(&[("WRITE_TIMEOUT_SECONDS", "60")]).await;
    let body = format!("\"{}\"", "a".repeat(60_000));
    let post = |connection| {
        format!(
            "POST /process HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\nPrefer: wait=60\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for _ in 0..20 {
        let answer = exchange(&daemon, post("close").as_bytes());
        assert!(answer.contains("preference-applied: wait"));
    }
    let get = |path| format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let whole = get("/status/detailed");
    assert!(exchange(&daemon, whole.as_bytes()).len() > 20 * 60_000);
    // Twenty of these are more than there may be, and each kind fills what the one before left. The
    // systems between take one answer to a trigger, but not two.
    let twice = post("keep-alive").repeat(2);
    let mut clients = Vec::new();
    for (request, count, answers, series) in [
        (&whole, 20, 1.0, "method=\"GET\",route=\"status\""),
        (&get("/status"), 5, 1.0, "method=\"GET\",route=\"status\""),
        (&twice, 6, 2.0, "method=\"POST\",route=\"/process\""),
    ] {
        let series = format!("http_request_duration_seconds_count{{{series}}}");
        for _ in 0..count {
            let before = daemon.counted(&series);
            clients.push(deaf(&daemon, request.as_bytes()));
            daemon.await_count(&series, before + answers).await;
        }
    }
    let refused = exchange(&daemon, whole.as_bytes());
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused:.300}");
    assert!(refused.contains("retry-after: 1\r\n"), "{refused}");
    for probe in ["/livez", "/readyz", "/health", "/health/simple"] {
        let answer = exchange(&daemon, get(probe).as_bytes());
        assert!(answer.starts_with("HTTP/1.1 200 "), "{probe}: {answer}");
    }
    // It is stored, so it is not refused; only the record is not told.
    let accepted = exchange(&daemon, post("close").as_bytes());
    assert!(accepted.starts_with("HTTP/1.1 200 "), "{accepted:.300}");
    assert!(accepted.contains("trigger_id"), "{accepted:.600}");
    assert!(accepted.len() < 1000, "{accepted:.600}");
    drop(clients);
    daemon.await_count("http_connections", 0.0).await;
    assert!(exchange(&daemon, whole.as_bytes()).starts_with("HTTP/1.1 200 "));
    daemon.stop().await;
}

/// Asks for the whole history over and over on connections of its own, until `over` is set; how many
/// answers were whole, and how many told to come back.
fn crowd(daemon: &Daemon, clients: usize, over: Arc<AtomicBool>) -> JoinHandle<(usize, usize)> {
    let url = format!("{}/status/detailed", daemon.public);
    let client = daemon.client.clone();
    let one = move || {
        let (url, client, over) = (url.clone(), client.clone(), Arc::clone(&over));
        async move {
            let (mut whole, mut refused) = (0, 0);
            while !over.load(Ordering::Relaxed) {
                let answer = client.get(&url).send().await.unwrap();
                let comes_back = answer.headers().contains_key("retry-after");
                match answer.status().as_u16() {
                    200 => whole += 1,
                    503 if comes_back => {
                        refused += 1;
                        // Else the test would measure how fast this machine refuses.
                        tokio::time::sleep(Duration::from_millis(500)).await;
                    }
                    code => panic!("{code}"),
                }
                let _ = answer.bytes().await;
            }
            (whole, refused)
        }
    };
    // The cycles run on the threads of the test.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        let all = futures_util::future::join_all(std::iter::repeat_with(one).take(clients));
        let counts = runtime.block_on(all).into_iter();
        counts.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_that_reads_holds_up_no_cycle() {
    let daemon = daemon(&[]).await;
    let body = json!("a".repeat(60_000)).to_string();
    for _ in 0..40 {
        let request = daemon.client.post(format!("{}/process", daemon.public));
        let request = request.header("prefer", "wait=60").body(body.clone());
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    let over = Arc::new(AtomicBool::new(false));
    let crowd = crowd(&daemon, 200, Arc::clone(&over));
    let (patience, in_flight) = (Duration::from_secs(20), "http_requests_in_flight");
    daemon
        .await_figure(patience, in_flight, |found| found >= 50.0)
        .await;
    let asked = Instant::now();
    assert_eq!(daemon.process().await["status"], "success");
    let took = asked.elapsed();
    over.store(true, Ordering::Relaxed);
    let (whole, refused) = crowd.join().unwrap();
    println!("a cycle beside {whole} whole answers and {refused} refusals took {took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(whole > 0 && refused > 0, "{whole} and {refused}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_allowed_are_closed_at_once() {
    let daemon = daemon(&[("MAX_CONNECTIONS", "3")]).await;
    let mut open: Vec<TcpStream> = (0..3).map(|_| daemon.connect()).collect();
    for stream in &mut open {
        stream.write_all(PROBE).unwrap();
        read_probe(stream);
    }
    assert_eq!(exchange(&daemon, PROBE), "");
    assert_eq!(
        daemon.counted("http_connections_closed_total{reason=\"limit\"}"),
        1.0
    );
    open.pop();
    daemon.await_count("http_connections", 2.0).await;
    let mut next = daemon.connect();
    next.write_all(PROBE).unwrap();
    read_probe(&mut next);
    drop((open, next));
    daemon.await_count("http_connections", 0.0).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_answer_while_nothing_else_gets_a_thread() {
    let daemon = daemon(&[]).await;
    let idle: Vec<TcpStream> = (0..300).map(|_| daemon.connect()).collect();
    let (begun, begins) = std::sync::mpsc::channel();
    let mut releases = Vec::new();
    for _ in 0..2 {
        let (release, released) = std::sync::mpsc::channel::<()>();
        releases.push(release);
        let begun = begun.clone();
        tokio::spawn(async move {
            begun.send(()).unwrap();
            let _ = released.recv();
        });
        begins.recv().unwrap();
    }
    let mut slowest = Duration::ZERO;
    for path in [
        "/health/simple",
        "/livez",
        "/readyz",
        "/health",
        "/",
        "/metrics",
    ] {
        for method in ["GET", "HEAD"] {
            let request =
                format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            let asked = Instant::now();
            let answer = exchange(&daemon, request.as_bytes());
            slowest = slowest.max(asked.elapsed());
            assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        }
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    let post =
        b"POST /process HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let answer = exchange(&daemon, post);
    assert!(
        answer.contains("\"status\":\"success\""),
        "accepted: {answer}"
    );
    drop((releases, idle));
    assert_eq!(daemon.process().await["status"], "success");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_connections_finds_room_to_wait() {
    let daemon = daemon(&[]).await;
    let port: u16 = daemon.public.rsplit_once(':').unwrap().1.parse().unwrap();
    // The queue's limit stands where an established connection has its unsent bytes.
    let listening = Command::new("ss")
        .args(["-Hltn", &format!("sport = :{port}")])
        .output();
    let listening = String::from_utf8(listening.unwrap().stdout).unwrap();
    let room: u32 = listening
        .split_whitespace()
        .nth(2)
        .unwrap()
        .parse()
        .unwrap();
    let allowed = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    assert_eq!(
        room,
        4096.min(allowed.trim().parse().unwrap()),
        "{listening}"
    );
    daemon.stop().await;
}
