//! A cycle's record as the daemon tells it.

use serde::Deserialize;

use super::output::{Times, moment};

/// The parts of a record that are shown. All may be missing: the daemon may be of another version.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CycleView {
    /// Empty if no cycle is told of.
    pub processing_id: String,
    timestamp: Option<f64>,
    duration: f64,
    summary: String,
    /// `success`, `failure` or `held`.
    pub outcome: String,
    /// What failed, or why the list is held.
    pub error: Option<String>,
    triggers: u64,
    deliveries: Deliveries,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Deliveries {
    total: u64,
    delivered: u64,
    dead: u64,
}

impl CycleView {
    /// Names and values for a table.
    pub fn rows(&self, times: &Times) -> Vec<Vec<String>> {
        let Deliveries {
            total,
            delivered,
            dead,
        } = self.deliveries;
        let dead = match dead {
            0 => String::new(),
            dead => format!(", {dead} given up"),
        };
        let mut rows = vec![
            ("cycle", self.processing_id.clone()),
            ("began", times.tell_both(moment(self.timestamp))),
            (
                "outcome",
                format!("{} after {:.2} s", self.outcome, self.duration),
            ),
            ("found", self.summary.clone()),
            ("files", format!("{delivered} of {total} delivered{dead}")),
            ("triggers", self.triggers.to_string()),
        ];
        // The summary of a failure holds the error, that of a held list does not.
        let error = self
            .error
            .clone()
            .filter(|error| !self.summary.contains(error));
        rows.extend(error.map(|error| ("because", error)));
        rows.into_iter()
            .map(|(name, value)| vec![name.to_owned(), value])
            .collect()
    }
}
