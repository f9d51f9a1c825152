//! What a scrape costs: time, allocations and bytes in both forms, and what a measurement costs with and
//! without a trace.

mod support;

use std::hint::black_box;
use std::time::Duration;

use allocation_counter::measure;
use match_list_processor::domain::delivery::Destination;
use match_list_processor::telemetry::exemplar::Traced;
use match_list_processor::telemetry::expose::Form;
use match_list_processor::telemetry::family::{Ended, Endpoint, LabelSet};
use match_list_processor::telemetry::labels::{Class, Dependency, Method, Outcome, Timed};
use match_list_processor::telemetry::metrics::{About, Metrics};
use opentelemetry::trace::TraceId;
use support::figures::{against, median_of, ms, title};

const RUNS: usize = 101;
/// Measurements of which the mean is told.
const MANY: u32 = 100_000;

fn configured(destinations: &[Destination], dependencies: &[Dependency]) -> Metrics {
    let metrics = Metrics::new();
    metrics.about(About {
        requested_mode: "event-driven",
        active_mode: "event-driven",
    });
    metrics.keep_exemplars();
    for &destination in destinations {
        metrics.deliver_to(destination);
    }
    for &dependency in dependencies {
        metrics.depend_on(dependency);
    }
    metrics
}

/// Measures in every bucket of the families that keep exemplars.
fn time(metrics: &Metrics, traced: Option<Traced>) {
    let bounds = metrics.specs().into_iter().flat_map(|spec| spec.buckets);
    for took in bounds.chain([1e5]).map(Duration::from_secs_f64) {
        let process = Endpoint(Method::Post, Timed::Process);
        metrics.http_request_duration.observe(process, took, traced);
        for ended in Ended::zeroes() {
            metrics.cycle_duration.observe(ended, took, traced);
        }
        for &class in Class::ALL {
            metrics.delivery_duration.observe((class,), took, traced);
        }
    }
}

#[allow(clippy::cast_precision_loss)] // A few thousand.
fn tell(metrics: &Metrics, form: Form) {
    let text = form.write(metrics);
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    let took = median_of(RUNS, || form.write(metrics));
    let used = measure(|| drop(black_box(form.write(metrics))));
    println!(
        "  {:<18} {:>9}  {:>7} allocations of {:>8} bytes together",
        format!("{form:?}"),
        ms(took),
        used.count_total,
        used.bytes_total
    );
    let (series, bytes) = (series as f64, text.len() as f64);
    against("series", series, "", "<= 1000", series <= 1000.0);
    against("bytes", bytes, "", "<= 100000", bytes <= 100_000.0);
}

fn main() {
    title(
        "scrape",
        "the metrics written in both forms, and what a measurement costs",
    );
    let traced = Some(Traced(TraceId::from(u128::MAX)));
    let full = configured(Destination::ALL, Dependency::ALL);
    time(&full, traced);
    for (name, metrics) in [
        ("no way out configured", configured(&[], &[])),
        ("all of them, an exemplar in every bucket", full),
    ] {
        println!("  {name}");
        for form in [Form::Text, Form::OpenMetrics] {
            tell(&metrics, form);
        }
    }
    // The first exemplar of a series makes room for those of its buckets.
    let metrics = configured(&[], &[]);
    time(&metrics, traced);
    for (what, traced) in [("without a trace", None), ("with a sampled trace", traced)] {
        let observe = || {
            let took = black_box(Duration::from_millis(70));
            metrics
                .cycle_duration
                .observe(Ended(Outcome::Success), took, black_box(traced));
        };
        let used = measure(observe);
        let took = median_of(RUNS / 10, || (0..MANY).for_each(|_| observe())) / MANY;
        println!(
            "  a measurement {what}: {} ns, {} allocations",
            took.as_nanos(),
            used.count_total
        );
        assert_eq!(used.count_total, 0, "a measurement {what} allocates");
    }
}
