//! `check-observability` with the real Prometheus and Alertmanager: all there, and each thing missing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Ended, run};
use crate::support::binary::{Daemon, ListService};
use crate::support::receivers::Tap;
use crate::support::servers::Server;
use crate::support::wire::unused_address;

const RULES: &str = include_str!("../../../alerts/match-list-processor.rules.yml");
const SLO_RULES: &str = include_str!("../../../alerts/match-list-processor.slo.rules.yml");
const ROUTING: &str = include_str!("../../../alerts/alertmanager.yml");
/// What makes the example's receivers somebody's; no such host is found, either.
const OWN: (&str, &str) = (".example/", ".test/");
const EXEMPLARS: &[&str] = &["--enable-feature=exemplar-storage"];

/// What makes Prometheus know no Alertmanager.
const DROPPED: &str = "    - relabel_configs: [{action: drop}]\n      static_configs:";

/// The settings of a Prometheus that lacks nothing.
fn config(daemon: &str, alertmanager: &str) -> String {
    format!(
        "global:
  scrape_interval: 250ms
  scrape_timeout: 250ms
  evaluation_interval: 250ms
rule_files: ['{{folder}}/*.rules.yml']
alerting:
  alertmanagers:
    - static_configs:
        - targets: ['{alertmanager}']
scrape_configs:
  - job_name: match-list-processor
    metrics_path: /metrics/prom
    static_configs:
      - targets: ['{daemon}']
"
    )
}

/// Daemon, Prometheus, Alertmanager and a receiver of traces, and what may be wrong with them.
struct Scene {
    settings: Vec<(&'static str, String)>,
    daemon: String,
    alertmanager: Server,
    prometheus: Server,
}

struct Wrong<'a> {
    /// Replaced in the settings of Prometheus.
    config: (&'a str, &'a str),
    /// Replaced in the rules.
    rules: (&'a str, &'a str),
    /// Replaced in the settings of Alertmanager.
    routing: &'a [(&'a str, &'a str)],
    flags: &'a [&'a str],
    settings: Vec<(&'static str, &'a str)>,
    daemon: Option<&'a str>,
}

const NOTHING: Wrong<'static> = Wrong {
    config: ("", ""),
    rules: ("", ""),
    routing: &[OWN],
    flags: EXEMPLARS,
    settings: Vec::new(),
    daemon: None,
};

/// Replaces what must be there.
fn replaced(text: &str, (from, to): (&str, &str)) -> String {
    assert!(text.contains(from), "{from}");
    match from {
        "" => text.to_owned(),
        from => text.replace(from, to),
    }
}

impl Scene {
    fn new(daemon: &str, endpoint: &str, wrong: &Wrong<'_>) -> Self {
        let replacements = wrong.routing.iter();
        let routing = replacements.fold(ROUTING.to_owned(), |text, &pair| replaced(&text, pair));
        let alertmanager = Server::alertmanager(&routing);
        let config = replaced(&config(daemon, alertmanager.address()), wrong.config);
        let rules = replaced(RULES, wrong.rules);
        let files = [("a.rules.yml", rules.as_str()), ("b.rules.yml", SLO_RULES)];
        // What is sent before the Alertmanager is found is sent again only a minute later.
        let flags = [&["--rules.alert.resend-delay=1s"], wrong.flags].concat();
        let prometheus = Server::prometheus(&config, &files, &flags);
        let mut settings = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.to_owned())];
        settings.extend(
            wrong
                .settings
                .iter()
                .map(|&(name, value)| (name, value.to_owned())),
        );
        Self {
            settings,
            daemon: format!("http://{}", wrong.daemon.unwrap_or(daemon)),
            alertmanager,
            prometheus,
        }
    }

    fn ask(&self, more: &[&str]) -> Ended {
        let settings = self.settings.iter();
        let settings: Vec<_> = settings
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let (prometheus, alertmanager) = (self.prometheus.url(), self.alertmanager.url());
        let arguments = [
            "check-observability",
            "--url",
            &self.daemon,
            "--prometheus",
            &prometheus,
            "--alertmanager",
            &alertmanager,
        ];
        run(&settings, &[&arguments, more].concat())
    }

    /// Waits until these checks and no others are open, and one of them says this; the exit code.
    fn await_open(&self, open: &[&str], hint: &str) -> i32 {
        let expected: BTreeSet<&str> = open.iter().copied().collect();
        let last = std::cell::RefCell::new(String::new());
        Server::until(&format!("{open:?}"), || {
            let ended = self.ask(&["--json"]);
            let report: Value = serde_json::from_str(&ended.out).expect(&ended.error);
            let checks = report["checks"].as_array().unwrap().clone();
            let found: Vec<_> = checks
                .iter()
                .filter(|one| one["status"] == "missing" || one["status"] == "unknown")
                .collect();
            let names: BTreeSet<&str> = found
                .iter()
                .map(|one| one["check"].as_str().unwrap())
                .collect();
            if *last.borrow() != ended.out {
                eprintln!("{}", ended.out);
                last.replace(ended.out.clone());
            }
            let mut told = found
                .iter()
                .map(|one| format!("{}; {}", one["found"], one["do"]));
            let hinted = open.is_empty() || told.any(|one| one.contains(hint));
            (names == expected && hinted).then_some(ended.code)
        })
    }
}

#[test]
fn with_all_of_it_there_nothing_is_missing() {
    let (tap, list) = (Tap::start(), ListService::start());
    let endpoint = tap.endpoint();
    let daemon = Daemon::start(&list, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
    let scene = Scene::new(daemon.address(), &endpoint, &NOTHING);
    assert_eq!(scene.await_open(&[], ""), 0);
    let ended = scene.ask(&[]);
    assert_eq!((ended.code, ended.error.as_str()), (0, ""));
    let addresses = [
        (daemon.address().to_owned(), "DAEMON"),
        (endpoint.replace("http://", ""), "RECEIVER"),
        (scene.prometheus.address().to_owned(), "PROMETHEUS"),
        (scene.alertmanager.address().to_owned(), "ALERTMANAGER"),
    ];
    let mut table = ended.out;
    for (address, name) in addresses {
        table = table.replace(&address, name);
    }
    // What an upgrade or one more rule changes.
    let words = table.split_inclusive([' ', '\n']).map(|word| {
        let bare = word.trim_end();
        match bare.parse::<u32>() {
            Ok(count) if count > 1 => word.replace(bare, "COUNT"),
            _ if bare.starts_with(|c: char| c.is_ascii_digit()) && bare.contains('.') => {
                word.replace(bare, "VERSION")
            }
            _ => word.to_owned(),
        }
    });
    let table: String = words.collect();
    insta::assert_snapshot!(table, @"
    CHECK          STATUS  FOUND
    daemon         ok      http://DAEMON shows its metrics
    traces         ok      http://RECEIVER/v1/traces over http/protobuf takes them
    prometheus     ok      http://PROMETHEUS has version VERSION
    scraped        ok      1 up: DAEMON
    this daemon    ok      its metrics are those of DAEMON
    rules          ok      match-list-processor.rules.yml: all COUNT names are loaded
    rules          ok      match-list-processor.slo.rules.yml: all COUNT names are loaded
    alerts leave   ok      to http://ALERTMANAGER/api/v2/alerts
    exemplars      ok      Prometheus stores them
    alertmanager   ok      http://ALERTMANAGER has version VERSION
    alerts arrive  ok      MatchListProcessorWatchdog goes to heartbeat
    routes         ok      critical alerts go to page
    ");
    daemon.stop();
    let (spans, raw) = tap.spans();
    // The daemon's own probes have spans; the check's export has none.
    assert!(spans.iter().all(|span| span.name == "GET"), "{raw}");
}

#[test]
fn each_thing_that_is_missing_is_told() {
    let (tap, list) = (Tap::start(), ListService::start());
    let endpoint = tap.endpoint();
    let daemon = Daemon::start(&list, &[]);
    let (nobody, other) = (unused_address().to_string(), unused_address().to_string());
    let nobodys_url = format!("http://{nobody}");
    let other_daemon = Daemon::start(&list, &[]);
    let cases: Vec<(Wrong<'_>, &[&str], i32, &str)> = vec![
        (
            Wrong {
                config: ("job_name: match-list-processor", "job_name: other"),
                ..NOTHING
            },
            &["scraped", "this daemon"],
            1,
            "no target of the job match-list-processor",
        ),
        (
            Wrong {
                config: ("metrics_path: /metrics/prom", "metrics_path: /metrix"),
                ..NOTHING
            },
            &["scraped", "this daemon"],
            1,
            "404",
        ),
        (
            Wrong {
                daemon: Some(other_daemon.address()),
                ..NOTHING
            },
            &["this daemon"],
            1,
            "no target started when it did",
        ),
        (
            Wrong {
                config: ("/*.rules.yml", "/b.rules.yml"),
                ..NOTHING
            },
            &["rules", "alerts arrive"],
            1,
            "match-list-processor.rules.yml: ",
        ),
        (
            Wrong {
                rules: ("alert: MatchListProcessorPanicked", "alert: Renamed"),
                ..NOTHING
            },
            &["rules"],
            1,
            "are not loaded: MatchListProcessorPanicked",
        ),
        (
            Wrong {
                config: ("    - static_configs:", DROPPED),
                ..NOTHING
            },
            &["alerts leave", "alerts arrive"],
            1,
            "Prometheus knows no Alertmanager",
        ),
        (
            Wrong {
                flags: &[],
                ..NOTHING
            },
            &["exemplars"],
            1,
            "--enable-feature=exemplar-storage",
        ),
        (
            Wrong {
                routing: &[OWN, ("severity = \"critical\"", "severity = \"page\"")],
                ..NOTHING
            },
            &["routes"],
            1,
            "no route is for severity critical",
        ),
        (
            Wrong {
                routing: &[OWN, ("receiver: page", "receiver: \"null\"")],
                ..NOTHING
            },
            &["routes"],
            1,
            "goes to null: it has no integration",
        ),
        (
            Wrong {
                routing: &[OWN, ("receiver: heartbeat", "receiver: \"null\"")],
                ..NOTHING
            },
            &["alerts arrive"],
            1,
            "MatchListProcessorWatchdog goes to null: it has no integration",
        ),
        (
            Wrong {
                routing: &[],
                ..NOTHING
            },
            &["alerts arrive", "routes"],
            1,
            "goes to page: its address is that of the example",
        ),
        (
            Wrong {
                settings: vec![("OTEL_EXPORTER_OTLP_ENDPOINT", &nobodys_url)],
                ..NOTHING
            },
            &["traces"],
            1,
            "start the receiver",
        ),
        (
            Wrong {
                settings: vec![("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
                ..NOTHING
            },
            &["traces"],
            1,
            "over grpc",
        ),
        (
            Wrong {
                settings: vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "")],
                ..NOTHING
            },
            &["traces"],
            1,
            "no receiver is set",
        ),
        (
            Wrong {
                settings: vec![("OTEL_SDK_DISABLED", "true")],
                flags: &[],
                ..NOTHING
            },
            &[],
            0,
            "",
        ),
        (
            Wrong {
                daemon: Some(&other),
                ..NOTHING
            },
            &["daemon", "this daemon"],
            69,
            "no connection",
        ),
    ];
    // Each Prometheus takes its time to find its targets.
    for cases in cases.chunks(4) {
        std::thread::scope(|scope| {
            for (wrong, open, code, hint) in cases {
                let (daemon, endpoint) = (daemon.address(), &endpoint);
                scope.spawn(move || {
                    let scene = Scene::new(daemon, endpoint, wrong);
                    assert_eq!(scene.await_open(open, hint), *code, "{open:?}");
                });
            }
        });
    }
    other_daemon.stop();
    daemon.stop();
}

#[test]
fn who_does_not_answer_is_told_and_nothing_is_guessed() {
    let list = ListService::start();
    let daemon = Daemon::start(&list, &[]);
    let url = format!("http://{}", daemon.address());
    let nobody = format!("http://{}", unused_address());
    for (other, found) in [(&nobody, "no connection to"), (&url, " is 404")] {
        let ended = run(
            &[("OTEL_TRACES_EXPORTER", "none")],
            &[
                "check-observability",
                "--url",
                &url,
                "--prometheus",
                other,
                "--alertmanager",
                other,
            ],
        );
        assert_eq!(ended.code, 69, "{ended:?}");
        let rows: Vec<Vec<&str>> = ended
            .out
            .lines()
            .map(|line| {
                line.split("  ")
                    .filter(|cell| !cell.is_empty())
                    .map(str::trim)
                    .collect()
            })
            .collect();
        let status = |check: &str| {
            let row = rows.iter().find(|row| row[0] == check);
            row.unwrap_or_else(|| panic!("no {check}: {ended:?}"))[1]
        };
        assert_eq!((status("daemon"), status("traces")), ("ok", "off"));
        for check in ["prometheus", "alertmanager"] {
            assert_eq!(status(check), "MISSING");
            let row = rows.iter().find(|row| row[0] == check).unwrap();
            assert!(
                row[2].contains(found) && row[2].contains(&format!("--{check}")),
                "{row:?}"
            );
        }
        for check in [
            "scraped",
            "this daemon",
            "rules",
            "alerts leave",
            "exemplars",
            "alerts arrive",
            "routes",
        ] {
            assert_eq!(status(check), "unknown");
        }
        assert!(
            ended.error.contains("not everybody could be asked"),
            "{ended:?}"
        );
    }
    daemon.stop();
}
