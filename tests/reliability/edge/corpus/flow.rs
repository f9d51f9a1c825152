//! Many requests on one connection, and answers that nobody takes.

use fastrand::Rng;

use super::pick;
use crate::edge::case::{Case, Outcome, refused, served};

pub fn case(rng: &mut Rng) -> Case {
    const REQUESTS: &[(&str, &str, &[Outcome])] = &[
        (
            "served behind others",
            "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
            &[served(200)],
        ),
        (
            "unknown behind others",
            "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n",
            &[served(404)],
        ),
        (
            "a trigger behind others",
            "POST /process HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
            &[served(200), served(429)],
        ),
        (
            "a trigger without a body",
            "POST /process HTTP/1.1\r\nHost: localhost\r\n\r\n",
            &[served(200), served(429)],
        ),
        (
            "refused behind others",
            "GET /livez HTTP/1.1\r\n\r\n",
            &[refused(400)],
        ),
        (
            "refused behind others",
            "GET /livez HTTP/9.9\r\nHost: localhost\r\n\r\n",
            &[refused(400), refused(505)],
        ),
        (
            "closed behind others",
            "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            &[refused(200)],
        ),
    ];
    let (class, request, right) = pick(rng, REQUESTS);
    let mut case = Case::new(class, request, right);
    case.before = rng.usize(1..60);
    case
}
