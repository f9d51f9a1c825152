//! Request lines: methods, targets, versions and the space between them (RFC 9112, section 3).

use fastrand::Rng;

use super::{pick, reading, token};
use crate::edge::case::{Case, Outcome, SILENT, answered, refused, served};

const REFUSED: &[Outcome] = &[refused(400)];

pub fn case(rng: &mut Rng) -> Case {
    match rng.u32(0..16) {
        0 | 1 => method(rng),
        2 => not_a_method(rng),
        3 => head(rng),
        4..=6 => target(rng),
        7 | 8 => not_a_target(rng),
        9 | 10 => target_form(rng),
        11 => long_target(rng),
        12 => version(rng),
        13 => old_version(rng),
        14 => spacing(rng),
        _ => no_http(rng),
    }
}

fn with(class: &'static str, line: impl AsRef<[u8]>, right: &[Outcome]) -> Case {
    let request = [line.as_ref(), b"\r\nHost: localhost\r\n\r\n"].concat();
    Case::new(class, request, right)
}

fn method(rng: &mut Rng) -> Case {
    let odd = token(rng, 1 + rng.clone().usize(0..40));
    let known = [
        "get", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "GETGET", "PRI", "Post",
    ];
    let method = if rng.bool() {
        pick(rng, &known)
    } else {
        odd.as_str()
    };
    if ["GET", "HEAD", "POST", "CONNECT"].contains(&method) {
        return head(rng);
    }
    let path = if rng.bool() { reading(rng) } else { "/process" };
    with(
        "a method that no route has",
        format!("{method} {path} HTTP/1.1"),
        &[served(405), served(501)],
    )
}

fn not_a_method(rng: &mut Rng) -> Case {
    let bad: &[&[u8]] = &[
        b"G\0T",
        b"G\xc3\x89T",
        b"(GET)",
        b"GET,",
        b"\"GET\"",
        b"G/T",
        b"G:T",
        b"{}",
        b"\x7f",
        b"GE\rT",
        b"G\x1bT",
        b"@",
        b"[GET]",
        b"G=T",
        b"G?T",
        b"\xff\xfe",
        b"",
    ];
    let line = [pick(rng, bad), b" /livez HTTP/1.1"].concat();
    with("a method that is no token", line, REFUSED)
}

fn head(rng: &mut Rng) -> Case {
    let mut case = with(
        "HEAD",
        format!("HEAD {} HTTP/1.1", reading(rng)),
        &[served(200), served(503)],
    );
    case.is_head = true;
    case
}

fn target(rng: &mut Rng) -> Case {
    let deep = "/a".repeat(1 + rng.usize(0..500));
    let id = token(rng, 30).replace(['#', '%', '^', '`', '|'], "x");
    let unknown = [
        "/nothing",
        "//livez",
        "/livez/",
        "/./livez",
        "/../livez",
        "/livez/..",
        "/LIVEZ",
        "/livez;a=b",
        "/livez%20",
        "/livez%00",
        "/%2e%2e/etc/passwd",
        "/livez%2f",
        "/health/simple/x",
        "/process/",
        "/triggers/",
        "/triggers/a/b",
        "/metrics/",
        "/changes",
        "/pause",
        "/deliveries/1/retry",
        "/snapshot/accept",
        "/%",
        "/%zz",
        "/%e2%82",
        "/status/detailed/",
        "/index.php?x=<script>",
        "/$%7Bjndi:ldap://x%7D",
        "/'or'1'='1",
        deep.as_str(),
    ];
    match rng.u8(0..4) {
        0 => {
            let query = [
                "",
                "x",
                "x=1&x=2",
                "%zz",
                "a=b?c=d/e",
                "&&&&",
                "limit=-1",
                "=",
                "x=%00",
            ];
            let line = format!("GET {}?{} HTTP/1.1", reading(rng), pick(rng, &query));
            with(
                "a query that no route has",
                line,
                &[served(200), served(503)],
            )
        }
        1 => {
            let line = format!("GET /triggers/{id} HTTP/1.1");
            with("a trigger that does not exist", line, &[served(404)])
        }
        _ => {
            let line = format!("GET {} HTTP/1.1", pick(rng, &unknown));
            let right = [served(404), refused(400), served(400)];
            with("a path that no route has", line, &right)
        }
    }
}

fn not_a_target(rng: &mut Rng) -> Case {
    let bad: &[&[u8]] = &[
        b"/liv\0ez",
        b"/liv\x01ez",
        b"/liv\x7fez",
        b"/liv ez",
        b"/liv\tez",
        b"/\xff",
        b"/\xc3\x28",
        b"/\xe2\x82",
        b"/livez\rGET",
        b"/\x1b[31m",
        b"",
        b"\0",
        b"/livez\x0b",
        b"/liv\rez",
    ];
    let line = [b"GET ".as_slice(), pick(rng, bad), b" HTTP/1.1"].concat();
    with("a target with a byte that none may have", line, REFUSED)
}

/// Class, method, target, and what is right.
const FORMS: &[(&str, &str, &str, &[Outcome])] = &[
    (
        "absolute-form",
        "GET",
        "http://localhost/livez",
        &[served(200)],
    ),
    (
        "absolute-form",
        "GET",
        "http://localhost:8000/livez?a=b",
        &[served(200)],
    ),
    (
        "absolute-form",
        "GET",
        "http://another.example/livez",
        &[served(200), refused(400), served(421)],
    ),
    (
        "absolute-form",
        "GET",
        "HTTP://localhost/livez",
        &[served(200)],
    ),
    (
        "absolute-form without a path",
        "GET",
        "http://localhost",
        &[served(200)],
    ),
    (
        "absolute-form of another scheme",
        "GET",
        "ftp://localhost/livez",
        &[served(200), refused(400), served(421)],
    ),
    (
        "absolute-form with a user",
        "GET",
        "http://a:b@localhost/livez",
        &[served(200), refused(400)],
    ),
    (
        "absolute-form without a host",
        "GET",
        "http:///livez",
        &[refused(400)],
    ),
    (
        "absolute-form with a bad port",
        "GET",
        "http://localhost:x/livez",
        &[refused(400)],
    ),
    (
        "absolute-form with a bad host",
        "GET",
        "http://[::1/livez",
        &[refused(400)],
    ),
    (
        "authority-form without CONNECT",
        "GET",
        "localhost:80",
        &[refused(400), served(404)],
    ),
    (
        "asterisk-form without OPTIONS",
        "GET",
        "*",
        &[refused(400), served(404), served(405)],
    ),
    (
        "asterisk-form",
        "OPTIONS",
        "*",
        &[served(404), served(405), served(200), served(204)],
    ),
    (
        "asterisk-form with more",
        "GET",
        "*/livez",
        &[refused(400), served(404)],
    ),
    (
        "a relative target",
        "GET",
        "livez",
        &[refused(400), served(404)],
    ),
    (
        "a fragment",
        "GET",
        "/livez#top",
        &[served(200), served(404), refused(400)],
    ),
    (
        "a backslash",
        "GET",
        "\\livez",
        &[refused(400), served(404)],
    ),
    (
        "text that is not ASCII",
        "GET",
        "/livéz",
        &[refused(400), served(404)],
    ),
    (
        "percent-encoded letters",
        "GET",
        "/%6c%69vez",
        &[served(404), served(200)],
    ),
    (
        "CONNECT",
        "CONNECT",
        "localhost:80",
        &[refused(400), refused(405), refused(501)],
    ),
    (
        "CONNECT with a path",
        "CONNECT",
        "/livez",
        &[refused(400), refused(405), refused(501)],
    ),
    (
        "CONNECT with a URL",
        "CONNECT",
        "http://localhost/",
        &[refused(400), refused(405), refused(501)],
    ),
];

fn target_form(rng: &mut Rng) -> Case {
    let (class, method, target, right) = pick(rng, FORMS);
    with(class, format!("{method} {target} HTTP/1.1"), right)
}

fn long_target(rng: &mut Rng) -> Case {
    if rng.bool() {
        let path = "x".repeat(rng.usize(1000..14_000));
        return with(
            "a long target",
            format!("GET /{path} HTTP/1.1"),
            &[served(404)],
        );
    }
    let path = "x".repeat(rng.usize(16_400..70_000));
    let right = [refused(414), refused(431)];
    with(
        "a target that is too long",
        format!("GET /{path} HTTP/1.1"),
        &right,
    )
}

fn version(rng: &mut Rng) -> Case {
    let bad: &[&[u8]] = &[
        b"HTTP/0.9",
        b"HTTP/2.0",
        b"HTTP/3.0",
        b"HTTP/1.2",
        b"HTTP/1.10",
        b"http/1.1",
        b"HTTP/11",
        b"HTTPS/1.1",
        b"HTTP/1,1",
        b"HTTP/1.1x",
        b"HTTP/-1.1",
        b"HTTP/1.",
        b"HTTP/.1",
        b"HTTP 1.1",
        b"HTTP/1.1 HTTP/1.1",
        b"HTTP/\xd9\xa1.\xd9\xa1",
        b"ICY/1.1",
        b"1.1",
        b"HTTP/1.1\0",
        b"HTTP/01.1",
        b"HTTP/",
    ];
    let line = [b"GET /livez ".as_slice(), pick(rng, bad)].concat();
    with(
        "a version that does not exist",
        line,
        &[refused(400), refused(505)],
    )
}

fn old_version(rng: &mut Rng) -> Case {
    const REQUESTS: &[(&[u8], &[Outcome])] = &[
        (b"GET /livez HTTP/1.0\r\n\r\n", &[refused(200)]),
        (
            b"GET /livez HTTP/1.0\r\nHost: localhost\r\n\r\n",
            &[refused(200)],
        ),
        (
            b"GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            &[answered(200)],
        ),
        (
            b"POST /process HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}",
            &[refused(200), refused(429)],
        ),
        (
            b"POST /process HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            REFUSED,
        ),
        (b"GET /livez\r\n\r\n", &[refused(400), SILENT]),
    ];
    let (request, right) = pick(rng, REQUESTS);
    Case::new("an old version", request, right)
}

fn spacing(rng: &mut Rng) -> Case {
    let rest = "Host: localhost\r\n\r\n";
    let line = "GET /livez HTTP/1.1";
    let bare = [served(200), refused(400)];
    match rng.u8(0..8) {
        0 => Case::new(
            "two spaces",
            format!("GET  /livez HTTP/1.1\r\n{rest}"),
            REFUSED,
        ),
        1 => Case::new(
            "two spaces",
            format!("GET /livez  HTTP/1.1\r\n{rest}"),
            REFUSED,
        ),
        2 => Case::new(
            "a tab for a space",
            format!("GET\t/livez\tHTTP/1.1\r\n{rest}"),
            REFUSED,
        ),
        3 => Case::new(
            "a space before the line",
            format!(" {line}\r\n{rest}"),
            REFUSED,
        ),
        4 => Case::new(
            "a space behind the line",
            format!("{line} \r\n{rest}"),
            REFUSED,
        ),
        5 => Case::new(
            "a bare CR ends the line",
            format!("{line}\r{rest}"),
            REFUSED,
        ),
        6 => Case::new(
            "a bare LF ends lines",
            format!("{line}\nHost: localhost\n\n"),
            &bare,
        ),
        _ => {
            let empty = "\r\n".repeat(rng.usize(1..4));
            Case::new(
                "empty lines before",
                format!("{empty}{line}\r\n{rest}"),
                &[served(200)],
            )
        }
    }
}

fn no_http(rng: &mut Rng) -> Case {
    let right = [refused(400), refused(505), SILENT];
    match rng.u8(0..4) {
        0 => Case::new(
            "HTTP/2",
            *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
            &right,
        ),
        1 => {
            let hello = b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".iter().copied();
            let random = (0..500).map(|_| rng.u8(..));
            Case::new("TLS", hello.chain(random).collect::<Vec<u8>>(), &right)
        }
        2 => Case::new("another protocol", *b"\0SSH-2.0-OpenSSH_9.6\r\n", &right),
        _ => {
            let length = rng.usize(1..3000);
            let first = pick(rng, b"\0\x01\x80\xff({\"");
            let random = (0..length).map(|_| rng.u8(..));
            Case::new(
                "noise",
                std::iter::once(first).chain(random).collect::<Vec<u8>>(),
                &right,
            )
        }
    }
}
