//! Lengths and codings: where a request ends, and who could see it otherwise (RFC 9112, section 6).

use fastrand::Rng;

use super::{mixed_case, pick};
use crate::edge::case::{Case, Outcome, Then, refused, served};

const REFUSED: &[Outcome] = &[refused(400)];
const STORED: &[Outcome] = &[served(200), served(429)];
/// A coding that is not known may be told apart.
const NO_CODING: &[Outcome] = &[refused(400), refused(501)];
/// Two readings that agree may be one.
const AGREEING: &[Outcome] = &[refused(400), served(200), served(429)];

/// A request that would be served if what hides it were overlooked.
const SMUGGLED: &str = "POST /process HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";

pub fn case(rng: &mut Rng) -> Case {
    match rng.u32(0..12) {
        0 | 1 => length(rng),
        2 => lengths(rng),
        3..=5 => both(rng),
        6 | 7 => coding(rng),
        8 => codings(rng),
        9 => hidden(rng),
        10 => short(rng),
        _ => long(rng),
    }
}

fn post(
    class: &'static str,
    lines: impl AsRef<[u8]>,
    body: impl AsRef<[u8]>,
    right: &[Outcome],
) -> Case {
    let head = b"POST /process HTTP/1.1\r\nHost: localhost\r\n";
    let request = [head, lines.as_ref(), b"\r\n", body.as_ref()].concat();
    Case::new(class, request, right)
}

fn length(rng: &mut Rng) -> Case {
    let good = ["0", "00", "0000000000000000000000", " 0", "0 ", "\t0\t"];
    if rng.u8(0..4) == 0 {
        let line = format!("Content-Length: {}\r\n", pick(rng, &good));
        return post("a length of nothing", line, "", STORED);
    }
    let bad = [
        "-1",
        "-0",
        "+0",
        "+5",
        "0x0",
        "5.0",
        "1e1",
        "5 5",
        "5;5",
        "five",
        "\u{665}",
        "",
        " ",
        "0,",
        ",0",
        "0;",
        "NaN",
        "18446744073709551616",
        "99999999999999999999999",
        "-9223372036854775808",
        "\"5\"",
        "5\x0b",
        "0\0",
    ];
    let line = format!("Content-Length: {}\r\n", pick(rng, &bad));
    post("a length that is none", line, SMUGGLED, REFUSED)
}

fn lengths(rng: &mut Rng) -> Case {
    let differ = [
        ("0", "44"),
        ("44", "0"),
        ("0", "-0"),
        ("0", "x"),
        ("0", "+0"),
        ("1", "0"),
    ];
    let name = mixed_case(rng, "Content-Length");
    match rng.u8(0..4) {
        0 => post(
            "two equal lengths",
            format!("Content-Length: 2\r\n{name}: 2\r\n"),
            "{}",
            AGREEING,
        ),
        1 => post(
            "a list of equal lengths",
            "Content-Length: 2, 2\r\n",
            "{}",
            AGREEING,
        ),
        2 => {
            let (one, other) = pick(rng, &differ);
            let line = format!("Content-Length: {one}, {other}\r\n");
            post("a list of lengths", line, SMUGGLED, REFUSED)
        }
        _ => {
            let (one, other) = pick(rng, &differ);
            let line = format!("Content-Length: {one}\r\n{name}: {other}\r\n");
            post("two lengths", line, SMUGGLED, REFUSED)
        }
    }
}

/// Both: one reader ends the request with the chunks, another with the length.
fn both(rng: &mut Rng) -> Case {
    let body = format!("0\r\n\r\n{SMUGGLED}");
    let length = pick(rng, &[0, 5, 6, body.len()]);
    let length = format!("{}: {length}\r\n", mixed_case(rng, "Content-Length"));
    let coding = format!("{}: chunked\r\n", mixed_case(rng, "Transfer-Encoding"));
    let between = pick(rng, &["", "X: y\r\n", "Accept: */*\r\nX:\r\n"]);
    let lines = match rng.bool() {
        true => format!("{length}{between}{coding}"),
        false => format!("{coding}{between}{length}"),
    };
    let mut case = post("a length and a coding", lines, body, REFUSED);
    case.before = rng.usize(0..3);
    case
}

fn coding(rng: &mut Rng) -> Case {
    let good = [
        "chunked",
        "Chunked",
        "CHUNKED",
        " chunked",
        "\tchunked ",
        "chunked\t",
    ];
    if rng.u8(0..3) == 0 {
        let line = format!("Transfer-Encoding:{}\r\n", pick(rng, &good));
        return post("chunks", line, "2\r\n{}\r\n0\r\n\r\n", STORED);
    }
    let bad = [
        "xchunked",
        "chunkedx",
        "identity",
        "gzip",
        "deflate, gzip",
        "chunked, identity",
        "chunked;q=1",
        "chunked, gzip",
        "\"chunked\"",
        "",
        "chun ked",
        "chunked chunked",
        "x, chunke",
        "cow",
        "chunked\u{a0}",
        "\u{212a}chunked",
        "gzip, chunked",
        "chunked, chunked",
        "identity, chunked",
        "xchunked, chunked",
        "chunked,chunked",
        "x chunked",
    ];
    let line = format!("Transfer-Encoding: {}\r\n", pick(rng, &bad));
    post(
        "a coding that is not chunks alone",
        line,
        format!("0\r\n\r\n{SMUGGLED}"),
        NO_CODING,
    )
}

fn codings(rng: &mut Rng) -> Case {
    let (one, other) = pick(
        rng,
        &[
            ("chunked", "chunked"),
            ("chunked", "identity"),
            ("identity", "chunked"),
            ("chunked", "x"),
            ("x", "chunked"),
            ("gzip", "chunked"),
            ("chunked", ""),
        ],
    );
    let name = mixed_case(rng, "Transfer-Encoding");
    let lines = format!("Transfer-Encoding: {one}\r\n{name}: {other}\r\n");
    post(
        "two codings",
        lines,
        format!("0\r\n\r\n{SMUGGLED}"),
        NO_CODING,
    )
}

/// A length or a coding that one reader may see and another may not.
fn hidden(rng: &mut Rng) -> Case {
    let lines: &[u8] = pick::<&[u8]>(
        rng,
        &[
            b"Content-Length: 0\r\n Transfer-Encoding: chunked\r\n",
            b"Content-Length: 0\r\nX: y\r\n\tTransfer-Encoding: chunked\r\n",
            b"Content-Length: 0\r\nTransfer-Encoding : chunked\r\n",
            b"Content-Length: 0\r\nTransfer-Encoding:\x0bchunked\r\n",
            b"Content-Length: 0\r\nTransfer-Encoding\0: chunked\r\n",
            b"Content-Length: 0\r\nX: y\rTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: chunked\r\nContent-Length : 0\r\n",
            b"Content-Length: 0\r\nTransfer-Encoding: x\nchunked\r\n",
            b"Content-Length: 0\r\n\xefTransfer-Encoding: chunked\r\n",
            b"Content-Length\r\n: 0\r\n",
        ],
    );
    post(
        "a hidden length or coding",
        lines,
        format!("0\r\n\r\n{SMUGGLED}"),
        REFUSED,
    )
}

/// What comes is shorter than what was announced: it takes in what follows, and never ends.
fn short(rng: &mut Rng) -> Case {
    let line = format!("Content-Length: {}\r\n", rng.usize(400..2000));
    let right = [refused(400), refused(408)];
    post(
        "a body that is shorter than its length",
        line,
        SMUGGLED,
        &right,
    )
}

/// What comes is longer than what was announced: the rest is no request.
fn long(rng: &mut Rng) -> Case {
    let right = [200, 429].map(|code| Outcome {
        status: Some(code),
        then: Then::Refused,
    });
    let rest = "\0".repeat(rng.usize(1..50));
    post(
        "a body that is longer than its length",
        "Content-Length: 2\r\n",
        format!("{{}}{rest}"),
        &right,
    )
}
