//! Traces of the real daemon, read by real receivers over both forms of OTLP, and what happens when
//! the receiver is absent, refuses or hangs.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::binary::{Daemon, ListService, PERSONAL};
use crate::support::receivers::{Span, Tap, grpc_spans};

const INBOUND_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const INBOUND_SPAN: &str = "b7ad6b7169203331";

fn inbound() -> String {
    format!("00-{INBOUND_TRACE}-{INBOUND_SPAN}-01")
}

fn one<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "spans named {name}: {found:#?}");
    found[0]
}

/// What every receiver must have been told of one trigger, its cycle and its deliveries.
fn assert_tree(spans: &[Span], trace_id: &str, sent_to_list: &str) {
    let server = one(spans, "POST /process");
    assert_eq!(
        (server.trace.as_str(), server.parent.as_str()),
        (INBOUND_TRACE, INBOUND_SPAN)
    );
    assert_eq!(server.kind, "SERVER");
    let producer = one(spans, "send triggers");
    assert_eq!(
        (&producer.trace, &producer.parent),
        (&server.trace, &server.id)
    );
    assert_eq!(producer.kind, "PRODUCER");

    let cycle = one(spans, "process triggers");
    assert_eq!(
        (cycle.kind.as_str(), cycle.parent.as_str()),
        ("CONSUMER", "")
    );
    assert_eq!(cycle.trace, trace_id, "the history names the cycle's trace");
    assert_ne!(
        cycle.trace, server.trace,
        "a cycle is the root of a trace of its own"
    );
    assert_eq!(cycle.links, [(producer.trace.clone(), producer.id.clone())]);

    for stage in ["fetch", "compare", "plan", "commit"] {
        let span = one(spans, stage);
        assert_eq!(
            (&span.trace, &span.parent),
            (&cycle.trace, &cycle.id),
            "{stage}"
        );
        assert_eq!(span.kind, "INTERNAL", "{stage}");
    }
    let call = spans
        .iter()
        .find(|span| span.name == "GET" && span.trace == cycle.trace)
        .expect("the call to the list service");
    assert_eq!(
        (call.kind.as_str(), &call.parent),
        ("CLIENT", &one(spans, "fetch").id)
    );
    assert_eq!(sent_to_list, format!("00-{}-{}-01", call.trace, call.id));

    let delivered: Vec<&Span> = spans.iter().filter(|span| span.name == "deliver").collect();
    assert_eq!(
        delivered.len(),
        3,
        "two texts and an avatar: {delivered:#?}"
    );
    for span in delivered {
        assert_eq!((&span.trace, &span.parent), (&cycle.trace, &cycle.id));
        assert!(!span.failed);
    }
}

fn assert_nothing_personal(spans: &[Span], raw: &str) {
    let allowed = [
        "error.type",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "match_list_processor.attempt",
        "match_list_processor.destination",
        "messaging.batch.message_count",
        "messaging.destination.name",
        "messaging.operation.name",
        "messaging.system",
        "peer.service",
        "url.path",
    ];
    for span in spans {
        for key in &span.attributes {
            assert!(
                allowed.contains(&key.as_str()),
                "{key} left the process in {}",
                span.name
            );
        }
    }
    for canary in PERSONAL {
        assert!(!raw.contains(canary), "{canary} left the process");
    }
}

#[test]
fn over_http_the_whole_tree_arrives() {
    let tap = Tap::start();
    let list = ListService::start();
    let daemon = Daemon::start(&list, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &tap.endpoint())]);
    let record = daemon.process(&inbound());
    daemon.await_deliveries();
    let (log, metrics) = daemon.stop();
    let (spans, raw) = tap.spans();
    let trace_id = record["trace_id"].as_str().unwrap();
    assert_tree(&spans, trace_id, &list.traceparent());
    assert_nothing_personal(&spans, &format!("{raw}{log}{metrics}"));
    assert!(raw.contains("match-list-processor") || !spans.is_empty());
    assert_lines_carry_their_trace(&log, trace_id);
}

fn assert_lines_carry_their_trace(log: &str, trace_id: &str) {
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    let of_cycle = |line: &&serde_json::Value| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("cycle "))
    };
    let of_cycle: Vec<_> = lines.iter().filter(of_cycle).collect();
    assert_eq!(of_cycle.len(), 2, "its begin and its end: {log}");
    assert_eq!(of_cycle[1]["deliveries"], 3);
    for line in of_cycle {
        assert_eq!(line["trace_id"], trace_id, "{line}");
        assert_eq!(line["span_id"].as_str().unwrap().len(), 16);
    }
}

#[test]
fn over_grpc_the_whole_tree_arrives() {
    let list = ListService::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let collector = runtime.block_on(fake_opentelemetry_collector::FakeCollectorServer::start());
    let collector = collector.unwrap();
    let endpoint = collector.endpoint();
    let daemon = Daemon::start(
        &list,
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ],
    );
    let record = daemon.process(&inbound());
    daemon.await_deliveries();
    let (log, metrics) = daemon.stop();
    let spans = runtime.block_on(grpc_spans(collector));
    assert_tree(
        &spans,
        record["trace_id"].as_str().unwrap(),
        &list.traceparent(),
    );
    assert_nothing_personal(&spans, &format!("{spans:?}{log}{metrics}"));
}

#[test]
fn a_later_attempt_is_a_root_of_its_own_that_links_to_the_cycle() {
    let tap = Tap::start();
    let list = ListService::start();
    let daemon = Daemon::start_with_failing_files(
        &list,
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", &tap.endpoint())],
    );
    daemon.process(&inbound());
    daemon.await_deliveries();
    daemon.stop();
    let (spans, _) = tap.spans();
    let cycle = one(&spans, "process triggers");
    let attempts = spans.iter().filter(|span| span.name == "deliver");
    let (first, later): (Vec<&Span>, Vec<&Span>) =
        attempts.partition(|span| span.trace == cycle.trace);
    assert!(first.iter().any(|span| span.failed), "{first:#?}");
    assert!(!later.is_empty(), "there was a second attempt");
    for span in later {
        assert_eq!(span.parent, "");
        assert_eq!(span.links, [(cycle.trace.clone(), cycle.id.clone())]);
    }
}

#[test]
fn an_absent_or_refusing_receiver_costs_the_daemon_nothing() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for protocol in ["grpc", "http/protobuf"] {
        let list = ListService::start();
        let daemon = Daemon::start(
            &list,
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{nobody}")),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                ("OTEL_BSP_SCHEDULE_DELAY", "50"),
            ],
        );
        assert_eq!(daemon.process(&inbound())["status"], "success");
        daemon.await_metric(
            "match_list_processor_tracing_export_failures_total",
            protocol,
            0.0,
        );
        daemon.await_metric(
            "match_list_processor_tracing_spans_dropped_total",
            protocol,
            0.0,
        );
        daemon.stop();
    }
}

#[test]
fn a_hanging_receiver_does_not_hold_up_the_shutdown() {
    // Takes connections into its backlog and never answers.
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    for protocol in ["grpc", "http/protobuf"] {
        let list = ListService::start();
        let daemon = Daemon::start(
            &list,
            &[
                (
                    "OTEL_EXPORTER_OTLP_ENDPOINT",
                    &format!("http://{}", hanging.local_addr().unwrap()),
                ),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                ("SHUTDOWN_DEADLINE_SECONDS", "5"),
            ],
        );
        assert_eq!(daemon.process(&inbound())["status"], "success");
        let begun = Instant::now();
        daemon.stop();
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{protocol}: {:?}",
            begun.elapsed()
        );
    }
}
