//! The libraries that senders use, as published on `PyPI` and npm, against the real daemon.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use match_list_processor::clock::Clock;

use crate::support::daemon::Daemon;

const STANDARD: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const OTHER: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRZY";
const BODY: &str = r#"{"event":"matches.updated","note":"å"}"#;

/// Where `tests/run.sh` installs the libraries: the folder whose `bin` is in `PATH`.
pub fn installed() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter_map(|folder| Some(folder.parent()?.to_owned()))
        .find(|folder| folder.join("senders/send.mjs").is_file())
        .expect("bash tests/run.sh --install installs them, and says what to add to PATH")
}

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/senders")
}

fn python() -> Command {
    let mut command = Command::new(installed().join("bin/python"));
    command.arg(folder().join("send.py"));
    command
}

fn javascript() -> Command {
    let mut command = Command::new(installed().join("bin/node"));
    // The script stands where its libraries are: modules are looked for from there only.
    command.arg(installed().join("senders/send.mjs"));
    command
}

async fn status(mut sender: Command, scheme: &str, secret: &str, daemon: &Daemon) -> String {
    sender.args([scheme, secret, &format!("{}/process", daemon.public), BODY]);
    let output: Output = tokio::task::spawn_blocking(move || sender.output().unwrap())
        .await
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn accepts(scheme: &str, secret: &str, wrong: &str, senders: &[fn() -> Command]) {
    let settings = [("WEBHOOK_AUTH", scheme), ("WEBHOOK_SECRET", secret)];
    let daemon = Daemon::start_with(Clock::system(), &settings).await;
    for sender in senders {
        assert_eq!(
            status(sender(), scheme, secret, &daemon).await,
            "200",
            "{scheme}"
        );
        assert_eq!(
            status(sender(), scheme, wrong, &daemon).await,
            "401",
            "{scheme}"
        );
    }
    daemon.stop().await;
}

#[tokio::test]
async fn standard_webhooks_as_its_own_libraries_sign() {
    accepts("standard-webhooks", STANDARD, OTHER, &[python, javascript]).await;
}

#[tokio::test]
async fn github_as_its_own_library_signs() {
    let (secret, wrong) = ("an invented secret", "another invented secret");
    accepts("github", secret, wrong, &[javascript]).await;
}

#[tokio::test]
async fn tokens_and_passwords_as_any_client_sends_them() {
    accepts(
        "bearer",
        "an-invented-token-1",
        "an-invented-token-2",
        &[python],
    )
    .await;
    accepts(
        "basic",
        "grafana:lösenord 1",
        "grafana:lösenord 2",
        &[python],
    )
    .await;
}
