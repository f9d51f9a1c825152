//! `explain-filter`, and `trigger` where a filter says no.

use std::io::Write;

use match_list_processor::clock::Clock;

use super::{ask, run};
use crate::support::daemon::Daemon;

const RULES: &str = r#"
default = "ignore"
[[rule]]
name = "ping"
when = "'x-event' in headers && headers['x-event'] == 'ping'"
then = "ignore"
[[rule]]
name = "number"
when = "body.n > 1"
then = "trigger"
[[rule]]
name = "rest"
when = "method == 'PUT' || query.all == '1' || source == '192.0.2.7' || authenticated == 'autumn'"
then = "refuse"
"#;

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn each_rule_is_explained_and_the_decision_is_the_exit_code() {
    let (two, one, word, none) = (
        file("{\"n\":2}"),
        file("{\"n\":1}"),
        file("{\"n\":\"two\"}"),
        file("no json"),
    );
    let path = |file: &tempfile::NamedTempFile| file.path().display().to_string();
    let empty = file("{}");
    let large = file(&format!("{{\"n\":2,\"x\":\"{}\"}}", "x".repeat(70_000)));
    let no_json = "A filter looks at the body, which is no JSON";
    for (code, decision, told, arguments) in [
        (
            0,
            "It triggers: number.",
            "matches",
            &["--body", &path(&two)][..],
        ),
        (
            1,
            "it is ignored: default",
            "does not match",
            &["--body", &path(&one)],
        ),
        (
            1,
            "it is ignored: default",
            "cannot be asked (wrong_type):",
            &["--body", &path(&word)],
        ),
        (
            1,
            "it is refused with 400: A filter",
            no_json,
            &["--body", &path(&none)],
        ),
        (
            1,
            "it is refused with 413: A filter",
            "64 KiB",
            &["--body", &path(&large)],
        ),
        (
            1,
            "it is ignored: default",
            "cannot be asked (missing): there is no key \"n\"",
            &["--body", &path(&empty)],
        ),
        (
            1,
            "it is ignored: ping",
            "matches (not asked: a rule above decides)",
            &["--header", "X-Event: ping", "--body", &path(&two)],
        ),
        (1, "it is refused: rest", "matches", &["--method", "PUT"]),
        (
            1,
            "it is refused: rest",
            "matches",
            &["--query", "x=2", "--query", "all=1"],
        ),
        (
            1,
            "it is refused: rest",
            "matches",
            &["--query", "all=0", "--source", "::ffff:192.0.2.7"],
        ),
        (
            1,
            "it is refused: rest",
            "matches",
            &["--query", "all=0", "--authenticated", "autumn"],
        ),
    ] {
        let arguments = [&["explain-filter"], arguments].concat();
        let ended = run(&[("FILTERS", RULES)], &arguments);
        assert_eq!(ended.code, code, "{arguments:?}: {ended:?}");
        let said = if code == 0 { &ended.out } else { &ended.error };
        assert!(said.contains(decision), "{arguments:?}: {ended:?}");
        assert!(ended.out.contains(told), "{arguments:?}: {ended:?}");
        assert_eq!(ended.out.matches("ping").count(), 1, "{ended:?}");
    }
}

#[test]
fn what_cannot_be_explained_has_codes_of_its_own() {
    let ended = run(&[], &["explain-filter", "--source", "192.0.2.7"]);
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, "It triggers: default.\n")
    );
    for arguments in [
        &["--source", "192.0.2.7:80"][..],
        &["--header", "X-Event"],
        &["--query", "all"],
        &["--method", "P T"],
        &["--body", "/nowhere/body.json"],
    ] {
        let ended = run(&[], &[&["explain-filter"], arguments].concat());
        assert_eq!(ended.code, 2, "{ended:?}");
    }
    let wrong = "[[rule]]\nname = \"a\"\nwhen = \"true ||\\n bodi\"\nthen = \"ignore\"";
    let ended = run(&[("FILTERS", wrong)], &["explain-filter"]);
    assert_eq!(ended.code, 78, "{ended:?}");
    let told = "FILTERS: rule a: line 2, column 2: bodi is not known, did you mean body?";
    assert!(ended.error.contains(told), "{}", ended.error);
}

#[test]
fn what_is_shown_of_filters_is_short() {
    let shown = run(&[("FILTERS", RULES)], &["check-config"]);
    let told = "ping: ignore, number: trigger, rest: refuse, default: ignore";
    assert!(shown.out.contains(told), "{}", shown.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_is_ignored_or_refused_fails() {
    let rules = RULES.replace("body.n > 1", "false");
    let daemon = Daemon::start_with(Clock::system(), &[("FILTERS", &rules)]).await;
    for arguments in [&["trigger"][..], &["trigger", "--wait", "20"]] {
        let ended = ask(&daemon, arguments);
        assert_eq!((ended.code, ended.out.as_str()), (1, ""), "{ended:?}");
        let told = "a filter of the daemon ignores this request: rule default";
        assert!(ended.error.contains(told), "{}", ended.error);
    }
    let ended = ask(&daemon, &["trigger", "--json"]);
    assert_eq!(ended.code, 1);
    assert_eq!(ended.lines()[0]["status"], "ignored");
    daemon.stop().await;
}
