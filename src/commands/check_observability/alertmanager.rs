//! What Alertmanager does with the alerts.

use regex::Regex;
use serde_json::Value;

use super::Finding;
use super::server::{Server, listed, short};

/// The alert that always fires.
pub const WATCHDOG: &str = "MatchListProcessorWatchdog";

/// Asks whether alerts come and where they go.
pub fn look(server: &Server) -> Vec<Finding> {
    let about = match server.get("/api/v2/status", None) {
        Ok(about) if about["versionInfo"].is_object() => about,
        answered => {
            let error = answered.err();
            let error = error.unwrap_or_else(|| "the answer is not that of an Alertmanager".into());
            let found = format!("{}: {error}", server.place());
            let advice = "start it, or name it with --alertmanager";
            let unasked = || "Alertmanager was not asked".to_owned();
            return vec![
                Finding::silent("alertmanager", found, advice),
                Finding::unknown("alerts arrive", unasked(), ""),
                Finding::unknown("routes", unasked(), ""),
            ];
        }
    };
    let version = short(about["versionInfo"]["version"].as_str().unwrap_or_default());
    let found = format!("{} has version {version}", server.place());
    let query = format!("filter=alertname%3D%22{WATCHDOG}%22");
    let alerts = server.get("/api/v2/alerts", Some(&query));
    vec![
        Finding::ok("alertmanager", found),
        match alerts {
            Ok(alerts) => arrived(&alerts),
            Err(error) => Finding::unknown("alerts arrive", error, ""),
        },
        routes(about["config"]["original"].as_str()),
    ]
}

fn arrived(alerts: &Value) -> Finding {
    const CHECK: &str = "alerts arrive";
    let alerts = alerts.as_array().into_iter().flatten();
    let receivers = alerts.flat_map(|one| one["receivers"].as_array().into_iter().flatten());
    let mut names: Vec<&str> = receivers.filter_map(|one| one["name"].as_str()).collect();
    names.dedup();
    match names.is_empty() {
        false => Finding::ok(
            CHECK,
            short(&format!("{WATCHDOG} goes to {}", listed(&names))),
        ),
        true => Finding::missing(
            CHECK,
            format!("{WATCHDOG}, which always fires, is not there"),
            "Prometheus must load the rules and send alerts here; after its start that takes a minute",
        ),
    }
}

/// Whether the routing tells critical alerts from others.
fn routes(settings: Option<&str>) -> Finding {
    const CHECK: &str = "routes";
    let Some(settings) = settings.filter(|text| !text.is_empty()) else {
        return Finding::unknown(CHECK, "the settings cannot be read".into(), "");
    };
    match names_critical(settings) {
        true => Finding::ok(CHECK, "critical alerts have a route of their own".into()),
        false => Finding::missing(
            CHECK,
            "no route is for severity critical".into(),
            "add routes by severity, as in alerts/alertmanager.yml",
        ),
    }
}

/// Alertmanager shows its settings in a form of its own: the tree of routes is one block.
fn names_critical(settings: &str) -> bool {
    let block = settings
        .lines()
        .skip_while(|line| !line.starts_with("route:"));
    let inside = |line: &&str| line.starts_with([' ', '-']) || line.starts_with("route:");
    let block: Vec<&str> = block.take_while(inside).collect();
    let matcher = Regex::new(r#"severity(\s*=~?\s*|:\s+)["']?[^"'=!]*\bcritical\b"#);
    matcher.is_ok_and(|matcher| block.iter().any(|line| matcher.is_match(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_for_critical_alerts_is_recognised() {
        for line in [
            "    - severity=\"critical\"",
            "    - severity=~\"critical|page\"",
            "    - severity = critical",
            "      severity: critical",
            "      severity: ^(page|critical)$",
        ] {
            let settings =
                format!("global: {{}}\nroute:\n  receiver: x\n  routes:\n{line}\nreceivers: []\n");
            assert!(names_critical(&settings), "{line}");
        }
        for settings in [
            "route:\n  receiver: critical\nreceivers: []\n",
            "route:\n  routes:\n  - matchers:\n    - severity!=\"critical\"\n",
            "route:\n  routes:\n  - matchers:\n    - severity=\"warning\"\n",
            "route:\n  receiver: x\ninhibit_rules:\n- source_matchers:\n  - severity=\"critical\"\n",
        ] {
            assert!(!names_critical(settings), "{settings}");
        }
    }
}
