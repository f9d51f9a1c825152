//! Where Alertmanager's routes lead, and whether anybody is there.

use regex::Regex;
use serde_json::Value;
use url::Url;

use super::yaml;

/// Names that nobody can own (RFC 2606): those of the shipped example, too.
const PLACEHOLDERS: [&str; 5] = [
    "example",
    "example.com",
    "example.net",
    "example.org",
    "invalid",
];

/// Routes and receivers.
pub struct Routing {
    settings: Value,
}

/// Whom a receiver reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// It has no integration.
    Nobody,
    /// All its integrations have addresses that nobody can own.
    Placeholder,
    /// It has an integration, whose address Alertmanager does not show (from 0.26 on: no webhook's).
    Hidden,
    /// It has an integration with an address that may be somebody's.
    Somebody,
}

impl Routing {
    /// What is in the settings that Alertmanager shows; nothing when they have no routes and receivers.
    pub fn new(settings: &str) -> Option<Self> {
        let settings = yaml::parse(settings)?;
        let whole = settings["route"].is_object() && settings["receivers"].is_array();
        whole.then_some(Self { settings })
    }

    /// The receivers of an alert with these labels.
    pub fn receivers(&self, labels: &[(&str, &str)]) -> Vec<&str> {
        let root = &self.settings["route"];
        below(root, root["receiver"].as_str().unwrap_or_default(), labels)
    }

    /// Whom this receiver reaches.
    pub fn reach(&self, receiver: &str) -> Reach {
        let all = self.settings["receivers"].as_array().into_iter().flatten();
        let fields = all.filter(|one| one["name"] == receiver);
        let fields = fields.filter_map(Value::as_object).flatten();
        let integrations = fields.filter(|(name, _)| name.ends_with("_configs"));
        let integrations = integrations.flat_map(|(_, all)| all.as_array().into_iter().flatten());
        integrations.map(leads).max().unwrap_or(Reach::Nobody)
    }
}

/// The receivers below a route that matches; its own when no child wants the alert.
fn below<'a>(route: &'a Value, receiver: &'a str, labels: &[(&str, &str)]) -> Vec<&'a str> {
    let mut found = Vec::new();
    for child in route["routes"].as_array().into_iter().flatten() {
        if !wants(child, labels) {
            continue;
        }
        found.extend(below(
            child,
            child["receiver"].as_str().unwrap_or(receiver),
            labels,
        ));
        if child["continue"] != "true" {
            break;
        }
    }
    match found.is_empty() {
        true => vec![receiver],
        false => found,
    }
}

fn wants(route: &Value, labels: &[(&str, &str)]) -> bool {
    let pairs = |key: &str| {
        let pairs = route[key].as_object().into_iter().flatten();
        pairs.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()))
    };
    let listed = route["matchers"].as_array().into_iter().flatten();
    let mut listed = listed.filter_map(Value::as_str);
    pairs("match").all(|(name, value)| holds(name, "=", value, labels))
        && pairs("match_re").all(|(name, value)| holds(name, "=~", value, labels))
        && listed.all(|matcher| {
            split(matcher)
                .is_some_and(|(name, operator, value)| holds(name, operator, &value, labels))
        })
}

/// Name, operator and value of a matcher as it is written.
fn split(matcher: &str) -> Option<(&str, &str, String)> {
    let start = matcher.find(['=', '!'])?;
    let (name, rest) = matcher.split_at(start);
    let operator = ["=~", "!~", "!=", "="]
        .into_iter()
        .find(|one| rest.starts_with(one))?;
    let value = rest[operator.len()..].trim();
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.to_owned());
    Some((name.trim().trim_matches('"'), operator, value))
}

/// A label that an alert does not have is empty.
fn holds(name: &str, operator: &str, value: &str, labels: &[(&str, &str)]) -> bool {
    let has = labels.iter().find(|(label, _)| *label == name);
    let has = has.map_or("", |(_, value)| value);
    let like = || Regex::new(&format!("^(?:{value})$")).is_ok_and(|regex| regex.is_match(has));
    match operator {
        "=~" => like(),
        "!~" => !like(),
        "!=" => has != value,
        _ => has == value,
    }
}

/// Whom an integration reaches by what it shows of its addresses.
fn leads(integration: &Value) -> Reach {
    let fields = integration.as_object().into_iter().flatten();
    let texts = fields.filter_map(|(_, value)| value.as_str());
    let all = texts.map(|text| match text {
        "<secret>" => Reach::Hidden,
        text if is_placeholder(text) => Reach::Placeholder,
        _ => Reach::Somebody,
    });
    all.min().unwrap_or(Reach::Somebody)
}

/// Whether the text is an address that the example could have.
fn is_placeholder(text: &str) -> bool {
    let url = Url::parse(text).ok();
    let host = url.as_ref().and_then(Url::host_str);
    let host = host.or_else(|| text.rsplit_once('@').map(|(_, host)| host));
    host.is_some_and(|host| {
        let ends = |one: &&str| host.strip_suffix(*one).is_some_and(ends_name);
        PLACEHOLDERS.iter().any(ends)
    })
}

/// Whether what stands before the end of a host's name leaves that end whole.
fn ends_name(before: &str) -> bool {
    before.is_empty() || before.ends_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: &str = "\
route:
  receiver: tickets
  routes:
  - receiver: heartbeat
    matchers:
    - alertname=\"Watchdog\"
  - receiver: log
    match_re:
      severity: ^(critical|warning)$
    continue: true
  - match:
      severity: critical
    routes:
    - receiver: store
      matchers:
      - alertname=~\"Store.+\"
      - team!=\"other\"
  - receiver: \"null\"
    matchers:
    - severity!~\"critical|warning\"
receivers:
- name: tickets
  webhook_configs:
  - url: https://tickets.example/hooks
- name: heartbeat
  webhook_configs:
  - url: <secret>
- name: log
  email_configs:
  - to: duty@example.org
    text: mail https://pager.example/ if in doubt
- name: store
  webhook_configs:
  - url: https://tickets.example/hooks
  pushover_configs:
  - user_key: <secret>
- name: example
  webhook_configs:
  - url: https://alerts.notexample/hooks
- name: \"null\"
- name: emptied
  webhook_configs: []
";

    #[test]
    fn an_alert_is_followed_as_alertmanager_does() {
        let routing = Routing::new(SETTINGS).unwrap();
        let to = |name, severity| routing.receivers(&[("alertname", name), ("severity", severity)]);
        assert_eq!(to("Watchdog", "critical"), ["heartbeat"]);
        assert_eq!(to("Down", "critical"), ["log", "tickets"]);
        assert_eq!(to("StoreNotWritable", "critical"), ["log", "store"]);
        assert_eq!(to("NoStoreLeft", "critical"), ["log", "tickets"]);
        assert_eq!(to("Slow", "warning"), ["log"]);
        assert_eq!(to("Slow", "info"), ["null"]);
    }

    #[test]
    fn a_receiver_reaches_somebody_or_not() {
        let routing = Routing::new(SETTINGS).unwrap();
        for (receiver, reach) in [
            ("tickets", Reach::Placeholder),
            ("heartbeat", Reach::Hidden),
            ("log", Reach::Placeholder),
            ("store", Reach::Hidden),
            ("example", Reach::Somebody),
            ("null", Reach::Nobody),
            ("emptied", Reach::Nobody),
            ("unknown", Reach::Nobody),
        ] {
            assert_eq!(routing.reach(receiver), reach, "{receiver}");
        }
    }

    #[test]
    fn settings_without_routes_are_no_routing() {
        assert!(Routing::new("global:\n  resolve_timeout: 5m\n").is_none());
        assert!(Routing::new("").is_none());
    }
}
