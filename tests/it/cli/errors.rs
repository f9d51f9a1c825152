//! Every way in which a command can fail: its exit code, and one line that says what to do.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Mutex;

use super::run;
use crate::support::wire::{Asked, answer, serve, unused_address};

/// A listener that answers everything with these bytes.
fn answering(bytes: Vec<u8>) -> String {
    let address = serve(move |mut stream| {
        if Asked::read(&stream).is_some() {
            let _ = stream.write_all(&bytes);
        }
    });
    format!("http://{address}")
}

/// One that answers with this status and a problem.
fn problem(status: &str, headers: &str) -> String {
    let body = "{\"detail\":\"In its\\u001b[2J own words\"}";
    answering(answer(status, headers, body.as_bytes()))
}

fn fails(settings: &[(&str, &str)], arguments: &[&str], code: i32, hints: &[&str]) {
    let ended = run(settings, arguments);
    assert_eq!(ended.code, code, "{arguments:?}: {ended:?}");
    assert_eq!(ended.out, "", "{arguments:?}: {ended:?}");
    for hint in hints {
        assert!(
            ended.error.contains(hint),
            "{arguments:?}: no {hint:?} in {ended:?}"
        );
    }
    let one_line = ended.error.trim_end().lines().count() == 1;
    assert!(
        code == 2 || code == 78 || one_line,
        "{arguments:?}: {ended:?}"
    );
    assert!(
        !ended.error.contains('\x1b') && !ended.error.contains("panicked"),
        "{ended:?}"
    );
}

#[test]
fn each_answer_that_says_no_has_its_code_and_its_advice() {
    let html = answer("200 OK", "", b"<html>hello</html>");
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{".to_vec();
    let away = answer("302 Found", "Location: http://127.0.0.1:1/\r\n", b"");
    let own = "own words";
    let cases: [(String, i32, &[&str]); 14] = [
        (problem("400 Bad Request", ""), 1, &[own]),
        (problem("409 Conflict", ""), 1, &[own]),
        (problem("413 Too Large", ""), 1, &[own]),
        (problem("401 Unauthorized", ""), 77, &[]),
        (problem("403 Forbidden", ""), 77, &[own]),
        (
            problem("404 Not Found", ""),
            69,
            &["this is not the", "names another address"],
        ),
        (
            problem("405 Not Allowed", ""),
            69,
            &["this is not the", "names another address"],
        ),
        (
            problem("429 Busy", "Retry-After: 7\r\n"),
            69,
            &[own, "try again in 7 s"],
        ),
        (problem("500 Oops", ""), 69, &["the answer 500"]),
        (problem("502 Bad Gateway", ""), 69, &["the answer 502"]),
        (answering(html), 69, &["not that of a match-list-processor"]),
        (answering(cut), 69, &["cannot be decoded or ended early"]),
        (answering(away), 69, &["the answer 302"]),
        (
            format!("http://{}", unused_address()),
            69,
            &["no connection to 127.0.0.1:"],
        ),
    ];
    for (url, code, hints) in &cases {
        for command in ["trigger", "status"] {
            fails(&[], &[command, "--url", url], *code, hints);
        }
        for command in [
            &["changes"][..],
            &["deliveries", "list"],
            &["pause"],
            &["resume"],
            &["accept"],
        ] {
            let arguments = [command, &["--admin-url", url]].concat();
            fails(&[], &arguments, *code, hints);
        }
    }
    let down = problem("503 Down", "Retry-After: 10\r\n");
    fails(
        &[],
        &["trigger", "--url", &down],
        69,
        &[own, "try again in 10 s"],
    );
    fails(
        &[],
        &["changes", "--admin-url", &down],
        69,
        &[own, "try again in 10 s"],
    );
    fails(
        &[],
        &["deliveries", "retry", "1", "--admin-url", &cases[3].0],
        77,
        &["ADMIN_TOKEN"],
    );
}

#[test]
fn an_unhealthy_daemon_is_shown_and_fails_also_without_its_store() {
    let address = serve(|mut stream| {
        let Some(asked) = Asked::read(&stream) else {
            return;
        };
        let body: &[u8] = match asked.head.starts_with("GET /status ") {
            true => b"{\"detail\":\"The store cannot be read\"}",
            false => b"{\"status\":\"unhealthy\",\"deliveries\":null}",
        };
        let _ = stream.write_all(&answer("503 Down", "", body));
    });
    let url = format!("http://{address}");
    let ended = run(&[], &["status", "--url", &url]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.out.contains(": unhealthy\n"), "{ended:?}");
    assert!(
        ended.out.contains("unknown, the store cannot be read"),
        "{ended:?}"
    );
    assert_eq!(
        ended.error,
        "match-list-processor: the daemon is unhealthy\n"
    );
    let ended = run(&[], &["status", "--url", &url, "--json"]);
    assert_eq!(
        (ended.code, &ended.lines()[0]["health"]["status"]),
        (1, &"unhealthy".into())
    );
}

#[test]
fn silence_ends_when_the_patience_does() {
    // Connections are kept, so that silence is all that comes.
    let kept: &'static Mutex<Vec<TcpStream>> = Box::leak(Box::default());
    let address = serve(|stream| kept.lock().unwrap().push(stream));
    let url = format!("http://{address}");
    let hints = ["no answer in time", "--timeout gives it longer"];
    fails(
        &[],
        &["trigger", "--url", &url, "--timeout", "1"],
        69,
        &hints,
    );
    fails(
        &[],
        &["pause", "--admin-url", &url, "--timeout", "1"],
        69,
        &hints,
    );
}

#[test]
fn a_wrong_command_line_or_setting_is_told_before_anybody_is_asked() {
    let nowhere = format!("http://{}", unused_address());
    let usage: [(&[&str], &str); 13] = [
        (&["trigger", "--wait", "301"], "301"),
        (&["trigger", "--wait", "0"], "0"),
        (
            &["trigger", "--data", "/no/such/file"],
            "cannot read /no/such/file",
        ),
        (
            &["trigger", "--url", "127.0.0.1:8000"],
            "expected a URL such as",
        ),
        (
            &["trigger", "--url", "file:///etc"],
            "expected a URL such as",
        ),
        (&["changes", "--category", "weather"], "new_assignment"),
        (&["changes", "--priority", "urgent"], "critical"),
        (&["changes", "--limit", "1001"], "1001"),
        (&["changes", "--match-id", "x"], "x"),
        (&["deliveries", "list", "--state", "lost"], "superseded"),
        (&["deliveries", "retry"], "--all-dead"),
        (&["deliveries", "retry", "1", "--all-dead"], "--all-dead"),
        (&["completions", "cobol"], "bash"),
    ];
    for (arguments, hint) in usage {
        fails(&[], arguments, 2, &[hint]);
    }
    fails(
        &[("TZ", "Moon")],
        &["status", "--url", &nowhere],
        78,
        &["TZ"],
    );
    fails(&[("PORT", "0")], &["status"], 78, &["PORT", "--url"]);
    fails(
        &[("ADMIN_LISTEN", "off")],
        &["pause"],
        78,
        &["ADMIN_LISTEN", "--admin-url"],
    );
    let secret = "http://operator:hunter2@127.0.0.1:1";
    let ended = run(&[], &["status", "--url", secret]);
    assert_eq!(ended.code, 69, "{ended:?}");
    assert!(!ended.error.contains("hunter2"), "{ended:?}");
}

#[test]
fn all_pages_of_dead_letters_are_read_before_one_is_retried() {
    let asked: &'static Mutex<Vec<String>> = Box::leak(Box::default());
    let address = serve(move |mut stream| {
        let Some(request) = Asked::read(&stream) else {
            return;
        };
        let line = request.head.lines().next().unwrap().to_owned();
        let body = match line.as_str() {
            "GET /deliveries?limit=1000&state=dead HTTP/1.1" => {
                "{\"deliveries\":[{\"id\":9},{\"id\":8}],\"next\":8}"
            }
            "GET /deliveries?limit=1000&before=8&state=dead HTTP/1.1" => {
                "{\"deliveries\":[{\"id\":7}],\"next\":null}"
            }
            _ => "{\"status\":\"success\"}",
        };
        asked.lock().unwrap().push(line);
        let _ = stream.write_all(&answer("200 OK", "", body.as_bytes()));
    });
    let url = format!("http://{address}");
    let ended = run(
        &[],
        &["deliveries", "retry", "--all-dead", "--admin-url", &url],
    );
    assert_eq!((ended.code, ended.error.as_str()), (0, ""), "{ended:?}");
    assert_eq!(
        ended.out,
        "9 is pending again\n8 is pending again\n7 is pending again\n"
    );
    let asked = asked.lock().unwrap();
    let retried: Vec<_> = asked[2..]
        .iter()
        .map(|line| line.split(' ').nth(1).unwrap())
        .collect();
    assert_eq!(
        retried,
        [
            "/deliveries/9/retry",
            "/deliveries/8/retry",
            "/deliveries/7/retry"
        ]
    );
}

#[test]
fn what_was_retried_meanwhile_is_not_discarded_with_all_that_is_dead() {
    let asked: &'static Mutex<Vec<String>> = Box::leak(Box::default());
    let address = serve(move |mut stream| {
        let Some(request) = Asked::read(&stream) else {
            return;
        };
        let line = request.head.lines().next().unwrap().to_owned();
        let (status, body) = match line.split(' ').nth(1).unwrap() {
            path if path.starts_with("/deliveries?") => (
                "200 OK",
                "{\"deliveries\":[{\"id\":9},{\"id\":8},{\"id\":7}],\"next\":null}",
            ),
            "/deliveries/8/discard?state=dead" => {
                ("409 Conflict", "{\"detail\":\"it is pending\"}")
            }
            // It was delivered, and the history forgot it.
            "/deliveries/7/discard?state=dead" => ("404 Not Found", "{}"),
            _ => ("200 OK", "{\"state\":\"discarded\"}"),
        };
        asked.lock().unwrap().push(line);
        let _ = stream.write_all(&answer(status, "", body.as_bytes()));
    });
    let url = format!("http://{address}");
    let order = ["deliveries", "discard", "--all-dead", "--admin-url", &url];
    let ended = run(&[], &order);
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, "9 is discarded\n"),
        "{ended:?}"
    );
    assert_eq!(
        ended.error,
        "8: it is pending\n7: there is no such delivery\n\
         2 of 3 had moved on and are left as they are\n"
    );
    assert_eq!(
        asked.lock().unwrap()[1],
        "POST /deliveries/9/discard?state=dead HTTP/1.1"
    );
    // One that somebody named is meant as it is, and that it cannot be done is a failure.
    let ended = run(&[], &["deliveries", "discard", "9", "--admin-url", &url]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let line = asked.lock().unwrap().last().unwrap().clone();
    assert_eq!(line, "POST /deliveries/9/discard HTTP/1.1");
}
