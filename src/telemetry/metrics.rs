//! The catalogue of metrics: the one place where a family is named, explained and registered.
//!
//! The doc comment of a field is the family's HELP text.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::exemplar::{Exemplars, TracedHistogram};
use super::family::{
    Answer, Counter, Ended, Endpoint, FamilySpec, FloatGauge, Gauge, Histogram, PREFIX, Registrar,
};
use super::labels::{
    Anomaly, AssetResult, AttemptResult, Beside, CallResult, Class, Closed, DeadReason,
    DeliveryResult, Dependency, ErrorKind, Level, Outcome, Previous, Stage, StoreError,
    TriggerResult, TriggerSource,
};
use crate::auth::{Refusal, Scheme};
use crate::domain::change::{Category, Priority};
use crate::domain::delivery::{DeliveryState, Destination};
use crate::domain::plan::AssetKind;
use crate::filter::RuleErrorKind;

// A bucket is a series of every value of the labels. Thresholds of alerts and objectives are bounds; what lies
// between them is as fine as it helps whoever looks.
const HTTP: &[f64] = &[0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];
const CYCLE: &[f64] = &[
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
];
const STAGE: &[f64] = &[0.05, 0.25, 1.0, 5.0, 10.0, 60.0, 300.0];
const CLIENT: &[f64] = &[0.01, 0.05, 0.25, 1.0, 10.0, 30.0];
const ATTEMPT: &[f64] = &[0.05, 0.25, 1.0, 5.0, 30.0];
const WAIT: &[f64] = &[0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0];
const DELIVERY: &[f64] = &[1.0, 5.0, 15.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0];
const COMMIT: &[f64] = &[
    0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0,
];

macro_rules! catalogue {
    ($(
        $(#[doc = $help:literal])+
        $field:ident: $kind:ident<$labels:ty> = $name:literal $(, $buckets:expr)?;
    )+) => {
        /// Every metric of the program, with the registry that they live in.
        #[derive(Debug)]
        pub struct Metrics {
            registrar: Registrar,
            destinations: AtomicUsize,
            $($(#[doc = $help])+ pub $field: $kind<$labels>,)+
        }

        impl Metrics {
            /// Registers every family in a registry of its own.
            #[must_use]
            pub fn new() -> Self {
                let mut to = Registrar::default();
                $(
                    let buckets: &[f64] = &[];
                    $(let buckets = { let _ = buckets; $buckets };)?
                    let $field = $kind::register(&mut to, $name, &[$($help),+], buckets);
                )+
                let metrics = Self { registrar: to, destinations: AtomicUsize::new(0), $($field),+ };
                // Nothing is down before a probe has failed, nor what is not in use.
                for &dependency in Dependency::ALWAYS {
                    metrics.dependency_up.set((dependency,), 1);
                }
                for &destination in Destination::ALWAYS {
                    metrics.deliver_to(destination);
                }
                metrics
            }
        }
    };
}

catalogue! {
    /// HTTP requests, incremented when the answer is ready to be sent. HEAD counts as GET; a path or a
    /// method that is not served, and what is malformed, as unmatched.
    http_requests: Counter<Answer> = "http_requests_total";
    /// Seconds from the head of a request to its answer being ready. All that is not asked by senders is timed
    /// in groups: `health`, `metrics`, `status` and `admin`.
    http_request_duration: TracedHistogram<Endpoint> = "http_request_duration_seconds", HTTP;
    /// HTTP requests that are being answered at this moment.
    http_requests_in_flight: Gauge<()> = "http_requests_in_flight";
    /// Connections that are open at this moment.
    http_connections: Gauge<()> = "http_connections";
    /// Connections closed, incremented when the last byte is through, by reason.
    http_connections_closed: Counter<(Closed,)> = "http_connections_closed_total";

    /// Requests for a cycle, incremented when one is stored, ignored or refused.
    triggers: Counter<(TriggerSource, TriggerResult)> = "triggers_total";
    /// Requests that may not trigger, incremented per refusal, by what was wrong with them.
    auth_refusals: Counter<(Refusal,)> = "auth_refusals_total";
    /// 1 for the scheme by which senders show that they may trigger, else 0.
    auth_scheme: Gauge<(Scheme,)> = "auth_scheme";
    /// Secrets that count at this moment, read at the scrape.
    auth_secrets: Gauge<()> = "auth_secrets";
    /// 1 while everybody who reaches the public listener over a network may trigger, else 0.
    auth_open: Gauge<()> = "auth_open";
    /// Rules of filters that could not be asked about a request, by why.
    filter_errors: Counter<(RuleErrorKind,)> = "filter_errors_total";
    /// Triggers that wait for a cycle, read from the store at the scrape.
    queue_depth: Gauge<()> = "queue_depth";
    /// Triggers that may wait at most.
    queue_capacity: Gauge<()> = "queue_capacity";
    /// Unix time at which the oldest waiting trigger was accepted; 0 when none waits.
    queue_oldest_trigger_timestamp: FloatGauge<()> = "queue_oldest_trigger_timestamp_seconds";
    /// Seconds that a trigger waited until a cycle took it up, once for each cycle that does.
    queue_wait_duration: Histogram<()> = "queue_wait_duration_seconds", WAIT;

    /// Moments of the schedule that passed more than a minute before a cycle was asked for; one makes
    /// up for all of them.
    schedule_missed: Counter<()> = "schedule_missed_total";
    /// Cycles begun, incremented when the triggers are taken up.
    cycles_started: Counter<()> = "cycles_started_total";
    /// Cycles ended, incremented at the end, by outcome.
    cycles: Counter<(Outcome,)> = "cycles_total";
    /// Cycles that committed at least one change.
    cycles_with_changes: Counter<()> = "cycles_with_changes_total";
    /// Cycles that run at this moment.
    cycles_in_progress: Gauge<()> = "cycles_in_progress";
    /// Seconds that a cycle took until its end was committed, by outcome; one that a stop cancelled is not timed.
    cycle_duration: TracedHistogram<Ended> = "cycle_duration_seconds", CYCLE;
    /// Seconds that a stage of a cycle took.
    cycle_stage_duration: Histogram<(Stage,)> = "cycle_stage_duration_seconds", STAGE;
    /// Stages that failed, incremented once per cycle that ends by it.
    cycle_stage_failures: Counter<(Stage, ErrorKind)> = "cycle_stage_failures_total";
    /// Unix time at which the last cycle began, kept over restarts; 0 when there was none.
    cycle_last_start_timestamp: FloatGauge<()> = "cycle_last_start_timestamp_seconds";
    /// Unix time at which a cycle last succeeded, kept over restarts; 0 when none did.
    cycle_last_success_timestamp: FloatGauge<()> = "cycle_last_success_timestamp_seconds";

    /// Matches in the snapshot.
    matches: Gauge<()> = "matches";
    /// Bytes of the list that was last read.
    match_list_bytes: Gauge<()> = "match_list_bytes";
    /// Odd entries of lists that were read, incremented per entry and fetch.
    match_list_anomalies: Counter<(Anomaly,)> = "match_list_anomalies_total";
    /// Changes committed.
    changes: Counter<(Category, Priority)> = "changes_total";
    /// Files for matches, incremented when one is stored, found unchanged, skipped or failed.
    assets: Counter<(AssetKind, AssetResult)> = "assets_total";

    /// Deliveries that came to an end, by result.
    deliveries: Counter<(Destination, DeliveryResult)> = "deliveries_total";
    /// Attempts to deliver, incremented when one ends.
    delivery_attempts: Counter<(Destination, AttemptResult)> = "delivery_attempts_total";
    /// Seconds that one attempt to deliver took, by whom it was for: files, services or people.
    delivery_duration: TracedHistogram<(Class,)> = "delivery_duration_seconds", ATTEMPT;
    /// Channels of a destination that are down, so that deliveries to them are held back.
    delivery_breaker_open: Gauge<(Destination,)> = "delivery_breaker_open";
    /// Times that deliveries began to be held back because the destination is down.
    delivery_breaker_opened: Counter<(Destination,)> = "delivery_breaker_opened_total";
    /// Attempts ahead of schedule that are left for a destination that comes and goes.
    delivery_retry_budget: FloatGauge<(Destination,)> = "delivery_retry_budget";
    /// Seconds from the commit of a change, or the end of the wait that it was planned with, to its delivery.
    delivery_latency: Histogram<(Destination,)> = "delivery_latency_seconds", DELIVERY;
    /// Entries of the outbox that wait, are being made or were given up, read from the store at the scrape.
    outbox_entries: Gauge<(Destination, DeliveryState)> = "outbox_entries";
    /// Unix time at which the oldest undelivered entry was committed, or may go out; 0 when there is none.
    outbox_oldest_entry_timestamp: FloatGauge<(Destination,)> = "outbox_oldest_entry_timestamp_seconds";
    /// Deliveries given up that wait for a person, read from the store at the scrape.
    dead_letters: Gauge<(Destination,)> = "dead_letters";
    /// Critical deliveries given up that wait for a person, read from the store at the scrape.
    critical_dead_letters: Gauge<()> = "critical_dead_letters";
    /// Deliveries given up, incremented when it happens.
    dead_letters_made: Counter<(Destination, DeadReason)> = "dead_letters_total";

    /// Calls to other services, incremented when one ends.
    client_requests: Counter<(Dependency, CallResult)> = "client_requests_total";
    /// Seconds that a call to another service took, its body included.
    client_request_duration: Histogram<(Dependency,)> = "client_request_duration_seconds", CLIENT;
    /// Calls to other services that repeat one that failed.
    client_retries: Counter<(Dependency,)> = "client_retries_total";
    /// 0 while the last probe of a service was not answered well, or nothing can be delivered to it, else 1.
    dependency_up: Gauge<(Dependency,)> = "dependency_up";
    /// Unix time at which a probe of a service was last answered well, or a look at the list ended well; 0 when none was.
    dependency_last_success_timestamp: FloatGauge<(Dependency,)> = "dependency_last_success_timestamp_seconds";

    /// Seconds that a commit of the store took, the sync to disk included.
    store_commit_duration: Histogram<()> = "store_commit_duration_seconds", COMMIT;
    /// Failures of the store, incremented per operation that failed.
    store_errors: Counter<(StoreError,)> = "store_errors_total";
    /// 1 while the store accepts writes, else 0.
    store_writable: Gauge<()> = "store_writable";
    /// Starts of the program, by how the run before it ended.
    starts: Counter<(Previous,)> = "starts_total";
    /// 1 while an operator has paused cycles and deliveries, else 0.
    paused: Gauge<()> = "paused";

    /// Spans dropped before they were exported, or rejected by their receiver.
    tracing_spans_dropped: Counter<()> = "tracing_spans_dropped_total";
    /// Exports of spans, or of log lines where they are exported, that failed, or of which lines were rejected.
    tracing_export_failures: Counter<()> = "tracing_export_failures_total";
    /// Panics caught or seen, each of them a defect.
    panics: Counter<()> = "panics_total";
    /// Log lines written, by level.
    log_events: Counter<(Level,)> = "log_events_total";

    /// 1 when the settings were last loaded without a mistake, else 0.
    config_last_load_successful: Gauge<()> = "config_last_load_successful";
    /// Unix time at which the settings were last loaded without a mistake.
    config_last_load_success_timestamp: FloatGauge<()> = "config_last_load_success_timestamp_seconds";
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// What the program is and how it runs, told once.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The mode that was asked for.
    pub requested_mode: &'a str,
    /// The mode that takes effect.
    pub active_mode: &'a str,
}

const BUILD_INFO: (&str, &[&str], &str) = (
    "build_info",
    &["version", "revision", "rustc"],
    "Always 1; the labels say what was built.",
);
const MODE_INFO: (&str, &[&str], &str) = (
    "mode_info",
    &["requested", "active"],
    "Always 1; the labels say which mode was asked for and which one runs.",
);

impl Metrics {
    /// Adds what never changes while the program runs: the build, the mode, the process.
    ///
    /// # Panics
    /// When it is called twice.
    pub fn about(&self, about: About<'_>) {
        let known = |mode: &str| match mode {
            "event-driven" => "event-driven",
            "unified" => "unified",
            "legacy" => "legacy",
            _ => "other",
        };
        let build = [
            env!("CARGO_PKG_VERSION"),
            env!("MLP_REVISION"),
            env!("MLP_RUSTC"),
        ];
        let modes = [known(about.requested_mode), known(about.active_mode)];
        for ((name, labels, help), values) in [(BUILD_INFO, &build[..]), (MODE_INFO, &modes[..])] {
            let opts = prometheus::Opts::new(format!("{PREFIX}{name}"), help);
            let gauge = prometheus::IntGaugeVec::new(opts, labels).expect("a legal name");
            gauge.with_label_values(values).set(1);
            self.registry()
                .register(Box::new(gauge))
                .expect("called once");
        }
        let process = Box::new(super::process::ProcessCollector::new());
        self.registry().register(process).expect("called once");
    }

    /// Has the series of a destination from now on.
    pub fn deliver_to(&self, destination: Destination) {
        let this = (destination,);
        self.delivery_breaker_open.begin(this);
        self.delivery_breaker_opened.begin(this);
        self.delivery_retry_budget.begin(this);
        self.delivery_latency.begin(this);
        self.delivery_duration.begin((destination.into(),));
        self.outbox_oldest_entry_timestamp.begin(this);
        self.dead_letters.begin(this);
        for &result in DeliveryResult::ALL {
            self.deliveries.begin((destination, result));
        }
        for &result in AttemptResult::ALL {
            self.delivery_attempts.begin((destination, result));
        }
        let states = DeliveryState::ALL.iter();
        for &state in states.filter(|&&state| destination.occurs_with(state)) {
            self.outbox_entries.begin((destination, state));
        }
        for &reason in DeadReason::ALL {
            self.dead_letters_made.begin((destination, reason));
        }
        let bit = 1 << destination as usize;
        self.destinations.fetch_or(bit, Ordering::Relaxed);
    }

    /// Whether there are series of a destination.
    #[must_use]
    pub fn delivers_to(&self, destination: Destination) -> bool {
        let bit = 1 << destination as usize;
        self.destinations.load(Ordering::Relaxed) & bit != 0
    }

    /// Has the series of another service from now on. It is not down before a probe has failed.
    pub fn depend_on(&self, dependency: Dependency) {
        let this = (dependency,);
        let results = CallResult::ALL.iter();
        for &result in results.filter(|&&result| dependency.occurs_with(result)) {
            self.client_requests.begin((dependency, result));
        }
        self.client_request_duration.begin(this);
        self.client_retries.begin(this);
        self.dependency_up.set(this, 1);
        self.dependency_last_success_timestamp.begin(this);
    }

    /// The present values of every family.
    #[must_use]
    pub fn gather(&self) -> Vec<prometheus::proto::MetricFamily> {
        self.registrar.registry.gather()
    }

    /// Has traces kept as exemplars from now on, as somebody can look them up.
    pub fn keep_exemplars(&self) {
        let wanted = &self.registrar.exemplars_wanted;
        wanted.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    /// The exemplars of the families that have some.
    #[must_use]
    pub fn exemplars(&self) -> &[Arc<Exemplars>] {
        &self.registrar.exemplars
    }

    /// What is registered, in the order of the catalogue.
    #[must_use]
    pub fn specs(&self) -> Vec<FamilySpec> {
        let info = |(name, labels, help): (&str, &[&'static str], &str)| FamilySpec {
            name: format!("{PREFIX}{name}"),
            kind: "gauge",
            labels: labels.to_vec(),
            help: help.to_owned(),
            buckets: vec![],
        };
        let mut specs = vec![info(BUILD_INFO), info(MODE_INFO)];
        specs.extend(self.registrar.specs.iter().cloned());
        specs.extend(super::process::ProcessCollector::specs());
        specs
    }

    /// The registry, for collectors that compute their values at the scrape.
    #[must_use]
    pub fn registry(&self) -> &prometheus::Registry {
        &self.registrar.registry
    }
}
