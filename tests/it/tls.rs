//! TLS of the public listener: who gets in, how certificates change, and what a bad client costs.

use std::io::{ErrorKind, Read, Write};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{AlertDescription, ClientConnection, Error};

use crate::process::term;
use crate::support::binary::Daemon;
use crate::support::secure::{NAME, Secure, ask, plain, secure, shown};

fn hang_up(daemon: &Daemon) {
    let mut kill = Command::new("kill");
    assert!(
        kill.args(["-HUP", &daemon.id()])
            .status()
            .unwrap()
            .success()
    );
}

fn http(daemon: &Daemon, roots: &[reqwest::Certificate]) -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only(roots.iter().cloned())
        .resolve(NAME, daemon.address().parse().unwrap())
        .build()
        .unwrap()
}

/// The first bytes of a handshake, as a client of TLS 1.3 sends them.
fn hello(place: &Secure) -> Vec<u8> {
    let name = ServerName::try_from(NAME).unwrap();
    let mut client = ClientConnection::new(Arc::new(place.client(&TLS13)), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// Reads until the daemon closes the connection.
fn await_close(stream: &mut impl Read) {
    let mut rest = Vec::new();
    if let Err(error) = stream.read_to_end(&mut rest) {
        let closed = [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof];
        assert!(closed.contains(&error.kind()), "{error}: {rest:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_know_the_issuer_are_served() {
    let place = Secure::new(&[]);
    let daemon = place.start();
    let port = daemon.address().rsplit_once(':').unwrap().1;
    let issuer = reqwest::Certificate::from_der(place.issuer.der()).unwrap();
    let url = format!("https://{NAME}:{port}/process");
    let post = http(&daemon, &[issuer])
        .post(&url)
        .header("prefer", "wait=60");
    let answer = post.body("{}").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let body = answer.text().await.unwrap();
    assert!(body.contains("\"status\":\"success\""), "{body}");
    let stranger = http(&daemon, &[]).post(&url).send().await;
    assert!(stranger.unwrap_err().is_connect());
    place.await_count("http_connections_closed_total{reason=\"tls\"}", 1.0);
    for mut stream in [
        place.connect(&daemon).unwrap(),
        place.connect_old(&daemon).unwrap(),
    ] {
        assert_eq!(ask(&mut stream, "/status"), "200");
        assert_eq!(ask(&mut stream, "/nowhere"), "404");
    }
    let mut other = place.client(&TLS13);
    other.alpn_protocols = vec![b"h2".to_vec()];
    let refused = secure(&daemon, other).unwrap_err();
    let refused = refused.get_ref().unwrap().downcast_ref::<Error>().unwrap();
    let expected = Error::AlertReceived(AlertDescription::NoApplicationProtocol);
    assert_eq!(*refused, expected);
    term(&daemon);
    let (code, log) = daemon.wait();
    assert_eq!(code, Some(0));
    assert!(log.contains("(TLS)"), "{log}");
    assert!(!log.contains("handshake"), "{log}");
}

#[test]
fn commands_believe_the_certificate_of_their_settings_alone() {
    let place = Secure::new(&[]);
    let daemon = place.start();
    let port = daemon.address().rsplit_once(':').unwrap().1;
    let run = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        command.env("PORT", port).output().unwrap()
    };
    for arguments in [
        &["healthcheck"][..],
        &["status"],
        &["trigger", "--wait", "60"],
    ] {
        let output = run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
    place.write(&place.pair());
    let output = run(&["status"]);
    let healthy = run(&["healthcheck"]).status.success();
    assert!(
        healthy,
        "also with a certificate that the daemon has not taken"
    );
    // Before the daemon takes it, it is another's.
    if shown(&place.connect(&daemon).unwrap()) != pem(&place) {
        assert_eq!(output.status.code(), Some(69), "{output:?}");
    }
    Daemon::await_until("the certificate to be taken", || {
        run(&["status"]).status.success()
    });
    std::fs::remove_file(place.folder.path("tls.key")).unwrap();
    assert!(
        run(&["healthcheck"]).status.success(),
        "also without a key for a moment"
    );
    term(&daemon);
    assert_eq!(daemon.wait().0, Some(0));
}

/// The certificate in the file, as DER.
fn pem(place: &Secure) -> Vec<u8> {
    use tokio_rustls::rustls::pki_types::CertificateDer;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    let certificate = CertificateDer::from_pem_file(place.folder.path("tls.crt"));
    certificate.unwrap().to_vec()
}

#[test]
fn certificates_change_without_a_lost_request() {
    let place = Arc::new(Secure::new(&[]));
    let daemon = Arc::new(place.start());
    let stop = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..3)
        .map(|_| {
            let (place, daemon, stop) =
                (Arc::clone(&place), Arc::clone(&daemon), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut sent = 0;
                while !stop.load(Ordering::Relaxed) {
                    let mut stream = place.connect(&daemon).unwrap();
                    assert_eq!(ask(&mut stream, "/livez"), "200");
                    assert_eq!(ask(&mut stream, "/livez"), "200");
                    sent += 1;
                }
                sent
            })
        })
        .collect();
    let mut old = place.connect(&daemon).unwrap();
    let first = shown(&old);
    for _ in 0..5 {
        place.write(&place.pair());
        hang_up(&daemon);
        let new = pem(&place);
        Daemon::await_until("the new certificate", || place.shown(&daemon) == new);
        assert_eq!(ask(&mut old, "/livez"), "200", "it keeps its own");
    }
    assert_eq!(shown(&old), first);
    stop.store(true, Ordering::Relaxed);
    let sent: usize = senders.into_iter().map(|one| one.join().unwrap()).sum();
    assert!(sent > 10, "{sent}");
    let daemon = Arc::into_inner(daemon).unwrap();
    term(&daemon);
    let (code, log) = daemon.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("TLS_CERT_FILE, TLS_KEY_FILE changed"), "{log}");
}

#[test]
fn a_new_file_is_taken_without_a_signal_and_a_bad_one_is_not() {
    let place = Secure::new(&[]);
    let daemon = place.start();
    let first = pem(&place);
    let loaded = "config_last_load_successful";
    // The certificate is there, its key is not yet.
    let new = place.pair();
    std::fs::write(place.folder.path("tls.crt"), &new.0).unwrap();
    place.await_count(loaded, 0.0);
    assert_eq!(place.shown(&daemon), first);
    let mut stream = place.connect(&daemon).unwrap();
    assert_eq!(ask(&mut stream, "/livez"), "200");
    place.write(&new);
    Daemon::await_until("the new certificate", || {
        place.shown(&daemon) == pem(&place)
    });
    place.await_count(loaded, 1.0);
    for (certificate, key) in [("", &*new.1), (&*new.0, ""), ("garbage", "garbage")] {
        place.write(&(certificate.to_owned(), key.to_owned()));
        hang_up(&daemon);
        place.await_count(loaded, 0.0);
        let mut stream = place.connect(&daemon).unwrap();
        assert_eq!(ask(&mut stream, "/livez"), "200");
        place.write(&new);
        hang_up(&daemon);
        place.await_count(loaded, 1.0);
    }
    term(&daemon);
    let (_, log) = daemon.wait();
    assert!(
        log.contains("TLS_KEY_FILE: holds a key that does not"),
        "{log}"
    );
    assert!(!log.contains("BEGIN"), "{log}");
}

#[test]
fn whoever_does_not_shake_hands_is_counted_and_gone() {
    let place = Secure::new(&[("HEADER_TIMEOUT_SECONDS", "60")]);
    let daemon = place.start();
    for (n, first) in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"\x16\x03\x01\x00\x04\xff\x00\x00\x00",
    ]
    .into_iter()
    .enumerate()
    {
        let mut stream = plain(&daemon);
        stream.write_all(first).unwrap();
        await_close(&mut stream);
        assert_eq!(place.closed("tls"), n as f64 + 1.0);
    }
    // A balancer looks whether somebody listens.
    let looking = plain(&daemon);
    place.await_count("http_connections", 2.0);
    drop(looking);
    place.await_count("http_connections", 1.0);
    assert_eq!(place.closed("tls"), 2.0);
    term(&daemon);
    let (_, log) = daemon.wait();
    assert!(!log.contains("handshake"), "{log}");
}

#[test]
fn handshakes_that_stall_end_in_time_and_hold_no_place() {
    let settings = [("HEADER_TIMEOUT_SECONDS", "2"), ("MAX_CONNECTIONS", "3")];
    let place = Secure::new(&settings);
    let daemon = place.start();
    let hello = hello(&place);
    let begun = Instant::now();
    let mut stalled: Vec<_> = [0, 1, hello.len()]
        .into_iter()
        .map(|sent| {
            let mut stream = plain(&daemon);
            stream.write_all(&hello[..sent]).unwrap();
            stream
        })
        .collect();
    // The answer to a hello comes, and nothing follows it.
    assert!(stalled[2].read(&mut [0; 64]).unwrap() > 0);
    await_close(&mut plain(&daemon));
    assert_eq!(place.closed("limit"), 1.0);
    for stream in &mut stalled {
        await_close(stream);
    }
    assert!(begun.elapsed() < Duration::from_secs(15));
    place.await_count(
        "http_connections_closed_total{reason=\"header_timeout\"}",
        3.0,
    );
    let mut stream = place.connect(&daemon).unwrap();
    assert_eq!(ask(&mut stream, "/livez"), "200");
    // A head that does not come is as bounded as without TLS.
    await_close(&mut stream);
    assert_eq!(place.closed("header_timeout"), 4.0);
    term(&daemon);
    assert_eq!(daemon.wait().0, Some(0));
}

#[test]
fn a_stop_waits_for_requests_and_not_for_handshakes() {
    let settings = [
        ("HEADER_TIMEOUT_SECONDS", "300"),
        ("SHUTDOWN_DEADLINE_SECONDS", "600"),
    ];
    let place = Secure::new(&settings);
    let daemon = place.start();
    let hello = hello(&place);
    let mut stalled = plain(&daemon);
    stalled.write_all(&hello).unwrap();
    assert!(stalled.read(&mut [0; 64]).unwrap() > 0);
    let mut begun = plain(&daemon);
    begun.write_all(&hello[..10]).unwrap();
    let mut idle = place.connect(&daemon).unwrap();
    assert_eq!(ask(&mut idle, "/livez"), "200");
    let mut asking = place.connect(&daemon).unwrap();
    let head = "POST /process HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n";
    asking.write_all(head.as_bytes()).unwrap();
    place.await_count("http_requests_in_flight", 2.0);
    term(&daemon);
    await_close(&mut stalled);
    await_close(&mut begun);
    await_close(&mut idle);
    asking.write_all(b"{}").unwrap();
    let mut answer = String::new();
    asking.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(daemon.wait().0, Some(0));
}
