//! The receivers: `oteltap` for HTTP, an in-process collector for gRPC.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use fake_opentelemetry_collector::{ExportedSpan, FakeCollectorServer};
use serde_json::Value;

use super::kept::{Kind, keep};

/// A span as both receivers tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub name: String,
    pub kind: String,
    pub links: Vec<(String, String)>,
    /// Their values, each with its type behind it unless that is a text: `1 (int)`.
    pub attributes: BTreeMap<String, String>,
    pub failed: bool,
    /// From its start to its end, in nanoseconds.
    pub nanos: u64,
}

/// A running `oteltap`, which prints what it receives.
pub struct Tap {
    child: Child,
    output: BufReader<ChildStdout>,
    port: u16,
}

impl Tap {
    pub fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut child = Command::new("oteltap")
            .args(["--port", &port.to_string()])
            .env("PYTHONUNBUFFERED", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("oteltap is not installed: run these tests through `bash tests/run.sh`");
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert!(line.starts_with("Listening"), "{line}");
        Self {
            child,
            output,
            port,
        }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends the receiver and returns all that it got, also as it stands.
    pub fn spans(mut self) -> (Vec<Span>, String) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let mut raw = String::new();
        self.output.read_to_string(&mut raw).unwrap();
        keep(Kind::Spans, &raw);
        let lines = raw
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        (
            lines
                .filter(|line| line["spanId"].is_string())
                .map(|line| of_json(&line))
                .collect(),
            raw,
        )
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn of_json(span: &Value) -> Span {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let kinds = ["", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
    Span {
        trace: text(&span["traceId"]),
        id: text(&span["spanId"]),
        parent: text(&span["parentSpanId"]),
        name: text(&span["name"]),
        kind: kinds[usize::try_from(span["kind"].as_u64().unwrap()).unwrap()].to_owned(),
        links: list(&span["links"])
            .iter()
            .map(|link| (text(&link["traceId"]), text(&link["spanId"])))
            .collect(),
        attributes: list(&span["attributes"])
            .iter()
            .map(|pair| {
                let (form, value) = pair["value"].as_object().unwrap().iter().next().unwrap();
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                (
                    text(&pair["key"]),
                    typed(form.trim_end_matches("Value"), &value),
                )
            })
            .collect(),
        failed: span["status"]["code"] == 2,
        nanos: nanos(&span["endTimeUnixNano"]) - nanos(&span["startTimeUnixNano"]),
    }
}

fn nanos(at: &Value) -> u64 {
    at.as_str().unwrap().parse().unwrap()
}

/// The value in `Some(AnyValue { value: Some(StringValue("x")) })`.
fn value_of(shown: &str) -> String {
    let (before, rest) = shown.split_once("Value(").unwrap_or(("", shown));
    let (value, _) = rest.rsplit_once(")) })").unwrap_or((rest, ""));
    let form = before.rsplit(['(', ' ']).next().unwrap_or_default();
    typed(&form.to_lowercase(), value.trim_matches('"'))
}

/// A value, and its type unless that is a text.
fn typed(form: &str, value: &str) -> String {
    match form {
        "string" => value.to_owned(),
        other => format!("{value} ({other})"),
    }
}

/// What the collector got, until nothing more comes.
pub async fn grpc_spans(mut collector: FakeCollectorServer) -> Vec<Span> {
    // POST /process, send, the cycle, its four stages, one call, three deliveries.
    let spans = collector.exported_spans(11, Duration::from_secs(10)).await;
    keep(Kind::Spans, &format!("{spans:?}"));
    spans.into_iter().map(of_exported).collect()
}

fn of_exported(span: ExportedSpan) -> Span {
    Span {
        trace: span.trace_id,
        id: span.span_id,
        parent: span.parent_span_id,
        name: span.name,
        kind: span.kind.trim_start_matches("SPAN_KIND_").to_owned(),
        links: span
            .links
            .into_iter()
            .map(|link| (link.trace_id, link.span_id))
            .collect(),
        attributes: span
            .attributes
            .into_iter()
            .map(|(name, value)| (name, value_of(&value)))
            .collect(),
        nanos: span.end_time_unix_nano - span.start_time_unix_nano,
        failed: span
            .status
            .is_some_and(|status| status.code.contains("ERROR")),
    }
}
