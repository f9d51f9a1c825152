//! `explain-routing`, and what `check-config` shows of notifications.

use std::io::Write;

use serde_json::{Value, json};

use super::{Ended, binary, ended, run};
use crate::support::matches::a_match;

const DOCUMENT: &str = r#"
[smtp]
host = "localhost"
from = "news@example.org"

[[channel]]
name = "ops"
kind = "discord"
url = "https://discord.example/kanariefagel"

[[stakeholder]]
id = "anna"
role = "referee"
referee_id = 101
mail = "anna@example.org"
quiet_hours = "22:00-07:00"

[[stakeholder]]
id = "cia"
role = "coordinator"
mail = "cia@example.org"
channels = ["mail", "ops"]
digest = "daily"

[[stakeholder]]
id = "dan"
role = "referee"
referee_id = 999
channels = ["ops"]

[[stakeholder]]
id = "ove"
role = "operator"
channels = ["ops"]

[[rule]]
name = "venues"
categories = ["venue_change"]
notify = ["ove"]

[[rule]]
name = "hush"
competitions = [5]
skip = true
"#;

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// A change as `GET /changes` shows it.
fn change(id: i64, priority: &str) -> Value {
    json!({"id": 12, "processing_id": "p", "match_id": id, "match_nr": "1", "category": "time_change",
        "priority": priority, "affected_stakeholders": ["all"], "field_name": "avsparkstid",
        "previous_value": "19:00", "current_value": "18:30",
        "change_description": "Kick-off changed from 19:00 to 18:30.",
        "timestamp": "2027-07-01T20:30:00Z"})
}

/// Asks about these at half past ten in the evening.
fn explain(changes: &str, more: &[&str]) -> Ended {
    let (changes, list) = (file(changes), file(&a_match(1).to_string()));
    let (changes, list) = (
        changes.path().display().to_string(),
        list.path().display().to_string(),
    );
    let fixed = ["explain-routing", "--change", &changes, "--match", &list];
    let at = ["--at", "2027-07-01T22:30+02:00"];
    run(
        &[("NOTIFICATIONS", DOCUMENT)],
        &[&fixed[..], &at, more].concat(),
    )
}

#[test]
fn everybody_is_told_of_with_channel_time_and_reason() {
    let ended = explain(&change(1, "high").to_string(), &[]);
    assert_eq!((ended.code, ended.error.as_str()), (0, ""), "{ended:?}");
    insta::assert_snapshot!(ended.out, @r"
    Match 1: time_change, high. Kick-off changed from 19:00 to 18:30.

    RULE    NOW             THEN
    venues  does not apply  tells ove
    hush    does not apply  nobody is told, nor is a rule below asked

    TOLD  CHANNEL      WHEN                                    WHY
    anna  mail         2027-07-02 07:00:00, after quiet hours  referees the match
    cia   mail         2027-07-02 07:00:00, in a digest        is a coordinator
    cia   discord:ops  2027-07-02 07:00:00, in a digest        is a coordinator

    NOT TOLD  WHY
    dan       is not on the match
    ove       is an operator, who is told of no match
    ");
}

#[test]
fn what_is_critical_is_told_at_once() {
    let ended = explain(&change(1, "critical").to_string(), &["--json"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let told = &ended.lines()[0];
    let ways = told["told"].as_array().unwrap().iter().map(|one| {
        assert_eq!((&one["when"], &one["at"]), (&json!("now"), &Value::Null));
        (
            one["stakeholder"].as_str().unwrap(),
            one["channel"].as_str().unwrap(),
        )
    });
    // Both who read the shared channel are told by it.
    assert_eq!(
        ways.collect::<Vec<_>>(),
        [("anna", "mail"), ("cia", "mail"), ("cia", "discord:ops")]
    );
    assert_eq!(told["not_told"].as_array().unwrap().len(), 2);
}

#[test]
fn changes_come_in_every_form_in_which_they_are_shown() {
    let (one, two) = (change(1, "high"), change(2, "low"));
    let lines = format!("{one}\n{two}\n");
    for text in [
        lines,
        json!([one, two]).to_string(),
        json!({"changes": [one, two], "next": null}).to_string(),
    ] {
        let ended = explain(&text, &["--json"]);
        let of: Vec<_> = ended
            .lines()
            .iter()
            .map(|line| line["match_id"].clone())
            .collect();
        assert_eq!(of, [1, 2], "{ended:?}");
        assert_eq!(ended.lines()[0]["told"][0]["when"], "not_before");
        assert_eq!(ended.lines()[0]["told"][0]["at"], "2027-07-02T05:00:00Z");
    }
    let mut command = binary(&[("NOTIFICATIONS", DOCUMENT)]);
    let input = file(&one.to_string()).reopen().unwrap();
    let ended = ended(
        command
            .args(["explain-routing", "--change", "-"])
            .stdin(input),
    );
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        ended.out.contains("is not known; see --match"),
        "{}",
        ended.out
    );
}

#[test]
fn who_asks_for_what_cannot_be_has_a_code_and_a_reason() {
    let low = explain(&change(1, "low").to_string(), &[]);
    assert_eq!(low.code, 1, "{low:?}");
    assert!(
        low.error.contains("nobody is told") && low.out.contains("wants medium at least"),
        "{low:?}"
    );
    for (text, expected) in [
        ("no json", "is no JSON"),
        ("[]", "holds no change"),
        ("{\"match_id\": 1}", "holds no change: missing field"),
        ("", "holds no change"),
    ] {
        let ended = explain(text, &[]);
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.error.contains(expected), "{ended:?}");
    }
    let good = file(&change(1, "high").to_string());
    let good = good.path().display().to_string();
    let nobody = run(&[], &["explain-routing", "--change", &good]);
    assert_eq!(nobody.code, 1);
    assert!(
        nobody
            .error
            .contains("NOTIFICATIONS and STAKEHOLDERS_FILE name no stakeholder"),
        "{nobody:?}"
    );
    for more in [
        &["--at", "yesterday"][..],
        &["--previous", "/nowhere/list.json"],
        &["--previous", &good],
    ] {
        let arguments = [&["explain-routing", "--change", &good], more].concat();
        let ended = run(&[("NOTIFICATIONS", DOCUMENT)], &arguments);
        assert_eq!(ended.code, 2, "{ended:?}");
    }
    let wrong = run(
        &[("NOTIFICATIONS", "[[rule]]")],
        &["explain-routing", "--change", &good],
    );
    assert_eq!(wrong.code, 78, "{wrong:?}");
}

#[test]
fn what_is_shown_of_notifications_is_short_and_holds_no_secret() {
    let shown = run(&[("NOTIFICATIONS", DOCUMENT)], &["check-config"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(
        shown.out.contains("4 stakeholders, 2 channels, 2 rules"),
        "{}",
        shown.out
    );
    let broken = DOCUMENT
        .replace("coordinator", "judge")
        .replace("https:", "htps:");
    let told = run(&[("NOTIFICATIONS", &broken)], &["check-config"]);
    assert_eq!(told.code, 78, "{told:?}");
    assert!(
        told.error.contains("stakeholder cia: role is \"judge\""),
        "{}",
        told.error
    );
    assert!(
        told.error
            .contains("channel ops: url must be an http or https URL"),
        "{}",
        told.error
    );
    for text in [shown.out, told.error] {
        assert!(
            !text.contains("kanariefagel") && !text.contains("cia@example.org"),
            "{text}"
        );
    }
}

#[test]
fn the_documentation_shows_what_is_printed() {
    let page = include_str!("../../../docs/notifications.md");
    let block = |start: &str, end: &str| {
        let (_, rest) = page.split_once(start).unwrap();
        rest.split_once(end).unwrap().0.to_owned()
    };
    let folder = tempfile::tempdir().unwrap();
    for (name, secret) in [
        ("smtp-password", "hemligt-losenord"),
        ("discord-ops", "https://discord.example/kanariefagel"),
        ("hook-old", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjUp"),
        ("hook-new", "whsec_AAAQ9r8GKYqrTwjUPD8ILPZIo2LaLjUp"),
        ("ntfy-token", "tk_kanariefagel"),
    ] {
        std::fs::write(folder.path().join(name), secret).unwrap();
    }
    let secrets = format!("{}/", folder.path().display());
    let document = file(&block("```toml\n", "```").replace("/run/secrets/", &secrets));
    let (change, list) = (
        file(&change(7_100_101, "high").to_string()),
        file(&a_match(7_100_101).to_string()),
    );
    let path = |file: &tempfile::NamedTempFile| file.path().display().to_string();
    let arguments = [
        "explain-routing",
        "--change",
        &path(&change),
        "--match",
        &path(&list),
        "--at",
        "2027-07-01T22:30+02:00",
    ];
    let ended = run(&[("NOTIFICATIONS_FILE", &path(&document))], &arguments);
    assert_eq!(ended.code, 0, "{ended:?}");
    let expected = block("--at 2027-07-01T22:30+02:00\n", "```");
    assert_eq!(ended.out, expected);
}
