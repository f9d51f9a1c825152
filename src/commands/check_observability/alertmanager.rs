//! What Alertmanager does with the alerts.

use serde_json::Value;

use super::prometheus::JOB;
use super::routing::{Reach, Routing};
use super::server::{Server, listed, short};
use super::{Finding, shipped};

/// The alert that always fires.
pub const WATCHDOG: &str = "MatchListProcessorWatchdog";

/// What to do where alerts end at nobody.
const NAME_SOMEBODY: &str = "give a receiver of that route an integration with an address of your own in Alertmanager's settings";

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
    let settings = about["config"]["original"].as_str().unwrap_or_default();
    let routing = Routing::new(settings);
    vec![
        Finding::ok("alertmanager", found),
        match alerts {
            Ok(alerts) => arrived(&alerts, routing.as_ref()),
            Err(error) => Finding::unknown("alerts arrive", error, ""),
        },
        routes(routing.as_ref()),
    ]
}

fn arrived(alerts: &Value, routing: Option<&Routing>) -> Finding {
    const CHECK: &str = "alerts arrive";
    let alerts = alerts.as_array().into_iter().flatten();
    let receivers = alerts.flat_map(|one| one["receivers"].as_array().into_iter().flatten());
    let mut names: Vec<&str> = receivers.filter_map(|one| one["name"].as_str()).collect();
    names.dedup();
    if names.is_empty() {
        return Finding::missing(
            CHECK,
            format!("{WATCHDOG}, which always fires, is not there"),
            "Prometheus must load the rules and send alerts here; after its start that takes a minute",
        );
    }
    let found = format!("{WATCHDOG} goes to {}", listed(&names));
    let Some(routing) = routing else {
        let found = format!("{found}; the settings, which tell who that is, cannot be read");
        return Finding::unknown(CHECK, short(&found), "");
    };
    match ends(routing, &names) {
        Ok(but) => Finding::ok(CHECK, short(&format!("{found}{but}"))),
        Err(why) => Finding::missing(CHECK, short(&format!("{found}: {why}")), NAME_SOMEBODY),
    }
}

/// Whether the routing tells critical alerts from others, and takes each of them to somebody.
fn routes(routing: Option<&Routing>) -> Finding {
    const CHECK: &str = "routes";
    let Some(routing) = routing else {
        return Finding::unknown(CHECK, "the settings cannot be read".into(), "");
    };
    if !routing.names_critical() {
        return Finding::missing(
            CHECK,
            "no route is for severity critical".into(),
            "add routes by severity, as in alerts/alertmanager.yml",
        );
    }
    let mut called = Vec::new();
    for alert in shipped::critical() {
        let receivers = routing.receivers(&[
            ("alertname", alert),
            ("severity", "critical"),
            ("service", JOB),
            ("job", JOB),
        ]);
        match ends(routing, &receivers) {
            Ok(but) => called.extend(receivers.iter().map(|one| format!("{one}{but}"))),
            Err(why) => {
                let found = format!("{alert} goes to {}: {why}", listed(&receivers));
                return Finding::missing(CHECK, short(&found), NAME_SOMEBODY);
            }
        }
    }
    called.sort_unstable();
    called.dedup();
    let called: Vec<&str> = called.iter().map(String::as_str).collect();
    Finding::ok(
        CHECK,
        short(&format!("critical alerts go to {}", listed(&called))),
    )
}

/// What must be known of the best of these receivers, or why none of them reaches anybody.
fn ends(routing: &Routing, receivers: &[&str]) -> Result<&'static str, &'static str> {
    let reaches = receivers.iter().map(|one| routing.reach(one));
    match reaches.max().unwrap_or(Reach::Nobody) {
        Reach::Nobody => Err("it has no integration"),
        Reach::Placeholder => Err("its address is that of the example"),
        Reach::Hidden => Ok(" (its address is not shown: see that it hears them)"),
        Reach::Somebody => Ok(""),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    const SETTINGS: &str = "\
route:
  receiver: log
  routes:
  - receiver: page
    matchers:
    - severity=\"critical\"
receivers:
- name: log
- name: page
  webhook_configs:
  - url: https://pager.internal/
";

    #[test]
    fn a_receiver_that_reaches_nobody_is_told() {
        let told = |url: &str| {
            let settings = SETTINGS.replace("https://pager.internal/", url);
            let found = routes(Routing::new(&settings).as_ref());
            (found.status, found.found)
        };
        let (status, found) = told("https://pager.internal/");
        assert_eq!(
            (status, &*found),
            (Status::Ok, "critical alerts go to page")
        );
        let (status, found) = told("<secret>");
        assert_eq!(status, Status::Ok);
        assert!(found.contains("page (its address is not shown"), "{found}");
        let (status, found) = told("https://pager.example/hooks");
        assert_eq!(status, Status::Missing);
        assert!(
            found.contains("goes to page: its address is that of"),
            "{found}"
        );
        let emptied = SETTINGS.replace("page\n    m", "log\n    m");
        let found = routes(Routing::new(&emptied).as_ref());
        assert_eq!(found.status, Status::Missing);
        assert!(found.found.ends_with("goes to log: it has no integration"));
    }

    #[test]
    fn an_alert_that_arrives_must_go_on_to_somebody() {
        let alerts = serde_json::json!([{"receivers": [{"name": "page"}]}]);
        let settings = SETTINGS.replace("pager.internal", "pager.example");
        let status = |routing: Option<Routing>| arrived(&alerts, routing.as_ref()).status;
        assert_eq!(status(Routing::new(SETTINGS)), Status::Ok);
        assert_eq!(status(Routing::new(&settings)), Status::Missing);
        assert_eq!(status(None), Status::Unknown);
    }
}
