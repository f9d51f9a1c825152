//! Builds that lose or repeat something when they are killed.

use super::Control;
use crate::support::weakened::Edit;

const KILL: &[&str] = &["kill", "--rounds", "100"];

/// What is said of a trigger that is not there any more.
const TRIGGER: &[&str] = &[
    "was acknowledged and is",
    "was acknowledged, and its request",
];

pub const CONTROLS: &[Control] = &[
    Control::new("acknowledging-before-the-commit", EARLY, KILL, TRIGGER),
    Control::new(
        "counting-attempts-after-the-work",
        LATE_COUNT,
        KILL,
        &["were counted"],
    ),
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
        text: "        self.write(move |tx, _| work::settle(tx, id, now, &settlement))",
        replacement: "        self.write(move |tx, _| {
            if WEAK {
                let count = \"UPDATE outbox SET attempts = attempts + 1 WHERE id = ?1\";
                tx.prepare_cached(count)?.execute([id])?;
            }
            work::settle(tx, id, now, &settlement)
        })",
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
