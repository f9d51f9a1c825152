//! Where Alertmanager's routes lead, and whether anybody is there.

use std::collections::BTreeMap;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

/// Names that nobody can own (RFC 2606): those of the shipped example, too.
const PLACEHOLDERS: [&str; 5] = [
    "example",
    "example.com",
    "example.net",
    "example.org",
    "invalid",
];

/// Routes and receivers, as Alertmanager's settings have them.
#[derive(Debug, Deserialize)]
pub struct Routing {
    route: Route,
    receivers: Vec<Receiver>,
}

#[derive(Debug, Deserialize)]
struct Route {
    /// Else that of the route above.
    receiver: Option<String>,
    #[serde(default)]
    matchers: Vec<String>,
    #[serde(default, rename = "match")]
    equal: BTreeMap<String, String>,
    #[serde(default, rename = "match_re")]
    like: BTreeMap<String, String>,
    #[serde(default, rename = "continue")]
    goes_on: bool,
    #[serde(default)]
    routes: Vec<Route>,
}

#[derive(Debug, Deserialize)]
struct Receiver {
    name: String,
    /// Its integrations, by their kind.
    #[serde(flatten)]
    integrations: BTreeMap<String, Vec<BTreeMap<String, Value>>>,
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
        serde_saphyr::from_str(settings).ok()
    }

    /// The receivers of an alert with these labels.
    pub fn receivers(&self, labels: &[(&str, &str)]) -> Vec<&str> {
        let own = self.route.receiver.as_deref().unwrap_or_default();
        self.route.leads_to(own, labels)
    }

    /// Whom this receiver reaches.
    pub fn reach(&self, receiver: &str) -> Reach {
        let all = self.receivers.iter().filter(|one| one.name == receiver);
        let integrations = all.flat_map(|one| one.integrations.values().flatten());
        integrations.map(leads).max().unwrap_or(Reach::Nobody)
    }

    /// Whether a route is for critical alerts.
    pub fn names_critical(&self) -> bool {
        self.route.names_critical()
    }
}

impl Route {
    /// The receivers below it, which an alert comes to; `receiver`, its own, when no child wants it.
    fn leads_to<'a>(&'a self, receiver: &'a str, labels: &[(&str, &str)]) -> Vec<&'a str> {
        let mut found = Vec::new();
        for child in self.routes.iter().filter(|child| child.wants(labels)) {
            let own = child.receiver.as_deref().unwrap_or(receiver);
            found.extend(child.leads_to(own, labels));
            if !child.goes_on {
                break;
            }
        }
        match found.is_empty() {
            true => vec![receiver],
            false => found,
        }
    }

    fn wants(&self, labels: &[(&str, &str)]) -> bool {
        let all = self.conditions();
        all.is_some_and(|all| all.iter().all(|one| one.holds(labels)))
    }

    fn names_critical(&self) -> bool {
        let all = self.conditions().unwrap_or_default();
        let severity = all.iter().filter(|one| one.label == "severity");
        let mut is = severity.filter(|one| ["=", "=~"].contains(&one.operator));
        let below = |route: &Self| route.names_critical();
        is.any(|one| one.holds(&[("severity", "critical")])) || self.routes.iter().any(below)
    }

    /// What an alert must have; nothing when a condition cannot be read.
    fn conditions(&self) -> Option<Vec<Condition>> {
        let of = |operator| {
            move |(label, value): (&String, &String)| {
                Some(Condition {
                    label: label.clone(),
                    operator,
                    value: value.clone(),
                })
            }
        };
        let equal = self.equal.iter().map(of("="));
        let like = self.like.iter().map(of("=~"));
        let listed = self.matchers.iter().map(|one| Condition::read(one));
        equal.chain(like).chain(listed).collect()
    }
}

/// What a label must be.
struct Condition {
    label: String,
    operator: &'static str,
    value: String,
}

impl Condition {
    /// A matcher as it is written.
    fn read(matcher: &str) -> Option<Self> {
        let (label, rest) = matcher.split_at(matcher.find(['=', '!'])?);
        let mut operators = ["=~", "!~", "!=", "="].into_iter();
        let operator = operators.find(|one| rest.starts_with(one))?;
        let value = rest[operator.len()..].trim();
        Some(Self {
            label: label.trim().trim_matches('"').to_owned(),
            operator,
            value: serde_json::from_str(value).unwrap_or_else(|_| value.to_owned()),
        })
    }

    /// A label that an alert does not have is empty.
    fn holds(&self, labels: &[(&str, &str)]) -> bool {
        let has = labels.iter().find(|(label, _)| *label == self.label);
        let has = has.map_or("", |(_, value)| value);
        let like = || {
            let whole = Regex::new(&format!("^(?:{})$", self.value));
            whole.is_ok_and(|regex| regex.is_match(has))
        };
        match self.operator {
            "=~" => like(),
            "!~" => !like(),
            "!=" => has != self.value,
            _ => has == self.value,
        }
    }
}

/// Whom an integration reaches by what it shows of its addresses.
fn leads(integration: &BTreeMap<String, Value>) -> Reach {
    let texts = integration.values().filter_map(Value::as_str);
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
    fn all_forms_of_a_text_are_read() {
        let settings = "\
global:
  resolve_timeout: 5m
  http_config:
    follow_redirects: true
route:
  receiver: 'e: f # g'
  routes:
  - receiver: \"null\"
    matchers:
    - severity=~\"a|b\"
    - 'team=\"x: it''s\"'
    continue: false
  - match:
      severity: critical
    routes:
    - receiver: deep
receivers:
- name: mail
  email_configs:
  - to: a@b.test
    headers: {}
    text: |
      one: two

      - three
    html: a text that is so long that it is
      told on two lines
- name: \"null\"
templates: []
";
        let routing = Routing::new(settings).unwrap();
        let to = |severity, team| routing.receivers(&[("severity", severity), ("team", team)]);
        assert_eq!(to("b", "x: it's"), ["null"]);
        assert_eq!(to("b", "x"), ["e: f # g"]);
        assert_eq!(to("critical", ""), ["deep"]);
        let mail = &routing.receivers[0].integrations["email_configs"][0];
        assert_eq!(mail["text"], "one: two\n\n- three\n");
        assert_eq!(
            mail["html"],
            "a text that is so long that it is told on two lines"
        );
        assert_eq!(routing.reach("mail"), Reach::Somebody);
    }

    #[test]
    fn a_route_for_critical_alerts_is_recognised() {
        let routing = |routes: &str| {
            let settings = format!(
                "global: {{}}\nroute:\n  receiver: critical\n  routes:\n{routes}\nreceivers: []\n"
            );
            Routing::new(&settings).unwrap()
        };
        for condition in [
            "  - matchers:\n    - severity=\"critical\"",
            "  - matchers:\n    - severity=~\"critical|page\"",
            "  - matchers:\n    - severity = critical",
            "  - match:\n      severity: critical",
            "  - match_re:\n      severity: ^(page|critical)$",
            "  - routes:\n    - match:\n        severity: critical",
        ] {
            assert!(routing(condition).names_critical(), "{condition}");
        }
        for condition in [
            "  - receiver: critical",
            "  - matchers:\n    - severity!=\"critical\"",
            "  - matchers:\n    - severity=\"warning\"",
            "  - receiver: page\ninhibit_rules:\n- source_matchers:\n  - severity=\"critical\"",
        ] {
            assert!(!routing(condition).names_critical(), "{condition}");
        }
    }

    #[test]
    fn settings_without_routes_are_no_routing() {
        let deep = "- ".repeat(100_000);
        for settings in [
            "global:\n  resolve_timeout: 5m\n",
            "",
            "a: 1\n b: 2\n  c\nd",
            "  a: 1",
            "just words",
            "a: 1\n- b",
            &deep,
            &format!("route:\n  routes:\n  {deep}"),
        ] {
            assert!(Routing::new(settings).is_none(), "{settings:.40}");
        }
    }
}
