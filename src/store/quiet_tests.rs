//! What quiet hours do to what waits, whatever it waits for.

use super::tests::{cycle, due, message, open, success};
use super::*;
use crate::domain::change::Priority;
use crate::domain::delivery::{Destination, Lane, MESSAGE};

/// Half a minute before the night, in it, and at its end; the steady clock is two hours behind.
const EVENING: f64 = 79_170.0;
const NIGHT: f64 = 80_000.0;
const MORNING: f64 = 104_400.0;
const BEHIND: f64 = 7_200.0;

fn at_night(ahead: usize) -> Portion {
    let anna = Quiet {
        recipient: "anna".to_owned(),
        until: MORNING,
        due: MORNING - BEHIND,
    };
    Portion {
        ahead,
        quiet: vec![anna],
        ..due(9)
    }
}

async fn takes(store: &Store, now: f64, portion: Portion) -> Vec<Claimed> {
    let mail: Lane = Destination::Mail.into();
    store.claim(&mail, now - BEHIND, portion).await.unwrap()
}

fn readers(claimed: &[Claimed]) -> Vec<(&str, i64)> {
    let reader = |one| {
        let one: &Claimed = one;
        (one.recipient.as_str(), one.match_id)
    };
    claimed.iter().map(reader).collect()
}

async fn fails(store: &Store, one: &Claimed, again: f64) {
    let failed = Settlement::Retry {
        at: again - BEHIND,
        error: "no".to_owned(),
    };
    store.settle(one.id, EVENING, failed).await.unwrap();
}

#[tokio::test]
async fn what_failed_in_the_evening_is_not_tried_at_night_unless_it_is_critical() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10).unwrap();
    let of = |recipient: &str, match_id, priority| NewDelivery {
        priority,
        ..message(recipient, match_id, MESSAGE, None)
    };
    let told = vec![
        of("anna", 1, Priority::High),
        of("anna", 2, Priority::Critical),
        of("bo", 3, Priority::High),
        of("anna", 4, Priority::High),
    ];
    let mut write = cycle(1, 1, success(told));
    (write.ended, write.due) = (EVENING, EVENING - BEHIND);
    store.commit_cycle(write).await.unwrap();
    for one in takes(&store, EVENING, due(9)).await {
        // The last one is due after the night; catching up would bring it forward.
        let again = [NIGHT, MORNING + 60.0][usize::from(one.match_id == 4)];
        fails(&store, &one, again).await;
    }
    for ahead in [0, 9] {
        let claimed = takes(&store, NIGHT, at_night(ahead)).await;
        assert_eq!(readers(&claimed), [("anna", 2), ("bo", 3)], "{ahead} ahead");
        for one in &claimed {
            fails(&store, one, NIGHT).await;
        }
    }
    let claimed = takes(&store, MORNING - 1.0, at_night(9)).await;
    assert_eq!(readers(&claimed), [("anna", 2), ("bo", 3)]);
    let claimed = takes(&store, MORNING, due(9)).await;
    assert_eq!(readers(&claimed), [("anna", 1)]);
    let late = claimed[0].wanted - MORNING;
    assert!(late.abs() < 1e-6, "it is not late before that: {late}");
    let caught_up = Portion { ahead: 9, ..due(9) };
    let claimed = takes(&store, MORNING, caught_up).await;
    assert_eq!(readers(&claimed), [("anna", 4)]);
}
