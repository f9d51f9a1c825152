//! From a bucket of a histogram to the trace: the real Prometheus keeps the ids of the spans that the
//! real receiver got.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::support::binary::{Daemon, ListService};
use crate::support::matches::{list, matches};
use crate::support::receivers::Tap;
use crate::support::scripted::{Act, Scripted};
use crate::support::servers::Server;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What Prometheus 2.42 sends.
const ACCEPT: &str = "application/openmetrics-text;version=1.0.0,\
    application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
const INBOUND: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Head and body of a scrape.
fn scrape(daemon: &Daemon, path: &str, accept: Option<&str>) -> (String, String) {
    let accept = accept.map_or_else(String::new, |accept| format!("Accept: {accept}\r\n"));
    let request = format!("GET {path} HTTP/1.1\r\n{accept}");
    daemon.exchange(&request).expect("an answer")
}

/// The lines that have exemplars.
fn exemplars(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.contains(" # {")).collect()
}

/// An exemplar as Prometheus knows it.
#[derive(Debug)]
struct Known {
    trace: String,
    value: f64,
    /// The bound of the bucket.
    le: f64,
    /// The labels of its series.
    labels: Value,
}

fn number(text: &Value) -> f64 {
    match text.as_str().unwrap() {
        "+Inf" => f64::INFINITY,
        text => text.parse().unwrap(),
    }
}

/// All exemplars that Prometheus knows of a family, once there are at least so many.
fn known(prometheus: &Server, family: &str, least: usize) -> Vec<Known> {
    let query = format!(
        "/api/v1/query_exemplars?query=match_list_processor_{family}_bucket&start=0&end=99999999999"
    );
    Server::until(&format!("exemplars of {family}"), || {
        let data = prometheus.data(&query);
        let mut all = Vec::new();
        for series in data.as_array().unwrap() {
            for one in series["exemplars"].as_array().unwrap() {
                all.push(Known {
                    trace: one["labels"]["trace_id"].as_str().unwrap().to_owned(),
                    value: number(&one["value"]),
                    le: number(&series["seriesLabels"]["le"]),
                    labels: series["seriesLabels"].clone(),
                });
            }
        }
        (all.len() >= least).then_some(all)
    })
}

/// The bounds of a family's buckets, in order.
fn bounds(text: &str, family: &str) -> Vec<f64> {
    let begin = format!("match_list_processor_{family}_bucket{{");
    let lines = text.lines().filter(|line| line.starts_with(&begin));
    let bound = |line: &str| {
        let (_, rest) = line.split_once("le=\"").unwrap();
        number(&rest.split('"').next().unwrap().into())
    };
    let mut bounds: Vec<_> = lines.map(bound).collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    bounds
}

/// A service whose list comes at the second try.
fn list_at_the_second_try() -> Scripted {
    let service = Scripted::start(Act::status(500));
    let asked = AtomicUsize::new(0);
    service.acts(move |request| {
        let is_list = request.head.starts_with("GET /matches ");
        match is_list && asked.fetch_add(1, Ordering::Relaxed) == 0 {
            true => Act::status(500),
            false => Act::with(200, "", &String::from_utf8(list(&matches(1..2))).unwrap()),
        }
    });
    service
}

#[test]
fn prometheus_leads_to_the_trace_that_the_receiver_got() {
    let (tap, service) = (Tap::start(), list_at_the_second_try());
    let (api, endpoint) = (service.url("").to_string(), tap.endpoint());
    let settings = [
        ("API_BASE_URL", api.as_str()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
    ];
    let daemon = Daemon::start(&ListService::start(), &settings);
    let request = format!("POST /process HTTP/1.1\r\ntraceparent: {INBOUND}\r\n");
    daemon.exchange(&request).unwrap();
    daemon.await_count("cycles_total{outcome=\"failure\"}", 1.0);
    daemon.await_count("cycles_total{outcome=\"success\"}", 1.0);
    daemon.await_deliveries();
    let config = format!(
        "scrape_configs:\n  - job_name: match-list-processor\n    scrape_interval: 250ms\n    \
         scrape_timeout: 250ms\n    metrics_path: /metrics/prom\n    static_configs:\n      \
         - targets: ['{}']\n",
        daemon.address()
    );
    let prometheus = Server::prometheus(&config, &[], &["--enable-feature=exemplar-storage"]);
    let families = [
        ("cycle_duration_seconds", "process triggers", 2),
        ("delivery_duration_seconds", "deliver", 1),
        ("http_request_duration_seconds", "POST /process", 1),
    ];
    let found = families.map(|(family, _, least)| known(&prometheus, family, least));
    // Plain series come through as well.
    let sum = "/api/v1/query?query=match_list_processor_cycles_total";
    let sum = prometheus.data(sum)["result"].clone();
    let ended = |outcome| {
        let series = sum.as_array().unwrap().iter();
        let mut series = series.filter(|one| one["metric"]["outcome"] == outcome);
        series.next().unwrap()["value"][1].clone()
    };
    assert_eq!(
        (ended("success"), ended("failure")),
        ("1".into(), "1".into())
    );
    drop(prometheus);
    let (_, text) = scrape(&daemon, "/metrics/prom", None);
    daemon.stop();
    let (spans, _) = tap.spans();
    for ((family, name, _), found) in families.into_iter().zip(found) {
        let bounds = bounds(&text, family);
        for one in &found {
            let below = bounds.iter().rev().find(|&&bound| bound < one.le);
            let below = below.copied().unwrap_or(-1.0);
            assert!(
                below < one.value && one.value <= one.le,
                "{one:?}: {bounds:?}"
            );
            // Of one trace there may be several deliveries.
            let mut of_trace = spans.iter();
            let span = of_trace.find(|span| {
                let took = Duration::from_nanos(span.nanos).as_secs_f64();
                (&span.trace, span.name.as_str()) == (&one.trace, name)
                    && (took - one.value).abs() < 0.3
            });
            let span = span.unwrap_or_else(|| panic!("{family}: {one:?} in {spans:#?}"));
            if family == "cycle_duration_seconds" {
                let outcome = if span.failed { "failure" } else { "success" };
                assert_eq!(one.labels["outcome"], outcome, "{one:?}");
            }
        }
        if family == "cycle_duration_seconds" {
            let outcomes = found.iter().map(|one| one.labels["outcome"].to_string());
            let outcomes: BTreeSet<_> = outcomes.collect();
            assert_eq!(outcomes.len(), 2, "one of each: {found:?}");
        }
    }
}

#[test]
fn only_a_scraper_that_asks_is_given_openmetrics() {
    let list = ListService::start();
    let daemon = Daemon::start(&list, &[]);
    for (path, accept, expected) in [
        ("/metrics/prom", Some(ACCEPT), OPEN_METRICS),
        ("/metrics", Some(ACCEPT), OPEN_METRICS),
        (
            "/metrics/prom",
            None,
            "text/plain; version=0.0.4; charset=utf-8",
        ),
        (
            "/metrics/prom",
            Some("*/*"),
            "text/plain; version=0.0.4; charset=utf-8",
        ),
        ("/metrics", Some("*/*"), "application/json"),
        ("/metrics", None, "application/json"),
    ] {
        let (head, body) = scrape(&daemon, path, accept);
        let head = head.to_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        let content_type = format!("\r\ncontent-type: {expected}\r\n");
        assert!(head.contains(&content_type), "{path} {accept:?}: {head}");
        assert!(head.contains("\r\nvary: accept\r\n"), "{head}");
        assert_eq!(body.ends_with("# EOF\n"), expected == OPEN_METRICS);
    }
    daemon.stop();
}

#[test]
fn a_trace_that_nobody_can_look_up_is_no_exemplar() {
    let tap = Tap::start();
    let endpoint = tap.endpoint();
    let to_tap = ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str());
    for (settings, some) in [
        (vec![to_tap], true),
        (vec![to_tap, ("OTEL_TRACES_SAMPLER", "always_off")], false),
        (vec![to_tap, ("OTEL_SDK_DISABLED", "true")], false),
        (vec![], false),
    ] {
        let list = ListService::start();
        let daemon = Daemon::start(&list, &settings);
        assert_eq!(daemon.process(INBOUND)["status"], "success");
        let (_, text) = scrape(&daemon, "/metrics/prom", Some(ACCEPT));
        assert_eq!(!exemplars(&text).is_empty(), some, "{settings:?}");
        let (_, text) = scrape(&daemon, "/metrics/prom", None);
        assert!(exemplars(&text).is_empty(), "the older form has none");
        daemon.stop();
    }
}
