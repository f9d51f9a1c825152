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
    odd_entries: Odd,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Odd {
    duplicate: u64,
    no_id: u64,
    not_object: u64,
    short: u64,
}

impl Odd {
    /// What was odd about the list; none if nothing was.
    fn told(&self) -> Option<String> {
        let kinds = [
            (self.duplicate, "with an id that comes again"),
            (self.no_id, "without an id, skipped"),
            (self.not_object, "no match at all, skipped"),
            (self.short, "new or changed in the short form"),
        ];
        let kinds = kinds.into_iter().filter(|(count, _)| *count > 0);
        let told: Vec<_> = kinds
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Deliveries {
    total: u64,
    delivered: u64,
    pending: u64,
    superseded: u64,
    dead: u64,
    discarded: u64,
}

impl Deliveries {
    /// How far they have come; what is none is left out.
    fn told(&self) -> String {
        let rest = [
            (self.pending, "to be tried"),
            (self.superseded, "superseded"),
            (self.dead, "given up"),
            (self.discarded, "discarded"),
        ];
        let all = format!("{} of {} delivered", self.delivered, self.total);
        let rest = rest.into_iter().filter(|(count, _)| *count > 0);
        let rest = rest.map(|(count, what)| format!("{count} {what}"));
        [all].into_iter().chain(rest).collect::<Vec<_>>().join(", ")
    }
}

impl CycleView {
    /// Names and values for a table.
    pub fn rows(&self, times: &Times) -> Vec<Vec<String>> {
        let mut rows = vec![
            ("cycle", self.processing_id.clone()),
            ("began", times.tell_both(moment(self.timestamp))),
            (
                "outcome",
                format!("{} after {:.2} s", self.outcome, self.duration),
            ),
            ("found", self.summary.clone()),
            ("deliveries", self.deliveries.told()),
            ("triggers", self.triggers.to_string()),
        ];
        rows.extend(self.odd_entries.told().map(|odd| ("odd entries", odd)));
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
