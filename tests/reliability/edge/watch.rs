//! What the system and the daemon itself say of it: descriptors, memory, series, panics.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::support::Result;
use crate::support::daemon::{Daemon, request};

/// What each open descriptor of a process stands for, but the files of the store: its readers are
/// opened when they are needed, and are few.
pub fn descriptors(daemon: &Daemon) -> Result<Vec<String>> {
    let folder = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid))?;
    let links = folder.filter_map(|one| std::fs::read_link(one.ok()?.path()).ok());
    let names = links.map(|link| link.display().to_string());
    Ok(names.filter(|name| !name.contains("/data/")).collect())
}

/// A figure of `/proc/PID/status`, in MiB.
pub fn memory(pid: u32, name: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let words = line.and_then(|line| line.split_whitespace().next());
    let kib: f64 = words.with_context(|| format!("no {name}"))?.parse()?;
    Ok(kib / 1024.0)
}

/// Waits until the daemon has no more descriptors than before, but no longer than `patience`.
pub fn await_rest(daemon: &Daemon, before: &[String], patience: Duration) -> Result<()> {
    let until = Instant::now() + patience;
    loop {
        let open = descriptors(daemon)?;
        if open.len() <= before.len() {
            return Ok(());
        }
        ensure!(
            Instant::now() < until,
            "descriptors are left open: {open:?}; at the start there were {before:?}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Series of a scrape with their values.
pub struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    pub fn of(daemon: &Daemon) -> Result<Self> {
        let text = request(daemon.public, "GET", "/metrics/prom", "")?.body;
        let text = String::from_utf8(text)?;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| line.rsplit_once(' '));
        let parsed = pairs.map(|(series, value)| Ok((series.to_owned(), value.parse()?)));
        Ok(Self(parsed.collect::<Result<_>>()?))
    }

    /// The sum of all series that begin so.
    pub fn sum(&self, prefix: &str) -> f64 {
        let name = format!("match_list_processor_{prefix}");
        self.0
            .iter()
            .filter(|(series, _)| series.starts_with(&name))
            .map(|(_, value)| value)
            .sum()
    }

    /// Hostile methods, paths and hosts make no label: what is new since `before` is a known method
    /// on a known route, or a status code.
    pub fn holds_only_known(&self, before: &Self) -> Result<()> {
        let known: BTreeSet<&str> = before.0.keys().flat_map(|series| labels(series)).collect();
        let later = ["method=\"HEAD", "method=\"_OTHER"];
        let fine = |label: &str| {
            label.starts_with("code=") || later.contains(&label) || known.contains(label)
        };
        let strange = self.0.keys().find(|series| !labels(series).all(fine));
        ensure!(
            strange.is_none(),
            "a series that a client made: {strange:?}"
        );
        let count = self.count();
        ensure!(count <= 1000, "{count} series; at most 1000 were promised");
        Ok(())
    }

    /// The value of a series, named with its labels.
    pub fn value(&self, series: &str) -> Result<f64> {
        let found = self.0.get(&format!("match_list_processor_{series}"));
        found
            .copied()
            .with_context(|| format!("no series {series}"))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

fn labels(series: &str) -> impl Iterator<Item = &str> {
    let inner = series
        .split_once('{')
        .map_or("", |(_, rest)| rest.trim_end_matches('}'));
    inner.split("\",").map(|label| label.trim_end_matches('"'))
}
