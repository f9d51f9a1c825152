//! The weakened builds, and how the harness is called that must catch each.

use crate::support::weakened::{Edit, Weakening};

/// Senders are told before the transaction of their triggers is committed.
pub const EARLY: &[Edit] = &[Edit {
    file: "src/store/writer.rs",
    text: "        self.result.as_ref().map(|_| ()).map_err(Clone::clone)\n",
    replacement: "
        let told = self.result.as_ref().map(|_| ()).map_err(Clone::clone);
        if self.one_statement {
            let reply = std::mem::replace(&mut self.reply, oneshot::channel().0);
            let result = std::mem::replace(&mut self.result, Err(StoreError::Closed));
            let _ = reply.send(result);
        }
        told
",
}];

pub const CONTROLS: &[(Weakening, &[&str])] = &[
    (
        Weakening {
            name: "acknowledging-before-the-commit",
            edits: EARLY,
        },
        &["kill", "--rounds", "100"],
    ),
    (
        Weakening {
            name: "counting-attempts-after-the-work",
            edits: &[
                Edit {
                    file: "src/store/outbox/work.rs",
                    text: "SET state = 'running', attempts = attempts + 1 WHERE",
                    replacement: "SET state = 'running' WHERE",
                },
                Edit {
                    file: "src/store/outbox/mod.rs",
                    text: "        self.write(move |tx, _| work::settle(tx, id, now, &settlement))",
                    replacement: "        self.write(move |tx, _| {
            let count = \"UPDATE outbox SET attempts = attempts + 1 WHERE id = ?1\";
            tx.prepare_cached(count)?.execute([id])?;
            work::settle(tx, id, now, &settlement)
        })",
                },
            ],
        },
        &["kill", "--rounds", "100"],
    ),
];

/// More of them, which a campaign has the time for.
pub const MORE: &[(Weakening, &[&str])] = &[
    (
        Weakening {
            name: "forgetting-names-in-a-crash",
            edits: &[Edit {
                file: "src/store/requests.rs",
                text: "    let accepted = insert(",
                replacement: "
    let place = \"CREATE TEMP TABLE IF NOT EXISTS requests AS SELECT * FROM main.requests\";
    tx.execute_batch(place)?;
    let accepted = insert(",
            }],
        },
        &["kill", "--rounds", "50"],
    ),
    (
        Weakening {
            name: "keeping-memory-of-connections",
            edits: &[Edit {
                file: "src/http/listen.rs",
                text: "            drop(permit);\n",
                replacement: "            drop(permit);
            std::mem::forget(vec![1_u8; 8192]);
",
            }],
        },
        &["slow"],
    ),
];
