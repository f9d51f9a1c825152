//! What a scrape costs: time, allocations and bytes in both forms, and what a measurement costs with and
//! without a trace.

mod support;

use std::hint::black_box;
use std::time::Duration;

use allocation_counter::measure;
use match_list_processor::telemetry::exemplar::Traced;
use match_list_processor::telemetry::expose::Form;
use match_list_processor::telemetry::family::Ended;
use match_list_processor::telemetry::labels::Outcome;
use match_list_processor::telemetry::metrics::{About, Metrics};
use opentelemetry::trace::TraceId;
use support::figures::{against, median_of, ms, title};

const RUNS: usize = 101;
/// Measurements of which the mean is told.
const MANY: u32 = 100_000;

fn main() {
    title(
        "scrape",
        "the metrics written in both forms, and what a measurement costs",
    );
    let metrics = Metrics::new();
    metrics.about(About {
        requested_mode: "event-driven",
        active_mode: "event-driven",
    });
    metrics.keep_exemplars();
    let traced = Some(Traced(TraceId::from(u128::MAX)));
    for millis in [10, 70, 200, 400, 900, 2000] {
        let took = Duration::from_millis(millis);
        metrics
            .cycle_duration
            .observe(Ended(Outcome::Success), took, traced);
    }
    for (form, name) in [
        (Form::Text, "Prometheus text"),
        (Form::OpenMetrics, "OpenMetrics"),
    ] {
        let text = form.write(&metrics);
        let series = text.lines().filter(|line| !line.starts_with('#')).count();
        let took = median_of(RUNS, || form.write(&metrics));
        let used = measure(|| drop(black_box(form.write(&metrics))));
        println!(
            "  {name:<18} {:>9}  {:>7} allocations of {:>8} bytes together",
            ms(took),
            used.count_total,
            used.bytes_total
        );
        #[allow(clippy::cast_precision_loss)] // A few thousand.
        let (series, bytes) = (series as f64, text.len() as f64);
        against("series", series, "", "<= 1000", series <= 1000.0);
        against("bytes", bytes, "", "<= 100000", bytes <= 100_000.0);
    }
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
