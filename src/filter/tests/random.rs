//! Rules and bodies that nobody would write: no panic, and no error that the checker should have seen.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::{Looks, Rule, compile};
use super::{Action, Filters, Judge, Request, RuleErrorKind, asked, one, request};

const PIECES: &[&str] = &[
    "body",
    "headers",
    "method",
    "query",
    "x",
    "body.a",
    "body.b.c",
    "headers['x-env']",
    "x.a",
    ".a",
    "['a']",
    "[0]",
    "1",
    "2u",
    "1.5",
    "-1",
    "'a'",
    "r'\\d'",
    "b'a'",
    "true",
    "null",
    "[1, 'a']",
    "==",
    "!=",
    "<",
    ">=",
    "in",
    "&&",
    "||",
    "!",
    "+",
    "-",
    "*",
    "/",
    "%",
    "?",
    ":",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    "size(",
    ".size()",
    ".contains('a')",
    ".matches('a+')",
    "int(",
    "string(",
    "double(",
    "has(body.a)",
    ".exists(x, ",
    ".all(x, ",
    ".filter(x, ",
    ".exists_one(x, ",
    "x == 1)",
    "x.a in [1])",
];

/// Conditions of a form that is right, from parts that may not fit.
fn conditions() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "body",
        "body.a",
        "body.b.c",
        "body.l",
        "body['a']",
        "body.l[0]",
        "headers",
        "query.team",
        "headers['x-env']",
        "headers.forwarded",
        "headers['no-such']",
        "'x-env' in headers",
        "has(headers.forwarded)",
        "has(headers.Forwarded)",
        "headers[method]",
        "method",
        "authenticated",
        "1",
        "-7",
        "2u",
        "1.5",
        "'a'",
        "''",
        "true",
        "null",
        "[1, 2]",
        "['a', 'b']",
        "[]",
    ]);
    leaf.prop_map(str::to_owned)
        .prop_recursive(4, 24, 3, |inner| {
            let operator = prop::sample::select(vec![
                "==", "!=", "<", "<=", ">", ">=", "in", "&&", "||", "+", "-", "*", "/", "%",
            ]);
            let call = prop::sample::select(vec![
                "size($)",
                "int($)",
                "uint($)",
                "double($)",
                "string($)",
                "!($)",
                "-($)",
                "has(body.$)",
                "($).contains('a')",
                "($).startsWith(method)",
                "($).matches('^a|b*')",
                "($)[0]",
                "($).k",
                "($).exists(x, x == 'a')",
                "($).all(x, x > 1)",
                "($).filter(x, x.k == 1)",
                "($).exists_one(x, size(x) > 0)",
                "body.l.exists(x, x == $)",
            ]);
            prop_oneof![
                (inner.clone(), operator, inner.clone())
                    .prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
                (call, inner.clone()).prop_map(|(call, inside)| call.replace('$', &inside)),
                (inner.clone(), inner.clone(), inner)
                    .prop_map(|(a, b, c)| format!("({a}) ? ({b}) : ({c})")),
            ]
        })
}

const BODIES: &[&str] = &[
    "",
    "null",
    "7",
    "\"a\"",
    "[]",
    "[1,2,3]",
    "{}",
    "{\"a\":\"a\",\"b\":{\"c\":1},\"l\":[]}",
    "{\"a\":1.5,\"b\":{},\"l\":[\"a\",{\"k\":1},null,[2]]}",
    "{\"a\":{\"k\":1},\"l\":{\"a\":true}}",
    "{\"a\":-9223372036854775808,\"b\":{\"c\":18446744073709551615},\"l\":[9223372036854775807,0,-1]}",
];

/// Asks a rule about everything; none of it may be a defect.
fn ask_about_everything(filters: &Filters, when: &str) {
    for body in BODIES {
        let answer = asked(filters, body).unwrap_or_else(|_| panic!("{when}: {body}"));
        assert_ne!(answer, Err(RuleErrorKind::Defect), "{when}: {body}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_pieces_are_read_or_refused(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..20)) {
        let when = pieces.join(" ");
        if let Ok(filters) = one(&when) {
            ask_about_everything(&filters, &when);
        }
    }

    #[test]
    fn what_is_let_through_has_no_defect(when in conditions()) {
        if let Ok(filters) = one(&when) {
            prop_assert!(filters.work() <= compile::MAX_WORK);
            ask_about_everything(&filters, &when);
        }
    }

    #[test]
    fn what_no_rule_looks_at_makes_no_difference(when in conditions()) {
        if let Ok(filters) = one(&when) {
            let all = of_head(&Looks::everywhere());
            let seen = of_head(filters.looks());
            prop_assert_eq!(said(&filters, &seen), said(&filters, &all), "{}", when);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(when in "\\PC{0,60}") {
        if let Ok(filters) = one(&when) {
            ask_about_everything(&filters, &when);
        }
    }
}

/// A request of which as much is known as somebody looks at.
fn of_head(looks: &Looks) -> Request {
    let headers = [
        ("x-env", "a"),
        ("forwarded", "b"),
        ("post", "c"),
        ("POST", "d"),
    ];
    let headers = headers.map(|(name, value)| {
        let name = http::HeaderName::from_bytes(name.as_bytes());
        (name.unwrap(), http::HeaderValue::from_static(value))
    });
    let headers = headers.into_iter().collect();
    Request {
        body: Some(b"{\"a\": \"a\"}".to_vec()),
        ..Request::of(looks, &http::Method::POST, &headers, "team=a")
    }
}

fn said(filters: &Filters, request: &Request) -> String {
    let (_, answer) = Judge::new(filters, request).each().next().unwrap();
    format!("{answer:?}")
}

#[test]
fn a_panic_is_a_defect_of_one_rule_and_of_nothing_else() {
    let rule = |name: &str, condition| Rule {
        name: name.into(),
        action: Action::Refuse,
        condition,
        uses_body: false,
    };
    let fine = one("method == 'POST'").unwrap().rules[0].condition.clone();
    let filters = Filters {
        // The library panics at what the parser makes only of what it refuses.
        rules: [rule("broken", cel::IdedExpr::default()), rule("fine", fine)].into(),
        looks: Arc::new(Looks::everywhere()),
        ..Filters::default()
    };
    let request = request("");
    let mut kinds = Vec::new();
    let verdict = Judge::new(&filters, &request).verdict(|kind| kinds.push(kind));
    assert_eq!(&*verdict.unwrap().rule, "fine");
    assert_eq!(kinds, [RuleErrorKind::Defect]);
}
