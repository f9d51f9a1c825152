//! The part of a cycle that computes: held against the snapshot, compared, planned. It runs on a
//! thread where it may block, and keeps the fetched body in memory once.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::runtime::Handle;

use super::CycleError;
use super::one::{Cycle, Looked};
use super::payload::delivery;
use crate::domain::change::{Change, Priority};
use crate::domain::compare::{
    Anomalies, Counts, Diff, Kept, KnownMatch, Rules, Upsert, changes, diff, hold_reason, summary,
};
use crate::domain::matchlist::{Entry, Fingerprint, Layout, List, Match};
use crate::domain::plan::{AssetKind, Plan, PlanRules, plan};
use crate::notify::Findings;
use crate::store::{
    FeedState, Held, MatchWrite, MatchWrites, NewDelivery, OddEntries, Prepared, SnapshotWrite,
};
use crate::telemetry::labels::{AssetResult, Stage};

/// What the list of a cycle leads to.
#[derive(Debug)]
pub enum Found {
    /// It cannot be true; with what else was odd about it.
    Held(Held, Anomalies),
    /// It becomes the snapshot.
    Accepted(Box<Accepted>),
}

/// An accepted list.
#[derive(Debug)]
pub struct Accepted {
    /// The new snapshot.
    pub snapshot: SnapshotWrite,
    /// The exported list under its temporary name, if it differs.
    pub export: Option<Prepared>,
    /// Whether the exported list should have been written and could not be.
    pub export_failed: bool,
    /// What was found.
    pub changes: Vec<Change>,
    /// The same in numbers.
    pub counts: Counts,
    /// One sentence.
    pub summary: String,
    /// What must be delivered.
    pub deliveries: Vec<NewDelivery>,
    /// Distinct matches in the list.
    pub total: usize,
    /// What was odd about it.
    pub odd: Anomalies,
}

/// What the work needs to know beside the list.
#[derive(Clone, Debug)]
pub struct Given {
    /// What is known of the feed.
    pub feed: FeedState,
    /// The wall clock at the start, Unix seconds.
    pub now: f64,
    /// The same.
    pub at: Timestamp,
    /// The same as text.
    pub timestamp: String,
    /// The day in the referees' time zone.
    pub today: Date,
    /// Of the bytes of the list.
    pub list_digest: Vec<u8>,
}

/// What is known of the list that was accepted last.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Of its bytes.
    list_digest: Vec<u8>,
    /// Its matches.
    known: Vec<KnownMatch>,
    /// Where they stood; nothing if that was in another run.
    layout: Layout,
    /// What was odd about it.
    odd: Anomalies,
}

impl Cycle {
    /// Compares and plans. Blocks.
    pub(super) fn work(&self, body: &Bytes, given: &Given) -> Result<Found, CycleError> {
        let timer = self.stage(Stage::Compare);
        let Snapshot { layout, known, .. } = self.snapshot(&given.feed)?;
        let mut early = None;
        let found = |entries: &[Entry]| self.export_early(&mut early, body, entries);
        let list =
            List::split_like(body, &layout, found).map_err(|error| CycleError::list(&error))?;
        let diff = diff(&list, &known, given.today);
        self.count_anomalies(diff.anomalies);
        if let Some(reason) = hold_reason(&diff, &known, given.today)
            && let Some(held) = self.hold(&diff, reason.sentence(&diff), given)
        {
            return Ok(Found::Held(held, diff.anomalies));
        }
        self.remember(&diff, &given.list_digest);
        let export = self.export(early, body, &diff, given.feed.has_snapshot);
        let old = self.old_versions(&diff)?;
        let rules = Rules {
            today: given.today,
            legacy: self.legacy,
            same_day: self.same_day_priority,
            timestamp: given.timestamp.clone(),
        };
        let changes = changes(&diff, &old, &rules);
        let mut counts = Counts::of(&diff, &changes);
        if self.legacy {
            counts.by_category.clear();
        }
        drop(timer);
        let summary = summary(&counts);
        let findings = Findings {
            changes: &changes,
            current: current(&diff),
            previous: &old,
            summary: &summary,
            at: given.at,
        };
        let deliveries = self.plan(&diff, &findings)?;
        let (export, export_failed) = self.exported(export);
        let stale = export_failed.then(Vec::new);
        let snapshot = SnapshotWrite {
            matches: writes(body, &diff),
            list_digest: given.list_digest.clone(),
            export_digest: export.as_ref().map(|e| e.digest().to_vec()).or(stale),
            export_is_stale: self.export_stale.load(Ordering::Relaxed),
            etag: None,
            last_modified: None,
        };
        Ok(Found::Accepted(Box::new(Accepted {
            snapshot,
            export,
            export_failed,
            changes,
            summary,
            counts,
            deliveries,
            total: diff.total,
            odd: diff.anomalies,
        })))
    }

    /// What the list is held against: as this process remembers it, else as the store tells.
    fn snapshot(&self, feed: &FeedState) -> Result<Snapshot, CycleError> {
        let remembered = self.remembered().take();
        // The digest tells whether another list has been accepted in between.
        if let Some(snapshot) = remembered
            && feed.list_digest.as_ref() == Some(&snapshot.list_digest)
        {
            return Ok(snapshot);
        }
        let rows = Handle::current()
            .block_on(self.store.known())
            .map_err(|error| CycleError::store(Stage::Compare, error))?;
        let known = rows.into_iter().map(|row| KnownMatch {
            id: row.id,
            fingerprint: Fingerprint(row.fingerprint),
            date: row.date,
        });
        Ok(Snapshot {
            known: known.collect(),
            ..Snapshot::default()
        })
    }

    /// Remembers a list for the cycle after the one that accepts it.
    fn remember(&self, diff: &Diff, list_digest: &[u8]) {
        let layout = |kept: &Kept| (kept.known.fingerprint, kept.raw.len());
        *self.remembered() = Some(Snapshot {
            list_digest: list_digest.to_vec(),
            known: diff.kept.iter().map(|kept| kept.known).collect(),
            layout: diff.kept.iter().map(layout).collect(),
            odd: diff.anomalies,
        });
    }

    /// What was odd about the list that a cycle looked at. One that is the same as before is not read
    /// again: it has what it had, as far as this process has read it.
    pub(super) fn odd_entries(&self, looked: &Looked, feed: &FeedState) -> Option<OddEntries> {
        let odd = match looked {
            Ok(Some(Found::Accepted(accepted))) => accepted.odd,
            Ok(Some(Found::Held(_, odd))) => *odd,
            Ok(None) => {
                let remembered = self.remembered();
                let known = remembered.as_ref();
                known
                    .filter(|one| feed.list_digest.as_ref() == Some(&one.list_digest))?
                    .odd
            }
            Err(_) => return None,
        };
        (odd != Anomalies::default()).then_some(OddEntries {
            duplicate: odd.duplicate,
            no_id: odd.no_id,
            not_object: odd.not_object,
            short: odd.short,
        })
    }

    fn remembered(&self) -> MutexGuard<'_, Option<Snapshot>> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// None if the list was seen before, long enough ago, or a person accepted it.
    fn hold(&self, diff: &Diff, reason: String, given: &Given) -> Option<Held> {
        let before = given
            .feed
            .held
            .as_ref()
            .filter(|held| held.digest == diff.ids_digest);
        // A clock that was set back must not hold the list for longer than it would have been.
        let since = before.map_or(given.now, |held| held.since.min(given.now));
        let confirmed = before.is_some_and(|held| {
            held.accepted || given.now - since >= self.hold_confirm.as_secs_f64()
        });
        (!confirmed).then(|| Held {
            digest: diff.ids_digest.to_vec(),
            since,
            reason,
            accepted: false,
        })
    }

    fn count_anomalies(&self, anomalies: Anomalies) {
        use crate::telemetry::labels::Anomaly;
        for (kind, count) in [
            (Anomaly::Duplicate, anomalies.duplicate),
            (Anomaly::NoId, anomalies.no_id),
            (Anomaly::NotObject, anomalies.not_object),
            (Anomaly::Short, anomalies.short),
        ] {
            self.metrics.match_list_anomalies.add((kind,), count as u64);
        }
        if anomalies != Anomalies::default() {
            tracing::warn!(
                duplicate = anomalies.duplicate,
                no_id = anomalies.no_id,
                not_object = anomalies.not_object,
                short = anomalies.short,
                "the list has odd entries; the others were read"
            );
        }
    }

    /// The previous versions of what changed or went, read from the store.
    fn old_versions(&self, diff: &Diff) -> Result<HashMap<i64, Match>, CycleError> {
        let changed = diff
            .upserts
            .iter()
            .filter(|one| !one.is_new)
            .map(|one| one.id);
        let ids: Vec<i64> = changed.chain(diff.gone.iter().copied()).collect();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let raw = Handle::current()
            .block_on(self.store.raw(ids))
            .map_err(|error| CycleError::store(Stage::Compare, error))?;
        let parse = |(id, raw): (i64, String)| Match::parse(&raw).ok().map(|parsed| (id, parsed));
        Ok(raw.into_iter().filter_map(parse).collect())
    }

    fn plan(&self, diff: &Diff, findings: &Findings<'_>) -> Result<Vec<NewDelivery>, CycleError> {
        let _timer = self.stage(Stage::Plan);
        let mut planned = self.files(diff, findings)?;
        planned.extend(self.planner.plan(findings));
        Ok(planned)
    }

    fn files(&self, diff: &Diff, findings: &Findings<'_>) -> Result<Vec<NewDelivery>, CycleError> {
        if diff.upserts.is_empty() {
            return Ok(Vec::new());
        }
        let ids = diff.upserts.iter().map(|one| one.id).collect();
        let planned: HashMap<_, _> = Handle::current()
            .block_on(self.store.planned(ids))
            .map_err(|error| CycleError::store(Stage::Plan, error))?
            .into_iter()
            .filter_map(|((id, kind), digest)| {
                AssetKind::from_label(&kind).map(|kind| ((id, kind), digest))
            })
            .collect();
        let rules = PlanRules {
            min_referees: self.min_referees,
            folder_base: &self.folder_base,
            texts: &self.texts,
        };
        let plan = plan(diff, findings.previous, &planned, &rules);
        self.count_plan(&plan);
        let mut urgency: HashMap<i64, Priority> = HashMap::new();
        for change in findings.changes {
            let most = urgency.entry(change.match_id).or_insert(change.priority);
            // The most urgent one is declared first.
            *most = change.priority.min(*most);
        }
        let files = plan.files.into_iter().map(|file| {
            let priority = urgency.get(&file.match_id).copied();
            delivery(file, priority.unwrap_or(Priority::Low))
        });
        Ok(files.collect())
    }

    fn count_plan(&self, plan: &Plan) {
        for &kind in AssetKind::ALL {
            let count = |result, n: usize| self.metrics.assets.add((kind, result), n as u64);
            count(
                AssetResult::Unchanged,
                plan.unchanged.get(&kind).copied().unwrap_or(0),
            );
            count(
                AssetResult::Skipped,
                plan.skipped.get(&kind).copied().unwrap_or(0),
            );
        }
        for (match_id, kind, error) in &plan.failed {
            self.metrics.assets.inc((*kind, AssetResult::Failed));
            tracing::error!(match_id, kind = kind.label(), error = %error, "a text could not be made");
        }
    }
}

/// What is new or differs, as it is now.
fn current<'a>(diff: &'a Diff<'a>) -> HashMap<i64, &'a Match> {
    let found = |one: &'a Upsert<'a>| (one.id, &one.parsed);
    diff.upserts.iter().map(found).collect()
}

fn writes(body: &Bytes, diff: &Diff) -> MatchWrites {
    let upserts = diff.upserts.iter().map(|one| MatchWrite {
        id: one.id,
        fingerprint: one.fingerprint.0,
        date: one.parsed.date,
        raw: range(body, one.raw),
    });
    MatchWrites {
        body: body.clone(),
        upserts: upserts.collect(),
        gone: diff.gone.clone(),
    }
}

/// Where `raw`, which borrows from `body`, is in it.
pub(super) fn range(body: &Bytes, raw: &str) -> Range<usize> {
    let start = raw.as_ptr() as usize - body.as_ptr() as usize;
    start..start + raw.len()
}
