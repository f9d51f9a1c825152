//! What surrounds a command: terminals, pipes and shells.

use std::io::{Write, pipe};
use std::process::{Command, Stdio};

use super::{ask, binary, daemon, run};
use crate::support::matches::{a_match, list, with};

const BINARY: &str = env!("CARGO_BIN_EXE_match-list-processor");

/// What a command shows on a terminal of 80 columns.
fn on_a_terminal(arguments: &str) -> String {
    let output = Command::new("script")
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("SHELL", "/bin/sh")])
        .args([
            "-qec",
            &format!("stty cols 80; exec {BINARY} {arguments}"),
            "/dev/null",
        ])
        .stdin(Stdio::null())
        .output()
        .expect("script, of Debian's bsdutils");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().replace('\r', "")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_of_80_columns_is_enough() {
    let daemon = daemon().await;
    let wordy = with(
        a_match(1),
        serde_json::json!({ "lag1namn": "Föreningen för Långa Namn Idrottssällskap", "lag2namn": "Österbybruks Bollklubb" }),
    );
    daemon.look(list(&[wordy, a_match(2)])).await;
    daemon
        .await_deliveries("all files", |row| row["state"] == "delivered")
        .await;
    let (public, admin) = (&daemon.public, &daemon.admin);
    let changes = on_a_terminal(&format!("changes --limit 2 --admin-url {admin}"));
    assert!(changes.contains(" s ago  "), "{changes}");
    assert!(
        changes.contains("\nThere may be more: --before 1\n"),
        "{changes}"
    );
    assert!(!changes.contains("CATEGORY"), "{changes}");
    let deliveries = on_a_terminal(&format!("deliveries list --admin-url {admin}"));
    let status = on_a_terminal(&format!("status --url {public}"));
    assert!(status.contains(": \x1b[32mhealthy\x1b[0m\n"), "{status}");
    for text in [changes, deliveries, status] {
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}\n{text}");
        }
    }
    let piped = ask(&daemon, &["changes"]).out;
    assert!(
        piped.contains("CATEGORY") && !piped.contains(" ago"),
        "{piped}"
    );
    assert_eq!(piped.lines().count(), 3, "one line each: {piped}");
    assert!(!ask(&daemon, &["status"]).out.contains('\x1b'));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_went_away_is_no_failure() {
    let daemon = daemon().await;
    daemon.look(list(&[a_match(1)])).await;
    let (public, admin) = (daemon.public.as_str(), daemon.admin.as_str());
    for arguments in [
        &["changes", "--admin-url", admin][..],
        &["changes", "--json", "--admin-url", admin],
        &["deliveries", "list", "--admin-url", admin],
        &["resume", "--admin-url", admin],
        &["status", "--url", public],
        &["status", "--json", "--url", public],
        &["trigger", "--wait", "60", "--url", public],
        &["completions", "bash"],
        &["check-config"],
        &["--help"],
        &["trigger", "--help"],
    ] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let ended = ended_into(arguments, writer.into());
        assert_eq!((ended.code, ended.error.as_str()), (0, ""), "{arguments:?}");
    }
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let ended = ended_into(&["check-config"], full.into());
    assert_eq!(ended.code, 71, "{ended:?}");
    daemon.stop().await;
}

fn ended_into(arguments: &[&str], out: Stdio) -> super::Ended {
    let mut command = binary(&[]);
    let child = command.args(arguments).stdout(out).stderr(Stdio::piped());
    let output = child.spawn().unwrap().wait_with_output().unwrap();
    super::Ended {
        code: output.status.code().unwrap(),
        out: String::new(),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_message_that_nobody_can_read_does_not_hide_the_exit_code() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = binary(&[("PORT", "x")]);
    let status = command.arg("status").stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(78));
}

#[test]
fn a_shell_completes_commands_and_values() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(&[], &["completions", shell]);
        assert_eq!(script.code, 0, "{shell}: {script:?}");
        for word in ["trigger", "deliveries", "all-dead", "match-id"] {
            assert!(script.out.contains(word), "{shell}: no {word}");
        }
    }
    let mut script = run(&[], &["completions", "bash"]).out;
    script += "
        complete_words() {
            COMP_WORDS=(\"$@\")
            COMP_CWORD=$(($# - 1))
            COMPREPLY=()
            [[ $(complete -p \"$1\") =~ -F\\ ([^ ]+) ]]
            \"${BASH_REMATCH[1]}\" \"$1\" \"${@: -1}\" \"${@: -2:1}\"
            echo \"${COMPREPLY[*]}\"
        }
        complete_words match-list-processor tri
        complete_words match-list-processor deliveries re
        complete_words match-list-processor changes --priority cr
    ";
    let mut bash = Command::new("bash");
    let mut child = bash
        .args(["--norc", "-s"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let completed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        completed,
        "trigger\nretry\ncritical\n",
        "{:?}",
        String::from_utf8(output.stderr)
    );
}
