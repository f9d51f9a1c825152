use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::domain::change::Priority;
use crate::domain::delivery::{DeliveryState, Destination, Lane};
use crate::domain::retry::next_delay;
use crate::telemetry::labels::TriggerSource;

const ASSETS: Lane = Lane {
    kind: Destination::Assets,
    name: None,
};

pub(super) fn open(folder: &Path, queue_capacity: usize) -> Result<Store, OpenError> {
    Store::open(
        folder,
        Limits {
            queue_capacity,
            history: 5,
        },
        Arc::new(Metrics::new()),
    )
}

/// Whether it was dead and no longer is.
async fn is_retried(store: &Store, id: i64, now: f64) -> bool {
    let retried = store.retry_dead(id, now).await.unwrap();
    matches!(retried, Some(Retry::Done { .. }))
}

fn trigger(data: Option<&str>) -> NewTrigger {
    NewTrigger {
        source: TriggerSource::Webhook,
        accepted: 1.5,
        traceparent: None,
        data: data.map(Into::into),
        size: 0,
    }
}

/// A body of zeroes would be what a damaged one is read as.
fn name(byte: u8) -> RequestName {
    RequestName {
        id: [byte; 16],
        body: [7; 16],
    }
}

pub(super) fn cycle(n: u64, upto: i64, end: CycleEnd) -> CycleWrite {
    let record = CycleRecord {
        processing_id: format!("webhook_0_{n}"),
        ..CycleRecord::default()
    };
    CycleWrite {
        record,
        upto,
        ended: 2.0,
        due: 2.0,
        end,
        traceparent: None,
    }
}

pub(super) fn success(deliveries: Vec<NewDelivery>) -> CycleEnd {
    CycleEnd::Success {
        snapshot: None,
        changes: vec![],
        deliveries,
    }
}

pub(super) fn due(limit: usize) -> Portion {
    Portion {
        limit,
        ..Portion::default()
    }
}

fn file(match_id: i64, kind: &str, content: u8) -> NewDelivery {
    NewDelivery {
        lane: Destination::Assets.into(),
        recipient: String::new(),
        priority: Priority::Low,
        not_before: None,
        match_id,
        kind: kind.to_owned(),
        digest: [content; 16],
        payload: content.to_string(),
    }
}

#[tokio::test]
async fn what_was_accepted_is_there_after_a_restart_and_served_in_runs() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    let first = store.accept(trigger(Some("1"))).await.unwrap();
    let second = store.accept(trigger(Some("2"))).await.unwrap();
    assert_eq!((first.ahead, second.ahead), (0, 1));
    store.close().await.unwrap();
    drop(store);

    let store = open(folder.path(), 10).unwrap();
    assert!(store.previous_run_was_clean());
    let waiting = store.waiting().await.unwrap();
    assert_eq!(
        (waiting.count, waiting.upto, waiting.data.as_deref()),
        (2, second.seq, Some("2"))
    );
    let third = store.accept(trigger(None)).await.unwrap();
    store
        .commit_cycle(cycle(1, waiting.upto, success(vec![])))
        .await
        .unwrap();
    let state = |id: String| {
        let store = store.clone();
        async move {
            store
                .trigger(&id)
                .await
                .unwrap()
                .map(|t| (t.state, t.processing_id))
        }
    };
    let done = Some((TriggerState::Done, Some("webhook_0_1".to_owned())));
    assert_eq!(state(first.id).await, done);
    assert_eq!(state(second.id).await, done);
    assert_eq!(state(third.id).await, Some((TriggerState::Pending, None)));
    assert_eq!(store.queue().await.unwrap(), (1, Some(1.5)));
    for unknown in ["", "trg-1-00000000", "trg-1", "x", "trg-99-00000000"] {
        assert_eq!(state(unknown.to_owned()).await, None, "{unknown}");
    }
}

#[tokio::test]
async fn a_full_queue_refuses_until_a_cycle_has_served_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 2).unwrap();
    for _ in 0..2 {
        store.accept(trigger(None)).await.unwrap();
    }
    assert_eq!(
        store.accept(trigger(None)).await,
        Err(StoreError::QueueFull(2))
    );
    let waiting = store.waiting().await.unwrap();
    store
        .commit_cycle(cycle(1, waiting.upto, success(vec![])))
        .await
        .unwrap();
    store.accept(trigger(None)).await.unwrap();
}

#[tokio::test]
async fn triggers_fail_after_their_tries_and_later_ones_have_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    let first = store.accept(trigger(None)).await.unwrap();
    let fail = |n, upto| cycle(n, upto, CycleEnd::Failed { give_up_after: 3 });
    assert_eq!(
        store
            .commit_cycle(fail(1, first.seq))
            .await
            .unwrap()
            .given_up,
        None
    );
    assert_eq!(
        store
            .commit_cycle(fail(2, first.seq))
            .await
            .unwrap()
            .given_up,
        None
    );
    let later = store.accept(trigger(None)).await.unwrap();
    assert_eq!(
        store
            .commit_cycle(fail(3, later.seq))
            .await
            .unwrap()
            .given_up,
        Some(first.seq)
    );
    let state = |id: &str| {
        let (store, id) = (store.clone(), id.to_owned());
        async move { store.trigger(&id).await.unwrap().unwrap().state }
    };
    assert_eq!(state(&first.id).await, TriggerState::Failed);
    assert_eq!(state(&later.id).await, TriggerState::Pending);
    assert_eq!(store.waiting().await.unwrap().failures, 1);
    assert_eq!(
        store.feed_state().await.unwrap().cycles,
        3,
        "failed cycles count"
    );
}

#[tokio::test]
async fn the_outbox_keeps_order_and_supersedes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    let both = vec![file(7, "a", 1), file(7, "b", 2), file(8, "a", 3)];
    store
        .commit_cycle(cycle(1, 0, success(both)))
        .await
        .unwrap();
    let claim = || store.claim(&ASSETS, 10.0, due(10));
    let claimed = claim().await.unwrap();
    let of = |claimed: &[Claimed]| -> Vec<(i64, String)> {
        claimed
            .iter()
            .map(|one| (one.match_id, one.kind.clone()))
            .collect()
    };
    assert_eq!(of(&claimed), [(7, "a".to_owned()), (8, "a".to_owned())]);
    assert_eq!(
        claim().await.unwrap(),
        [],
        "the second of match 7 waits for its first"
    );

    // A newer state: what is under way stays, what waits is superseded.
    let newer = vec![file(7, "a", 4), file(7, "b", 5)];
    store
        .commit_cycle(cycle(2, 0, success(newer)))
        .await
        .unwrap();
    let retry = Settlement::Retry {
        at: 99.0,
        error: "x".to_owned(),
    };
    let state = store.settle(claimed[0].id, 11.0, retry).await.unwrap();
    assert_eq!(
        state,
        DeliveryState::Superseded,
        "a newer one takes its place"
    );
    let claimed = claim().await.unwrap();
    assert_eq!(claimed[0].payload, "4");
    let delivered = Settlement::Delivered { url: None };
    store.settle(claimed[0].id, 12.0, delivered).await.unwrap();
    assert_eq!(claim().await.unwrap()[0].payload, "5");
}

#[tokio::test]
async fn what_is_tried_ahead_of_its_schedule_and_fails_goes_on_as_if_it_had_not_been() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    let files = vec![file(1, "a", 1), file(2, "a", 2), file(3, "a", 3)];
    store
        .commit_cycle(cycle(1, 0, success(files)))
        .await
        .unwrap();
    let claim = |limit, ahead| {
        store.claim(
            &ASSETS,
            10.0,
            Portion {
                ahead,
                ..due(limit)
            },
        )
    };
    let later = |at: f64| Settlement::Retry {
        at,
        error: "x".to_owned(),
    };
    for (one, at) in claim(2, 0).await.unwrap().iter().zip([90.0, 80.0]) {
        store.settle(one.id, 10.0, later(at)).await.unwrap();
    }
    let of = |all: &[Claimed]| -> Vec<(i64, bool, u32)> {
        all.iter()
            .map(|one| (one.match_id, one.ahead, one.attempt))
            .collect()
    };
    let taken = claim(3, 1).await.unwrap();
    assert_eq!(of(&taken), [(3, false, 1), (2, true, 2)], "due ones first");
    let back = Settlement::Back {
        error: "y".to_owned(),
    };
    store.settle(taken[1].id, 11.0, back).await.unwrap();
    let row = store.delivery(taken[1].id).await.unwrap().unwrap();
    assert_eq!((row.attempts, row.next_attempt), (1, Some(80.0)));
    assert_eq!(row.last_error.as_deref(), Some("y"));
}

#[tokio::test]
async fn a_row_that_ends_the_program_each_time_ends_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    store
        .commit_cycle(cycle(1, 0, success(vec![file(1, "a", 1)])))
        .await
        .unwrap();
    let (mut now, mut tries) = (10.0, 0);
    loop {
        let claimed = store.claim(&ASSETS, now, due(1)).await.unwrap();
        tries += 1;
        assert_eq!(claimed[0].attempt, tries);
        // The program ends here, and starts again.
        if store.recover(now).await.unwrap() == [(Destination::Assets, DeliveryState::Dead)] {
            break;
        }
        now += 1e6;
    }
    assert_eq!(next_delay(tries, 0.0), None, "as often as any other");
    let row = &store
        .deliveries(DeliveryQuery {
            limit: 1,
            ..Default::default()
        })
        .await
        .unwrap()[0];
    assert_eq!((row.state.as_str(), row.attempts), ("dead", tries));
    assert!(is_retried(&store, row.id, now).await);
    assert_eq!(store.claim(&ASSETS, now, due(1)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_a_person_discards_is_over_and_makes_way() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    let files = vec![file(1, "a", 1), file(1, "b", 2), file(2, "a", 3)];
    store
        .commit_cycle(cycle(1, 0, success(files)))
        .await
        .unwrap();
    let claimed = store.claim(&ASSETS, 10.0, due(9)).await.unwrap();
    let ids: Vec<i64> = claimed.iter().map(|one| one.id).collect();
    assert_eq!(ids, [1, 3], "the second of a match waits for the first");
    for only in [None, Some(DeliveryState::Dead)] {
        let refused = store.discard(1, only, 11.0).await.unwrap();
        assert!(matches!(refused, Some(Discard::Refused(row)) if row.state == "running"));
    }
    let dead = Settlement::Dead {
        error: "x".to_owned(),
    };
    store.settle(1, 11.0, dead).await.unwrap();
    // Somebody saw them as they were before.
    for (id, seen) in [(1, DeliveryState::Pending), (2, DeliveryState::Dead)] {
        let refused = store.discard(id, Some(seen), 12.0).await.unwrap();
        assert!(
            matches!(refused, Some(Discard::Refused(_))),
            "{id}: {refused:?}"
        );
    }
    for (id, was) in [(1, "dead"), (2, "pending")] {
        let only = DeliveryState::from_label(was);
        let done = store.discard(id, only, 12.0).await.unwrap();
        assert!(
            matches!(done, Some(Discard::Done(row)) if (row.id, row.state.as_str()) == (id, was))
        );
        let row = store.delivery(id).await.unwrap().unwrap();
        assert_eq!((row.state.as_str(), row.next_attempt), ("discarded", None));
        let again = store.discard(id, None, 12.0).await.unwrap();
        assert!(matches!(again, Some(Discard::Refused(_))), "{again:?}");
        assert!(!is_retried(&store, id, 12.0).await);
    }
    assert_eq!(store.discard(99, None, 12.0).await.unwrap(), None);
    assert_eq!(store.next_due(&ASSETS).await.unwrap(), None);
    let planned = store.planned(vec![1, 2]).await.unwrap();
    let of = |id, kind: &str| planned[&(id, kind.to_owned())];
    assert_eq!(
        (of(1, "a"), of(1, "b")),
        (None, None),
        "made at the next change"
    );
    assert_eq!(of(2, "a"), Some([3; 16]));
    // No longer than the history holds its cycle, and at once without one.
    for n in 2..=7 {
        store
            .commit_cycle(cycle(n, 0, success(vec![])))
            .await
            .unwrap();
    }
    assert_eq!(store.delivery(1).await.unwrap(), None);
    store
        .enqueue(vec![file(9, "a", 1)], None, (13.0, 13.0))
        .await
        .unwrap();
    let alone = store.claim(&ASSETS, 5.0, due(1)).await.unwrap();
    assert_eq!(alone, [], "not due yet");
    let rows = store.deliveries(DeliveryQuery {
        limit: 1,
        ..Default::default()
    });
    let id = rows.await.unwrap()[0].id;
    store.discard(id, None, 14.0).await.unwrap();
    assert_eq!(store.delivery(id).await.unwrap(), None);
}

#[tokio::test]
async fn a_not_before_that_the_schedule_does_not_have_is_due_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    let at = 1e6;
    let mut write = cycle(1, 0, success((1..=4).map(|n| file(n, "a", 1)).collect()));
    (write.ended, write.due) = (at, at);
    store.commit_cycle(write).await.unwrap();
    let portion = due(3);
    let claimed = store.claim(&ASSETS, at, portion).await.unwrap();
    // After one attempt an hour is the longest that a server can ask for.
    for (one, wait) in claimed.iter().zip([3_599.0, 3_601.0, 80_000.0]) {
        let later = Settlement::Retry {
            at: at + wait,
            error: "x".to_owned(),
        };
        store.settle(one.id, at, later).await.unwrap();
    }
    let now = at - 20.0 * 3_600.0;
    assert_eq!(store.recover(at).await.unwrap(), []);
    let next = |id| {
        let store = &store;
        async move { store.delivery(id).await.unwrap().unwrap().next_attempt }
    };
    assert_eq!(next(claimed[0].id).await, Some(at + 3_599.0));
    assert_eq!(next(claimed[1].id).await, Some(at));
    assert_eq!(next(claimed[2].id).await, Some(at));
    assert_eq!(store.recover(now).await.unwrap(), []);
    for id in 1..=4 {
        assert_eq!(next(id).await, Some(now), "also one that was never tried");
    }
}

#[tokio::test]
async fn damaged_names_of_a_delivery_hold_up_no_other_and_no_start() {
    for column in [
        "kind",
        "traceparent",
        "destination",
        "state",
        "processing_id",
        "last_error",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), 10).unwrap();
        let files = (1..=3).map(|n| file(n, "a", 1)).collect();
        store
            .commit_cycle(cycle(1, 0, success(files)))
            .await
            .unwrap();
        let first = store.claim(&ASSETS, 10.0, due(1)).await.unwrap();
        assert_eq!(first[0].id, 1);
        store.close().await.unwrap();
        drop(store);
        let connection = rusqlite::Connection::open(folder.path().join(FILE_NAME)).unwrap();
        let damage = format!("UPDATE outbox SET {column} = CAST(X'ff' AS TEXT) WHERE id IN (1, 2)");
        connection.execute_batch(&damage).unwrap();
        drop(connection);
        let store = open(folder.path(), 10).unwrap();
        store.recover(10.0).await.unwrap();
        let claimed = store.claim(&ASSETS, 1e6, due(9)).await.unwrap();
        assert!(claimed.iter().any(|one| one.id == 3), "{column}");
        let all = DeliveryQuery {
            limit: 9,
            ..Default::default()
        };
        assert_eq!(store.deliveries(all).await.unwrap().len(), 3, "{column}");
        store.outbox().await.unwrap();
    }
}

#[tokio::test]
async fn a_damaged_name_of_a_request_is_nobodys() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    for byte in 1..=3 {
        store.accept_once(name(byte), trigger(None)).await.unwrap();
    }
    store.close().await.unwrap();
    drop(store);
    let connection = rusqlite::Connection::open(folder.path().join(FILE_NAME)).unwrap();
    let damage = "UPDATE requests SET id = x'01' WHERE seq = 1; \
                  UPDATE requests SET body = x'01' WHERE seq = 2";
    connection.execute_batch(damage).unwrap();
    drop(connection);
    let store = open(folder.path(), 10).unwrap();
    let mut taken = Vec::new();
    for byte in 1..=3 {
        taken.push(store.accept_once(name(byte), trigger(None)).await.unwrap());
    }
    assert!(matches!(
        taken[..],
        [Taken::New(_), Taken::Conflict, Taken::Repeat(_)]
    ));
    // Forgets them, the damaged ones too.
    let mut end = cycle(1, 4, success(vec![]));
    end.ended = 1e7;
    store.commit_cycle(end).await.unwrap();
    let again = store.accept_once(name(3), trigger(None)).await.unwrap();
    assert!(matches!(again, Taken::New(_)));
}

#[tokio::test]
async fn a_panic_in_a_job_without_a_savepoint_undoes_all_and_numbers_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    let bad = store.inner.writer.run_one_statement(|tx, counters| {
        triggers::insert(tx, counters, "default", 1, &trigger(None))?;
        panic!("on purpose")
    });
    let bad: Result<(), StoreError> = bad.await;
    assert_eq!(bad, Err(StoreError::Panicked));
    let good = store.accept(trigger(None)).await.unwrap();
    assert_eq!((good.seq, good.ahead), (1, 0));
}

#[tokio::test]
async fn a_job_that_panics_is_undone_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    let bad = store.write(|tx, _| -> Result<(), StoreError> {
        schema::put_meta(tx, "half", "done")?;
        panic!("on purpose");
    });
    let (bad, good) = tokio::join!(bad, store.accept(trigger(None)));
    assert_eq!(bad, Err(StoreError::Panicked));
    good.unwrap();
    let half = store.read(|c, _| schema::meta(c, "half")).await.unwrap();
    assert_eq!(half, None);
}

#[tokio::test]
async fn a_folder_has_one_owner_and_an_unclean_end_shows() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    assert!(matches!(open(folder.path(), 10), Err(OpenError::Locked(_))));
    drop(store);
    let again = open(folder.path(), 10).unwrap();
    assert!(!again.previous_run_was_clean());
}

#[tokio::test]
async fn the_history_keeps_as_much_as_it_should() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    for n in 1..=9 {
        let files = vec![file(n, "a", 1)];
        store
            .commit_cycle(cycle(n.unsigned_abs(), 0, success(files)))
            .await
            .unwrap();
        for one in store.claim(&ASSETS, 1e9, due(10)).await.unwrap() {
            store
                .settle(one.id, 3.0, Settlement::Delivered { url: None })
                .await
                .unwrap();
        }
    }
    let history = store.history(100).await.unwrap();
    let ids: Vec<&str> = history
        .iter()
        .map(|record| record.processing_id.as_str())
        .collect();
    assert_eq!(
        ids,
        [
            "webhook_0_5",
            "webhook_0_6",
            "webhook_0_7",
            "webhook_0_8",
            "webhook_0_9"
        ]
    );
    let kept = store
        .deliveries(DeliveryQuery {
            limit: 100,
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(kept.len(), 5, "deliveries go with their cycle");
}

#[tokio::test]
async fn an_acceptance_survives_a_cycle_that_had_begun_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    let held = |digest: u8| {
        CycleEnd::Held(Held {
            digest: vec![digest],
            since: 1.0,
            reason: String::new(),
            accepted: false,
        })
    };
    let accepted = || async { store.feed_state().await.unwrap().held.unwrap().accepted };
    store.commit_cycle(cycle(1, 0, held(1))).await.unwrap();
    assert!(store.accept_held().await.unwrap());
    store.commit_cycle(cycle(2, 0, held(1))).await.unwrap();
    assert!(accepted().await, "the same list");
    store.commit_cycle(cycle(3, 0, held(2))).await.unwrap();
    assert!(!accepted().await, "another list");
}

#[tokio::test]
async fn what_is_settled_keeps_no_text_and_goes_with_its_cycle() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    let files = vec![file(1, "a", 1), file(2, "a", 1), file(3, "a", 1)];
    store
        .commit_cycle(cycle(1, 0, success(files)))
        .await
        .unwrap();
    // Under way, one of them with a newer state behind it, while the history forgets their cycle.
    let claimed = store.claim(&ASSETS, 1e9, due(2)).await.unwrap();
    for n in 2..=6 {
        let files = if n == 2 {
            vec![file(2, "a", 2)]
        } else {
            vec![]
        };
        store
            .commit_cycle(cycle(n, 0, success(files)))
            .await
            .unwrap();
    }
    let retry = || Settlement::Retry {
        at: 0.0,
        error: String::new(),
    };
    let delivered = Settlement::Delivered { url: None };
    store.settle(claimed[0].id, 3.0, delivered).await.unwrap();
    let state = store.settle(claimed[1].id, 3.0, retry()).await.unwrap();
    assert_eq!(state, DeliveryState::Superseded);
    store
        .commit_cycle(cycle(7, 0, success(vec![file(3, "a", 2)])))
        .await
        .unwrap();
    let rows = "SELECT match_id, state, payload IS NULL FROM outbox ORDER BY id";
    let rows: Vec<(i64, String, bool)> = store
        .read(move |c, _| {
            let mut statement = c.prepare(rows)?;
            let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
        .unwrap();
    let pending = |id| (id, "pending".to_owned(), false);
    assert_eq!(rows, [pending(2), pending(3)]);
}

#[test]
fn a_body_that_no_value_can_hold_is_told_by_its_size() {
    let deep = "[".repeat(1000) + &"]".repeat(1000);
    for (text, bytes) in [("\"\\ud800\"", 8), ("1e999", 5), (deep.as_str(), 2000)] {
        let told = serde_json::json!({ "body_bytes": bytes });
        assert_eq!(trigger_data(Some(text)), told, "{text:.9}");
    }
    assert_eq!(trigger_data(Some("[1]")), serde_json::json!([1]));
    assert_eq!(trigger_data(None), serde_json::Value::Null);
}

/// A value that a plan could depend on makes `SQLite` parse the statement again for the next one.
#[test]
fn a_kept_statement_is_parsed_once_whatever_is_bound() {
    use rusqlite::StatementStatus::RePrepare;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let writer = open::open(&path).unwrap();
    for connection in [open::open_reader(&path).unwrap(), writer] {
        for _ in 0..3 {
            let sql = "SELECT coalesce(max(upto), 0) FROM served WHERE feed = ?1";
            let mut statement = connection.prepare_cached(sql).unwrap();
            let upto: i64 = statement
                .query_row([DEFAULT_FEED], |row| row.get(0))
                .unwrap();
            assert_eq!((upto, statement.get_status(RePrepare)), (0, 0));
        }
    }
}

/// Commits a snapshot of one match, exported but for its last step.
async fn commit_exported(
    store: &Store,
    exporter: &Exporter,
    n: u64,
    body: &'static str,
) -> Prepared {
    let body = bytes::Bytes::from_static(body.as_bytes());
    let mut draft = exporter.begin().unwrap();
    draft.entry(&body).unwrap();
    let prepared = draft.finish().unwrap();
    let one = MatchWrite {
        id: 1,
        fingerprint: [0; 16],
        date: None,
        raw: 0..body.len(),
    };
    let snapshot = SnapshotWrite {
        matches: MatchWrites {
            body,
            upserts: vec![one],
            gone: vec![],
        },
        export_digest: Some(prepared.digest().to_vec()),
        ..SnapshotWrite::default()
    };
    let end = CycleEnd::Success {
        snapshot: Some(snapshot),
        changes: vec![],
        deliveries: vec![],
    };
    store.commit_cycle(cycle(n, 0, end)).await.unwrap();
    prepared
}

#[tokio::test]
async fn an_export_that_is_interrupted_twice_is_not_taken_for_somebody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    // Each start of the program has one of its own, which has seen nothing yet.
    let started = || Exporter::new(folder.path(), "list.json", Arc::new(Metrics::new()));
    let exporter = started();
    let first = commit_exported(&store, &exporter, 1, "{\"matchid\":1}").await;
    exporter.publish(first, &FeedState::default()).unwrap();
    // Interrupted before the rename, and again at the same place of the next start.
    drop(commit_exported(&store, &exporter, 2, "{\"matchid\":1,\"a\":2}").await);
    let state = store.feed_state().await.unwrap();
    drop(started().announce(&store, &state).await.unwrap());
    let state = store.feed_state().await.unwrap();
    started().reconcile(&store, &state).await.unwrap();
    let exported = std::fs::read_to_string(exporter.path()).unwrap();
    assert_eq!(exported, "[\n{\"matchid\":1,\"a\":2}\n]\n");
    let names = std::fs::read_dir(folder.path()).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        !names
            .iter()
            .any(|name| name.to_string_lossy().contains("foreign")),
        "{names:?}"
    );
}

#[tokio::test]
async fn what_a_store_of_version_2_holds_is_still_known() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    let planned = success(vec![file(1, "info", 1), file(2, "info", 1)]);
    store.commit_cycle(cycle(1, 0, planned)).await.unwrap();
    let Taken::New(first) = store.accept_once(name(1), trigger(None)).await.unwrap() else {
        panic!("nobody had that name");
    };
    store.close().await.unwrap();
    drop(store);
    let file = folder.path().join(FILE_NAME);
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection
        .execute_batch(
            "CREATE UNIQUE INDEX requests_by_id ON requests (feed, id); \
             DROP INDEX outbox_by_match; DROP INDEX outbox_open; DROP INDEX outbox_urgent; \
             DROP INDEX outbox_counts; DROP INDEX outbox_readers; \
             ALTER TABLE outbox DROP COLUMN recipient; \
             ALTER TABLE outbox DROP COLUMN priority; ALTER TABLE outbox DROP COLUMN not_before; \
             CREATE INDEX outbox_by_match ON outbox (feed, destination, match_id, id); \
             PRAGMA user_version = 2;",
        )
        .unwrap();
    drop(connection);
    let store = open(folder.path(), 10).unwrap();
    let again = store.accept_once(name(1), trigger(None)).await.unwrap();
    assert!(matches!(again, Taken::Repeat(accepted) if accepted.id == first.id));
    let other = store.accept_once(name(2), trigger(None)).await.unwrap();
    assert!(matches!(other, Taken::New(_)));
    store.recover(10.0).await.unwrap();
    let claimed = store.claim(&ASSETS, 10.0, due(9)).await.unwrap();
    assert!(
        claimed.iter().map(|one| one.match_id).eq([1, 2]),
        "{claimed:?}"
    );
    store.close().await.unwrap();
    let connection = rusqlite::Connection::open(&file).unwrap();
    let indexes: i64 = connection
        .query_row(
            "SELECT count(*) FROM sqlite_schema WHERE name = 'requests_by_id'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(indexes, 0);
}

#[tokio::test]
async fn a_name_whose_trigger_found_no_place_is_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 1).unwrap();
    store.accept(trigger(None)).await.unwrap();
    for _ in 0..2 {
        let refused = store.accept_once(name(1), trigger(None)).await;
        assert!(
            matches!(refused, Err(StoreError::QueueFull(1))),
            "{refused:?}"
        );
    }
    store.close().await.unwrap();
}

pub(super) fn message(
    recipient: &str,
    match_id: i64,
    kind: &str,
    not_before: Option<f64>,
) -> NewDelivery {
    NewDelivery {
        lane: Destination::Mail.into(),
        recipient: recipient.to_owned(),
        priority: Priority::Critical,
        not_before,
        ..file(match_id, kind, 1)
    }
}

async fn taken(store: &Store, lane: &Lane, now: f64, ahead: usize) -> Vec<(String, i64, String)> {
    let portion = Portion { ahead, ..due(20) };
    let claimed = store.claim(lane, now, portion).await.unwrap();
    let told = |one: Claimed| (one.recipient, one.match_id, one.kind);
    claimed.into_iter().map(told).collect()
}

fn told(recipient: &str, match_id: i64, kind: &str) -> (String, i64, String) {
    (recipient.to_owned(), match_id, kind.to_owned())
}

#[tokio::test]
async fn recipients_do_not_wait_for_one_another() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    let mail = Destination::Mail.into();
    let both = vec![
        message("anna", 7, "message", None),
        message("bo", 7, "message", None),
        message("bo", 7, "other", None),
        message("bo", 0, "digest", None),
        message("bo", 0, "alert", None),
    ];
    store
        .commit_cycle(cycle(1, 1, success(both)))
        .await
        .unwrap();
    let first = taken(&store, &mail, 1e6, 0).await;
    assert_eq!(
        first,
        [
            told("anna", 7, "message"),
            told("bo", 7, "message"),
            told("bo", 0, "alert"),
            told("bo", 0, "digest"),
        ],
        "all but the second of one match to one reader"
    );
    let newer = vec![message("bo", 7, "message", None)];
    store
        .commit_cycle(cycle(2, 1, success(newer)))
        .await
        .unwrap();
    let bo = store.deliveries(DeliveryQuery {
        limit: 10,
        ..DeliveryQuery::default()
    });
    let states: Vec<_> = bo
        .await
        .unwrap()
        .into_iter()
        .rev()
        .map(|row| (row.recipient, row.state))
        .collect();
    let under_way = [
        "running", "running", "pending", "running", "running", "pending",
    ];
    assert!(
        states.iter().map(|one| one.1.as_str()).eq(under_way),
        "{states:?}"
    );
    let outbox = store.outbox().await.unwrap();
    assert!(
        outbox.iter().all(|one| one.critical == one.count),
        "{outbox:?}"
    );
}

#[tokio::test]
async fn nothing_goes_out_before_its_time_nor_later_than_two_days() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    let mail = Destination::Mail.into();
    let empty = cycle(1, 1, success(vec![]));
    let (ended, due) = (empty.ended, empty.due);
    let all = vec![
        message("a", 1, "message", Some(ended + 3_600.0)),
        message("a", 2, "message", Some(ended - 3_600.0)),
        message("a", 3, "message", Some(ended + 1e7)),
        message("a", 4, "message", Some(f64::NAN)),
    ];
    store.commit_cycle(cycle(1, 1, success(all))).await.unwrap();
    let at_once = [told("a", 2, "message"), told("a", 4, "message")];
    assert_eq!(
        taken(&store, &mail, due + 1.0, 10).await,
        at_once,
        "not even ahead of schedule"
    );
    // Times of the two clocks are the same after a start. What was under way is tried again.
    store.recover(ended + 2.0).await.unwrap();
    let soon = taken(&store, &mail, ended + 2.5, 0).await;
    assert_eq!(
        soon,
        [told("a", 3, "message")],
        "a time that nobody can have meant"
    );
    let before = taken(&store, &mail, ended + 3_599.0, 0).await;
    assert_eq!(before, at_once);
    // A digest of tomorrow is not late, and holds up nothing.
    let waits = store.outbox().await.unwrap();
    let pending = waits.iter().find(|one| one.state == DeliveryState::Pending);
    assert!(pending.unwrap().oldest >= ended + 3_600.0, "{waits:?}");
    let late = taken(&store, &mail, ended + 3_600.0, 0).await;
    assert_eq!(late, [told("a", 1, "message")]);
}

#[tokio::test]
async fn one_change_set_follows_another_and_a_lane_that_is_gone_gives_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    let lanes = [
        Lane::from(Destination::Redis),
        Lane::named(Destination::Webhook, "club"),
    ];
    for n in 1..=2 {
        let set = |lane: &Lane| NewDelivery {
            lane: lane.clone(),
            ..file(0, crate::domain::delivery::MATCH_UPDATES, 1)
        };
        let sets = lanes.iter().map(set).collect();
        store
            .commit_cycle(cycle(n, 1, success(sets)))
            .await
            .unwrap();
    }
    let now = 1e6;
    let claimed = store.claim(&lanes[0], now, due(9)).await.unwrap();
    assert_eq!(claimed.len(), 1, "one after the other");
    let failed = Settlement::Retry {
        at: now,
        error: "no".to_owned(),
    };
    let state = store.settle(claimed[0].id, now, failed).await.unwrap();
    assert_eq!(
        state,
        DeliveryState::Pending,
        "the newer one does not replace it"
    );
    let of = |destination| DeliveryQuery {
        limit: 9,
        destination: Lane::from_key(destination),
        ..DeliveryQuery::default()
    };
    for (key, rows) in [
        ("webhook", 2),
        ("webhook:club", 2),
        ("webhook:clu", 0),
        ("redis", 2),
    ] {
        let found = store.deliveries(of(key)).await.unwrap();
        assert_eq!(found.len(), rows, "{key}");
    }
    let gone = store
        .give_up_strays(vec!["redis".to_owned()], now)
        .await
        .unwrap();
    assert_eq!(gone, [Destination::Webhook; 2]);
    let dead = store.deliveries(of("webhook:club")).await.unwrap();
    assert!(dead.iter().all(|row| row.state == "dead"), "{dead:?}");
    assert!(is_retried(&store, dead[0].id, now).await);
}

pub(super) fn news(match_id: i64, before: &str, now: &str) -> NewDelivery {
    use crate::domain::change::Category;
    use crate::domain::notify::{Language, MatchNews, Message, News, Stored};
    let news = News {
        previous_value: Some(before.to_owned()),
        current_value: Some(now.to_owned()),
        field_name: Some("avsparkstid".to_owned()),
        category: Category::TimeChange,
        priority: Priority::High,
        previous_name: None,
        current_name: None,
        contact_fields: Vec::new(),
        previous_referees: Vec::new(),
    };
    let told = MatchNews {
        match_id,
        news: vec![news],
        ..MatchNews::default()
    };
    let stored = Stored::of(&Message::changes(Language::English, told));
    NewDelivery {
        payload: stored.payload,
        priority: stored.priority,
        ..message("anna", match_id, crate::domain::delivery::MESSAGE, None)
    }
}

/// What a message says of the kick-off.
fn says(claimed: &[Claimed]) -> Vec<String> {
    let one = |claimed: &Claimed| {
        let message: crate::domain::notify::Message =
            serde_json::from_str(&claimed.payload).unwrap();
        let news = &message.matches[0].news[0];
        format!("{}-{}", news.before().unwrap(), news.now().unwrap())
    };
    claimed.iter().map(one).collect()
}

#[tokio::test]
async fn a_newer_message_tells_what_the_older_one_did_not_get_to_tell() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    let mail = Destination::Mail.into();
    let mut n = 0;
    let mut tell = async |news: NewDelivery| {
        n += 1;
        let end = success(vec![news]);
        store.commit_cycle(cycle(n, 1, end)).await.unwrap();
    };
    // One that waits.
    tell(news(1, "18", "19")).await;
    tell(news(1, "19", "20")).await;
    let claimed = store.claim(&mail, 10.0, due(9)).await.unwrap();
    assert_eq!(says(&claimed), ["18-20"]);
    // One that is under way, and fails.
    tell(news(1, "20", "21")).await;
    let failed = Settlement::Retry {
        at: 1e9,
        error: "no".to_owned(),
    };
    let state = store.settle(claimed[0].id, 11.0, failed).await.unwrap();
    assert_eq!(state, DeliveryState::Superseded);
    let claimed = store.claim(&mail, 12.0, due(9)).await.unwrap();
    assert_eq!(says(&claimed), ["18-21"]);
    // One that was given up, and one after it that changes back.
    let dead = Settlement::Dead {
        error: "no".to_owned(),
    };
    store.settle(claimed[0].id, 13.0, dead).await.unwrap();
    tell(news(1, "21", "22")).await;
    tell(news(1, "22", "21")).await;
    let claimed = store.claim(&mail, 14.0, due(9)).await.unwrap();
    assert_eq!(says(&claimed), ["18-21"]);
    let delivered = Settlement::Delivered { url: None };
    store.settle(claimed[0].id, 15.0, delivered).await.unwrap();
    tell(news(1, "21", "22")).await;
    tell(news(1, "22", "21")).await;
    assert_eq!(
        store.claim(&mail, 16.0, due(9)).await.unwrap(),
        [],
        "nothing is left to tell"
    );
    // One under way that fails after it was taken back: it may have arrived.
    tell(news(1, "21", "22")).await;
    let claimed = store.claim(&mail, 17.0, due(9)).await.unwrap();
    tell(news(1, "22", "21")).await;
    let failed = Settlement::Retry {
        at: 1e9,
        error: "no".to_owned(),
    };
    store.settle(claimed[0].id, 18.0, failed).await.unwrap();
    let claimed = store.claim(&mail, 19.0, due(9)).await.unwrap();
    assert_eq!(says(&claimed), ["22-21"]);
}

#[tokio::test]
async fn what_was_to_be_told_now_does_not_wait_for_the_morning_with_what_came_after_it() {
    let morning = Some(50_000.0);
    let at_night = |news: NewDelivery| NewDelivery {
        not_before: morning,
        ..news
    };
    let mail = Destination::Mail.into();
    for is_under_way in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), 10).unwrap();
        let first = success(vec![news(1, "18", "19")]);
        store.commit_cycle(cycle(1, 1, first)).await.unwrap();
        let claimed = store.claim(&mail, 3.0, due(9)).await.unwrap();
        let failed = Settlement::Retry {
            at: 100.0,
            error: "no".to_owned(),
        };
        if !is_under_way {
            let settled = store.settle(claimed[0].id, 3.0, failed.clone()).await;
            assert_eq!(settled.unwrap(), DeliveryState::Pending);
        }
        let second = success(vec![at_night(news(1, "19", "20"))]);
        store.commit_cycle(cycle(2, 1, second)).await.unwrap();
        if is_under_way {
            let settled = store.settle(claimed[0].id, 3.0, failed).await;
            assert_eq!(settled.unwrap(), DeliveryState::Superseded);
        }
        let next = store.next_due(&mail).await.unwrap();
        assert_eq!(
            next.map(|due| due.at),
            Some(100.0),
            "under way: {is_under_way}"
        );
        // A start believes the times of the schedule.
        store.recover(10.0).await.unwrap();
        let claimed = store.claim(&mail, 100.0, due(9)).await.unwrap();
        assert_eq!(says(&claimed), ["18-20"], "under way: {is_under_way}");
    }
}

#[tokio::test]
async fn what_is_critical_goes_before_what_has_waited_longer() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    let mail = Destination::Mail.into();
    let many = (1..=100).map(|id| news(id, "18", "19")).collect();
    store
        .commit_cycle(cycle(1, 1, success(many)))
        .await
        .unwrap();
    let urgent = NewDelivery {
        priority: Priority::Critical,
        ..news(200, "18", "19")
    };
    let end = success(vec![urgent]);
    store.commit_cycle(cycle(2, 1, end)).await.unwrap();
    let portion = Portion { ahead: 2, ..due(3) };
    let claimed = store.claim(&mail, 3.0, portion).await.unwrap();
    let ids: Vec<i64> = claimed.iter().map(|one| one.match_id).collect();
    assert_eq!(ids, [200, 1, 2]);
}

#[tokio::test]
async fn a_long_line_of_sets_and_a_long_history_are_looked_at_in_no_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    store.close().await.unwrap();
    drop(store);
    let connection = rusqlite::Connection::open(folder.path().join(FILE_NAME)).unwrap();
    let plan = |sql: &str| -> String {
        let mut statement = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let count = statement.parameter_count();
        let values = rusqlite::params_from_iter((0..count).map(|_| 1));
        let rows = statement.query_map(values, |row| row.get::<_, String>(3));
        rows.unwrap()
            .map(Result::unwrap)
            .collect::<Vec<_>>()
            .join("; ")
    };
    let open = plan(&format!(
        "SELECT min(next_attempt) FROM outbox AS o WHERE feed = ?1 AND destination = ?2 \
         AND state = 'pending' AND {} AND {}",
        outbox::FIRST_OF_ITS_MATCH,
        outbox::IN_TURN
    ));
    assert!(open.contains("outbox_open"), "{open}");
    let under_way = "SEARCH other USING INDEX outbox_counts (feed=? AND destination=? AND state=?)";
    assert!(open.contains(under_way), "{open}");
    for of_reader in [outbox::DIGESTS, outbox::MESSAGES] {
        let read = plan(of_reader);
        let key =
            "COVERING INDEX outbox_readers (feed=? AND destination=? AND recipient=? AND kind=?)";
        assert!(read.contains(key) && !read.contains("TEMP"), "{read}");
    }
    let readers = plan(outbox::READERS);
    let found = [
        "d USING COVERING INDEX outbox_readers",
        "EXISTS USING COVERING INDEX outbox_readers",
    ];
    for part in found {
        assert!(readers.contains(part), "{readers}");
    }
    let dead = plan(outbox::DEAD);
    assert!(
        dead.contains("(feed=? AND destination=?") && dead.contains("INDEX"),
        "{dead}"
    );
    let counts = plan(outbox::COUNTS);
    assert!(counts.contains("COVERING INDEX outbox_counts"), "{counts}");
}

#[tokio::test]
async fn what_no_cycle_planned_is_stored_with_its_note() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    let note = |text: Option<&str>| Some(("alert:a".to_owned(), text.map(str::to_owned)));
    let told = vec![message("op", 0, "alert_a", None)];
    store
        .enqueue(told, note(Some("since 1")), (10.0, 10.0))
        .await
        .unwrap();
    let notes = store.notes("alert:").await.unwrap();
    assert_eq!(notes.get("alert:a").map(String::as_str), Some("since 1"));
    let told = vec![message("op", 0, "alert_a", None)];
    let replaced = store.enqueue(told, note(None), (11.0, 11.0)).await.unwrap();
    assert_eq!(
        replaced,
        [(Destination::Mail, 1)],
        "the recovery takes its place"
    );
    assert!(store.notes("alert:").await.unwrap().is_empty());
    let claimed = store
        .claim(&Destination::Mail.into(), 12.0, due(9))
        .await
        .unwrap();
    assert_eq!(claimed.len(), 1);
}
