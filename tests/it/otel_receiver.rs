//! What receivers of OTLP are sent along, and what is noticed of their answers.

use std::process::Command;

use crate::support::binary::{Daemon, ListService};
use crate::support::otlp::Receiver;

const INBOUND: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn headers_arrive_as_they_were_meant_wherever_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("headers");
    let headers = "Authorization=Basic abc+def/ghi==,X-A=one&two,X-B=a%20b%2Cc,X-C=100%";
    std::fs::write(&path, headers).unwrap();
    let path = path.display().to_string();
    for setting in [
        ("OTEL_EXPORTER_OTLP_HEADERS", headers),
        ("OTEL_EXPORTER_OTLP_HEADERS_FILE", &path),
    ] {
        let receiver = Receiver::start();
        let endpoint = receiver.endpoint();
        let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), setting];
        let daemon = Daemon::start(&ListService::start(), &settings);
        assert_eq!(daemon.process(INBOUND)["status"], "success");
        daemon.stop();
        for (name, value) in [
            ("authorization", "Basic abc+def/ghi=="),
            ("x-a", "one&two"),
            ("x-b", "a b,c"),
            ("x-c", "100%"),
        ] {
            let sent = receiver.header(name);
            assert!(!sent.is_empty(), "{setting:?}");
            for one in sent {
                assert_eq!(one.as_deref(), Some(value), "{name} of {setting:?}");
            }
        }
    }
}

#[test]
fn spans_and_lines_that_a_receiver_rejects_are_counted_and_told() {
    // partial_success (1) { rejected (1): 99, error_message (2): "kanarie" }
    let body = [&[10, 11, 8, 99, 18, 7][..], b"kanarie"].concat();
    let receiver = Receiver::answering(body);
    let endpoint = receiver.endpoint();
    for logs in ["none", "otlp"] {
        let settings = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
            ("OTEL_LOGS_EXPORTER", logs),
        ];
        let daemon = Daemon::start(&ListService::start(), &settings);
        assert_eq!(daemon.process(INBOUND)["status"], "success");
        let dropped = "match_list_processor_tracing_spans_dropped_total";
        daemon.await_metric(dropped, logs, 98.0);
        let failures = "match_list_processor_tracing_export_failures_total";
        match logs {
            "otlp" => daemon.await_metric(failures, logs, 0.0),
            _ => assert_eq!(daemon.counted("tracing_export_failures_total"), 0.0),
        }
        let (log, metrics) = daemon.stop();
        let line = "the receiver of traces rejected some of the spans";
        assert!(
            log.contains(line) && log.contains("\"rejected\":99"),
            "{log}"
        );
        let line = "the receiver of log lines rejected some of them";
        assert_eq!(log.contains(line), logs == "otlp", "{log}");
        assert!(
            !format!("{log}{metrics}").contains("kanarie"),
            "its own words"
        );
    }
}

#[test]
fn settings_that_change_nothing_are_told() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_match-list-processor"));
    command.arg("check-config").env_clear().envs([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY", "/key.pem"),
    ]);
    let output = command.output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8(told).unwrap();
    for line in [
        "OTEL_EXPORTER_OTLP_TIMEOUT \"10s\" cannot be understood and is ignored",
        "OTEL_EXPORTER_OTLP_COMPRESSION is not supported and is ignored",
        "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY is not supported and is ignored",
    ] {
        assert_eq!(told.matches(line).count(), 1, "{line}: {told}");
    }
}
