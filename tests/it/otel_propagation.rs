//! Which trace context is believed and passed on: what the settings say, and none where nobody could
//! look it up.

use crate::support::binary::{Daemon, ListService};
use crate::support::receivers::Tap;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn inbound() -> String {
    format!("00-{TRACE}-b7ad6b7169203331-01")
}

#[test]
fn without_a_propagator_no_trace_is_continued_and_none_is_sent() {
    for (propagators, continues) in [
        ("none", false),
        ("baggage", false),
        ("tracecontext", true),
        ("tracecontext,baggage", true),
    ] {
        let (tap, list) = (Tap::start(), ListService::start());
        let endpoint = tap.endpoint();
        let settings = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_PROPAGATORS", propagators),
        ];
        let daemon = Daemon::start(&list, &settings);
        assert_eq!(daemon.process(&inbound())["status"], "success");
        daemon.stop();
        let (spans, _) = tap.spans();
        let named = |name| spans.iter().find(|span| span.name == name).unwrap();
        let (server, cycle) = (named("POST /process"), named("process triggers"));
        assert_eq!(server.trace == TRACE, continues, "{propagators}");
        assert_eq!(!server.parent.is_empty(), continues, "{propagators}");
        assert_eq!(list.traceparent().contains(&cycle.trace), continues);
        assert_eq!(list.traceparent().is_empty(), !continues, "{propagators}");
        // What happens inside is one story all the same.
        assert_eq!(cycle.links.len(), 1, "{propagators}");
        assert_eq!(cycle.links[0].0, server.trace);
    }
}

#[test]
fn services_are_not_sent_a_trace_that_nobody_has() {
    let nobody = [
        vec![],
        vec![("OTEL_SDK_DISABLED", "true")],
        vec![("OTEL_TRACES_EXPORTER", "none")],
    ];
    let tap = Tap::start();
    let endpoint = tap.endpoint();
    for settings in nobody {
        let list = ListService::start();
        let to_tap = match settings.is_empty() {
            true => vec![],
            false => vec![("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())],
        };
        let daemon = Daemon::start(&list, &[to_tap, settings.clone()].concat());
        assert_eq!(daemon.process(&inbound())["status"], "success");
        assert_eq!(list.traceparent(), "", "{settings:?}");
        daemon.stop();
    }
    let list = ListService::start();
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_TRACES_SAMPLER", "always_off"),
    ];
    let daemon = Daemon::start(&list, &settings);
    daemon.process(&inbound());
    daemon.stop();
    let sent = list.traceparent();
    assert!(sent.ends_with("-00"), "that it was not sampled: {sent}");
    assert!(tap.spans().0.is_empty());
}
