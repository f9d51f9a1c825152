//! Bodies: chunks, trailers, sizes, content, and bodies where none belongs (RFC 9112, section 7).

use fastrand::Rng;

use super::{many, pick, reading};
use crate::edge::case::{Case, Outcome, answered, refused, served};

const REFUSED: &[Outcome] = &[refused(400)];
const STORED: &[Outcome] = &[served(200), served(429)];
const LARGEST: usize = 1 << 20;

pub fn case(rng: &mut Rng) -> Case {
    match rng.u32(0..100) {
        0..14 => chunks(rng),
        14..40 => bad_chunks(rng),
        40..52 => trailers(rng),
        52..64 => content(rng),
        64..80 => where_none_belongs(rng),
        80..92 => expecting(rng),
        92..97 => too_large(rng),
        _ => large(rng),
    }
}

fn chunked(class: &'static str, body: impl AsRef<[u8]>, right: &[Outcome]) -> Case {
    let head = b"POST /process HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    Case::new(class, [head, body.as_ref()].concat(), right)
}

fn sized(class: &'static str, lines: &str, body: &[u8], right: &[Outcome]) -> Case {
    let length = body.len();
    let head = format!(
        "POST /process HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{lines}\r\n"
    );
    Case::new(class, [head.as_bytes(), body].concat(), right)
}

fn chunks(rng: &mut Rng) -> Case {
    let single = "1\r\n1\r\n".repeat(rng.usize(1..2000)) + "0\r\n\r\n";
    let body = pick(
        rng,
        &[
            "0\r\n\r\n",
            "00000\r\n\r\n",
            "2\r\n{}\r\n0\r\n\r\n",
            "0000000002\r\n{}\r\n0\r\n\r\n",
            "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
            "2;a=b\r\n{}\r\n0;c\r\n\r\n",
            "2;a=\"b;c\"\r\n{}\r\n0\r\n\r\n",
            single.as_str(),
        ],
    );
    chunked("chunks of all forms", body, STORED)
}

fn bad_chunks(rng: &mut Rng) -> Case {
    let extension = format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(20_000));
    let extensions = format!("1;{}\r\n1\r\n", "x".repeat(500)).repeat(60) + "0\r\n\r\n";
    let body = pick(
        rng,
        &[
            "-2\r\n{}\r\n0\r\n\r\n",
            "+2\r\n{}\r\n0\r\n\r\n",
            "0x2\r\n{}\r\n0\r\n\r\n",
            " 2\r\n{}\r\n0\r\n\r\n",
            "2g\r\n{}\r\n0\r\n\r\n",
            "g\r\n{}\r\n0\r\n\r\n",
            "\r\n{}\r\n0\r\n\r\n",
            ";a=b\r\n{}\r\n0\r\n\r\n",
            "2.0\r\n{}\r\n0\r\n\r\n",
            "2\n{}\n0\n\n",
            "2\r{}\r\n0\r\n\r\n",
            "2;a\nb\r\n{}\r\n0\r\n\r\n",
            "2\r\n{}0\r\n\r\n",
            "2\r\n{}x\r\n0\r\n\r\n",
            "2\r\n{}\rx0\r\n\r\n",
            "1\r\n{}\r\n0\r\n\r\n",
            "2\0\r\n{}\r\n0\r\n\r\n",
            "2,2\r\n{}\r\n0\r\n\r\n",
            "2 2\r\n{}\r\n0\r\n\r\n",
            "10000000000000000\r\n{}",
            "fffffffffffffffff\r\n{}",
            "10000000000000002\r\n{}\r\n0\r\n\r\n",
            "0\r\nGET /status HTTP/1.1\r\nHost: localhost\r\n\r\n",
            extension.as_str(),
            extensions.as_str(),
        ],
    );
    chunked("chunks that are none", body, REFUSED)
}

fn trailers(rng: &mut Rng) -> Case {
    let (class, lines, right): (_, _, &[Outcome]) = match rng.u8(0..6) {
        0 => ("trailers", many(rng.usize(1..50)), REFUSED),
        1 => ("too many trailers", many(rng.usize(110..800)), REFUSED),
        2 => (
            "too large a trailer",
            format!("X: {}\r\n", "y".repeat(rng.usize(17_000..40_000))),
            REFUSED,
        ),
        3 => {
            let lines = [
                "Content-Length: 44\r\n",
                "Transfer-Encoding: chunked\r\n",
                "Host: b\r\n",
                "Trailer: x\r\n",
            ];
            (
                "a trailer that may not be one",
                pick(rng, &lines).to_owned(),
                REFUSED,
            )
        }
        _ => {
            let lines = [
                "X : y\r\n",
                ": y\r\n",
                "X\r\n",
                " X: y\r\n",
                "X: \0\r\n",
                "X: y\r\n z\r\n",
                "\u{e5}: y\r\n",
                // An empty line, for those who end a line without a CR.
                "\n",
                "X: y\r\n\n",
                "\nGET /livez HTTP/1.1\r\nHost: localhost\r\n",
            ];
            (
                "a trailer that is none",
                pick(rng, &lines).to_owned(),
                REFUSED,
            )
        }
    };
    chunked(class, format!("2\r\n{{}}\r\n0\r\n{lines}\r\n"), right)
}

fn content(rng: &mut Rng) -> Case {
    let deep = "[".repeat(rng.usize(1000..60_000));
    let random: Vec<u8> = (0..rng.usize(1..3000)).map(|_| rng.u8(..)).collect();
    let bodies: [&[u8]; 9] = [
        b"{\"a\":",
        b"\xff\xfe\x80",
        b"\0\0\0",
        b"1e999999999",
        b"{\"a\":1,\"a\":2,\"__proto__\":{}}",
        b"<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>",
        b"POST /process HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
        deep.as_bytes(),
        &random,
    ];
    sized(
        "a body of anything",
        "Content-Type: application/json\r\n",
        pick(rng, &bodies),
        STORED,
    )
}

/// The body belongs to its request, whatever it looks like and whether or not anybody reads it.
fn where_none_belongs(rng: &mut Rng) -> Case {
    let method = pick(rng, &["GET", "HEAD", "DELETE", "OPTIONS", "PUT"]);
    let path = if method == "HEAD" {
        "/livez"
    } else {
        reading(rng)
    };
    let inner = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let inner = inner.repeat(pick(rng, &[1, 1, 1, 400]));
    let framed = match rng.u8(0..3) {
        0 => format!("Content-Length: {}\r\n\r\n{inner}", inner.len()),
        1 => format!(
            "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{inner}\r\n0\r\n\r\n",
            inner.len()
        ),
        _ => format!("Transfer-Encoding: chunked\r\n\r\n-1\r\n{inner}"),
    };
    let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{framed}");
    let right = [
        answered(200),
        answered(405),
        answered(501),
        answered(503),
        refused(400),
        refused(413),
    ];
    let mut case = Case::new("a body where none belongs", request, &right);
    case.is_head = method == "HEAD";
    case.ignores_body = true;
    case
}

fn expecting(rng: &mut Rng) -> Case {
    let value = pick(
        rng,
        &[
            "100-continue",
            "100-Continue",
            "100-continue",
            "200-ok",
            "",
            "100-continue, x",
        ],
    );
    let mut case = sized(
        "Expect",
        &format!("Expect: {value}\r\n"),
        b"{\"a\":1}",
        STORED,
    );
    case.right.extend([refused(417), served(417)]);
    case.continues = true;
    case
}

fn too_large(rng: &mut Rng) -> Case {
    let right = [refused(413)];
    let post = "POST /process HTTP/1.1\r\nHost: localhost\r\n";
    let announced = pick(
        rng,
        &[
            "1048577",
            "10000000",
            "9223372036854775807",
            "18446744073709551613",
        ],
    );
    match rng.u8(0..5) {
        0 => {
            let expect =
                format!("{post}Expect: 100-continue\r\nContent-Length: {announced}\r\n\r\n");
            let mut case = Case::new("too large a body, announced", expect, &right);
            case.continues = true;
            case
        }
        1 => {
            let size = rng.usize(LARGEST + 1..LARGEST * 2);
            sized("too large a body", "", &vec![b' '; size], &right)
        }
        2 => {
            let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
            chunked(
                "too large a body in chunks",
                chunk.repeat(18) + "0\r\n\r\n",
                &right,
            )
        }
        3 => {
            let right = [refused(413), refused(400), refused(408)];
            chunked(
                "a chunk that is too large",
                "ffffffffffffffff\r\n{}",
                &right,
            )
        }
        _ => {
            let head = format!("{post}Content-Length: {announced}\r\n\r\n");
            Case::new("too large a body, announced", head, &right)
        }
    }
}

fn large(rng: &mut Rng) -> Case {
    let size = pick(rng, &[LARGEST, LARGEST - 1, 65_536, 65_537, 100_000]);
    let mut case = sized("the largest body", "", &vec![b' '; size], STORED);
    // Memory for bodies is set aside for all together.
    case.right.push(refused(503));
    case
}
