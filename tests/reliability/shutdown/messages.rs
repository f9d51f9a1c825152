//! What a receiver of webhooks got over a stop and a start.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::support::Result;
use crate::support::wire::Asked;

/// A message about a match, as it came.
#[derive(Clone, Debug)]
pub struct Message {
    /// The delivery that its `webhook-id` names.
    delivery: i64,
    id: String,
    event: Value,
}

impl Message {
    /// None if it is something else.
    pub fn read(asked: &Asked) -> Option<Self> {
        let id = asked.header("webhook-id")?;
        let event: Value = serde_json::from_slice(&asked.body).ok()?;
        event["data"]["match"]["match_id"].as_i64()?;
        Some(Self {
            delivery: id.split('-').nth(1)?.parse().ok()?,
            id,
            event,
        })
    }
}

/// A repeat is the same in all, none came after a newer one of its match, and the last one of each
/// match tells its kick-off as the list has it.
pub fn check(messages: &[Message], list: &[Value]) -> Result<()> {
    let mut events: BTreeMap<&str, &Value> = BTreeMap::new();
    let mut newest: BTreeMap<i64, &Message> = BTreeMap::new();
    for message in messages {
        let before = events.insert(&message.id, &message.event);
        ensure!(
            before.is_none_or(|before| *before == message.event),
            "a repeat differs: {before:?}, {message:?}"
        );
        let of = message.event["data"]["match"]["match_id"].as_i64();
        let of = of.context("a message of no match")?;
        let before = newest.insert(of, message);
        ensure!(
            before.is_none_or(|before| before.delivery <= message.delivery),
            "a message came after a newer one: {message:?} after {before:?}"
        );
    }
    for game in list {
        let of = game["matchid"].as_i64().context("a match without an id")?;
        let last = newest.get(&of);
        let told = last.map(|last| &last.event["data"]["match"]["kickoff"]);
        ensure!(
            told == Some(&game["avsparkstid"]),
            "match {of} begins at {}, and its messages end with {told:?}",
            game["avsparkstid"]
        );
    }
    Ok(())
}
