//! One cycle, from its triggers to what the list leads to.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tracing::{Instrument, Span};

use super::work::{Found, Given, Snapshot};
use super::{CycleError, Report, Status};
use crate::clock::{Clock, unix_seconds};
use crate::delivery::Progress;
use crate::domain::change::Priority;
use crate::domain::texts::Texts;
use crate::notify::Planner;
use crate::store::{Exporter, FeedState, Store, StoreError, Waiting};
use crate::telemetry::family::InFlight;
use crate::telemetry::labels::{Dependency, Stage};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::span;
use crate::upstream::{Fetched, Known, Upstream};

/// Everything that a cycle works with.
#[derive(Debug)]
pub struct Cycle {
    /// The durable state.
    pub store: Store,
    /// Where the list comes from.
    pub upstream: Upstream,
    /// Where the list is exported to.
    pub exporter: Exporter,
    /// The texts of a match.
    pub texts: Arc<Texts>,
    /// What the endpoints show.
    pub status: Arc<Status>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The wall clock.
    pub clock: Clock,
    /// The referees' time zone.
    pub time_zone: TimeZone,
    /// The older, coarser rule of comparison.
    pub legacy: bool,
    /// Of a change of a match that is played today.
    pub same_day_priority: Priority,
    /// How long a list is held before a second look can accept it.
    pub hold_confirm: Duration,
    /// Referees that a match needs to get files.
    pub min_referees: usize,
    /// Where the folders of matches are.
    pub folder_base: String,
    /// Who is told.
    pub planner: Planner,
    /// Who is told how far a cycle has come, if anybody.
    pub progress: Option<Arc<Progress>>,
    /// Whether the exported list must be written again although nothing changed.
    pub export_stale: AtomicBool,
    /// The list of the cycle before, to be spared reading it from the store.
    pub remembered: Mutex<Option<Snapshot>>,
}

/// What every record of one cycle has in common.
pub(super) struct Begun {
    pub at: Timestamp,
    pub started: Instant,
    pub processing_id: String,
    pub waiting: Waiting,
    pub feed: FeedState,
    pub span: Span,
    pub in_progress: InFlight,
}

/// What came of the look at the list; none if it is the same as before, byte for byte.
pub(super) type Looked = Result<Option<Found>, CycleError>;

impl Cycle {
    /// Runs one cycle for the waiting triggers and commits how it ended.
    ///
    /// # Errors
    /// When even the end could not be committed; the triggers wait then, and the store knows
    /// nothing of the cycle.
    pub async fn run(self: &Arc<Self>, waiting: Waiting) -> Result<Report, StoreError> {
        let _serving = self.status.begin(waiting.upto);
        let span = span::cycle(&waiting.links);
        let feed = self.store.feed_state().await?;
        let begun = self.begin(waiting, feed, span.clone());
        self.count_begun(&begun);
        let looked = self.look(&begun).instrument(span.clone()).await;
        self.finish(begun, looked).instrument(span).await
    }

    /// Ends a cycle that came to no end of its own.
    ///
    /// # Errors
    /// When its end could not be committed.
    pub async fn fail(&self, waiting: Waiting, error: CycleError) -> Result<Report, StoreError> {
        let span = span::cycle(&waiting.links);
        let feed = self.store.feed_state().await?;
        let begun = self.begin(waiting, feed, span.clone());
        self.finish(begun, Err(error)).instrument(span).await
    }

    fn begin(&self, waiting: Waiting, feed: FeedState, span: Span) -> Begun {
        let at = self.clock.now();
        Begun {
            at,
            started: Instant::now(),
            processing_id: format!("webhook_{}_{}", at.as_second(), feed.cycles + 1),
            waiting,
            feed,
            span,
            in_progress: self.metrics.cycles_in_progress.guard(()),
        }
    }

    /// Everything up to the commit.
    async fn look(self: &Arc<Self>, begun: &Begun) -> Looked {
        if begun.waiting.failures > 0 {
            self.metrics.client_retries.inc((Dependency::ApiClient,));
        }
        let (body, digest, validators) =
            match span::resent(begun.waiting.failures, self.fetch(&begun.feed)).await? {
                Fetched::NotModified => return Ok(None),
                Fetched::Unchanged { length } => {
                    self.metrics.match_list_bytes.set_size((), length);
                    return Ok(None);
                }
                Fetched::List {
                    body,
                    digest,
                    validators,
                } => (body, digest, validators),
            };
        self.metrics.match_list_bytes.set_size((), body.len());
        let (cycle, feed) = (Arc::clone(self), begun.feed.clone());
        let (at, time_zone) = (begun.at, self.time_zone.clone());
        let parent = Span::current();
        let work = move || {
            let given = Given {
                feed,
                now: unix_seconds(at),
                at,
                timestamp: at.to_string(),
                today: time_zone.to_datetime(at).date(),
                list_digest: digest.to_vec(),
            };
            let mut found = parent.in_scope(|| cycle.work(&body, &given))?;
            if let Found::Accepted(accepted) = &mut found {
                accepted.snapshot.etag = validators.etag;
                accepted.snapshot.last_modified = validators.last_modified;
            }
            Ok(Some(found))
        };
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|error| {
                if error.is_panic() {
                    std::panic::resume_unwind(error.into_panic());
                }
                Err(CycleError::internal())
            })
    }

    async fn fetch(&self, feed: &FeedState) -> Result<Fetched, CycleError> {
        let _timer = self.timer(Stage::Fetch);
        let mut known = Known::default();
        if feed.has_snapshot {
            known.digest.clone_from(&feed.list_digest);
            // With a held list the bytes are needed whatever the server says.
            if feed.held.is_none() {
                known.validators.etag.clone_from(&feed.etag);
                known
                    .validators
                    .last_modified
                    .clone_from(&feed.last_modified);
            }
        }
        let span = span::stage(Stage::Fetch);
        let fetched = self.upstream.fetch(&known).instrument(span.clone()).await;
        fetched.map_err(|error| {
            span::fail(&span, error.kind);
            CycleError::fetch(error)
        })
    }
}
