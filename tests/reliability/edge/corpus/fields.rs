//! Header lines: names, values, folding, floods and `Host` (RFC 9112, sections 3.2 and 5).

use fastrand::Rng;

use super::{many, mixed_case, pick, token};
use crate::edge::case::{Case, Outcome, answered, refused, served};

const REFUSED: &[Outcome] = &[refused(400)];
const SERVED: &[Outcome] = &[served(200)];

pub fn case(rng: &mut Rng) -> Case {
    match rng.u32(0..14) {
        0..=2 => line(rng),
        3..=5 => host(rng),
        6 => hosts(rng),
        7 => flood(rng),
        8 => oversize(rng),
        9 => large(rng),
        10 => unusual(rng),
        11 => connection(rng),
        12 => upgrade(rng),
        _ => context(rng),
    }
}

fn with(class: &'static str, lines: impl AsRef<[u8]>, right: &[Outcome]) -> Case {
    let request = [
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\n",
        lines.as_ref(),
        b"\r\n",
    ];
    Case::new(class, request.concat(), right)
}

fn line(rng: &mut Rng) -> Case {
    const LINES: &[(&str, &[u8])] = &[
        ("a folded line", b"A: b\r\n c\r\n"),
        ("a folded line", b"A: b\r\n\tc\r\n"),
        ("a folded line", b"A:\r\n b\r\n"),
        (
            "a folded line with a length",
            b"A: b\r\n Content-Length: 5\r\n",
        ),
        ("a space before the colon", b"A : b\r\n"),
        ("a space before the colon", b"Content-Length : 5\r\n"),
        (
            "a space before the colon",
            b"Transfer-Encoding\t: chunked\r\n",
        ),
        ("no colon", b"Abc\r\n"),
        ("no name", b": b\r\n"),
        ("a name that is no token", b"A B: c\r\n"),
        ("a name that is no token", b"A\0: c\r\n"),
        ("a name that is no token", b"\xc3\x85: c\r\n"),
        ("a name that is no token", b"(A): c\r\n"),
        ("a name that is no token", b"A\x7f: c\r\n"),
        ("a name that is no token", b"\"A\": c\r\n"),
        ("a value with a control byte", b"A: b\0c\r\n"),
        ("a value with a control byte", b"A: b\x01c\r\n"),
        ("a value with a control byte", b"A: b\x7fc\r\n"),
        ("a value with a control byte", b"A: b\x0bc\r\n"),
        ("a bare CR", b"A: b\rB: c\r\n"),
        ("a bare CR", b"A: b\r\rB: c\r\n"),
        ("a bare CR", b"A: b\rTransfer-Encoding: chunked\r\n"),
        ("a bare CR", b"\rA: b\r\n"),
        ("CR CR LF", b"A: b\r\r\n"),
    ];
    let (class, bytes) = pick(rng, LINES);
    if rng.u8(0..6) == 0 {
        let request = b"GET /livez HTTP/1.1\r\n Host: localhost\r\n\r\n";
        return Case::new("a space before the first name", *request, REFUSED);
    }
    with(class, bytes, REFUSED)
}

fn host(rng: &mut Rng) -> Case {
    const VALUES: &[(&[Outcome], &[u8])] = &[
        (SERVED, b"localhost"),
        (SERVED, b"localhost:8000"),
        (SERVED, b"[::1]:8000"),
        (SERVED, b"127.0.0.1"),
        (SERVED, b"another.example"),
        (SERVED, b"LOCALHOST"),
        (&[served(200), refused(400)], b""),
        (&[served(200), refused(400)], b"localhost:"),
        (&[served(200), refused(400)], b"a%20b"),
        (REFUSED, b"a b"),
        (REFUSED, b"a, b"),
        (REFUSED, b"a/b"),
        (REFUSED, b"a?b"),
        (REFUSED, b"a#b"),
        (REFUSED, b"user@a"),
        (REFUSED, b"http://a"),
        (REFUSED, b"a:b"),
        (REFUSED, b"a:1:2"),
        (REFUSED, b"a:-1"),
        (REFUSED, b"[::1"),
        (REFUSED, b"::1"),
        (REFUSED, b"a\\b"),
        (REFUSED, b"<script>"),
        (REFUSED, b"a\"b"),
        (REFUSED, b"a\xc3\xa5"),
        (REFUSED, b"a\0b"),
    ];
    let (right, value) = pick(rng, VALUES);
    let request = [b"GET /livez HTTP/1.1\r\nHost: ", value, b"\r\n\r\n"].concat();
    let class = if right == REFUSED {
        "a Host that is none"
    } else {
        "a Host"
    };
    Case::new(class, request, right)
}

fn hosts(rng: &mut Rng) -> Case {
    let lines = pick(
        rng,
        &[
            "",
            "Host: a\r\nHost: b\r\n",
            "Host: a\r\nHost: a\r\n",
            "Host: a\r\nX: y\r\nhOST: b\r\n",
            "Host:\r\nHost:\r\n",
        ],
    );
    Case::new(
        "not exactly one Host",
        format!("GET /livez HTTP/1.1\r\n{lines}\r\n"),
        REFUSED,
    )
}

fn flood(rng: &mut Rng) -> Case {
    let count = rng.usize(1..90);
    if rng.bool() {
        return with("many header lines", many(count), SERVED);
    }
    with(
        "too many header lines",
        many(110 + count * 8),
        &[refused(431)],
    )
}

fn oversize(rng: &mut Rng) -> Case {
    let length = rng.usize(16_400..80_000);
    let right = [refused(431)];
    match rng.u8(0..3) {
        0 => with(
            "too large a head",
            format!("A: {}\r\n", "a".repeat(length)),
            &right,
        ),
        1 => with(
            "too large a head",
            format!("{}: a\r\n", "a".repeat(length)),
            &right,
        ),
        _ => {
            let line = format!("A: {}\r\n", "a".repeat(1000));
            with("too large a head", line.repeat(length / 1000 + 1), &right)
        }
    }
}

fn large(rng: &mut Rng) -> Case {
    let length = rng.usize(4000..15_000);
    let line = match rng.bool() {
        true => format!("A: {}\r\n", "a".repeat(length)),
        false => format!("{}: a\r\n", "a".repeat(length)),
    };
    with("a large head", line, SERVED)
}

fn unusual(rng: &mut Rng) -> Case {
    let name = token(rng, 12);
    let named = format!("x{name}: y\r\n");
    let lines: [&[u8]; 14] = [
        b"A:\r\n",
        b"A: \t \r\n",
        b"A:b\r\n",
        b"A:\tb\t\r\n",
        b"A: \xff\xfe\x80\r\n",
        b"A: b\r\nA: c\r\na: d\r\n",
        b"Accept: */*\r\nAccept: text/html\r\n",
        b"Range: bytes=0-1\r\n",
        b"If-None-Match: *\r\nIf-Modified-Since: junk\r\n",
        b"Content_Length: 5\r\n",
        b"Transfer_Encoding: chunked\r\n",
        b"TE: trailers, deflate;q=0.5\r\n",
        b"X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n",
        named.as_bytes(),
    ];
    with("an unusual line that is right", pick(rng, &lines), SERVED)
}

fn connection(rng: &mut Rng) -> Case {
    let (value, right) = pick(
        rng,
        &[
            ("close", refused(200)),
            ("Close", refused(200)),
            ("keep-alive, close", refused(200)),
            ("close\r\nConnection: keep-alive", refused(200)),
            ("keep-alive\r\nConnection: close", refused(200)),
            ("keep-alive", served(200)),
            ("", served(200)),
            ("nonsense, \"close\"", served(200)),
            ("Host, Content-Length", served(200)),
            ("\x7f", refused(400)),
        ],
    );
    with("Connection", format!("Connection: {value}\r\n"), &[right])
}

fn upgrade(rng: &mut Rng) -> Case {
    let lines = pick(
        rng,
        &[
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
            "Upgrade: TLS/1.0\r\n",
            "Connection: Upgrade\r\nUpgrade: nothing, at/all\r\n",
        ],
    );
    with("Upgrade", lines, &[answered(200)])
}

fn context(rng: &mut Rng) -> Case {
    let name = pick(
        rng,
        &[
            "traceparent",
            "Prefer",
            "Expect",
            "Accept",
            "Content-Type",
            "tracestate",
        ],
    );
    let name = mixed_case(rng, name);
    let long = "9".repeat(300);
    let value = pick(
        rng,
        &[
            "00-00000000000000000000000000000000-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-zz",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "wait",
            "wait=",
            "wait=-1",
            "wait=0",
            "text/plain;version=0.0.4;q=nan",
            "a=b;c=d,,,;;",
            "\u{e5}\u{e4}\u{f6}",
            long.as_str(),
        ],
    );
    let request = format!(
        "POST /process HTTP/1.1\r\nHost: localhost\r\n{name}: {value}\r\nContent-Length: 0\r\n\r\n"
    );
    Case::new(
        "odd context of a trigger",
        request,
        &[served(200), served(429), refused(417), served(417)],
    )
}
