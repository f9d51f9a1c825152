//! From a bucket of a histogram to the trace: the real Prometheus keeps the ids of the spans that the
//! real receiver got.

use std::collections::BTreeSet;

use crate::support::binary::{Daemon, ListService};
use crate::support::receivers::Tap;
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

/// The traces of all exemplars that Prometheus knows of a family, once it knows some.
fn known(prometheus: &Server, family: &str) -> BTreeSet<String> {
    let query = format!(
        "/api/v1/query_exemplars?query=match_list_processor_{family}_bucket&start=0&end=99999999999"
    );
    Server::until(&format!("exemplars of {family}"), || {
        let data = prometheus.data(&query);
        let series = data.as_array().unwrap().iter();
        let all = series.flat_map(|one| one["exemplars"].as_array().unwrap());
        let ids = all.map(|one| one["labels"]["trace_id"].as_str().unwrap().to_owned());
        let ids: BTreeSet<_> = ids.collect();
        (!ids.is_empty()).then_some(ids)
    })
}

#[test]
fn prometheus_leads_to_the_trace_that_the_receiver_got() {
    let tap = Tap::start();
    let list = ListService::start();
    let daemon = Daemon::start(&list, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &tap.endpoint())]);
    let record = daemon.process(INBOUND);
    daemon.await_deliveries();
    let config = format!(
        "scrape_configs:\n  - job_name: match-list-processor\n    scrape_interval: 250ms\n    \
         scrape_timeout: 250ms\n    metrics_path: /metrics/prom\n    static_configs:\n      \
         - targets: ['{}']\n",
        daemon.address()
    );
    let prometheus = Server::prometheus(&config, &[], &["--enable-feature=exemplar-storage"]);
    let families = [
        ("cycle_duration_seconds", "process triggers"),
        ("delivery_duration_seconds", "deliver"),
        ("http_request_duration_seconds", "POST /process"),
    ];
    let found = families.map(|(family, _)| known(&prometheus, family));
    let trace = record["trace_id"].as_str().unwrap();
    assert_eq!(found[0], BTreeSet::from([trace.to_owned()]));
    // Plain series come through as well.
    let sum = "/api/v1/query?query=match_list_processor_cycles_total";
    let sum = prometheus.data(sum)["result"].clone();
    let success = sum.as_array().unwrap().iter();
    let success = success.filter(|one| one["metric"]["outcome"] == "success");
    let values: Vec<_> = success.map(|one| one["value"][1].clone()).collect();
    assert_eq!(values, ["1"]);
    drop(prometheus);
    daemon.stop();
    let (spans, _) = tap.spans();
    for ((family, span), found) in families.into_iter().zip(found) {
        let sent = spans.iter().filter(|one| one.name == span);
        let sent: BTreeSet<_> = sent.map(|one| one.trace.clone()).collect();
        assert!(found.is_subset(&sent), "{family}: {found:?} of {sent:?}");
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
