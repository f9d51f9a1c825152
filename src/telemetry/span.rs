//! Every span of the program, made here, with the names of OpenTelemetry's semantic conventions.
//! No attribute holds personal data.

use http::HeaderMap;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, Status, TraceContextExt};
use opentelemetry::{Context, global};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::exemplar::Traced;
use super::labels::{ErrorKind, Stage};
use crate::domain::delivery::Destination;

const TRACEPARENT: &str = "traceparent";

/// Links that one span carries at most.
const MAX_LINKS: usize = 128;

/// The spans that every request has.
pub const OF_REQUESTS: &[&str] = &["request", "send"];

/// The span of a request, continuing the trace that its headers name.
#[must_use]
pub fn server(method: &'static str, route: &'static str, headers: &HeaderMap) -> Span {
    let span = info_span!(
        "request",
        otel.name = %format_args!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
    );
    if !span.is_disabled()
        && let Some(parent) = context_in(headers)
    {
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
    span
}

/// The span of handing a trigger to the queue.
#[must_use]
pub fn send_trigger(parent: &Span) -> Span {
    info_span!(
        parent: parent,
        "send",
        otel.name = "send triggers",
        otel.kind = "producer",
        messaging.system = "match_list_processor",
        messaging.operation.name = "send",
        messaging.destination.name = "triggers",
    )
}

/// The span of a cycle: the root of a trace of its own, linked to the triggers that it serves.
#[must_use]
pub fn cycle(links: &[String]) -> Span {
    // An unsigned number would be sent as a text.
    let triggers = i64::try_from(links.len()).unwrap_or(i64::MAX);
    let span = info_span!(
        parent: None,
        "cycle",
        otel.name = "process triggers",
        otel.kind = "consumer",
        messaging.system = "match_list_processor",
        messaging.operation.name = "process",
        messaging.destination.name = "triggers",
        messaging.batch.message_count = triggers,
    );
    for link in links.iter().take(MAX_LINKS) {
        if let Some(context) = context_of(link) {
            span.add_link(context);
        }
    }
    span
}

/// The span of a stage of a cycle.
#[must_use]
pub fn stage(stage: Stage) -> Span {
    info_span!("stage", otel.name = stage.label(), otel.kind = "internal")
}

tokio::task_local! {
    /// How often what is done now was tried before.
    static RESENT: u32;
}

/// Does something that was tried so often before, which the spans of its calls tell.
pub fn resent<F: Future>(before: u32, attempt: F) -> impl Future<Output = F::Output> {
    RESENT.scope(before, attempt)
}

/// The span of one call to another service.
#[must_use]
pub fn client(method: &'static str, service: &'static str, path: &'static str) -> Span {
    let span = info_span!(
        "client",
        otel.name = method,
        otel.kind = "client",
        http.request.method = method,
        url.path = path,
        peer.service = service,
    );
    let resent = RESENT.try_with(|&before| before).unwrap_or_default();
    if resent > 0 {
        span.set_attribute("http.request.resend_count", i64::from(resent));
    }
    span
}

/// Notes which server a call goes to: its name or its address, and the port.
pub fn towards(span: &Span, host: &str, port: u16) {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    span.set_attribute("server.address", host.to_owned());
    span.set_attribute("server.port", i64::from(port));
}

/// The span of one call to another service that speaks no HTTP.
#[must_use]
pub fn command(operation: &'static str, service: &'static str) -> Span {
    info_span!(
        "client",
        otel.name = operation,
        otel.kind = "client",
        peer.service = service,
    )
}

/// The span of an attempt to deliver. The first belongs to the trace of the cycle; a later one, which
/// may come days after, is a root of its own with a link.
#[must_use]
pub fn deliver(destination: Destination, attempt: u32, cycle: Option<&str>) -> Span {
    let span = info_span!(
        parent: None,
        "deliver",
        otel.name = "deliver",
        otel.kind = "internal",
        match_list_processor.destination = destination.label(),
        match_list_processor.attempt = i64::from(attempt),
    );
    if let Some(context) = cycle.and_then(context_of) {
        if attempt == 1 {
            let _ = span.set_parent(Context::new().with_remote_span_context(context));
        } else {
            span.add_link(context);
        }
    }
    span
}

/// Marks a span as failed.
pub fn fail(span: &Span, kind: ErrorKind) {
    span.set_attribute("error.type", kind.label());
    span.set_status(Status::error(""));
}

/// Notes the status code of an answer.
pub fn answered(span: &Span, status: u16) {
    span.set_attribute("http.response.status_code", i64::from(status));
}

/// Notes the status code that a request was answered with; only the server's own fault is a failure.
pub fn served(span: &Span, status: u16) {
    answered(span, status);
    if status >= 500 {
        span.set_attribute("error.type", status.to_string());
        span.set_status(Status::error(""));
    }
}

/// The trace that a span belongs to, if spans are recorded at all.
#[must_use]
pub fn trace_id(span: &Span) -> Option<String> {
    let context = span.context();
    let context = context.span().span_context().clone();
    context.is_valid().then(|| context.trace_id().to_string())
}

/// What an exemplar says of a span; none if the span is not sampled.
#[must_use]
pub fn sampled(span: &Span) -> Option<Traced> {
    if span.is_disabled() {
        return None;
    }
    Traced::of(span.context().span().span_context())
}

/// The W3C form of a span's context, to be stored and linked to later.
#[must_use]
pub fn traceparent_of(span: &Span) -> Option<String> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let context = context.span().span_context().clone();
    context.is_valid().then(|| text_of(&context))
}

fn text_of(context: &SpanContext) -> String {
    let flags = context.trace_flags().to_u8();
    let (trace, span) = (context.trace_id(), context.span_id());
    format!("00-{trace}-{span}-{flags:02x}")
}

/// The W3C trace context that came with a request, if it is valid.
#[must_use]
pub fn inbound(headers: &HeaderMap) -> Option<String> {
    context_in(headers).map(|context| text_of(&context))
}

/// The same, as the propagator of this process understands it.
fn context_in(headers: &HeaderMap) -> Option<SpanContext> {
    if !headers.contains_key(TRACEPARENT) {
        return None;
    }
    let extract = |propagator: &dyn TextMapPropagator| {
        propagator.extract_with_context(&Context::new(), &Headers(headers))
    };
    let context = global::get_text_map_propagator(extract);
    let context = context.span().span_context().clone();
    context.is_valid().then_some(context)
}

/// Adds the W3C trace context of a span to a request's headers, unless nothing is to be sent.
pub fn inject(span: &Span, headers: &mut HeaderMap) {
    let context = span.context();
    if context.span().span_context().is_valid() {
        let inject = |propagator: &dyn TextMapPropagator| {
            propagator.inject_context(&context, &mut HeadersMut(headers));
        };
        global::get_text_map_propagator(inject);
    }
}

/// Has this process read and send W3C trace context from now on. Until then it does neither.
pub fn propagate() {
    global::set_text_map_propagator(TraceContextPropagator::new());
}

fn context_of(traceparent: &str) -> Option<SpanContext> {
    let mut headers = HeaderMap::new();
    headers.insert(TRACEPARENT, traceparent.parse().ok()?);
    let context =
        TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(&headers));
    let context = context.span().span_context().clone();
    context.is_valid().then_some(context)
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        // A `tracestate` may hold anything, and would be told with every span.
        let known = Some(key).filter(|&key| key == TRACEPARENT);
        known.and_then(|key| self.0.get(key)?.to_str().ok())
    }
    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

struct HeadersMut<'a>(&'a mut HeaderMap);

impl Injector for HeadersMut<'_> {
    fn set(&mut self, key: &str, value: String) {
        // The propagator writes a `tracestate` also where there is none.
        if value.is_empty() {
            return;
        }
        if let (Ok(name), Ok(value)) = (key.parse::<http::HeaderName>(), value.parse()) {
            self.0.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

    use super::*;

    #[test]
    fn a_context_without_a_state_sends_none() {
        let sent = |state: TraceState| {
            let (trace, span) = (TraceId::from(7_u128), SpanId::from(9_u64));
            let context = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, state);
            let context = Context::new().with_remote_span_context(context);
            let mut headers = HeaderMap::new();
            TraceContextPropagator::new().inject_context(&context, &mut HeadersMut(&mut headers));
            assert!(headers.contains_key("traceparent"));
            headers.get("tracestate").cloned()
        };
        assert_eq!(sent(TraceState::default()), None);
        let state = TraceState::from_key_value([("club", "1")]).unwrap();
        assert_eq!(sent(state).unwrap(), "club=1");
    }
}
