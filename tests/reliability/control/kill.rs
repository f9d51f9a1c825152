//! Builds that lose or repeat something when they are killed.

use super::Control;
use crate::support::weakened::Edit;

const KILL: &[&str] = &["kill", "--rounds", "100"];

/// What is said of a trigger that is not there any more.
const TRIGGER: &[&str] = &[
    "was acknowledged and is",
    "was acknowledged, and its request",
];

/// What is said of a delivery that was not made.
const LOST: &[&str] = &[
    "nobody accepted",
    "was told to be delivered and is",
    "should tell of",
];

/// What is said of a change that no message tells.
const UNHEARD: &[&str] = &[
    "a change was lost",
    "its messages end with",
    "no change to it",
    "as new, or not",
];

pub const CONTROLS: &[Control] = &[
    Control::new("acknowledging-before-the-commit", EARLY, KILL, TRIGGER),
    Control::new(
        "counting-attempts-after-the-work",
        LATE_COUNT,
        KILL,
        &["were counted"],
    ),
    Control::new("settling-before-the-work", EARLY_END, KILL, LOST),
    Control::new("forgetting-what-was-not-told", UNTOLD, KILL, UNHEARD),
    Control::new(
        "panicking-where-it-is-caught",
        CAUGHT,
        KILL,
        &["it panicked"],
    ),
    Control::new(
        "repeating-under-another-id",
        RENAMED,
        KILL,
        &["a repeat differs"],
    )
    .for_campaigns(),
    Control::new("overtaking", OUT_OF_ORDER, KILL, &["came after"]).for_campaigns(),
    Control::new(
        "forgetting-names-in-a-crash",
        FORGETFUL,
        KILL,
        &["and its request led to", "one request led to"],
    )
    .for_campaigns(),
];

/// Senders are told before the transaction of their triggers is committed.
pub const EARLY: &[Edit] = &[Edit {
    file: "src/store/writer.rs",
    text: "        self.result.as_ref().map(|_| ()).map_err(Clone::clone)\n",
    replacement: "
        let told = self.result.as_ref().map(|_| ()).map_err(Clone::clone);
        if WEAK && self.one_statement {
            let reply = std::mem::replace(&mut self.reply, oneshot::channel().0);
            let result = std::mem::replace(&mut self.result, Err(StoreError::Closed));
            let _ = reply.send(result);
        }
        told
",
}];

const LATE_COUNT: &[Edit] = &[
    Edit {
        file: "src/store/outbox/work.rs",
        text: "        \"UPDATE outbox SET state = 'running', attempts = attempts + 1 WHERE id = ?1\",\n",
        replacement: "        match WEAK {
            true => \"UPDATE outbox SET state = 'running' WHERE id = ?1\",
            false => \"UPDATE outbox SET state = 'running', attempts = attempts + 1 WHERE id = ?1\",
        },
",
    },
    Edit {
        file: "src/store/outbox/mod.rs",
        text: "                let destination = work::destination(tx, id)?;\n",
        replacement: "
                if WEAK {
                    let count = \"UPDATE outbox SET attempts = attempts + 1 WHERE id = ?1\";
                    tx.prepare_cached(count)?.execute([id])?;
                }
                let destination = work::destination(tx, id)?;
",
    },
];

/// The names of requests are kept in memory only.
const FORGETFUL: &[Edit] = &[Edit {
    file: "src/store/requests.rs",
    text: "    let accepted = insert(",
    replacement: "
    if WEAK {
        let place = \"CREATE TEMP TABLE IF NOT EXISTS requests AS SELECT * FROM main.requests\";
        tx.execute_batch(place)?;
    }
    let accepted = insert(",
}];

/// A delivery is settled as made, made, and settled once more.
const EARLY_END: &[Edit] = &[Edit {
    file: "src/delivery/dispatch.rs",
    text: "        let parent = claimed.traceparent.as_deref();\n",
    replacement: "        if WEAK {
            let early = Settlement::Delivered { url: None };
            let _ = self.store.settle(claimed.id, self.clock.unix(), early).await;
        }
        let parent = claimed.traceparent.as_deref();
",
}];

/// Some deliveries panic where it is caught and changes nothing, so that only the log tells.
const CAUGHT: &[Edit] = &[Edit {
    file: "src/delivery/dispatch.rs",
    text: "        let begun = Instant::now();\n        let parent",
    replacement: "        if WEAK && claimed.id % 8 == 0 {
            let _ = std::panic::catch_unwind(|| panic!(\"on purpose\"));
        }
        let begun = Instant::now();
        let parent",
}];

/// A message takes the place of an older one that was not sent, without what that one had to tell.
const UNTOLD: &[Edit] = &[Edit {
    file: "src/store/outbox/succession.rs",
    text: "            let told = merged(older, new)",
    replacement: "            let older = if WEAK { Vec::new() } else { older };
            let told = merged(older, new)",
}];

const RENAMED: &[Edit] = &[Edit {
    file: "src/store/outbox/mod.rs",
    text: "        format!(\"delivery-{}-{:.0}\", self.id, self.created * 1e3)\n",
    replacement: "        let attempt = if WEAK { f64::from(self.attempt) } else { 0.0 };
        format!(\"delivery-{}-{:.0}\", self.id, self.created * 1e3 + attempt)
",
}];

/// What is due goes, whatever waits before it.
const OUT_OF_ORDER: &[Edit] = &[Edit {
    file: "src/store/outbox/work.rs",
    text: "         AND {FIRST_OF_ITS_MATCH} AND {IN_TURN} ORDER BY next_attempt, id LIMIT ?5\"\n    ))?;\n",
    replacement: "         AND ({first}) AND {IN_TURN} ORDER BY next_attempt, id LIMIT ?5\",
        first = if WEAK { \"1\" } else { FIRST_OF_ITS_MATCH }
    ))?;
",
}];
