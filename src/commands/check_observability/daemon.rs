//! The daemon itself.

use reqwest::{Method, StatusCode};

use super::Finding;
use super::server::short;
use crate::commands::remote::Remote;

const CHECK: &str = "daemon";

/// What the daemon's metrics tell.
pub struct Seen {
    pub finding: Finding,
    /// Unix seconds at which it started.
    pub started: Option<f64>,
}

/// Reads its metrics as a scraper does.
pub fn look(remote: &Remote) -> Seen {
    let nothing = |finding| Seen {
        finding,
        started: None,
    };
    let place = remote.place();
    let answer = match remote.ask(remote.request(Method::GET, "/metrics/prom", None)) {
        Ok(answer) => answer,
        Err(failure) => {
            let found = short(&failure.to_string());
            return nothing(Finding::silent(CHECK, found, "start the daemon"));
        }
    };
    let is_ours = answer.body.contains("\nmatch_list_processor_build_info{");
    if answer.status != StatusCode::OK || !is_ours {
        let status = answer.status.as_u16();
        let found =
            format!("{place}: the answer {status} has no metrics of a match-list-processor");
        return nothing(Finding::silent(CHECK, found, "--url names another address"));
    }
    Seen {
        finding: Finding::ok(CHECK, format!("{place} shows its metrics")),
        started: value(&answer.body, "process_start_time_seconds"),
    }
}

/// The value of a series without labels.
fn value(text: &str, name: &str) -> Option<f64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
    lines.find_map(|rest| rest.trim().parse().ok())
}
