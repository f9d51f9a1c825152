//! What a scrape costs at most: everything configured, everything counted, an exemplar in every bucket.

use std::time::Duration;

use opentelemetry::trace::TraceId;
use prometheus::proto::{Metric, MetricType};

use super::exemplar::Traced;
use super::expose::Form;
use super::family::{Answer, Ended, Endpoint, LabelSet, PREFIX};
use super::labels::{Beside, Class, Dependency, Label, Stage};
use super::metrics::{About, Metrics};
use crate::domain::delivery::Destination;

/// Of each event.
const TIMES: u64 = 1_234_567;
/// Of a moment, with all the digits that one has.
const MOMENT: f64 = 1_764_142_284.123_456;

fn each<A: Label>() -> impl Iterator<Item = (A,)> {
    A::all().iter().map(|&a| (a,))
}

fn pairs<A: Beside<B>, B: Label>() -> impl Iterator<Item = (A, B)> {
    let all = A::all()
        .iter()
        .flat_map(|&a| B::all().iter().map(move |&b| (a, b)));
    all.filter(|&(a, b)| a.occurs_with(b))
}

fn configured() -> Metrics {
    let metrics = Metrics::new();
    metrics.about(About {
        requested_mode: "event-driven",
        active_mode: "event-driven",
    });
    metrics.keep_exemplars();
    for &destination in Destination::ALL {
        metrics.deliver_to(destination);
    }
    for &dependency in Dependency::ALL {
        metrics.depend_on(dependency);
    }
    metrics
}

macro_rules! count {
    ($metrics:ident: $($family:ident $each:expr;)+) => {
        $(for labels in $each { $metrics.$family.add(labels, TIMES); })+
    };
}

fn count_everything(metrics: &Metrics) {
    let once = || [()];
    count! { metrics:
        http_requests Answer::zeroes();
        http_connections_closed each();
        triggers pairs();
        auth_refusals each();
        filter_errors each();
        schedule_missed once();
        cycles_started once();
        cycles each();
        cycles_with_changes once();
        cycle_stage_failures pairs();
        match_list_anomalies each();
        changes pairs();
        assets pairs();
        deliveries pairs();
        delivery_attempts pairs();
        delivery_breaker_opened each();
        dead_letters_made pairs();
        client_requests pairs();
        client_retries each();
        store_errors each();
        starts each();
        tracing_spans_dropped once();
        tracing_export_failures once();
        panics once();
        log_events each();
    }
    for labels in pairs() {
        metrics.outbox_entries.set_size(labels, 123_456);
    }
    for labels in each() {
        metrics.outbox_oldest_entry_timestamp.set(labels, MOMENT);
    }
    for labels in each() {
        metrics
            .dependency_last_success_timestamp
            .set(labels, MOMENT);
    }
    metrics.queue_oldest_trigger_timestamp.set((), MOMENT);
    metrics.cycle_last_start_timestamp.set((), MOMENT);
    metrics.cycle_last_success_timestamp.set((), MOMENT);
}

/// Measures in every bucket of every histogram. Returns how many exemplars that makes.
fn time_everything(metrics: &Metrics) -> usize {
    let traced = Some(Traced(TraceId::from(u128::MAX)));
    let mut exemplars = 0;
    for spec in metrics.specs() {
        let (mut below, before) = (0.0, exemplars);
        for bound in spec.buckets.iter().copied().chain([1e5]) {
            let took = Duration::from_secs_f64(bound.min(below + 0.000_123_456));
            below = bound;
            match spec.name.trim_start_matches(PREFIX) {
                "http_request_duration_seconds" => {
                    for labels in Endpoint::zeroes() {
                        metrics.http_request_duration.observe(labels, took, None);
                    }
                    // Only triggers are part of a trace.
                    let posted = Endpoint::zeroes()
                        .into_iter()
                        .find(|one| one.with(|values| values == ["POST", "/process"]));
                    metrics
                        .http_request_duration
                        .observe(posted.unwrap(), took, traced);
                    exemplars += 1;
                }
                "cycle_duration_seconds" => {
                    for labels in Ended::zeroes() {
                        metrics.cycle_duration.observe(labels, took, traced);
                        exemplars += 1;
                    }
                }
                "delivery_duration_seconds" => {
                    for labels in each::<Class>() {
                        metrics.delivery_duration.observe(labels, took, traced);
                        exemplars += 1;
                    }
                }
                "cycle_stage_duration_seconds" => {
                    each::<Stage>().for_each(|one| metrics.cycle_stage_duration.observe(one, took));
                }
                "delivery_latency_seconds" => {
                    each().for_each(|one| metrics.delivery_latency.observe(one, took));
                }
                "client_request_duration_seconds" => {
                    each().for_each(|one| metrics.client_request_duration.observe(one, took));
                }
                "queue_wait_duration_seconds" => metrics.queue_wait_duration.observe((), took),
                "store_commit_duration_seconds" => metrics.store_commit_duration.observe((), took),
                _ => assert_eq!(exemplars, before),
            }
        }
    }
    exemplars
}

fn series(text: &str) -> usize {
    text.lines().filter(|line| !line.starts_with('#')).count()
}

fn is_unused(kind: MetricType, one: &Metric) -> bool {
    match kind {
        MetricType::COUNTER => one.get_counter().get_value() == 0.0,
        MetricType::HISTOGRAM => one.get_histogram().get_sample_count() == 0,
        _ => false,
    }
}

/// What one scrape takes from the allocator, which is most of its time.
fn assert_cheap(form: Form, metrics: &Metrics, series: usize) {
    let used = allocation_counter::measure(|| drop(form.write(metrics)));
    let (count, bytes) = (used.count_total, used.bytes_total);
    println!("{form:?}: {count} allocations of {bytes} bytes together");
    assert!(count <= 6 * series as u64, "{form:?}: {count} allocations");
    assert!(bytes <= 600_000, "{form:?}: {bytes} bytes allocated");
}

#[test]
fn nothing_that_can_happen_takes_a_scrape_beyond_its_budget() {
    let metrics = configured();
    let before = series(&Form::Text.write(&metrics));
    count_everything(&metrics);
    let exemplars = time_everything(&metrics);
    for family in metrics.gather() {
        let kind = family.get_field_type();
        let unused = family.get_metric().iter().find(|one| is_unused(kind, one));
        let own = family.name().starts_with(PREFIX);
        assert!(!own || unused.is_none(), "{}: {unused:?}", family.name());
    }
    for form in [Form::Text, Form::OpenMetrics] {
        let text = form.write(&metrics);
        let count = series(&text);
        println!("{form:?}: {count} series, {} bytes", text.len());
        assert_eq!(count, before, "an event made a series");
        assert!(count <= 1000, "{form:?}: {count} series");
        assert!(text.len() <= 100_000, "{form:?}: {} bytes", text.len());
        let named = text.lines().filter(|line| line.contains(" # {")).count();
        let kept = if form == Form::Text { 0 } else { exemplars };
        assert_eq!(named, kept);
        assert_cheap(form, &metrics, count);
    }
}
