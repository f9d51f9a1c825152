//! What becomes of digests and of single messages to the same reader.

use super::tests::{cycle, due, news, success};
use super::*;
use crate::domain::change::Priority;
use crate::domain::delivery::{DIGEST, DeliveryState, Destination, Lane};
use crate::domain::notify::{Message, MessageKind, Stored};
use crate::telemetry::labels::DeliveryResult;

const MORNING: f64 = 50_000.0;

/// A digest of new kick-offs, for the morning.
fn digest(told: &[(i64, &str, &str)]) -> NewDelivery {
    let message = |&(id, before, now): &(i64, &str, &str)| -> Message {
        serde_json::from_str(&news(id, before, now).payload).unwrap()
    };
    let all: Vec<Message> = told.iter().map(message).collect();
    let whole = Message {
        kind: MessageKind::Digest,
        matches: all.iter().flat_map(|one| one.matches.clone()).collect(),
        ..all[0].clone()
    };
    let Stored { payload, priority } = Stored::of(&whole);
    NewDelivery {
        match_id: 0,
        kind: DIGEST.to_owned(),
        priority,
        not_before: Some(MORNING),
        payload,
        ..news(0, "", "")
    }
}

/// The same, found at this minute of an hour.
fn found(minute: u32, one: NewDelivery) -> NewDelivery {
    let mut message: Message = serde_json::from_str(&one.payload).unwrap();
    for told in &mut message.matches {
        told.found_at = format!("2027-05-01T12:{minute:02}:00Z");
        told.kickoff = told.news[0].now().unwrap().to_owned();
    }
    let Stored { payload, .. } = Stored::of(&message);
    NewDelivery { payload, ..one }
}

struct Told {
    folder: tempfile::TempDir,
    store: Store,
    metrics: Arc<Metrics>,
    cycles: u64,
}

impl Told {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let metrics = Arc::new(Metrics::new());
        let limits = Limits {
            queue_capacity: 10,
            history: 1_000,
        };
        Self {
            store: Store::open(folder.path(), limits, Arc::clone(&metrics)).unwrap(),
            folder,
            metrics,
            cycles: 0,
        }
    }

    /// One look at the list found this. Returns what newer ones took the place of.
    async fn finds(&mut self, found: Vec<NewDelivery>) -> usize {
        self.cycles += 1;
        let end = success(found);
        let committed = self.store.commit_cycle(cycle(self.cycles, 1, end)).await;
        committed.unwrap().superseded.values().sum()
    }

    async fn takes(&self, now: f64) -> Vec<Claimed> {
        let mail: Lane = Destination::Mail.into();
        self.store.claim(&mail, now, due(9)).await.unwrap()
    }

    async fn settles(&self, one: &Claimed, settlement: Settlement) -> DeliveryState {
        let settled = self.store.settle(one.id, MORNING, settlement).await;
        settled.unwrap()
    }

    async fn fails(&self, one: &Claimed, again: f64) -> DeliveryState {
        let error = "no".to_owned();
        self.settles(one, Settlement::Retry { at: again, error })
            .await
    }

    async fn dies(&self, one: &Claimed) {
        let error = "no".to_owned();
        self.settles(one, Settlement::Dead { error }).await;
    }

    /// Where a dead letter is once a person has retried it.
    async fn retries(&self, one: &Claimed, now: f64) -> DeliveryState {
        match self.store.retry_dead(one.id, now).await.unwrap() {
            Some(Retry::Done { state, .. }) => state,
            other => panic!("{other:?}"),
        }
    }

    /// How many the metrics say were superseded.
    fn superseded(&self) -> u64 {
        let series = (Destination::Mail, DeliveryResult::Superseded);
        self.metrics.deliveries.get(series)
    }

    async fn arrives(&self, one: &Claimed) {
        self.settles(one, Settlement::Delivered { url: None }).await;
    }
}

/// `kind match before-now …` of each.
fn says(claimed: &[Claimed]) -> Vec<String> {
    let one = |claimed: &Claimed| {
        let message: Message = serde_json::from_str(&claimed.payload).unwrap();
        let told = message.matches.iter().map(|one| {
            let news = &one.news[0];
            let (before, now) = (news.before().unwrap(), news.now().unwrap());
            format!(" {} {before}-{now}", one.match_id)
        });
        format!("{}{}", claimed.kind, told.collect::<String>())
    };
    claimed.iter().map(one).collect()
}

#[tokio::test]
async fn a_later_message_takes_its_match_out_of_the_digest_that_waits() {
    let mut told = Told::new();
    let evening = digest(&[(1, "18", "19"), (2, "12", "13")]);
    let other = NewDelivery {
        recipient: "bo".to_owned(),
        ..evening.clone()
    };
    told.finds(vec![evening, other]).await;
    told.finds(vec![news(1, "19", "20"), news(3, "8", "9")])
        .await;
    let now = told.takes(10.0).await;
    assert_eq!(says(&now), ["message 1 18-20", "message 3 8-9"]);
    for one in &now {
        told.arrives(one).await;
    }
    let morning = told.takes(MORNING).await;
    let whole = "digest 1 18-19 2 12-13";
    assert_eq!(says(&morning), ["digest 2 12-13", whole], "bo got no other");
    let priority: Message = serde_json::from_str(&morning[0].payload).unwrap();
    assert_eq!(priority.priority, Priority::High);
}

#[tokio::test]
async fn a_clock_that_was_set_back_changes_nothing_about_what_came_first() {
    let mut told = Told::new();
    told.finds(vec![found(50, digest(&[(1, "18", "19")]))])
        .await;
    told.finds(vec![found(10, news(1, "19", "20"))]).await;
    let now = told.takes(10.0).await;
    assert_eq!(says(&now), ["message 1 18-20"]);
    let message: Message = serde_json::from_str(&now[0].payload).unwrap();
    assert_eq!(message.matches[0].kickoff, "20");
}

#[tokio::test]
async fn what_was_put_back_is_told_by_neither() {
    let mut told = Told::new();
    told.finds(vec![digest(&[(1, "18", "19")])]).await;
    let superseded = told.finds(vec![news(1, "19", "18")]).await;
    assert_eq!(superseded, 2);
    assert_eq!(says(&told.takes(MORNING).await), Vec::<String>::new());
    let mail: Lane = Destination::Mail.into();
    assert_eq!(told.store.next_due(&mail).await.unwrap(), None);
}

#[tokio::test]
async fn what_comes_for_a_digest_goes_with_a_message_that_waits_for_its_next_try() {
    let mut told = Told::new();
    told.finds(vec![news(1, "18", "19")]).await;
    let first = told.takes(10.0).await;
    let state = told.fails(&first[0], 2.0 * MORNING).await;
    assert_eq!(state, DeliveryState::Pending);
    let both = digest(&[(1, "19", "20"), (2, "12", "13")]);
    told.finds(vec![both]).await;
    assert_eq!(says(&told.takes(MORNING - 1.0).await), Vec::<String>::new());
    let mut morning = told.takes(MORNING).await;
    morning.sort_by_key(|one| one.match_id);
    assert_eq!(says(&morning), ["digest 2 12-13", "message 1 18-20"]);
    let keys = [&first[0], &morning[1]].map(Claimed::idempotency_key);
    assert_ne!(keys[0], keys[1], "the first may have arrived");
}

#[tokio::test]
async fn a_message_waits_for_the_digest_that_is_under_way_and_tells_what_that_did_not() {
    for arrives in [true, false] {
        let mut told = Told::new();
        let both = digest(&[(1, "18", "19"), (2, "12", "13")]);
        told.finds(vec![both]).await;
        let morning = told.takes(MORNING).await;
        told.finds(vec![news(1, "19", "20")]).await;
        assert_eq!(told.takes(MORNING).await, [], "it may come too late");
        let mail: Lane = Destination::Mail.into();
        assert_eq!(told.store.next_due(&mail).await.unwrap(), None);
        if arrives {
            told.arrives(&morning[0]).await;
            assert_eq!(says(&told.takes(MORNING).await), ["message 1 19-20"]);
            continue;
        }
        // Another digest waits by then.
        told.finds(vec![digest(&[(1, "20", "21"), (3, "8", "9")])])
            .await;
        let state = told.fails(&morning[0], MORNING).await;
        assert_eq!(state, DeliveryState::Superseded, "by the other");
        let later = told.takes(MORNING).await;
        let both = ["message 1 18-21", "digest 2 12-13 3 8-9"];
        assert_eq!(says(&later), both);
    }
}

#[tokio::test]
async fn a_digest_waits_for_a_message_that_is_under_way() {
    for arrives in [true, false] {
        let mut told = Told::new();
        told.finds(vec![news(1, "18", "19")]).await;
        let first = told.takes(10.0).await;
        told.finds(vec![digest(&[(1, "19", "20")])]).await;
        assert_eq!(told.takes(MORNING).await, [], "the message may come later");
        if arrives {
            told.arrives(&first[0]).await;
            assert_eq!(says(&told.takes(MORNING).await), ["digest 1 19-20"]);
        } else {
            let state = told.fails(&first[0], MORNING).await;
            assert_eq!(state, DeliveryState::Superseded);
            assert_eq!(says(&told.takes(MORNING).await), ["message 1 18-20"]);
        }
    }
}

#[tokio::test]
async fn a_digest_that_fails_and_has_nothing_left_is_done() {
    let mut told = Told::new();
    told.finds(vec![digest(&[(1, "18", "19")])]).await;
    let morning = told.takes(MORNING).await;
    told.finds(vec![news(1, "19", "20")]).await;
    let state = told.fails(&morning[0], MORNING).await;
    assert_eq!(state, DeliveryState::Superseded);
    let later = told.takes(MORNING).await;
    assert_eq!(says(&later), ["message 1 18-20"]);
}

#[tokio::test]
async fn who_may_have_heard_of_a_change_hears_that_it_was_put_back() {
    let mut told = Told::new();
    told.finds(vec![news(1, "18", "19")]).await;
    let first = told.takes(10.0).await;
    told.fails(&first[0], 60.0).await;
    told.finds(vec![news(1, "19", "18")]).await;
    assert_eq!(says(&told.takes(60.0).await), ["message 1 19-18"]);
}

#[tokio::test]
async fn what_was_put_back_during_an_attempt_that_fails_is_told() {
    let mut told = Told::new();
    told.finds(vec![news(1, "18", "19")]).await;
    let first = told.takes(10.0).await;
    told.finds(vec![news(1, "19", "18")]).await;
    let state = told.fails(&first[0], 60.0).await;
    assert_eq!(state, DeliveryState::Superseded);
    assert_eq!(says(&told.takes(60.0).await), ["message 1 19-18"]);
}

#[tokio::test]
async fn a_digest_that_may_have_arrived_is_put_right_by_a_message() {
    let mut told = Told::new();
    told.finds(vec![digest(&[(1, "18", "19"), (2, "12", "13")])])
        .await;
    let morning = told.takes(MORNING).await;
    told.finds(vec![news(1, "19", "18")]).await;
    told.fails(&morning[0], MORNING).await;
    let later = told.takes(MORNING).await;
    assert_eq!(says(&later), ["message 1 19-18", "digest 2 12-13"]);
}

#[tokio::test]
async fn a_message_that_may_have_arrived_is_put_right_by_what_the_digest_gives_it() {
    let mut told = Told::new();
    told.finds(vec![news(1, "18", "19")]).await;
    let first = told.takes(10.0).await;
    told.fails(&first[0], 2.0 * MORNING).await;
    told.finds(vec![digest(&[(1, "19", "18")])]).await;
    let morning = told.takes(MORNING).await;
    assert_eq!(says(&morning), ["message 1 19-18"]);
    assert_ne!(morning[0].id, first[0].id, "its receiver knows that id");
}

#[tokio::test]
async fn what_was_given_up_goes_with_the_next_digest_and_not_after_it() {
    let mut told = Told::new();
    told.finds(vec![news(1, "18", "19"), news(3, "8", "9")])
        .await;
    let first = told.takes(10.0).await;
    for one in &first {
        told.dies(one).await;
    }
    told.finds(vec![digest(&[(1, "19", "20"), (2, "12", "13")])])
        .await;
    assert_eq!(told.superseded(), 1);
    for now in [20.0, MORNING] {
        let again = told.store.retry_dead(first[0].id, now).await.unwrap();
        assert!(matches!(again, Some(Retry::Refused(_))), "{again:?}");
    }
    let morning = told.takes(MORNING).await;
    assert_eq!(says(&morning), ["digest 1 18-20 2 12-13"]);
    // The other one tells of no match of the digest, and waits all the same.
    assert_eq!(told.retries(&first[1], 60.0).await, DeliveryState::Pending);
    assert_eq!(told.takes(MORNING).await, [], "the digest is under way");
    told.arrives(&morning[0]).await;
    assert_eq!(says(&told.takes(MORNING).await), ["message 3 8-9"]);
}

#[tokio::test]
async fn what_is_given_up_beside_a_digest_that_waits_goes_with_it() {
    for (change, expected) in [
        (("19", "20"), "digest 1 18-20 2 12-13"),
        // It may have arrived.
        (("19", "18"), "digest 1 19-18 2 12-13"),
    ] {
        let mut told = Told::new();
        told.finds(vec![news(1, "18", "19")]).await;
        let first = told.takes(10.0).await;
        let both = digest(&[(1, change.0, change.1), (2, "12", "13")]);
        told.finds(vec![both]).await;
        let error = "no".to_owned();
        let state = told.settles(&first[0], Settlement::Dead { error }).await;
        assert_eq!(state, DeliveryState::Superseded);
        assert_eq!(says(&told.takes(MORNING).await), [expected]);
    }
}

#[tokio::test]
async fn a_digest_that_may_have_arrived_takes_up_more_under_another_id() {
    let mut told = Told::new();
    let both = digest(&[(1, "18", "19"), (2, "12", "13")]);
    told.finds(vec![both]).await;
    let morning = told.takes(MORNING).await;
    told.dies(&morning[0]).await;
    told.finds(vec![news(1, "19", "20")]).await;
    let message = told.takes(MORNING).await;
    assert_eq!(
        told.retries(&morning[0], MORNING).await,
        DeliveryState::Pending
    );
    assert_eq!(told.takes(MORNING).await, [], "a newer one is under way");
    told.dies(&message[0]).await;
    let later = told.takes(MORNING).await;
    assert_eq!(says(&later), ["digest 1 18-20 2 12-13"]);
    assert_ne!(later[0].id, morning[0].id, "its receiver knows that id");
}

#[tokio::test]
async fn every_entry_whose_place_another_took_is_counted() {
    let mut told = Told::new();
    // By a newer one, under an id of its own, by what was put back, and by a digest that is left empty.
    told.finds(vec![news(1, "18", "19"), news(2, "12", "13")])
        .await;
    let first = told.takes(10.0).await;
    told.fails(&first[0], 2.0 * MORNING).await;
    told.fails(&first[1], 2.0 * MORNING).await;
    told.finds(vec![digest(&[(1, "19", "20"), (2, "13", "12")])])
        .await;
    assert_eq!(told.superseded(), 3);
    // By the newer one as it fails, which was tried itself.
    told.finds(vec![news(3, "8", "9")]).await;
    let third = told.takes(20.0).await;
    assert_eq!(says(&third), ["message 3 8-9"]);
    told.finds(vec![news(3, "9", "10")]).await;
    told.fails(&third[0], 30.0).await;
    assert_eq!(told.superseded(), 4);
    // By a digest that tells what was given up.
    let fourth = told.takes(40.0).await;
    assert_eq!(says(&fourth), ["message 3 8-10"]);
    told.dies(&fourth[0]).await;
    told.finds(vec![digest(&[(3, "10", "11")])]).await;
    assert_eq!(told.superseded(), 5);
    assert_eq!(says(&told.takes(MORNING).await)[2], "digest 3 8-11");
}

#[tokio::test]
async fn a_dead_letter_that_is_retried_says_where_it_is() {
    let mut told = Told::new();
    told.finds(vec![news(1, "18", "19")]).await;
    let first = told.takes(10.0).await;
    told.dies(&first[0]).await;
    assert_eq!(told.retries(&first[0], 20.0).await, DeliveryState::Pending);
    let again = told.store.retry_dead(first[0].id, 20.0).await.unwrap();
    assert!(
        matches!(&again, Some(Retry::Refused(row)) if row.state == "pending"),
        "{again:?}"
    );
    assert_eq!(told.store.retry_dead(99, 20.0).await.unwrap(), None);
}

#[tokio::test]
async fn what_an_older_version_left_beside_a_digest_is_sorted_out_at_the_start() {
    let mut told = Told::new();
    let other = NewDelivery {
        recipient: "bo".to_owned(),
        ..digest(&[(1, "18", "19"), (2, "12", "13")])
    };
    told.finds(vec![other]).await;
    told.finds(vec![news(1, "19", "20")]).await;
    let path = told.folder.path().join(FILE_NAME);
    let changed = rusqlite::Connection::open(path)
        .unwrap()
        .execute("UPDATE outbox SET recipient = ''", []);
    assert_eq!(changed, Ok(2));
    for _ in 0..2 {
        assert_eq!(told.store.recover(10.0).await.unwrap(), []);
        let asked = DeliveryQuery {
            limit: 9,
            state: Some(DeliveryState::Pending),
            ..DeliveryQuery::default()
        };
        assert_eq!(told.store.deliveries(asked).await.unwrap().len(), 2);
    }
    let mut morning = told.takes(MORNING).await;
    morning.sort_by_key(|one| one.match_id);
    assert_eq!(says(&morning), ["digest 2 12-13", "message 1 18-20"]);
    assert_eq!(told.superseded(), 0);
}

#[tokio::test]
async fn two_digests_beside_a_message_are_told_from_the_first_before_to_the_last_now() {
    let mut told = Told::new();
    told.finds(vec![found(1, digest(&[(1, "17", "18")]))]).await;
    let first = told.takes(MORNING).await;
    told.dies(&first[0]).await;
    told.finds(vec![found(2, digest(&[(1, "18", "19"), (2, "8", "9")]))])
        .await;
    let retried = told.retries(&first[0], MORNING).await;
    assert_eq!(retried, DeliveryState::Pending);
    told.finds(vec![found(3, news(1, "19", "20"))]).await;
    let mut later = told.takes(MORNING).await;
    later.sort_by_key(|one| one.match_id);
    assert_eq!(says(&later), ["digest 2 8-9", "message 1 17-20"]);
}

#[tokio::test]
async fn a_digest_that_is_retried_between_what_a_message_tells_takes_nothing_back() {
    let mut told = Told::new();
    told.finds(vec![found(1, news(1, "17", "18"))]).await;
    let message = told.takes(10.0).await;
    told.dies(&message[0]).await;
    told.finds(vec![found(2, digest(&[(1, "18", "19"), (2, "8", "9")]))])
        .await;
    let middle = told.takes(MORNING).await;
    assert_eq!(says(&middle), ["digest 1 17-19 2 8-9"]);
    told.dies(&middle[0]).await;
    told.finds(vec![found(3, news(1, "19", "20"))]).await;
    told.retries(&middle[0], MORNING).await;
    let mut later = told.takes(MORNING).await;
    later.sort_by_key(|one| one.match_id);
    assert_eq!(says(&later), ["digest 2 8-9", "message 1 17-20"]);
}
