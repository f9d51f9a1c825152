//! What a harness found, for people and for the record.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use serde_json::{Map, Value, json};

use super::Result;

/// What a harness found.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Of the harness.
    pub name: &'static str,
    /// With which it comes again.
    pub seed: u64,
    /// Rounds, states, requests.
    pub count: u64,
    /// Seconds.
    pub duration: f64,
    /// Named figures, in the order in which they are told.
    pub figures: Vec<(String, f64)>,
}

impl Summary {
    /// Of a harness that began then.
    pub fn new(name: &'static str, seed: u64, count: u64, begun: Instant) -> Self {
        Self {
            name,
            seed,
            count,
            duration: begun.elapsed().as_secs_f64(),
            figures: Vec::new(),
        }
    }

    /// Adds a figure.
    pub fn figure(&mut self, name: impl Into<String>, value: impl Into<f64>) {
        self.figures.push((name.into(), value.into()));
    }

    /// Appends it as one line of JSON.
    pub fn report(&self, file: Option<&Path>) -> Result<()> {
        let Some(path) = file else { return Ok(()) };
        let numbers = self.figures.iter();
        let figures: Map<_, Value> = numbers.map(|(k, v)| (k.clone(), json!(v))).collect();
        let line = json!({
            "harness": self.name, "seed": self.seed, "count": self.count,
            "seconds": self.duration, "figures": figures,
        });
        let file = File::options().create(true).append(true).open(path);
        file.and_then(|mut file| writeln!(file, "{line}"))
            .with_context(|| format!("cannot append to {}", path.display()))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} in {:.1} s, seed {}",
            self.name, self.count, self.duration, self.seed
        )?;
        for (name, value) in &self.figures {
            // Counts without decimals, everything else with as many as one reads.
            let decimals = if value.fract() == 0.0 { 0 } else { 3 };
            writeln!(f, "  {name:<52} {value:>14.decimals$}")?;
        }
        Ok(())
    }
}
