//! Expressions, what they lead to, and what is refused beforehand.

mod bounds;
mod mistakes;
mod outcomes;
mod random;

use super::{Action, Draft, Filters, Judge, Malformed, Mistaken, Request, RuleErrorKind};

fn draft(name: &str, when: &str, then: Action) -> Draft {
    Draft {
        name: name.to_owned(),
        when: when.to_owned(),
        then,
    }
}

/// One rule, which ignores.
fn one(when: &str) -> Result<Filters, Vec<Mistaken>> {
    Filters::compile(vec![draft("r", when, Action::Ignore)], Action::Trigger)
}

fn of(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect()
}

/// A request with this body and some of everything else.
fn request(body: &str) -> Request {
    Request {
        method: "POST".to_owned(),
        headers: of(&[
            ("x-env", "prod"),
            ("x-many", "a, b"),
            ("x-github-event", "push"),
        ]),
        query: of(&[("team", "åby"), ("n", "7")]),
        source: "192.0.2.7".to_owned(),
        authenticated: "autumn".to_owned(),
        body: Some(body.as_bytes().to_vec()),
    }
}

/// Whether the one rule matches, or why it could not be asked.
fn asked(filters: &Filters, body: &str) -> Result<Result<bool, RuleErrorKind>, Malformed> {
    let request = request(body);
    let (_, answer) = Judge::new(filters, &request).each().next().unwrap();
    answer.map(|answer| answer.map_err(|error| error.kind))
}
