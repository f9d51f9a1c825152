//! Typed metric families: a family takes label values from enums and nothing else, and what is read by
//! an alert exists from the start with the value zero.

use std::marker::PhantomData;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use prometheus::core::Collector;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry,
};

use super::exemplar::Exemplars;
use super::labels::{Beside, Code, Label, Method, Outcome, Route, Timed};

/// The prefix of every family but `process_*`.
pub const PREFIX: &str = "match_list_processor_";

/// Label values of one series.
pub trait LabelSet: Copy {
    /// The labels' names.
    fn names() -> Vec<&'static str>;

    /// The label sets that exist from the start.
    fn zeroes() -> Vec<Self>;

    /// Hands the values to `f` without allocating.
    fn with<R>(self, f: impl FnOnce(&[&str]) -> R) -> R;

    /// How many series a family keeps at hand, so that counting needs no look-up by text.
    fn slots() -> usize;

    /// Where this series is kept; none for one that is looked up every time.
    fn slot(self) -> Option<usize>;
}

impl LabelSet for () {
    fn names() -> Vec<&'static str> {
        Vec::new()
    }
    fn zeroes() -> Vec<Self> {
        vec![()]
    }
    fn with<R>(self, f: impl FnOnce(&[&str]) -> R) -> R {
        f(&[])
    }
    fn slots() -> usize {
        1
    }
    fn slot(self) -> Option<usize> {
        Some(0)
    }
}

impl<A: Label> LabelSet for (A,) {
    fn names() -> Vec<&'static str> {
        vec![A::NAME]
    }
    fn zeroes() -> Vec<Self> {
        A::at_start().iter().map(|&a| (a,)).collect()
    }
    fn with<R>(self, f: impl FnOnce(&[&str]) -> R) -> R {
        f(&[self.0.text()])
    }
    fn slots() -> usize {
        A::all().len()
    }
    fn slot(self) -> Option<usize> {
        Some(self.0.index())
    }
}

impl<A: Beside<B>, B: Label> LabelSet for (A, B) {
    fn names() -> Vec<&'static str> {
        vec![A::NAME, B::NAME]
    }
    fn zeroes() -> Vec<Self> {
        A::at_start()
            .iter()
            .flat_map(|&a| B::at_start().iter().map(move |&b| (a, b)))
            .filter(|&(a, b)| a.occurs_with(b))
            .collect()
    }
    fn with<R>(self, f: impl FnOnce(&[&str]) -> R) -> R {
        f(&[self.0.text(), self.1.text()])
    }
    fn slots() -> usize {
        A::all().len() * B::all().len()
    }
    fn slot(self) -> Option<usize> {
        Some(self.0.index() * B::all().len() + self.1.index())
    }
}

/// Method of a request, and what its route is timed with.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint(pub Method, pub Timed);

impl Endpoint {
    /// The endpoint that serves this method of a route, if it is timed; HEAD is served as GET is.
    #[must_use]
    pub fn serving(method: Method, route: Route) -> Option<Self> {
        (method.read_as() == served(route)).then_some(())?;
        Some(Self(method.read_as(), route.timed()?))
    }
}

/// The method by which a route is used.
const fn served(route: Route) -> Method {
    match route.is_posted() {
        true => Method::Post,
        false => Method::Get,
    }
}

impl LabelSet for Endpoint {
    fn names() -> Vec<&'static str> {
        vec![Method::NAME, Timed::NAME]
    }
    fn zeroes() -> Vec<Self> {
        let of_routes = Route::ALL
            .iter()
            .filter_map(|&route| Self::serving(served(route), route));
        let mut all: Vec<Self> = of_routes.collect();
        all.sort_by_key(|one| one.slot());
        all.dedup_by_key(|one| one.slot());
        all
    }
    fn with<R>(self, f: impl FnOnce(&[&str]) -> R) -> R {
        f(&[self.0.text(), self.1.text()])
    }
    fn slots() -> usize {
        Method::ALL.len() * Timed::ALL.len()
    }
    fn slot(self) -> Option<usize> {
        Some(self.0.index() * Timed::ALL.len() + self.1.index())
    }
}

/// Method, route and status code of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer(pub Method, pub Route, pub Code);

impl Answer {
    /// How an answer is counted: HEAD as GET, and what has no endpoint, be it for its path or its method,
    /// as unmatched. Clients could else make series beyond the budget of a scrape.
    #[must_use]
    pub fn of(method: Method, route: Route, code: http::StatusCode) -> Self {
        match code {
            http::StatusCode::METHOD_NOT_ALLOWED => {
                Self(Method::Other, Route::Unmatched, Code(code))
            }
            _ => Self(method.read_as(), route, Code(code)),
        }
    }
}

impl LabelSet for Answer {
    fn names() -> Vec<&'static str> {
        vec![Method::NAME, Route::NAME, "code"]
    }
    /// All that clients can bring about.
    fn zeroes() -> Vec<Self> {
        let answers = |&route: &Route| {
            let methods: &[Method] = match route {
                Route::Unmatched => &[Method::Get, Method::Post, Method::Other],
                _ if route.is_posted() => &[Method::Post],
                _ => &[Method::Get],
            };
            let codes = route
                .codes()
                .iter()
                .filter_map(|&code| http::StatusCode::from_u16(code).ok());
            codes.flat_map(move |code| {
                methods
                    .iter()
                    .map(move |&method| Self(method, route, Code(code)))
            })
        };
        let no_method = Self::of(
            Method::Other,
            Route::Unmatched,
            http::StatusCode::METHOD_NOT_ALLOWED,
        );
        Route::ALL
            .iter()
            .flat_map(answers)
            .chain([no_method])
            .collect()
    }
    fn with<R>(self, f: impl FnOnce(&[&str]) -> R) -> R {
        f(&[self.0.text(), self.1.text(), self.2.text()])
    }
    fn slots() -> usize {
        Method::ALL.len() * Route::ALL.len()
    }
    /// Only what is answered in the usual case is worth its place.
    fn slot(self) -> Option<usize> {
        let usual = self.2.0 == http::StatusCode::OK;
        usual.then_some(self.0.index() * Route::ALL.len() + self.1.index())
    }
}

/// The outcome of a cycle that ran to its end.
#[derive(Clone, Copy, Debug)]
pub struct Ended(pub Outcome);

impl LabelSet for Ended {
    fn names() -> Vec<&'static str> {
        vec![Outcome::NAME]
    }
    /// A cycle that was cancelled has no end to be timed to.
    fn zeroes() -> Vec<Self> {
        let ended = Outcome::ALL
            .iter()
            .filter(|&&one| one != Outcome::Cancelled);
        ended.map(|&outcome| Self(outcome)).collect()
    }
    fn with<R>(self, f: impl FnOnce(&[&str]) -> R) -> R {
        f(&[self.0.text()])
    }
    fn slots() -> usize {
        Outcome::ALL.len()
    }
    fn slot(self) -> Option<usize> {
        Some(self.0.index())
    }
}

/// What the catalogue says of one family.
#[derive(Clone, Debug)]
pub struct FamilySpec {
    /// The full name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The labels' names.
    pub labels: Vec<&'static str>,
    /// One sentence.
    pub help: String,
    /// Upper bounds of a histogram's buckets, in seconds.
    pub buckets: Vec<f64>,
}

/// Registers families and remembers what it registered.
#[derive(Debug, Default)]
pub struct Registrar {
    /// The registry that is gathered.
    pub registry: Registry,
    /// What was registered, in order.
    pub specs: Vec<FamilySpec>,
    /// The exemplars of the families that have some.
    pub exemplars: Vec<Arc<Exemplars>>,
    /// Whether exemplars are kept.
    pub exemplars_wanted: Arc<AtomicBool>,
}

impl Registrar {
    fn add<C: Collector + Clone + 'static>(&mut self, collector: &C, spec: FamilySpec) {
        self.registry
            .register(Box::new(collector.clone()))
            .expect("family names are unique: the catalogue is fixed in the source");
        self.specs.push(spec);
    }
}

fn spec<L: LabelSet>(
    name: &str,
    kind: &'static str,
    help: &[&str],
    buckets: &[f64],
) -> (FamilySpec, Opts) {
    let help = help
        .iter()
        .map(|line| line.trim())
        .collect::<Vec<_>>()
        .join(" ");
    let name = format!("{PREFIX}{name}");
    let opts = Opts::new(name.clone(), help.clone());
    let labels = L::names();
    let buckets = buckets.to_vec();
    (
        FamilySpec {
            name,
            kind,
            labels,
            help,
            buckets,
        },
        opts,
    )
}

macro_rules! family {
    ($(#[$meta:meta])* $name:ident, $vec:ty, $value:ty, $kind:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub struct $name<L: LabelSet> {
            vec: $vec,
            at_hand: Box<[OnceLock<$value>]>,
            labels: PhantomData<fn(L)>,
        }

        impl<L: LabelSet> $name<L> {
            /// Registers the family and creates its series.
            ///
            /// # Panics
            /// If the name is taken or no legal metric name.
            pub fn register(to: &mut Registrar, name: &str, help: &[&str], buckets: &[f64]) -> Self {
                let (spec, opts) = spec::<L>(name, $kind, help, buckets);
                let vec = Self::build(opts, &spec);
                to.add(&vec, spec);
                let at_hand = (0..L::slots()).map(|_| OnceLock::new()).collect();
                let family = Self { vec, at_hand, labels: PhantomData };
                for labels in L::zeroes() {
                    family.look_up(labels);
                }
                family
            }

            /// Has a series from now on, if there was none.
            pub fn begin(&self, labels: L) {
                self.child(labels, |_| ());
            }

            /// Runs `f` on one series. It is made when it is first used, if it was not before.
            fn child<R>(&self, labels: L, f: impl FnOnce(&$value) -> R) -> R {
                match labels.slot() {
                    Some(slot) => f(self.at_hand[slot].get_or_init(|| self.look_up(labels))),
                    None => f(&self.look_up(labels)),
                }
            }

            fn look_up(&self, labels: L) -> $value {
                labels.with(|values| self.vec.with_label_values(values))
            }
        }
    };
}

family!(
    /// Counts events.
    Counter, IntCounterVec, prometheus::IntCounter, "counter"
);
family!(
    /// A whole number that goes up and down.
    Gauge, IntGaugeVec, prometheus::IntGauge, "gauge"
);
family!(
    /// A number that goes up and down, such as a time stamp in Unix seconds.
    FloatGauge, GaugeVec, prometheus::Gauge, "gauge"
);
family!(
    /// Durations in seconds, in buckets.
    Histogram, HistogramVec, prometheus::Histogram, "histogram"
);

impl<L: LabelSet> Counter<L> {
    fn build(opts: Opts, spec: &FamilySpec) -> IntCounterVec {
        IntCounterVec::new(opts, &spec.labels).expect("a legal name")
    }

    /// Adds one.
    pub fn inc(&self, labels: L) {
        self.child(labels, prometheus::IntCounter::inc);
    }

    /// Adds `n`.
    pub fn add(&self, labels: L, n: u64) {
        self.child(labels, |counter| counter.inc_by(n));
    }

    /// The count so far.
    #[must_use]
    pub fn get(&self, labels: L) -> u64 {
        self.child(labels, prometheus::IntCounter::get)
    }
}

impl<L: LabelSet> Gauge<L> {
    fn build(opts: Opts, spec: &FamilySpec) -> IntGaugeVec {
        IntGaugeVec::new(opts, &spec.labels).expect("a legal name")
    }

    /// Sets the value.
    pub fn set(&self, labels: L, value: i64) {
        self.child(labels, |gauge| gauge.set(value));
    }

    /// Sets the value from a size.
    pub fn set_size(&self, labels: L, value: usize) {
        self.set(labels, i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// The present value.
    #[must_use]
    pub fn get(&self, labels: L) -> i64 {
        self.child(labels, prometheus::IntGauge::get)
    }

    /// Adds one until the guard is dropped, also by a panic or a cancelled future.
    #[must_use]
    pub fn guard(&self, labels: L) -> InFlight {
        let gauge = self.child(labels, Clone::clone);
        gauge.inc();
        InFlight(gauge)
    }
}

/// Counts one thing in flight until it is dropped.
#[derive(Debug)]
pub struct InFlight(prometheus::IntGauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl<L: LabelSet> FloatGauge<L> {
    fn build(opts: Opts, spec: &FamilySpec) -> GaugeVec {
        GaugeVec::new(opts, &spec.labels).expect("a legal name")
    }

    /// Sets the value.
    pub fn set(&self, labels: L, value: f64) {
        self.child(labels, |gauge| gauge.set(value));
    }

    /// The present value.
    #[must_use]
    pub fn get(&self, labels: L) -> f64 {
        self.child(labels, prometheus::Gauge::get)
    }
}

impl<L: LabelSet> Histogram<L> {
    fn build(opts: Opts, spec: &FamilySpec) -> HistogramVec {
        let opts = HistogramOpts::from(opts).buckets(spec.buckets.clone());
        HistogramVec::new(opts, &spec.labels).expect("a legal name")
    }

    /// Records a duration.
    pub fn observe(&self, labels: L, duration: std::time::Duration) {
        self.observe_seconds(labels, duration.as_secs_f64());
    }

    /// Records a value in seconds.
    pub fn observe_seconds(&self, labels: L, seconds: f64) {
        self.child(labels, |histogram| histogram.observe(seconds));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::labels::{TriggerResult, TriggerSource};

    #[test]
    fn every_series_counts_for_itself() {
        let mut to = Registrar::default();
        let pairs = Counter::<(TriggerSource, TriggerResult)>::register(&mut to, "a", &["A."], &[]);
        let answers = Counter::<Answer>::register(&mut to, "b", &["B."], &[]);
        let each: Vec<_> = <(TriggerSource, TriggerResult)>::zeroes();
        let usual: Vec<_> = Method::ALL
            .iter()
            .flat_map(|&method| Route::ALL.iter().map(move |&route| (method, route)))
            .collect();
        let statuses = [http::StatusCode::OK, http::StatusCode::NOT_FOUND];
        let asked: Vec<_> = statuses
            .iter()
            .flat_map(|&code| usual.iter().map(move |&(m, r)| Answer(m, r, Code(code))))
            .collect();
        for (n, &labels) in each.iter().enumerate() {
            pairs.add(labels, n as u64);
        }
        for (n, &labels) in asked.iter().enumerate() {
            answers.add(labels, n as u64);
        }
        for (n, labels) in each.into_iter().enumerate() {
            assert_eq!(pairs.look_up(labels).get(), n as u64, "{labels:?}");
        }
        for (n, labels) in asked.into_iter().enumerate() {
            assert_eq!(answers.look_up(labels).get(), n as u64, "{labels:?}");
        }
    }
}
