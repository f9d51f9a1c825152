//! What rules lead to.

use super::{Action, Filters, Judge, Malformed, RuleErrorKind, asked, draft, one, request};

const BODY: &str = r#"{
    "event": "matches.updated", "count": 3, "share": 0.5, "big": 18446744073709551615, "none": null,
    "on": true, "before": {"a": [1, 2]}, "after": {"a": [1, 2]}, "text": "Åby IF - Torslanda IK",
    "tags": ["north", "south"], "digits": "42",
    "alerts": [
        {"status": "firing", "labels": {"severity": "critical"}},
        {"status": "resolved", "labels": {"severity": "info"}},
        {"status": "firing", "labels": {}}
    ]
}"#;

#[test]
fn expressions_lead_to_what_they_say() {
    for (expected, when) in [
        (true, "true"),
        (
            true,
            r#"body.event in ["matches.updated"] && headers["x-env"] == "prod""#,
        ),
        (false, r#"body.event == "ping""#),
        (true, "body['event'].startsWith('matches.')"),
        (
            true,
            "body.event.endsWith('updated') && body.event.contains('.')",
        ),
        (true, "body.text.matches(r'^Åby \\w+ - ')"),
        (false, "body.text.matches('^aby')"),
        (true, "body.text.matches('(?i)^åBY')"),
        (
            true,
            "body.count > 2 && body.count >= 3u && body.count < 3.5 && body.count == 3.0",
        ),
        (
            true,
            "body.share + 0.5 == 1.0 && body.count % 2 == 1 && -body.count + 3 == 0",
        ),
        (
            true,
            "body.big > 9223372036854775807 && body.big == 18446744073709551615u",
        ),
        (true, "body.none == null && body.on && !(body.on == false)"),
        (true, "body.before == body.after"),
        (false, "body.before != body.after"),
        (
            true,
            "body.tags[1] == 'south' && 'north' in body.tags && !('west' in body.tags)",
        ),
        (
            true,
            "size(body.tags) == 2 && body.tags.size() == 2 && size(body.text) == 21",
        ),
        (true, "'event' in body && !('absent' in body)"),
        (
            true,
            "has(body.event) && !has(body.absent) && has(body.before.a)",
        ),
        (
            true,
            "int(body.digits) == 42 && string(body.count) == '3' && double(body.digits) > 41.0",
        ),
        (true, "uint(body.count) == 3u && int(query.n) + 1 == 8"),
        (true, "body.count > 5 ? false : body.on"),
        (true, "body.alerts.exists(a, a.status == 'firing')"),
        (false, "body.alerts.all(a, a.status == 'firing')"),
        (true, "body.alerts.exists_one(a, a.status == 'resolved')"),
        (
            true,
            "size(body.alerts.filter(a, a.status == 'firing')) == 2",
        ),
        (
            true,
            "body.alerts.filter(a, has(a.labels.severity)).all(a, a.labels.severity != 'x')",
        ),
        (true, "body.alerts.exists(a, a.status in ['x', 'resolved'])"),
        (true, "body.exists(key, key == 'count')"),
        (true, "headers.exists(name, name.startsWith('x-github'))"),
        (true, "[1, 2, 3].exists(n, n == 2)"),
        (
            true,
            "method == 'POST' && source == '192.0.2.7' && authenticated == 'autumn'",
        ),
        (
            true,
            "query.team == 'åby' && 'team' in query && query['team'].matches('å')",
        ),
        (
            true,
            "headers['x-many'] == 'a, b' && !('x-absent' in headers)",
        ),
        (true, "// why\nbody.on // and so\n"),
        // One side that cannot be known does not matter where the other decides.
        (true, "body.absent.x || true"),
        (false, "body.absent.x && false"),
        (
            true,
            "body.alerts.exists(a, a.labels.severity == 'critical')",
        ),
    ] {
        let filters = one(when).unwrap_or_else(|mistakes| panic!("{when}: {mistakes:?}"));
        assert_eq!(asked(&filters, BODY), Ok(Ok(expected)), "{when}");
    }
}

#[test]
fn what_cannot_be_asked_does_not_match_and_has_a_kind() {
    use RuleErrorKind as Kind;
    for (kind, when) in [
        (Kind::Missing, "body.absent == 1"),
        (Kind::Missing, "headers['x-absent'] == ''"),
        (Kind::Missing, "query.absent == ''"),
        (Kind::Missing, "body.tags[2] == ''"),
        (
            Kind::Missing,
            "body.alerts.all(a, a.labels.severity != 'x')",
        ),
        (Kind::WrongType, "body.event > 1"),
        (Kind::WrongType, "body.event.name == 1"),
        (Kind::WrongType, "body.count.matches('x')"),
        (Kind::WrongType, "body.count.contains('x')"),
        (Kind::WrongType, "body.event + 1 == 2"),
        (Kind::WrongType, "body.count.exists(x, x)"),
        (Kind::WrongType, "!body.event"),
        (Kind::WrongType, "body.event && true"),
        (Kind::WrongType, "size(body.count) == 1"),
        (Kind::WrongType, "'a' in body.count"),
        (Kind::Arithmetic, "body.count / 0 == 1"),
        (Kind::Arithmetic, "body.count % 0 == 1"),
        (Kind::Arithmetic, "body.count + 9223372036854775807 == 1"),
        (Kind::Conversion, "int(body.event) == 1"),
        (Kind::NotBoolean, "body.event"),
        (Kind::NotBoolean, "body"),
        (Kind::NotBoolean, "body.alerts[0]"),
    ] {
        let filters = one(when).unwrap_or_else(|mistakes| panic!("{when}: {mistakes:?}"));
        assert_eq!(asked(&filters, BODY), Ok(Err(kind)), "{when}");
    }
}

#[test]
fn no_error_tells_a_value() {
    let body = BODY
        .replace("matches.updated", "canary")
        .replace("42", "canary");
    let all = [
        "body.event > 1",
        "body.event.name == 1",
        "body.count.matches('x')",
        "body.event + 1 == 2",
        "!body.event",
        "int(body.digits) == 1",
        "body.event",
        "body < 1",
        "body.tags[2] == ''",
        "body.event in body.event",
        "body[body.before] == 1",
        "size(body.on) == 1",
        "-body.event < 1",
        "body.event.exists(x, x)",
        "body.count / 0 == 1",
        "body.event.matches('a').x",
    ];
    for when in all {
        let Ok(filters) = one(when) else { continue };
        let request = request(&body);
        let (_, answer) = Judge::new(&filters, &request).each().next().unwrap();
        let told = answer.unwrap().unwrap_err().to_string();
        assert!(!told.contains("canary"), "{when}: {told}");
        assert!(!told.contains("Torslanda"), "{when}: {told}");
    }
}

#[test]
fn the_first_rule_that_matches_decides() {
    let rules = vec![
        draft("broken", "body.absent == 1", Action::Refuse),
        draft(
            "ping",
            "headers['x-github-event'] == 'ping'",
            Action::Ignore,
        ),
        draft(
            "push",
            "headers['x-github-event'] == 'push'",
            Action::Trigger,
        ),
        draft("rest", "true", Action::Refuse),
    ];
    let decide = |rules: &[super::Draft], default| {
        let filters = Filters::compile(rules.to_vec(), default).unwrap();
        let request = request("{}");
        let mut kinds = Vec::new();
        let verdict = Judge::new(&filters, &request).verdict(|kind| kinds.push(kind));
        let verdict = verdict.unwrap();
        (verdict.action, verdict.rule.to_string(), kinds)
    };
    let missing = vec![RuleErrorKind::Missing];
    let decided = decide(&rules, Action::Ignore);
    assert_eq!(
        decided,
        (Action::Trigger, "push".to_owned(), missing.clone())
    );
    let decided = decide(&rules[..2], Action::Ignore);
    assert_eq!(decided, (Action::Ignore, "default".to_owned(), missing));
    let mut turned = rules.clone();
    turned.rotate_right(1);
    let decided = decide(&turned, Action::Trigger);
    assert_eq!(decided, (Action::Refuse, "rest".to_owned(), vec![]));
    let decided = decide(&[], Action::Refuse);
    assert_eq!(decided, (Action::Refuse, "default".to_owned(), vec![]));
}

#[test]
fn a_body_must_be_json_only_where_a_rule_asks_for_it() {
    let header = || draft("a", "headers['x-env'] == 'prod'", Action::Ignore);
    let body = || draft("b", "body.n == 1", Action::Refuse);
    let other = || draft("a", "headers['x-env'] == 'test'", Action::Ignore);
    let many = format!("[{}1]", "1,".repeat(9000));
    for (expected, rules, text) in [
        (Ok(Action::Ignore), vec![header(), body()], "no json"),
        (Err(Malformed::NoJson), vec![body(), header()], "no json"),
        (Err(Malformed::NoJson), vec![other(), body()], "{\"n\":1"),
        (Err(Malformed::NoJson), vec![body()], "{} {}"),
        (Err(Malformed::NoJson), vec![body()], "\u{feff}{}"),
        (Err(Malformed::TooLarge), vec![body()], &many),
        (Ok(Action::Ignore), vec![header(), body()], &many),
        (Ok(Action::Refuse), vec![body(), header()], "{\"n\":1}"),
        (Ok(Action::Trigger), vec![other()], "no json"),
        (
            Ok(Action::Ignore),
            vec![draft("null", "body == null", Action::Ignore)],
            "",
        ),
        (
            Ok(Action::Ignore),
            vec![draft("null", "body == null", Action::Ignore)],
            "null",
        ),
    ] {
        let filters = Filters::compile(rules, Action::Trigger).unwrap();
        let request = request(text);
        let verdict = Judge::new(&filters, &request).verdict(|_| ());
        let shown: String = text.chars().take(20).collect();
        assert_eq!(verdict.map(|verdict| verdict.action), expected, "{shown}");
    }
}
