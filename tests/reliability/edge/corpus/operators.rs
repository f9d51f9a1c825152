//! The listeners for operators and for scrapers.

use fastrand::Rng;

use super::{pick, token};
use crate::edge::case::{Case, Outcome, Site, refused, served};

pub fn case(rng: &mut Rng) -> Case {
    if rng.u8(0..3) == 0 {
        return scraper(rng);
    }
    let mut case = match rng.u8(0..4) {
        0 => stranger(rng),
        1 => query(rng),
        2 => row(rng),
        _ => malformed(rng),
    };
    case.site = Site::Admin;
    case
}

fn with(class: &'static str, line: &str, lines: &str, right: &[Outcome]) -> Case {
    Case::new(class, format!("{line} HTTP/1.1\r\n{lines}\r\n"), right)
}

/// What a page in a browser on this machine could send.
fn stranger(rng: &mut Rng) -> Case {
    let lines = pick(
        rng,
        &[
            "Host: evil.example\r\n",
            "Host: localhost.evil.example\r\n",
            "Host: 10.0.0.1\r\n",
            "Host: localhost\r\nOrigin: http://evil.example\r\n",
            "Host: localhost\r\nOrigin: null\r\n",
            "Host: localhost\r\nOrigin: http://localhost\r\n",
        ],
    );
    let line = pick(
        rng,
        &[
            "GET /changes",
            "POST /pause",
            "POST /snapshot/accept",
            "GET /deliveries",
        ],
    );
    with("a stranger to the operators", line, lines, &[served(403)])
}

fn query(rng: &mut Rng) -> Case {
    let bad = [
        "limit=-1",
        "limit=0",
        "limit=1001",
        "limit=x",
        "limit=99999999999999999999",
        "limit=%31%00",
        "before=x",
        "category=evil",
        "category=%27%20or%201=1",
        "priority=1",
        "match_id=x",
        "match_id=9223372036854775808",
    ];
    let good = [
        "",
        "limit=1",
        "limit=1000",
        "before=-1",
        "before=9223372036854775807",
        "match_id=-9223372036854775808",
        "category=",
        "unknown=1",
        "limit=1&limit=x",
        "&&=&",
    ];
    let (class, query, right) = match rng.bool() {
        true => ("a query that cannot be", pick(rng, &bad), served(400)),
        false => ("a query", pick(rng, &good), served(200)),
    };
    with(
        class,
        &format!("GET /changes?{query}"),
        "Host: localhost\r\n",
        &[right],
    )
}

fn row(rng: &mut Rng) -> Case {
    let id = token(rng, 8).replace(['#', '%', '^', '`', '|'], "x");
    let id = pick(
        rng,
        &[
            "-1",
            "9223372036854775807",
            "99999999999999999999",
            "1.0",
            "+1",
            "a/b",
            "",
            "%31",
            id.as_str(),
        ],
    );
    let (line, right) = match rng.u8(0..3) {
        0 => (
            format!("PUT /deliveries/{id}/retry"),
            [served(405), served(404)],
        ),
        1 => (format!("GET /deliveries/{id}"), [served(404), served(405)]),
        _ => (
            format!("POST /deliveries/{id}/retry"),
            [served(404), served(404)],
        ),
    };
    with(
        "a delivery that does not exist",
        &line,
        "Host: localhost\r\nContent-Length: 0\r\n",
        &right,
    )
}

fn malformed(rng: &mut Rng) -> Case {
    let lines = pick(
        rng,
        &[
            "",
            "Host: localhost\r\nHost: localhost\r\n",
            "Host: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Host: localhost\r\nContent-Length: -1\r\n",
            "Host: user@localhost\r\n",
        ],
    );
    let line = pick(rng, &["POST /pause", "POST /resume", "GET /changes"]);
    with("malformed, to the operators", line, lines, &[refused(400)])
}

fn scraper(rng: &mut Rng) -> Case {
    let (line, right) = pick(
        rng,
        &[
            ("GET /metrics/prom", served(200)),
            ("GET /metrics", served(200)),
            ("GET /process", served(404)),
            ("POST /process", served(404)),
            ("GET /changes", served(404)),
            ("POST /livez", served(405)),
            ("GET /status/detailed", served(404)),
            ("CONNECT localhost:80", refused(400)),
        ],
    );
    let mut case = with(
        "to the scrapers' listener",
        line,
        "Host: localhost\r\n",
        &[right],
    );
    case.site = Site::Metrics;
    case
}
