//! `sign`, `verify`, and `trigger` where the daemon wants to know who asks.

use std::io::Write;

use match_list_processor::clock::Clock;

use super::{Ended, binary, ended, run};
use crate::support::daemon::Daemon;

const SCHEMES: [(&str, &str, &str); 4] = [
    (
        "standard-webhooks",
        "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
        "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRZY",
    ),
    ("github", "an invented secret", "another invented secret"),
    ("bearer", "an-invented-token", "another-invented-token"),
    ("basic", "user:an invented one", "user:another one"),
];

fn body() -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"{\"why\": 1}").unwrap();
    file
}

fn settings<'a>(scheme: &'a str, secret: &'a str) -> [(&'a str, &'a str); 2] {
    [("WEBHOOK_AUTH", scheme), ("WEBHOOK_SECRET", secret)]
}

/// The arguments of `verify` for these lines of headers.
fn verify(settings: &[(&str, &str)], file: &str, headers: &str, more: &[&str]) -> Ended {
    let mut command = binary(settings);
    command.args(["verify", file]).args(more);
    for line in headers.lines() {
        command.args(["--header", line]);
    }
    ended(&mut command)
}

#[test]
fn what_is_signed_is_verified_and_nothing_else() {
    let file = body();
    let path = file.path().to_str().unwrap();
    for (scheme, secret, other) in SCHEMES {
        let signed = run(&settings(scheme, secret), &["sign", path]);
        assert_eq!(signed.code, 0, "{scheme}: {}", signed.error);
        assert!(
            !signed.out.contains(secret) || scheme == "bearer",
            "{scheme}"
        );
        let judged = verify(&settings(scheme, secret), path, &signed.out, &[]);
        assert_eq!(judged.code, 0, "{scheme}: {}", judged.error);
        assert_eq!(judged.out, "It may trigger: secret default.\n");
        let judged = verify(&settings(scheme, other), path, &signed.out, &[]);
        assert_eq!(judged.code, 1, "{scheme}");
        assert!(
            judged.error.contains("no secret leads to"),
            "{}",
            judged.error
        );
        let judged = verify(&settings(scheme, secret), path, "", &[]);
        assert_eq!(judged.code, 1, "{scheme}");
        assert!(judged.error.contains("missing"), "{}", judged.error);
    }
    let (scheme, secret, _) = SCHEMES[0];
    let signed = run(&settings(scheme, secret), &["sign", path, "--id", "msg_7"]);
    assert!(
        signed.out.starts_with("webhook-id: msg_7\n"),
        "{}",
        signed.out
    );
    let late = verify(&settings(scheme, secret), path, &signed.out, &["--at", "1"]);
    assert!(late.error.contains("in the future"), "{}", late.error);
}

#[test]
fn without_a_scheme_there_is_nothing_to_sign() {
    let file = body();
    let path = file.path().to_str().unwrap();
    let signed = run(&[], &["sign", path]);
    assert_eq!((signed.code, signed.out.as_str()), (0, ""));
    let judged = run(&[], &["verify", path]);
    assert_eq!(judged.out, "It may trigger: WEBHOOK_AUTH is none.\n");
    let missing = run(&[], &["sign", "/nowhere/body"]);
    assert_eq!(missing.code, 2, "{}", missing.error);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_is_signed_as_the_settings_say() {
    for (scheme, secret, other) in SCHEMES {
        let daemon = Daemon::start_with(Clock::system(), &settings(scheme, secret)).await;
        let file = body();
        let path = file.path().to_str().unwrap();
        let arguments = ["trigger", "--url", &daemon.public, "--data", path];
        let told = run(&settings(scheme, secret), &arguments);
        assert_eq!(told.code, 0, "{scheme}: {}", told.error);
        for wrong in [&settings(scheme, other)[..], &[]] {
            let told = run(wrong, &arguments);
            assert_eq!(told.code, 77, "{scheme}: {}", told.error);
            assert!(told.error.contains("WEBHOOK_AUTH"), "{}", told.error);
        }
        daemon.stop().await;
    }
}
