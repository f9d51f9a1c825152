//! Spans of calls: what failed and how, which server and which try it was, and that the services were
//! told of the very spans that the receiver of traces got.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::binary::{Daemon, ListService};
use crate::support::matches::{list, matches};
use crate::support::receivers::{Span, Tap};
use crate::support::scripted::{Act, Scripted};
use crate::support::wire::Asked;

/// A service that answers what begins so with 500 once, and with this body from then on.
fn failing_once(begin: &'static str, body: String) -> Scripted {
    let service = Scripted::start(Act::with(200, "", "{\"status\":\"healthy\"}"));
    let failed = AtomicBool::new(false);
    service.acts(move |asked| match asked.head.starts_with(begin) {
        true if !failed.swap(true, Ordering::Relaxed) => Act::status(500),
        true => Act::with(200, "", &body),
        false => Act::with(200, "", "{\"status\":\"healthy\"}"),
    });
    service
}

fn attribute<'a>(span: &'a Span, name: &str) -> &'a str {
    span.attributes.get(name).map_or("", String::as_str)
}

/// The spans below this one that have this name.
fn below<'a>(spans: &'a [Span], parent: &Span, name: &str) -> Vec<&'a Span> {
    let those = spans.iter().filter(|span| {
        (&span.trace, &span.parent, span.name.as_str()) == (&parent.trace, &parent.id, name)
    });
    those.collect()
}

#[test]
fn a_failed_fetch_fails_its_stage_and_its_cycle_and_the_next_says_that_it_is_the_second() {
    let tap = Tap::start();
    let body = String::from_utf8(list(&matches(1..2))).unwrap();
    let service = failing_once("GET /matches ", body);
    let (api, endpoint) = (service.url("").to_string(), tap.endpoint());
    let settings = [
        ("API_BASE_URL", api.as_str()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
    ];
    let daemon = Daemon::start(&ListService::start(), &settings);
    daemon.exchange("POST /process HTTP/1.1\r\n").unwrap();
    daemon.await_count("cycles_total{outcome=\"success\"}", 1.0);
    daemon.await_count("cycles_total{outcome=\"failure\"}", 1.0);
    daemon.stop();
    let (spans, _) = tap.spans();
    let cycles = spans.iter().filter(|span| span.name == "process triggers");
    let (failed, well): (Vec<_>, Vec<_>) = cycles.partition(|span| span.failed);
    assert_eq!((failed.len(), well.len()), (1, 1), "{spans:#?}");
    let port = format!("{} (int)", service.port());
    for (cycle, kind, status, tries) in [
        (failed[0], "status_5xx", "500 (int)", ""),
        (well[0], "", "200 (int)", "1 (int)"),
    ] {
        let fetch = below(&spans, cycle, "fetch")[0];
        let call = below(&spans, fetch, "GET")[0];
        for span in [cycle, fetch, call] {
            assert_eq!(span.failed, !kind.is_empty(), "{span:#?}");
            assert_eq!(attribute(span, "error.type"), kind, "{span:#?}");
        }
        assert_eq!(call.kind, "CLIENT");
        assert_eq!(attribute(call, "http.response.status_code"), status);
        assert_eq!(attribute(call, "http.request.resend_count"), tries);
        assert_eq!(attribute(call, "server.address"), "127.0.0.1");
        assert_eq!(attribute(call, "server.port"), port);
        // What was never begun has no span.
        assert_eq!(below(&spans, cycle, "commit").len(), 1);
        assert_eq!(
            below(&spans, cycle, "compare").len(),
            usize::from(kind.is_empty())
        );
    }
}

/// The span of the call that a service was told with a request.
fn told<'a>(spans: &'a [Span], asked: &Asked) -> &'a Span {
    let sent = asked.header("traceparent").expect("a trace context");
    let of = |span: &&Span| sent == format!("00-{}-{}-01", span.trace, span.id);
    let found: Vec<_> = spans.iter().filter(of).collect();
    assert_eq!(found.len(), 1, "{sent} in {spans:#?}");
    found[0]
}

#[test]
fn calls_of_deliveries_stand_below_them_and_the_services_know_their_spans() {
    let tap = Tap::start();
    let stored = "{\"status\":\"success\",\"file_url\":\"https://x/1\"}";
    let drive = failing_once("POST /upload_file", stored.to_owned());
    let hook = Scripted::start(Act::status(204));
    let notifications = format!(
        "[[channel]]\nname = 'hook'\nkind = 'webhook'\nurl = '{}'\nallow_private = true\n\
         [[stakeholder]]\nid = 'kim'\nrole = 'coordinator'\nminimum_priority = 'low'\nchannels = ['hook']\n",
        hook.url("/hook")
    );
    let (files, endpoint) = (drive.url("").to_string(), tap.endpoint());
    let settings = [
        ("ASSET_STORE_URL", files.as_str()),
        ("NOTIFICATIONS", &notifications),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
    ];
    let daemon = Daemon::start(&ListService::start(), &settings);
    daemon.process("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    daemon.await_count(
        "deliveries_total{destination=\"webhook\",result=\"delivered\"}",
        1.0,
    );
    daemon.await_deliveries();
    daemon.stop();
    let (spans, _) = tap.spans();
    let deliver = |call: &Span| {
        let is_parent = |span: &&Span| (&span.trace, &span.id) == (&call.trace, &call.parent);
        spans.iter().find(is_parent).expect("a span above the call")
    };
    let posts = |service: &Scripted| {
        let mut asked = service.asked();
        asked.retain(|asked| asked.head.starts_with("POST "));
        asked
    };
    let uploads = posts(&drive);
    assert_eq!(
        uploads.len(),
        4,
        "two texts, an avatar, and one of them again"
    );
    let mut failures = 0;
    for asked in uploads.iter().chain(&posts(&hook)) {
        let call = told(&spans, asked);
        let above = deliver(call);
        assert_eq!((call.kind.as_str(), call.name.as_str()), ("CLIENT", "POST"));
        assert_eq!(above.name, "deliver", "{call:#?}");
        let attempt = attribute(above, "match_list_processor.attempt");
        let tries = attribute(call, "http.request.resend_count");
        assert!(matches!(
            (attempt, tries),
            ("1 (int)", "") | ("2 (int)", "1 (int)")
        ));
        let kind = if call.failed { "status_5xx" } else { "" };
        for span in [call, above] {
            assert_eq!(
                (span.failed, attribute(span, "error.type")),
                (call.failed, kind)
            );
        }
        failures += usize::from(call.failed);
        if call.failed {
            assert_eq!(attempt, "1 (int)");
        }
    }
    assert_eq!(failures, 1);
    let hooked = spans.iter().filter(|span| {
        attribute(span, "match_list_processor.destination") == "webhook" && !span.failed
    });
    assert_eq!(hooked.count(), 1, "{spans:#?}");
}
