//! Variables that look like a setting of this program and are none: a slip of the pen leaves a
//! setting at its default, and nothing else would tell.

use std::collections::BTreeSet;

/// Names that begin so are nobody else's.
const OWN: [&str; 7] = [
    "ASSET_STORE_",
    "DEBOUNCE_",
    "MIN_REFEREES_",
    "NOTIFICATION",
    "PROCESSOR_",
    "STAKEHOLDER",
    "WHATSAPP_AVATAR_",
];

/// What TLS libraries read everywhere, close to names of this program.
const FOREIGN: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Names of families that others share, whose members can be close to one another.
const SHARED: [&str; 3] = ["AWS_", "OTEL_", "REDIS_"];

/// What is odd about a variable; nothing about a setting, and about what is somebody else's. Its value
/// is never shown.
pub fn told(name: &str, value: &str, known: &BTreeSet<String>) -> Option<String> {
    if known.contains(name) || FOREIGN.contains(&name) || is_of_kubernetes(name, value) {
        return None;
    }
    let upper = name.to_uppercase();
    let distance = |candidate: &String| strsim::osa_distance(candidate, &upper);
    let nearest = known.iter().map(|one| (distance(one), one)).min();
    match nearest {
        Some((distance, candidate)) if distance <= tolerance(&upper) => Some(format!(
            "is no setting of this program; did you mean {candidate}?"
        )),
        _ if OWN.iter().any(|own| upper.starts_with(own)) => {
            Some("is no setting of this program; README.md has them all".to_owned())
        }
        _ => None,
    }
}

/// How many letters may be wrong: `HOME` is not `HOST`.
fn tolerance(name: &str) -> usize {
    let is_shared = SHARED.iter().any(|family| name.starts_with(family));
    match name.len() {
        0..=4 => 0,
        5..=7 => 1,
        _ if is_shared => 1,
        _ => 2,
    }
}

/// Kubernetes tells every container of the services beside it, by names of their own.
fn is_of_kubernetes(name: &str, value: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.contains("_PORT") && (value.contains("://") || name.contains("_TCP")))
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Source};

    fn warnings(pairs: &[(&str, &str)]) -> Vec<String> {
        let source = Source::layered(pairs.iter().copied(), std::path::Path::new("/nowhere/.env"));
        Config::load(&source).unwrap().warnings
    }

    #[test]
    fn a_slip_is_told_with_what_was_meant() {
        for (name, meant) in [
            ("NOTIFICATION_FILE", "NOTIFICATIONS_FILE"),
            ("STAKEHOLDER_FILE", "STAKEHOLDERS_FILE"),
            ("API_BASE_ULR", "API_BASE_URL"),
            ("log_level", "LOG_LEVEL"),
            ("WEBHOOK_SECRET_FILES", "WEBHOOK_SECRET_FILE"),
            ("REDIS_ENABLE", "REDIS_ENABLED"),
            ("OTEL_SERVICE_NAMES", "OTEL_SERVICE_NAME"),
        ] {
            let told = warnings(&[(name, "kanariefagel")]).join("\n");
            let expected = format!(
                "{name} (environment) is no setting of this program; did you mean {meant}?"
            );
            assert_eq!(told, expected);
        }
        let far = warnings(&[("NOTIFICATIONS_DOCUMENT", "x")]);
        assert!(
            far[0].starts_with("NOTIFICATIONS_DOCUMENT (environment) is no setting"),
            "{far:?}"
        );
    }

    #[test]
    fn what_is_set_for_others_or_to_nothing_is_not_told() {
        let foreign = [
            ("HOME", "/root"),
            ("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"),
            ("HOSTNAME", "mlp"),
            ("PATH", "/bin"),
            ("PROCESSING_MODE", "x"),
            ("LANG", "C"),
            ("LC_ALL", "C"),
            ("USER", "x"),
            ("LOGNAME", "x"),
            ("SHELL", "/bin/sh"),
            ("SHLVL", "1"),
            ("TERM", "xterm"),
            ("TZDIR", "/usr/share"),
            ("PWD", "/"),
            ("OLDPWD", "/"),
            ("INVOCATION_ID", "1"),
            ("JOURNAL_STREAM", "8:1"),
            ("LISTEN_FDS", "1"),
            ("LISTEN_PID", "1"),
            ("SYSTEMD_EXEC_PID", "1"),
            ("NOTIFY_SOCKET", "/run/x"),
            ("HTTP_PROXY", "http://x"),
            ("NO_PROXY", "*"),
            ("RUST_LOG", "info"),
            ("RUST_BACKTRACE", "1"),
            ("AWS_PROFILE", "x"),
            ("AWS_DEFAULT_REGION", "x"),
            ("AWS_EXECUTION_ENV", "x"),
            ("AWS_ROLE_ARN", "x"),
            ("OTEL_LOG_LEVEL", "info"),
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_BLRP_SCHEDULE_DELAY", "1"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "x"),
            ("REDIS_HOST", "redis"),
            ("REDIS_PORT", "6379"),
            ("REDIS_PASSWORD", "x"),
            ("GF_SECURITY_ADMIN_PASSWORD", "x"),
            ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
            ("NOTIFICATIONS_SERVICE_HOST", "10.0.0.1"),
            ("NOTIFICATIONS_SERVICE_PORT_HTTP", "80"),
            ("NOTIFICATIONS_PORT_80_TCP_ADDR", "10.0.0.1"),
            ("NOTIFICATIONS_PORT", "tcp://10.0.0.1:80"),
            ("NOTIFICATION_FILE", ""),
        ];
        assert_eq!(warnings(&foreign), [] as [&str; 0]);
    }

    #[test]
    fn it_is_told_of_dot_env_too_and_never_stops_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let dot_env = folder.path().join(".env");
        std::fs::write(&dot_env, "GDRIVE_FOLDER_BSAE=x\nCOMPOSE_PROJECT_NAME=y\n").unwrap();
        let source = Source::layered([("HOME", "/root")], &dot_env);
        let warnings = Config::load(&source).unwrap().warnings;
        assert_eq!(
            warnings,
            [
                "GDRIVE_FOLDER_BSAE (.env) is no setting of this program; did you mean GDRIVE_FOLDER_BASE?"
            ]
        );
    }
}
