//! `test-notification` and `republish`.

use match_list_processor::clock::Clock;
use serde_json::Value;

use super::{ask, run};
use crate::support::daemon::Daemon;
use crate::support::scripted::{Act, Scripted};

fn document(ntfy: &Scripted) -> String {
    format!(
        "[smtp]\nhost = '127.0.0.1'\nport = 1\nsecurity = 'none'\nfrom = 'news@example.org'\n\
         [[channel]]\nname = 'duty'\nkind = 'ntfy'\nurl = '{}'\ntopic = 'kanariefagel'\n\
         [[stakeholder]]\nid = 'kim'\nrole = 'coordinator'\nmail = 'kim@example.org'\n\
         channels = ['mail', 'duty']\n",
        ntfy.url("/")
    )
}

#[test]
fn a_message_is_tried_and_its_outcome_told() {
    let ntfy = Scripted::start(Act::with(200, "", "{}"));
    let document = document(&ntfy);
    let settings = [("NOTIFICATIONS", document.as_str())];
    let sent = run(
        &settings,
        &["test-notification", "--destination", "ntfy:duty"],
    );
    assert_eq!(sent.code, 0, "{sent:?}");
    assert!(sent.out.starts_with("ntfy:duty took it in "), "{sent:?}");
    let body: Value = serde_json::from_slice(&ntfy.asked()[0].body).unwrap();
    assert_eq!(body["topic"], "kanariefagel");
    assert_eq!(body["priority"], 3, "a phone makes itself heard");
    ntfy.act(Act::status(403));
    let words = ["test-notification", "--destination", "ntfy:duty", "--json"];
    let refused = run(&settings, &words);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert_eq!(refused.lines()[0]["status"], "failed");
    let mail = ["test-notification", "--destination", "mail"];
    let who = run(&settings, &mail);
    assert_eq!(who.code, 78, "{who:?}");
    assert!(
        who.error.contains("--recipient") && who.error.contains("kim"),
        "{who:?}"
    );
    let away = run(&settings, &[&mail[..], &["--recipient", "kim"]].concat());
    assert_eq!(away.code, 1, "{away:?}");
    let other = run(
        &settings,
        &["test-notification", "--destination", "ntfy:duti"],
    );
    assert_eq!(other.code, 78, "{other:?}");
    assert!(other.error.contains("ntfy:duty"), "{other:?}");
    ntfy.act(Act::with(200, "", "{}"));
    let duty = [
        "test-notification",
        "--destination",
        "ntfy:duty",
        "--recipient",
    ];
    let nobody = run(&settings, &[&duty[..], &["kym"]].concat());
    assert_eq!(nobody.code, 78, "{nobody:?}");
    let known = "kym is no stakeholder of the settings; they name kim";
    assert!(nobody.error.contains(known), "{nobody:?}");
    let all = run(&settings, &[&duty[..], &["kim"]].concat());
    assert_eq!(all.code, 0, "{all:?}");
    assert!(all.out.contains("not kim alone"), "{all:?}");
    for ended in [sent, refused, who, away, other, nobody, all] {
        let shown = format!("{}{}", ended.out, ended.error);
        assert!(
            !shown.contains("kanariefagel") && !shown.contains('@'),
            "{shown}"
        );
    }
}

#[test]
fn a_message_is_in_the_language_of_who_reads_it() {
    let ntfy = Scripted::start(Act::with(200, "", "{}"));
    let swedish = document(&ntfy);
    let english = swedish.replace("topic = ", "language = 'en'\ntopic = ");
    let title = |document: &str, more: &[&str]| {
        let words = ["test-notification", "--destination", "ntfy:duty"];
        let sent = run(&[("NOTIFICATIONS", document)], &[&words[..], more].concat());
        assert_eq!(sent.code, 0, "{sent:?}");
        let body: Value = serde_json::from_slice(&ntfy.asked().last().unwrap().body).unwrap();
        body["title"].as_str().unwrap().to_owned()
    };
    let (sv, en) = (title(&swedish, &[]), title(&english, &[]));
    assert_ne!(sv, en);
    assert_eq!(title(&swedish, &["--language", "en"]), en);
    assert_eq!(title(&english, &["--language", "sv"]), sv);
}

#[test]
fn a_demonstration_in_a_used_folder_says_what_that_does_to_its_story() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let folder = tempfile::tempdir().unwrap();
    let begun = || {
        let mut demo = super::binary(&[]);
        demo.args(["demo", "--folder"]).arg(folder.path());
        let mut child = demo.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The second look begins when the first is over and stored.
        let told: Vec<String> = lines
            .map_while(Result::ok)
            .take_while(|line| !line.contains("Look 1"))
            .collect();
        child.kill().unwrap();
        child.wait().unwrap();
        told.join("\n")
    };
    let (first, second) = (begun(), begun());
    assert!(
        first.contains("Look 0") && !first.contains("was used before"),
        "{first}"
    );
    assert!(second.contains("This folder was used before"), "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn republish_says_who_is_told_or_that_nobody_is() {
    let daemon = Daemon::start_with(Clock::system(), &[]).await;
    let nobody = ask(&daemon, &["republish"]);
    assert_eq!(nobody.code, 1, "{nobody:?}");
    assert!(nobody.error.contains("REDIS_ENABLED"), "{nobody:?}");
    let settings = [
        ("REDIS_ENABLED", "true"),
        ("REDIS_URL", "redis://127.0.0.1:1"),
    ];
    let daemon = daemon.restart_with(&settings).await;
    let whole = ask(&daemon, &["republish"]);
    assert_eq!(whole.code, 0, "{whole:?}");
    assert!(whole.out.contains("queued for redis."), "{whole:?}");
    let follow = [
        "deliveries",
        "list",
        "--destination",
        "redis",
        "--state",
        "pending",
    ];
    let listed = ask(&daemon, &follow);
    assert!(whole.out.contains(&follow.join(" ")), "{whole:?}");
    assert!(listed.out.contains("full_state"), "{listed:?}");
    let since = ask(&daemon, &["republish", "--since", "2030-01-01T00:00:00Z"]);
    assert_eq!(
        since.out.trim(),
        "Nothing changed since then: nothing is queued."
    );
    let odd = ask(&daemon, &["republish", "--since", "yesterday"]);
    assert_eq!(odd.code, 2, "{odd:?}");
    assert!(
        odd.error.contains("such as 2030-05-01T12:00:00Z"),
        "{odd:?}"
    );
    daemon.stop().await;
}
