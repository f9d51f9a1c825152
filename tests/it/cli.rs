//! The commands for operators: the real binary asks the real daemon, or one that answers oddly.

mod alerts;
mod discards;
mod errors;
mod filters;
mod observability;
mod routing;
mod shells;
mod signing;
mod told;

use std::process::{Command, Stdio};

use match_list_processor::client::CallError;
use match_list_processor::clock::Clock;
use match_list_processor::telemetry::labels::ErrorKind;
use serde_json::Value;

use crate::support::daemon::Daemon;
use crate::support::kept::{Kind, keep};
use crate::support::matches::{a_match, list, matches, with};
use crate::support::neighbours::{Drive, Mood};

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    out: String,
    error: String,
}

impl Ended {
    /// The objects that were printed, one per line.
    fn lines(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// The binary without any settings but these, in an empty folder.
fn binary(settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_match-list-processor"));
    command
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .env_clear()
        .envs(settings.iter().copied())
        .stdin(Stdio::null());
    command
}

fn run(settings: &[(&str, &str)], arguments: &[&str]) -> Ended {
    ended(binary(settings).args(arguments))
}

fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    keep(Kind::Error, &error);
    Ended {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        error,
    }
}

/// Asks this daemon, whose listeners are named in the settings.
fn ask(daemon: &Daemon, arguments: &[&str]) -> Ended {
    let port = daemon.public.rsplit_once(':').unwrap().1;
    let admin = daemon.admin.trim_start_matches("http://");
    let settings = [("HOST", "0.0.0.0"), ("PORT", port), ("ADMIN_LISTEN", admin)];
    run(&settings, arguments)
}

/// The same, which must end with 0 and without a complaint.
fn told(daemon: &Daemon, arguments: &[&str]) -> String {
    let ended = ask(daemon, arguments);
    assert_eq!((ended.code, ended.error.as_str()), (0, ""), "{ended:?}");
    ended.out
}

/// The text with every time of day replaced, and the second in the names of cycles.
fn timeless(text: &str) -> String {
    let words = text.split_inclusive([' ', '\n']).map(|word| {
        let bare = word.trim_end();
        let digits = bare.bytes().filter(u8::is_ascii_digit).count();
        let time =
            (bare.contains(':') && digits == 6) || (bare.matches('-').count() == 2 && digits == 8);
        let cycle = bare.starts_with("webhook_");
        let seconds = bare.contains('.') && bare.parse::<f64>().is_ok();
        let hide = |c: char| if c.is_ascii_digit() { '0' } else { c };
        match time || cycle || seconds {
            true => word.chars().map(hide).collect(),
            false => word.to_owned(),
        }
    });
    words.collect()
}

async fn daemon() -> Daemon {
    Daemon::start_with(Clock::system(), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_is_told_and_its_end_is_the_exit_code() {
    let daemon = daemon().await;
    *daemon.next.lock().unwrap() = Ok(list(&matches(1..31)));
    let text = timeless(&told(&daemon, &["trigger", "--wait", "60"]));
    assert!(
        text.starts_with("cycle       webhook_0000000000_0\nbegan       0000-00-00 00:00:00\n"),
        "{text}"
    );
    assert!(
        text.contains(
            "\noutcome     success after 0.00 s\nfound       30 new matches: 30 new assignments\n"
        ),
        "{text}"
    );
    let ended = ask(&daemon, &["trigger", "--wait", "--json"]);
    assert_eq!((ended.code, ended.lines().len()), (0, 1), "{ended:?}");
    assert_eq!(ended.lines()[0]["summary"], "No changes");

    let refused = CallError::of(ErrorKind::Status5xx, "the service answered 500");
    *daemon.next.lock().unwrap() = Err(refused);
    let ended = ask(&daemon, &["trigger", "--wait", "60"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended
            .out
            .contains("could not be fetched: the service answered 500"),
        "{ended:?}"
    );
    assert!(
        ended.error.contains("the daemon tries it again by itself"),
        "{ended:?}"
    );

    *daemon.next.lock().unwrap() = Ok(list(&[]));
    let ended = ask(&daemon, &["trigger", "--wait", "60", "--json"]);
    assert_eq!(
        (ended.code, &ended.lines()[0]["outcome"]),
        (1, &"held".into()),
        "{ended:?}"
    );
    assert!(
        ended.error.contains("`match-list-processor accept`"),
        "{ended:?}"
    );
    assert_eq!(
        told(&daemon, &["accept"]),
        "Accepted; a look at the list begins.\n"
    );
    daemon.await_idle().await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_carries_what_it_is_given() {
    let daemon = daemon().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("reason.json");
    std::fs::write(&file, br#"{"reason": "of a file"}"#).unwrap();
    told(
        &daemon,
        &["trigger", "--wait", "60", "--data", file.to_str().unwrap()],
    );
    let port = daemon.public.rsplit_once(':').unwrap().1;
    let piped = ended(
        binary(&[("PORT", port)])
            .args(["trigger", "--wait", "60", "--data", "-"])
            .stdin(std::fs::File::open(&file).unwrap()),
    );
    assert_eq!(piped.code, 0, "{piped:?}");
    let status = daemon.get("/status").await;
    let history = status["processing_history"].as_array().unwrap();
    assert_eq!(history.len(), 2);
    for record in history {
        assert_eq!(record["trigger_data"]["reason"], "of a file");
    }
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_lasts_until_it_is_ended() {
    let daemon = daemon().await;
    let text = told(&daemon, &["pause"]);
    assert_eq!(
        text,
        "Paused; triggers are still accepted. `resume` goes on.\n"
    );
    assert_eq!(daemon.get("/").await["paused"], true);
    let ended = ask(&daemon, &["trigger", "--wait", "1"]);
    assert_eq!(ended.code, 69, "{ended:?}");
    assert!(ended.out.starts_with("trigger  trg-1-"), "{ended:?}");
    assert!(
        ended
            .error
            .contains("did not end within 1 s; the trigger is stored"),
        "{ended:?}"
    );
    let text = told(&daemon, &["status"]);
    assert!(
        text.contains("paused        yes, `resume` goes on\n"),
        "{text}"
    );
    assert!(
        text.contains("triggers      1 of at most 10000 wait, the oldest since 2"),
        "{text}"
    );
    assert!(text.contains("\nNo cycle has ended yet.\n"), "{text}");
    let text = told(&daemon, &["resume", "--json"]);
    assert_eq!(text, "{\"status\":\"success\",\"paused\":false}\n");
    let text = told(&daemon, &["trigger", "--wait", "60"]);
    assert!(text.contains("outcome     success"), "{text}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_shown_filtered_and_page_by_page() {
    let daemon = daemon().await;
    assert_eq!(told(&daemon, &["changes"]), "No changes.\n");
    daemon.look(list(&matches(1..4))).await;
    let later = with(a_match(2), serde_json::json!({ "avsparkstid": "20:30" }));
    daemon.look(list(&[a_match(1), later, a_match(3)])).await;
    insta::assert_snapshot!(timeless(&told(&daemon, &["changes"])), @"
    ID  FOUND                MATCH  PRIORITY  CATEGORY        CHANGE
    4   0000-00-00 00:00:00  2      high      time_change     Kick-off changed from 19:00 to 20:30.
    3   0000-00-00 00:00:00  3      high      new_assignment  New match with 2 referees: Hemma IF - Borta BK on 0000-00-00.
    2   0000-00-00 00:00:00  2      high      new_assignment  New match with 2 referees: Hemma IF - Borta BK on 0000-00-00.
    1   0000-00-00 00:00:00  1      high      new_assignment  New match with 2 referees: Hemma IF - Borta BK on 0000-00-00.
    ");
    let ids = |arguments: &[&str]| -> Vec<i64> {
        let ended = ask(&daemon, &[&["changes", "--json"], arguments].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        let lines = ended.lines();
        lines
            .iter()
            .map(|line| line["id"].as_i64().unwrap())
            .collect()
    };
    assert_eq!(ids(&[]), [4, 3, 2, 1]);
    assert_eq!(ids(&["--limit", "2"]), [4, 3]);
    assert_eq!(ids(&["--limit", "2", "--before", "3"]), [2, 1]);
    assert_eq!(ids(&["--match-id", "2"]), [4, 2]);
    assert_eq!(ids(&["--category", "time_change"]), [4]);
    assert_eq!(ids(&["--priority", "low"]), [] as [i64; 0]);
    let raw = daemon.admin("/changes?limit=1").await["changes"][0].clone();
    let line = told(&daemon, &["changes", "--limit", "1", "--json"]);
    assert_eq!(line.lines().count(), 1);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&line).unwrap(),
        raw
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_listed_and_retried() {
    let drive = Drive::start();
    drive.mood(Mood::Status(400));
    let daemon = Daemon::start_with_drive(&drive.url()).await;
    daemon.look(list(&[a_match(1)])).await;
    let dead = |row: &Value| row["state"] == "dead";
    daemon.await_deliveries("three dead letters", dead).await;
    let text = told(
        &daemon,
        &[
            "deliveries",
            "list",
            "--state",
            "dead",
            "--destination",
            "assets",
        ],
    );
    let words = |line: &str| {
        let words = line.split_whitespace().map(str::to_owned);
        words.collect::<Vec<_>>()
    };
    let lines: Vec<_> = text.lines().map(words).collect();
    let header = "ID STATE MATCH WHAT DESTINATION TO TRIES MADE NEXT/END LAST ERROR";
    assert_eq!(lines[0], words(header));
    for (line, told) in lines[1..].iter().zip([
        "2 dead 1 group_info assets - 1",
        "1 dead 1 group_description assets - 1",
    ]) {
        assert_eq!(line[..7], words(told), "{text}");
        // Two moments, each with its day.
        assert_eq!(line[11..], words("the service answered 400"), "{text}");
    }
    assert_eq!(lines.len(), 3, "{text}");
    let status = told(&daemon, &["status"]);
    assert!(
        status.contains("deliveries    3 dead, 0 delivered, 0 discarded, 0 pending"),
        "{status}"
    );
    assert!(
        status.contains("deliveries  0 of 3 delivered, 3 given up\n"),
        "{status}"
    );

    drive.mood(Mood::Well);
    let ended = ask(&daemon, &["deliveries", "retry", "99", "1"]);
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (1, "1 is pending again\n"),
        "{ended:?}"
    );
    assert!(
        ended.error.contains("99: there is no such delivery\n"),
        "{ended:?}"
    );
    assert!(ended.error.contains("1 of 2 were not retried"), "{ended:?}");
    let ended = ask(&daemon, &["deliveries", "retry", "--all-dead", "--json"]);
    let ids: Vec<_> = ended
        .lines()
        .iter()
        .map(|line| line["id"].clone())
        .collect();
    assert_eq!((ended.code, ids), (0, vec![3.into(), 2.into()]));
    daemon
        .await_deliveries("all files", |row| row["state"] == "delivered")
        .await;
    assert_eq!(
        told(&daemon, &["deliveries", "retry", "--all-dead"]),
        "No such delivery is dead.\n"
    );
    let ended = ask(&daemon, &["deliveries", "retry", "1"]);
    assert_eq!(ended.code, 1);
    assert!(
        ended
            .error
            .contains("1: Only a dead delivery can be retried; this one is delivered\n")
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_found_where_the_daemon_finds_it() {
    let daemon = Daemon::start_with(Clock::system(), &[("ADMIN_TOKEN", "an-invented-token")]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("token"), "an-invented-token\n").unwrap();
    std::fs::write(
        path("settings.toml"),
        "[admin]\ntoken = \"an-invented-token\"\n",
    )
    .unwrap();
    let elsewhere = [
        ("ADMIN_TOKEN", "an-invented-token".to_owned()),
        ("ADMIN_TOKEN_FILE", path("token")),
        ("CONFIG_FILE", path("settings.toml")),
    ];
    for (name, value) in elsewhere {
        let settings = [(name, value.as_str())];
        let ended = run(&settings, &["changes", "--admin-url", &daemon.admin]);
        assert_eq!(ended.code, 0, "{name}: {ended:?}");
    }
    std::fs::write(path(".env"), "ADMIN_TOKEN=an-invented-token\n").unwrap();
    let mut command = binary(&[]);
    command
        .current_dir(folder.path())
        .args(["changes", "--admin-url", &daemon.admin]);
    assert_eq!(ended(&mut command).code, 0);
    for (settings, hint) in [
        (
            &[][..],
            "a token is needed; set ADMIN_TOKEN or ADMIN_TOKEN_FILE",
        ),
        (
            &[("ADMIN_TOKEN", "another-invented-one")],
            "the token is not the daemon's",
        ),
    ] {
        let ended = run(settings, &["pause", "--admin-url", &daemon.admin]);
        assert_eq!(ended.code, 77, "{ended:?}");
        assert!(ended.error.contains(hint), "{ended:?}");
    }
    assert_eq!(daemon.get("/").await["paused"], false);
    daemon.stop().await;
}
