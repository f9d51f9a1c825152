//! Exemplars: for each bucket of a histogram, the last trace that was measured in it.
//!
//! The memory is bounded by the buckets of the series that exist, and a measurement without a
//! recorded trace costs one look at an `Option`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use opentelemetry::trace::{SpanContext, TraceId};
use prometheus::proto::LabelPair;

use super::family::{Histogram, LabelSet, Registrar};

/// The id of a trace that was sampled.
///
/// That of the span would lead no further: it is in the trace. A scrape has little room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traced(pub TraceId);

impl Traced {
    /// None for a span that is not sampled.
    #[must_use]
    pub fn of(context: &SpanContext) -> Option<Self> {
        (context.is_valid() && context.is_sampled()).then(|| Self(context.trace_id()))
    }
}

/// A measurement and the trace that it was made in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exemplar {
    /// The trace.
    pub traced: Traced,
    /// Seconds.
    pub value: f64,
    /// Unix seconds at which it was measured.
    pub at: f64,
}

/// The exemplars of one series.
#[derive(Debug)]
pub struct Row {
    labels: Vec<(&'static str, String)>,
    /// One per bucket; the last is that of everything beyond the highest bound.
    buckets: Box<[Mutex<Option<Exemplar>>]>,
}

impl Row {
    /// The exemplar of the bucket with this number, if there is one.
    #[must_use]
    pub fn bucket(&self, number: usize) -> Option<Exemplar> {
        let cell = self.buckets.get(number)?;
        *cell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_of(&self, labels: &[LabelPair]) -> bool {
        let has = |&(name, ref value): &(&str, String)| {
            let mut same = labels.iter().filter(|pair| pair.name() == name);
            same.any(|pair| pair.value() == value)
        };
        self.labels.len() == labels.len() && self.labels.iter().all(has)
    }
}

/// The exemplars of one family.
#[derive(Debug)]
pub struct Exemplars {
    /// The full name of the family.
    pub family: String,
    bounds: Vec<f64>,
    /// One per series that is kept at hand; made when its first exemplar comes.
    rows: Box<[OnceLock<Row>]>,
    /// Whether traces go anywhere: an id that nobody can look up helps nobody.
    wanted: Arc<AtomicBool>,
}

impl Exemplars {
    /// The exemplars of the series with these labels, if it has any.
    #[must_use]
    pub fn row(&self, labels: &[LabelPair]) -> Option<&Row> {
        self.rows
            .iter()
            .filter_map(OnceLock::get)
            .find(|row| row.is_of(labels))
    }

    fn put<L: LabelSet>(&self, labels: L, exemplar: Exemplar) {
        let Some(row) = labels.slot().and_then(|slot| self.rows.get(slot)) else {
            return;
        };
        let row = row.get_or_init(|| Row {
            labels: labels.with(|values| {
                let values = values.iter().map(ToString::to_string);
                L::names().into_iter().zip(values).collect()
            }),
            buckets: (0..=self.bounds.len()).map(|_| Mutex::default()).collect(),
        });
        let bucket = self.bounds.partition_point(|&bound| bound < exemplar.value);
        *row.buckets[bucket]
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(exemplar);
    }
}

/// Durations in seconds, in buckets, each with the last trace that was measured in it.
#[derive(Clone, Debug)]
pub struct TracedHistogram<L: LabelSet> {
    histogram: Histogram<L>,
    exemplars: Arc<Exemplars>,
}

impl<L: LabelSet> TracedHistogram<L> {
    /// Registers the family and creates its series.
    ///
    /// # Panics
    /// If the name is taken or no legal metric name.
    pub fn register(to: &mut Registrar, name: &str, help: &[&str], buckets: &[f64]) -> Self {
        let histogram = Histogram::register(to, name, help, buckets);
        let exemplars = Arc::new(Exemplars {
            family: format!("{}{name}", super::family::PREFIX),
            bounds: buckets.to_vec(),
            rows: (0..L::slots()).map(|_| OnceLock::new()).collect(),
            wanted: Arc::clone(&to.exemplars_wanted),
        });
        to.exemplars.push(Arc::clone(&exemplars));
        Self {
            histogram,
            exemplars,
        }
    }

    /// Has a series from now on, if there was none.
    pub fn begin(&self, labels: L) {
        self.histogram.begin(labels);
    }

    /// Records a duration, and the trace that it was measured in if that was sampled.
    pub fn observe(&self, labels: L, duration: Duration, traced: Option<Traced>) {
        let value = duration.as_secs_f64();
        self.histogram.observe_seconds(labels, value);
        if let Some(traced) = traced
            && self.exemplars.wanted.load(Ordering::Relaxed)
        {
            let at = crate::clock::unix_seconds(jiff::Timestamp::now());
            self.exemplars.put(labels, Exemplar { traced, value, at });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::labels::Outcome;
    use opentelemetry::trace::{SpanId, TraceFlags, TraceState};

    fn context(trace: u128, flags: TraceFlags) -> SpanContext {
        SpanContext::new(
            TraceId::from(trace),
            SpanId::from(7),
            flags,
            false,
            TraceState::NONE,
        )
    }

    fn histogram() -> (Registrar, TracedHistogram<(Outcome,)>) {
        let mut to = Registrar::default();
        let histogram = TracedHistogram::register(&mut to, "a_seconds", &["A."], &[0.5, 1.0]);
        (to, histogram)
    }

    fn label(value: &str) -> Vec<LabelPair> {
        let mut pair = LabelPair::default();
        pair.set_name("outcome".to_owned());
        pair.set_value(value.to_owned());
        vec![pair]
    }

    #[test]
    fn only_a_sampled_trace_is_an_exemplar() {
        assert_eq!(Traced::of(&context(1, TraceFlags::NOT_SAMPLED)), None);
        assert_eq!(Traced::of(&context(0, TraceFlags::SAMPLED)), None);
        let traced = Traced::of(&context(1, TraceFlags::SAMPLED)).unwrap();
        assert_eq!(traced.0, TraceId::from(1));
    }

    #[test]
    fn each_bucket_of_each_series_keeps_the_last_trace() {
        let (to, histogram) = histogram();
        to.exemplars_wanted.store(true, Ordering::Relaxed);
        let traced = |trace| Traced::of(&context(trace, TraceFlags::SAMPLED));
        let seconds = Duration::from_secs_f64;
        for (outcome, value, trace) in [
            (Outcome::Success, 0.5, 1),
            (Outcome::Success, 0.75, 2),
            (Outcome::Success, 0.8, 3),
            (Outcome::Failure, 2.0, 4),
        ] {
            histogram.observe((outcome,), seconds(value), traced(trace));
        }
        histogram.observe((Outcome::Success,), seconds(0.9), None);
        let found = |outcome, bucket| {
            let row = to.exemplars[0].row(&label(outcome))?;
            let one = row.bucket(bucket)?;
            Some((one.traced.0, one.value))
        };
        assert_eq!(
            found("success", 0),
            Some((TraceId::from(1), 0.5)),
            "its bound belongs to a bucket"
        );
        assert_eq!(found("success", 1), Some((TraceId::from(3), 0.8)));
        assert_eq!(found("success", 2), None);
        assert_eq!(found("failure", 2), Some((TraceId::from(4), 2.0)));
        assert_eq!(found("held", 0), None);
    }

    #[test]
    fn without_a_receiver_of_traces_there_are_none() {
        let (to, histogram) = histogram();
        let traced = Traced::of(&context(1, TraceFlags::SAMPLED));
        histogram.observe((Outcome::Success,), Duration::ZERO, traced);
        assert!(to.exemplars[0].row(&label("success")).is_none());
    }
}
