//! What had been told must be true of a recovered store.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{bail, ensure};
use match_list_processor::domain::plan::AssetKind;
use match_list_processor::domain::texts::file_name;

use super::Result;
use super::facts::Fact;
use super::recovered::Recovered;

/// All that had been told, without what something later includes.
#[derive(Debug, Default)]
pub struct Promises<'a> {
    triggers: BTreeSet<&'a str>,
    cycles: BTreeSet<&'a str>,
    ended: u64,
    delivered: BTreeMap<&'a str, u64>,
    sent: BTreeMap<&'a str, u64>,
}

impl<'a> Promises<'a> {
    /// Of these facts.
    pub fn of(facts: impl Iterator<Item = &'a Fact>) -> Self {
        let mut all = Self::default();
        for fact in facts {
            match fact {
                Fact::Accepted { trigger } => {
                    all.triggers.insert(trigger);
                }
                Fact::Served { trigger, cycle } => {
                    all.triggers.insert(trigger);
                    all.cycles.insert(cycle);
                }
                Fact::Ended { cycles } => all.ended = all.ended.max(*cycles),
                Fact::Delivered { cycle, count } => {
                    let most = all.delivered.entry(cycle).or_default();
                    *most = (*most).max(*count);
                }
                Fact::Sent { file } => *all.sent.entry(file).or_default() += 1,
            }
        }
        all
    }

    /// All of it is true.
    pub fn hold(&self, store: &Recovered) -> Result<()> {
        all_there(
            &self.triggers,
            store.column("SELECT printf('trg-%d-%08x', seq, nonce) FROM triggers")?,
            "an acknowledged trigger",
        )?;
        all_there(
            &self.triggers,
            store.column("SELECT printf('trg-%d-%08x', seq, nonce) FROM requests")?,
            "the name of an acknowledged request",
        )?;
        all_there(
            &self.cycles,
            store.column("SELECT processing_id FROM cycles")?,
            "a cycle whose end was told",
        )?;
        let ended = store.count("SELECT coalesce(max(cycles), 0) FROM feeds")?;
        ensure!(
            ended >= self.ended,
            "{} cycles were told to have ended, and the store knows {ended}",
            self.ended
        );
        self.deliveries_hold(store)?;
        self.attempts_hold(store)
    }

    fn deliveries_hold(&self, store: &Recovered) -> Result<()> {
        for (cycle, told) in &self.delivered {
            let known = store.count(&format!(
                "SELECT count(*) FROM outbox WHERE processing_id = '{cycle}' \
                 AND state = 'delivered'"
            ))?;
            ensure!(
                known >= *told,
                "{told} deliveries of {cycle} were told to be through, and the store knows {known}"
            );
        }
        Ok(())
    }

    /// An attempt is counted before anything is sent.
    fn attempts_hold(&self, store: &Recovered) -> Result<()> {
        let mut attempts = BTreeMap::new();
        for &kind in AssetKind::ALL {
            let label = kind.label();
            let matches: Vec<i64> = store.column(&format!(
                "SELECT DISTINCT match_id FROM outbox WHERE kind = '{label}'"
            ))?;
            for id in matches {
                let counted = store.count(&format!(
                    "SELECT sum(attempts) FROM outbox WHERE kind = '{label}' AND match_id = {id}"
                ))?;
                attempts.insert(file_name(kind, id), counted);
            }
        }
        for (&file, &times) in &self.sent {
            let counted = attempts.get(file).copied().unwrap_or(0);
            ensure!(
                counted >= times,
                "{file} was sent {times} times, and the store knows of {counted} attempts"
            );
        }
        Ok(())
    }
}

fn all_there(told: &BTreeSet<&str>, known: Vec<String>, what: &str) -> Result<()> {
    let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    match told.difference(&known).next() {
        Some(lost) => bail!("{what} is lost: {lost}"),
        None => Ok(()),
    }
}
