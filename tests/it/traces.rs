//! Traces of the real daemon, read by real receivers over both forms of OTLP, and what happens when
//! the receiver is absent, refuses or hangs.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::binary::{Daemon, ListService};
use crate::support::kept::{Kind, canary, keep, personal, sent};
use crate::support::receivers::{Span, Tap, grpc_spans};
use crate::support::scripted::{Act, Scripted};
use crate::support::wire::{Asked, answer, serve};

const INBOUND_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const INBOUND_SPAN: &str = "b7ad6b7169203331";

fn inbound() -> String {
    format!("00-{INBOUND_TRACE}-{INBOUND_SPAN}-01")
}

/// Triggers with canaries in all that a client can send; the record of the cycle.
fn process(daemon: &Daemon) -> serde_json::Value {
    let body = serde_json::json!({ "from": canary("body") }).to_string();
    let request = format!(
        "POST /process?who={} HTTP/1.1\r\nPrefer: wait=20\r\nTraceparent: {}\r\nTracestate: email={}\r\n\
         Baggage: user={}\r\nX-From: {}\r\n\
         Authorization: Bearer {}\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        canary("query"),
        inbound(),
        canary("tracestate"),
        canary("baggage"),
        canary("header"),
        canary("user"),
        body.len()
    );
    let answer = daemon.send(&request);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
    serde_json::from_str(body).unwrap()
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
    insta::allow_duplicates! {
        insta::assert_snapshot!(tree(spans), @"
        SERVER POST /process
          . http.request.method = POST
          . http.response.status_code = 200 (int)
          . http.route = /process
          PRODUCER send triggers
            . messaging.destination.name = triggers
            . messaging.operation.name = send
            . messaging.system = match_list_processor
        CONSUMER process triggers -> send triggers
          . messaging.batch.message_count = 1 (int)
          . messaging.destination.name = triggers
          . messaging.operation.name = process
          . messaging.system = match_list_processor
          INTERNAL commit
          INTERNAL compare
          INTERNAL deliver
            . match_list_processor.attempt = 1 (int)
            . match_list_processor.destination = assets
          INTERNAL deliver
            . match_list_processor.attempt = 1 (int)
            . match_list_processor.destination = assets
          INTERNAL deliver
            . match_list_processor.attempt = 1 (int)
            . match_list_processor.destination = avatars
          INTERNAL fetch
            CLIENT GET
              . http.request.method = GET
              . http.response.status_code = 200 (int)
              . peer.service = api_client
              . server.address = 127.0.0.1
              . server.port = * (int)
              . url.path = /matches
          INTERNAL plan
        ");
    }
}

fn assert_nothing_personal(spans: &[Span], raw: &str) {
    let allowed = [
        "error.type",
        "http.request.method",
        "http.request.resend_count",
        "http.response.status_code",
        "http.route",
        "match_list_processor.attempt",
        "match_list_processor.destination",
        "messaging.batch.message_count",
        "messaging.destination.name",
        "messaging.operation.name",
        "messaging.system",
        "peer.service",
        "server.address",
        "server.port",
        "url.path",
    ];
    for span in spans {
        for key in span.attributes.keys() {
            assert!(
                allowed.contains(&key.as_str()),
                "{key} left the process in {}",
                span.name
            );
        }
    }
    for canary in personal().into_iter().chain(sent()) {
        // Some receivers print JSON in ASCII.
        let escaped: String = canary.encode_utf16().map(ascii).collect();
        for form in [canary, escaped] {
            assert!(!raw.contains(&form), "{form} left the process");
        }
    }
}

fn ascii(unit: u16) -> String {
    match u8::try_from(unit) {
        Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
        _ => format!("\\u{unit:04x}"),
    }
}

/// The two traces of a trigger and its cycle as a tree, without what differs each time.
fn tree(spans: &[Span]) -> String {
    let mut text = String::new();
    for root in ["POST /process", "process triggers"] {
        branch(spans, one(spans, root), 0, &mut text);
    }
    text
}

fn branch(spans: &[Span], span: &Span, depth: usize, text: &mut String) {
    let name_of = |id: &str| {
        spans
            .iter()
            .find(|span| span.id == id)
            .map_or("?", |span| &span.name)
    };
    let status = if span.failed { " failed" } else { "" };
    let _ = write!(
        text,
        "{}{} {}{status}",
        "  ".repeat(depth),
        span.kind,
        span.name
    );
    for (_, id) in &span.links {
        let _ = write!(text, " -> {}", name_of(id));
    }
    for (name, value) in &span.attributes {
        let value = match name.as_str() {
            "server.port" => format!(
                "*{}",
                value.trim_start_matches(|c: char| c.is_ascii_digit())
            ),
            _ => value.clone(),
        };
        let _ = write!(text, "\n{}  . {name} = {value}", "  ".repeat(depth));
    }
    text.push('\n');
    let mut below: Vec<String> = spans
        .iter()
        .filter(|one| one.parent == span.id && one.trace == span.trace)
        .map(|one| {
            let mut text = String::new();
            branch(spans, one, depth + 1, &mut text);
            text
        })
        .collect();
    below.sort();
    text.extend(below);
}

#[test]
fn over_http_the_whole_tree_arrives() {
    let tap = Tap::start();
    let list = ListService::start();
    let daemon = Daemon::start(&list, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &tap.endpoint())]);
    let record = process(&daemon);
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
    let delivered = lines.iter().filter(|line| line["message"] == "delivered");
    let delivered: Vec<_> = delivered.collect();
    assert_eq!(delivered.len(), 3, "{log}");
    for line in of_cycle.into_iter().chain(delivered) {
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
    let record = process(&daemon);
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

/// What stands in one of a histogram's series, `sum` or `count`; its labels are given with brackets.
fn figure(metrics: &str, family: &str, which: &str, labels: &str) -> f64 {
    let series = format!("match_list_processor_{family}_{which}{labels} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&series));
    line.unwrap_or_else(|| panic!("no {series}"))
        .parse()
        .unwrap()
}

/// A Drive service that takes this long for each upload.
fn slow_drive(pause: Duration) -> Scripted {
    let drive = Scripted::start(Act::status(200));
    drive.acts(move |asked| {
        if asked.head.starts_with("POST /upload_file") {
            std::thread::sleep(pause);
        }
        let body = "{\"status\":\"success\",\"file_url\":\"https://x/1\"}";
        Act::with(200, "", body)
    });
    drive
}

#[test]
fn spans_and_histograms_agree_on_how_often_and_how_long() {
    let tap = Tap::start();
    let list = ListService::slow(Duration::from_secs(1));
    let drive = slow_drive(Duration::from_millis(500));
    let (files, endpoint) = (drive.url("").to_string(), tap.endpoint());
    let settings = [
        ("ASSET_STORE_URL", files.as_str()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
    ];
    let daemon = Daemon::start(&list, &settings);
    daemon.process(&inbound());
    daemon.await_deliveries();
    let (_, metrics) = daemon.stop();
    let (spans, _) = tap.spans();
    // What takes no time worth the name is at least not nothing, and counted once.
    for (name, times, at_least, family, labels) in [
        (
            "process triggers",
            1,
            1.0,
            "cycle_duration_seconds",
            "{outcome=\"success\"}",
        ),
        (
            "POST /process",
            1,
            1.0,
            "http_request_duration_seconds",
            "{method=\"POST\",route=\"/process\"}",
        ),
        (
            "fetch",
            1,
            1.0,
            "cycle_stage_duration_seconds",
            "{stage=\"fetch\"}",
        ),
        (
            "compare",
            1,
            0.0,
            "cycle_stage_duration_seconds",
            "{stage=\"compare\"}",
        ),
        (
            "plan",
            1,
            0.0,
            "cycle_stage_duration_seconds",
            "{stage=\"plan\"}",
        ),
        (
            "commit",
            1,
            0.0,
            "cycle_stage_duration_seconds",
            "{stage=\"commit\"}",
        ),
        // A span lasts until its end is stored, too.
        (
            "deliver",
            3,
            1.5,
            "delivery_duration_seconds",
            "{class=\"files\"}",
        ),
    ] {
        let found: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
        let span = Duration::from_nanos(found.iter().map(|span| span.nanos).sum()).as_secs_f64();
        let sum = figure(&metrics, family, "sum", labels);
        let count = figure(&metrics, family, "count", labels);
        let told = format!("{name}: spans {span} s, histogram {sum} s in {count}");
        assert_eq!((found.len(), count), (times, times as f64), "{told}");
        assert!(span > at_least && sum > at_least, "{told}");
        assert!((span - sum).abs() < 0.3, "{told}");
    }
}

#[test]
fn what_is_sampled_is_for_the_settings_to_say_and_not_for_clients() {
    let unsampled = inbound().replace("-01", "-00");
    for (settings, inbound, arrives) in [
        (
            &[("OTEL_TRACES_SAMPLER", "always_off")][..],
            inbound(),
            false,
        ),
        (
            &[
                ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
                ("OTEL_TRACES_SAMPLER_ARG", "0"),
            ],
            inbound(),
            false,
        ),
        (
            &[
                ("OTEL_TRACES_SAMPLER", "traceidratio"),
                ("OTEL_TRACES_SAMPLER_ARG", "1"),
            ],
            unsampled.clone(),
            true,
        ),
        (&[("OTEL_TRACES_EXPORTER", "none")], inbound(), false),
        (&[], unsampled, true),
    ] {
        let (tap, list) = (Tap::start(), ListService::start());
        let endpoint = tap.endpoint();
        let to_tap = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
        let daemon = Daemon::start(&list, &[&to_tap, settings].concat());
        assert_eq!(daemon.process(&inbound)["status"], "success");
        daemon.await_deliveries();
        daemon.stop();
        let (spans, raw) = tap.spans();
        assert_eq!(!spans.is_empty(), arrives, "{settings:?}: {raw}");
        if arrives {
            assert_eq!(one(&spans, "POST /process").trace, INBOUND_TRACE);
            one(&spans, "process triggers");
        }
    }
}

#[test]
fn a_receiver_that_says_no_costs_the_daemon_nothing() {
    let address = serve(|mut stream| {
        if Asked::read(&stream).is_some() {
            let _ = stream.write_all(&answer("400 No", "", b""));
        }
    });
    for protocol in ["grpc", "http/protobuf"] {
        let list = ListService::start();
        let settings = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}")),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.to_owned()),
            ("OTEL_BSP_SCHEDULE_DELAY", "50".to_owned()),
        ];
        let settings: Vec<_> = settings
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let daemon = Daemon::start(&list, &settings);
        assert_eq!(daemon.process(&inbound())["status"], "success");
        let failures = "match_list_processor_tracing_export_failures_total";
        daemon.await_metric(failures, protocol, 0.0);
        daemon.stop();
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
                ("OTEL_BSP_SCHEDULE_DELAY", "50"),
                ("OTEL_BSP_MAX_QUEUE_SIZE", "32"),
                ("OTEL_LOGS_EXPORTER", "otlp"),
            ],
        );
        // The export may take ten seconds: who waits for it once is too late.
        let begun = Instant::now();
        for _ in 0..20 {
            assert_eq!(daemon.process(&inbound())["status"], "success");
        }
        assert!(
            begun.elapsed() < Duration::from_secs(9),
            "{protocol}: {:?}",
            begun.elapsed()
        );
        daemon.await_metric(
            "match_list_processor_tracing_spans_dropped_total",
            protocol,
            0.0,
        );
        let begun = Instant::now();
        daemon.stop();
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{protocol}: {:?}",
            begun.elapsed()
        );
    }
}

/// A receiver of OTLP over HTTP that keeps what is sent to each path.
fn receiver() -> (String, Arc<Mutex<Vec<(String, Vec<u8>)>>>) {
    let got = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&got);
    let address = serve(move |mut stream| {
        if let Some(asked) = Asked::read(&stream) {
            let path = asked.head.split(' ').nth(1).unwrap().to_owned();
            theirs.lock().unwrap().push((path, asked.body));
            let _ = stream.write_all(&answer("200 OK", "", b""));
        }
    });
    (format!("http://{address}"), got)
}

#[test]
fn log_lines_are_exported_only_where_they_are_wanted() {
    for (exporter, wanted) in [(None, false), (Some("none"), false), (Some("otlp"), true)] {
        let (endpoint, got) = receiver();
        let list = ListService::start();
        let mut settings = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
        settings.extend(exporter.map(|exporter| ("OTEL_LOGS_EXPORTER", exporter)));
        let daemon = Daemon::start(&list, &settings);
        let record = process(&daemon);
        daemon.await_deliveries();
        let (log, _) = daemon.stop();
        assert!(
            log.contains("cycle webhook_"),
            "{exporter:?}: the lines are written as well"
        );
        let got = got.lock().unwrap();
        let bodies = got.iter().filter(|(path, _)| path == "/v1/logs");
        let all: Vec<u8> = bodies.flat_map(|(_, body)| body.clone()).collect();
        assert_eq!(!all.is_empty(), wanted, "{exporter:?}");
        if wanted {
            let has = |bytes: &[u8]| all.windows(bytes.len()).any(|window| window == bytes);
            let id = record["trace_id"].as_str().unwrap();
            let trace = u128::from_str_radix(id, 16).unwrap().to_be_bytes();
            assert!(has(b"cycle webhook_") && has(b"processing_id") && has(&trace));
            // A field of the line that tells of the listener, and not one of those that are allowed.
            assert!(log.contains("\"address\":") && !has(b"address"));
            let text = String::from_utf8_lossy(&all);
            keep(Kind::Log, &text);
            assert_nothing_personal(&[], &text);
        }
    }
}

#[test]
fn log_lines_that_nobody_takes_are_counted() {
    let address = serve(move |mut stream| {
        if let Some(asked) = Asked::read(&stream) {
            let is_logs = asked.head.contains(" /v1/logs ");
            let code = if is_logs { "400 Bad Request" } else { "200 OK" };
            let _ = stream.write_all(&answer(code, "", b""));
        }
    });
    let endpoint = format!("http://{address}");
    let list = ListService::start();
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_LOGS_EXPORTER", "otlp"),
    ];
    let daemon = Daemon::start(&list, &settings);
    process(&daemon);
    daemon.await_metric(
        "match_list_processor_tracing_export_failures_total",
        "logs",
        0.0,
    );
    assert!(daemon.counted("tracing_spans_dropped_total") < 1.0);
    daemon.stop();
}

/// Run by `tests/run.sh` alone: the search over what is kept must find what this one lets out.
#[test]
#[ignore = "a control of tests/privacy.py, which must fail after it"]
fn a_leak_on_purpose() {
    let list = ListService::start();
    let daemon = Daemon::start(&list, &[("OTEL_TRACES_SAMPLER", canary("mobiltelefon"))]);
    let (log, _) = daemon.stop();
    assert!(
        log.contains(canary("mobiltelefon")),
        "the warning tells the value: {log}"
    );
}
