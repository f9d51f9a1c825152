//! Any order of operations, restarts and crashes leads to what a simple model in memory says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::domain::change::Priority;
use crate::domain::delivery::{DeliveryState, Destination, Lane};
use crate::telemetry::labels::TriggerSource;

const CAPACITY: usize = 3;
const ASSETS: Lane = Lane {
    kind: Destination::Assets,
    name: None,
};

/// More cycles than a run of operations has: nothing is forgotten.
const HISTORY: usize = 100;
const GIVE_UP_AFTER: u32 = 3;
/// How long a request's name is remembered.
const WEEK: u32 = 7 * 24 * 3600;

#[derive(Clone, Debug)]
enum Op {
    Accept,
    /// A request with one of a few names and one of two bodies.
    Named(u8, u8),
    /// A cycle that found these matches and makes these files.
    Success {
        upserts: Vec<i64>,
        gone: Vec<i64>,
        files: BTreeSet<(i64, u8)>,
    },
    Failure,
    /// A cycle that began before the last triggers came.
    Older,
    Claim(Portion),
    /// How the oldest attempt that is under way ends.
    Settle(End),
    /// A person retries the oldest dead delivery.
    Retry,
    /// A person discards the oldest delivery in this state.
    Discard(DeliveryState),
    Pass(u32),
    Pause(bool),
    Restart,
    /// The process is gone between two operations; another one opens what it left.
    Crash,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Delivered,
    Retry(u32),
    Back,
    Dead,
}

fn op() -> impl Strategy<Value = Op> {
    let id = 1..5_i64;
    let ids = || prop::collection::vec(id.clone(), 0..3);
    // A cycle plans each file of a match once.
    let files = prop::collection::btree_set((id.clone(), 0..2_u8), 0..4);
    let portion = (1..4_usize, 0..3_usize).prop_map(|(limit, ahead)| Portion {
        limit,
        ahead,
        quiet: Vec::new(),
    });
    let end = prop_oneof![
        Just(End::Delivered),
        (1..40_u32).prop_map(End::Retry),
        Just(End::Back),
        Just(End::Dead)
    ];
    prop_oneof![
        4 => Just(Op::Accept),
        3 => (0..3_u8, 0..2_u8).prop_map(|(name, body)| Op::Named(name, body)),
        3 => (ids(), ids(), files).prop_map(|(upserts, gone, files)| Op::Success { upserts, gone, files }),
        2 => Just(Op::Failure),
        1 => Just(Op::Older),
        4 => portion.prop_map(Op::Claim),
        4 => end.prop_map(Op::Settle),
        1 => Just(Op::Retry),
        1 => prop::sample::select(DeliveryState::ALL).prop_map(Op::Discard),
        2 => (1..30_u32).prop_map(Op::Pass),
        1 => (WEEK - 20..WEEK + 20).prop_map(Op::Pass),
        1 => any::<bool>().prop_map(Op::Pause),
        1 => Just(Op::Restart),
        1 => Just(Op::Crash),
    ]
}

#[derive(Clone, Debug, PartialEq)]
struct Row {
    id: i64,
    match_id: i64,
    kind: String,
    state: DeliveryState,
    attempts: u32,
    due: f64,
    ahead: bool,
}

/// What the store should hold.
#[derive(Default)]
struct Model {
    triggers: Vec<(String, TriggerState, u32)>,
    served: usize,
    /// By name: the trigger, the body, and when it was accepted.
    names: BTreeMap<u8, (usize, u8, f64)>,
    matches: BTreeMap<i64, u64>,
    rows: Vec<Row>,
    cycles: u64,
    paused: bool,
    now: f64,
}

impl Model {
    fn serve(&mut self, upto: usize, state: TriggerState) {
        for trigger in &mut self.triggers[self.served.min(upto)..upto] {
            trigger.1 = state;
        }
        self.served = self.served.max(upto);
    }

    fn fail(&mut self, upto: usize) {
        for trigger in &mut self.triggers[self.served.min(upto)..upto] {
            trigger.2 += 1;
        }
        let spent = |trigger: &(String, TriggerState, u32)| trigger.2 >= GIVE_UP_AFTER;
        if let Some(last) = self.triggers[self.served..].iter().rposition(spent) {
            self.serve(self.served + last + 1, TriggerState::Failed);
        }
    }

    fn plan(&mut self, match_id: i64, kind: &str) {
        for row in &mut self.rows {
            let waits = matches!(row.state, DeliveryState::Pending | DeliveryState::Dead);
            if waits && row.match_id == match_id && row.kind == kind {
                row.state = DeliveryState::Superseded;
            }
        }
        self.rows.push(Row {
            id: i64::try_from(self.rows.len()).unwrap() + 1,
            match_id,
            kind: kind.to_owned(),
            state: DeliveryState::Pending,
            attempts: 0,
            due: self.now,
            ahead: false,
        });
    }

    fn claim(&mut self, portion: Portion) -> Vec<Row> {
        let open = |row: &Row| matches!(row.state, DeliveryState::Pending | DeliveryState::Running);
        let is_first = |row: &Row| {
            let mut before = self.rows.iter().filter(|other| other.id < row.id);
            !before.any(|other| other.match_id == row.match_id && open(other))
        };
        let ready = |row: &&Row| row.state == DeliveryState::Pending && is_first(row);
        let mut ready: Vec<Row> = self.rows.iter().filter(ready).cloned().collect();
        ready.sort_by(|a, b| a.due.total_cmp(&b.due).then(a.id.cmp(&b.id)));
        let due = ready.iter().filter(|row| row.due <= self.now).count();
        ready.truncate((due + portion.ahead).min(portion.limit));
        for row in &mut ready {
            row.ahead = row.due > self.now;
            row.state = DeliveryState::Running;
            row.attempts += 1;
            self.rows[usize::try_from(row.id).unwrap() - 1] = row.clone();
        }
        ready
    }

    fn settle(&mut self, id: i64, end: End) {
        let at = usize::try_from(id).unwrap() - 1;
        let newer = self.rows[at + 1..].iter();
        let has_newer = newer
            .clone()
            .any(|n| n.match_id == self.rows[at].match_id && n.kind == self.rows[at].kind);
        let now = self.now;
        let row = &mut self.rows[at];
        row.state = match end {
            End::Delivered => DeliveryState::Delivered,
            _ if has_newer => DeliveryState::Superseded,
            End::Retry(wait) => {
                row.due = now + f64::from(wait);
                DeliveryState::Pending
            }
            End::Back => {
                row.attempts -= 1;
                DeliveryState::Pending
            }
            End::Dead => DeliveryState::Dead,
        };
    }

    fn first(&self, state: DeliveryState) -> Option<i64> {
        let found = self.rows.iter().find(|row| row.state == state);
        found.map(|row| row.id)
    }
}

/// The store beside its model.
struct Pair {
    folder: tempfile::TempDir,
    store: Store,
    model: Model,
}

impl Pair {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            store: open(folder.path()),
            folder,
            model: Model::default(),
        }
    }

    async fn apply(&mut self, op: Op) {
        match op {
            Op::Accept => self.accept().await,
            Op::Named(name, body) => self.accept_once(name, body).await,
            Op::Success {
                upserts,
                gone,
                files,
            } => self.success(&upserts, &gone, &files).await,
            // A cycle runs for triggers that wait.
            Op::Failure if self.model.served == self.model.triggers.len() => {}
            Op::Failure => {
                let upto = self.model.triggers.len();
                let give_up_after = GIVE_UP_AFTER;
                self.commit(upto, CycleEnd::Failed { give_up_after }).await;
                self.model.fail(upto);
            }
            Op::Older => {
                let upto = self.model.triggers.len().saturating_sub(2);
                self.commit(upto, nothing_new()).await;
                self.model.serve(upto, TriggerState::Done);
            }
            Op::Claim(portion) => {
                let claimed = self
                    .store
                    .claim(&ASSETS, self.model.now, portion.clone())
                    .await;
                let claimed: Vec<_> = claimed
                    .unwrap()
                    .iter()
                    .map(|one| (one.id, one.attempt, one.ahead))
                    .collect();
                let expected = self.model.claim(portion);
                let expected: Vec<_> = expected
                    .iter()
                    .map(|row| (row.id, row.attempts, row.ahead))
                    .collect();
                assert_eq!(claimed, expected);
            }
            Op::Settle(end) => self.settle(end).await,
            Op::Retry => {
                if let Some(id) = self.model.first(DeliveryState::Dead) {
                    let retried = self.store.retry_dead(id, self.model.now).await.unwrap();
                    let state = DeliveryState::Pending;
                    assert!(
                        matches!(retried, Some(Retry::Done { state: now, .. }) if now == state)
                    );
                    let row = &mut self.model.rows[usize::try_from(id).unwrap() - 1];
                    (row.state, row.attempts, row.due) =
                        (DeliveryState::Pending, 0, self.model.now);
                }
            }
            Op::Discard(state) => self.discard(state).await,
            Op::Pass(seconds) => self.model.now += f64::from(seconds),
            Op::Pause(paused) => {
                self.store.set_paused(paused).await.unwrap();
                self.model.paused = paused;
            }
            Op::Restart => {
                self.store.close().await.unwrap();
                self.reopen(true);
            }
            Op::Crash => {
                // The files as they are, without the process that has them open.
                let left = tempfile::tempdir().unwrap();
                for entry in std::fs::read_dir(self.folder.path()).unwrap() {
                    let entry = entry.unwrap();
                    std::fs::copy(entry.path(), left.path().join(entry.file_name())).unwrap();
                }
                self.folder = left;
                self.reopen(false);
            }
        }
    }

    fn reopen(&mut self, was_clean: bool) {
        // The folder's lock goes with the last handle.
        let elsewhere = tempfile::tempdir().unwrap();
        self.store = open(elsewhere.path());
        self.store = open(self.folder.path());
        assert_eq!(self.store.previous_run_was_clean(), was_clean);
    }

    async fn accept(&mut self) {
        let accepted = self.store.accept(self.trigger()).await;
        self.accepted(accepted);
    }

    fn trigger(&self) -> NewTrigger {
        NewTrigger {
            source: TriggerSource::Webhook,
            accepted: self.model.now,
            traceparent: None,
            data: None,
            size: 0,
        }
    }

    /// Notes a new trigger; false if there was no room for it.
    fn accepted(&mut self, accepted: Result<Accepted, StoreError>) -> bool {
        let waiting = self.model.triggers.len() - self.model.served;
        match accepted {
            Ok(accepted) => {
                assert!(waiting < CAPACITY);
                assert_eq!(accepted.ahead, waiting);
                let pending = (accepted.id, TriggerState::Pending, 0);
                self.model.triggers.push(pending);
                true
            }
            Err(error) => {
                assert!(matches!(error, StoreError::QueueFull(_)), "{error}");
                assert_eq!(waiting, CAPACITY);
                false
            }
        }
    }

    async fn accept_once(&mut self, name: u8, body: u8) {
        let request = RequestName {
            id: [name; 16],
            body: [body; 16],
        };
        let now = self.model.now;
        let taken = self.store.accept_once(request, self.trigger()).await;
        let young = |(_, _, at): &&(usize, u8, f64)| now - at < f64::from(WEEK);
        let Some(&(first, known, _)) = self.model.names.get(&name).filter(young) else {
            let accepted = taken.map(|taken| match taken {
                Taken::New(accepted) => accepted,
                other => panic!("{other:?} of a new name"),
            });
            if self.accepted(accepted) {
                let last = self.model.triggers.len() - 1;
                self.model.names.insert(name, (last, body, now));
            }
            return;
        };
        match taken.unwrap() {
            Taken::New(accepted) => panic!("{accepted:?} of a known name"),
            Taken::Repeat(accepted) => {
                assert_eq!(known, body);
                assert_eq!(accepted.id, self.model.triggers[first].0);
            }
            Taken::Conflict => assert_ne!(known, body),
        }
    }

    async fn success(&mut self, upserts: &[i64], gone: &[i64], files: &BTreeSet<(i64, u8)>) {
        let (upto, version) = (self.model.triggers.len(), self.model.cycles + 1);
        let body = bytes::Bytes::from(version.to_string());
        let upserts = upserts.iter().filter(|id| !gone.contains(id));
        let write = |&id: &i64| MatchWrite {
            id,
            fingerprint: [u8::try_from(version % 200).unwrap(); 16],
            date: None,
            raw: 0..body.len(),
        };
        let matches = MatchWrites {
            upserts: upserts.clone().map(write).collect(),
            body: body.clone(),
            gone: gone.to_vec(),
        };
        let deliveries = files.iter().map(|&(match_id, kind)| NewDelivery {
            lane: Destination::Assets.into(),
            recipient: String::new(),
            priority: Priority::Low,
            not_before: None,
            match_id,
            kind: kind.to_string(),
            digest: [0; 16],
            payload: String::new(),
        });
        let end = CycleEnd::Success {
            snapshot: Some(SnapshotWrite {
                matches,
                ..SnapshotWrite::default()
            }),
            changes: vec![],
            deliveries: deliveries.collect(),
        };
        self.commit(upto, end).await;
        for &id in upserts {
            self.model.matches.insert(id, version);
        }
        self.model.matches.retain(|id, _| !gone.contains(id));
        for (match_id, kind) in files {
            self.model.plan(*match_id, &kind.to_string());
        }
        self.model.serve(upto, TriggerState::Done);
    }

    async fn commit(&mut self, upto: usize, end: CycleEnd) {
        self.model.cycles += 1;
        let record = CycleRecord {
            processing_id: format!("webhook_0_{}", self.model.cycles),
            ..CycleRecord::default()
        };
        let write = CycleWrite {
            record,
            upto: i64::try_from(upto).unwrap(),
            ended: self.model.now,
            due: self.model.now,
            end,
            traceparent: None,
        };
        self.store.commit_cycle(write).await.unwrap();
    }

    async fn discard(&mut self, state: DeliveryState) {
        let Some(id) = self.model.first(state) else {
            return;
        };
        let discarded = self.store.discard(id, None, self.model.now).await.unwrap();
        match state {
            DeliveryState::Pending | DeliveryState::Dead => {
                assert!(matches!(discarded, Some(Discard::Done(_))), "{discarded:?}");
                self.model.rows[usize::try_from(id).unwrap() - 1].state = DeliveryState::Discarded;
            }
            _ => assert!(
                matches!(discarded, Some(Discard::Refused(_))),
                "{discarded:?}"
            ),
        }
    }

    async fn settle(&mut self, end: End) {
        let Some(id) = self.model.first(DeliveryState::Running) else {
            return;
        };
        let error = "x".to_owned();
        let settlement = match end {
            End::Delivered => Settlement::Delivered { url: None },
            End::Retry(wait) => Settlement::Retry {
                at: self.model.now + f64::from(wait),
                error,
            },
            End::Back => Settlement::Back { error },
            End::Dead => Settlement::Dead { error },
        };
        let state = self.store.settle(id, self.model.now, settlement).await;
        self.model.settle(id, end);
        let row = &self.model.rows[usize::try_from(id).unwrap() - 1];
        assert_eq!(state.unwrap(), row.state);
    }

    /// Everything that can be read is what the model says.
    async fn compare(&self) {
        let (store, model) = (&self.store, &self.model);
        for (id, state, _) in &model.triggers {
            let found = store.trigger(id).await.unwrap().unwrap();
            assert_eq!((id, found.state), (id, *state));
        }
        let waiting = store.waiting().await.unwrap();
        assert_eq!(waiting.count, model.triggers.len() - model.served);
        let oldest = model.triggers.get(model.served).map_or(0, |one| one.2);
        assert_eq!(waiting.failures, oldest);
        assert_eq!(store.feed_state().await.unwrap().cycles, model.cycles);
        assert_eq!(store.paused().await.unwrap(), model.paused);
        let ids = model.matches.keys().copied().collect();
        let raw = store.raw(ids).await.unwrap();
        let expected = model.matches.iter().map(|(id, n)| (*id, n.to_string()));
        assert_eq!(raw, expected.collect::<Vec<_>>());
        assert_eq!(store.known().await.unwrap().len(), model.matches.len());
        let asked = DeliveryQuery {
            limit: 1_000,
            ..DeliveryQuery::default()
        };
        let mut rows = store.deliveries(asked).await.unwrap();
        rows.reverse();
        let found = rows
            .iter()
            .map(|row| (row.id, row.state.as_str(), row.attempts));
        let expected = model
            .rows
            .iter()
            .map(|row| (row.id, row.state.label(), row.attempts));
        assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}

fn open(folder: &Path) -> Store {
    let limits = Limits {
        queue_capacity: CAPACITY,
        history: HISTORY,
    };
    Store::open(folder, limits, Arc::new(Metrics::new())).unwrap()
}

fn nothing_new() -> CycleEnd {
    CycleEnd::Success {
        snapshot: None,
        changes: vec![],
        deliveries: vec![],
    }
}

/// 40, or as many as `PROPTEST_CASES` says; the seed is that of `PROPTEST_RNG_SEED`, or any.
fn config() -> ProptestConfig {
    let told = std::env::var_os("PROPTEST_CASES").is_some();
    let read = ProptestConfig::default();
    ProptestConfig {
        cases: if told { read.cases } else { 40 },
        failure_persistence: None,
        ..read
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_order_of_operations_restarts_and_crashes_equals_the_model(
        ops in prop::collection::vec(op(), 1..40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut pair = Pair::new();
            for op in ops {
                pair.apply(op).await;
                pair.compare().await;
            }
        });
    }
}
