//! `status`: how the daemon is.

use std::collections::BTreeMap;

use clap::Args;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::cycle_view::CycleView;
use super::output::{moment, print, print_line, printable};
use super::refusal::refused;
use super::remote::{Asking, PublicListener, Remote};
use super::screen::Screen;
use super::settings;
use super::table::View;
use crate::app::Failure;

const HELP: &str = concat!(
    "\
Examples:
  match-list-processor status
  match-list-processor status --json | jq .health.queue.waiting
  match-list-processor status --url http://referees.example:8000

The exit code is 1 if the daemon is unhealthy: it cannot reach the list, or
cannot write its store. With --json, `health` is the answer of /health/detailed
and `status` that of /status.

",
    super::exit_codes!()
);

/// Where it is asked for.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    #[command(flatten)]
    listener: PublicListener,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Health {
    version: String,
    status: String,
    mode: String,
    processing: bool,
    processing_count: u64,
    last_success_time: Option<f64>,
    dependencies: BTreeMap<String, Dependency>,
    store: Store,
    queue: Queue,
    deliveries: Option<BTreeMap<String, u64>>,
    held: Option<String>,
    paused: bool,
    warnings: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Dependency {
    status: String,
    response_time_ms: Option<f64>,
    error: Option<String>,
    last_checked: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Store {
    writable: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Queue {
    waiting: u64,
    capacity: u64,
    oldest: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct History {
    processing_history: Vec<CycleView>,
}

/// Shows it.
///
/// # Errors
/// When the daemon is not there or unhealthy.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = settings()?;
    let remote = arguments
        .listener
        .open(&config, arguments.asking.patience())?;
    let health = fetch(&remote, "/health/detailed")?;
    // Without its store the daemon cannot tell the history, but all the rest.
    let status = fetch(&remote, "/status")?;
    let seen: Health = remote.parse(&health)?;
    let history: History = remote.parse(&status)?;
    if arguments.asking.json {
        let both: [&RawValue; 2] = [remote.parse(&health)?, remote.parse(&status)?];
        print_line(&format!(
            "{{\"health\":{},\"status\":{}}}",
            both[0], both[1]
        ))?;
    } else {
        let level = painted(&printable(&seen.status));
        let version = printable(&seen.version);
        let place = remote.place();
        print(&format!(
            "match-list-processor {version} at {place}: {level}\n\n"
        ))?;
        print(&told(&seen, &history, &View::new(&config)))?;
    }
    match seen.status.as_str() {
        "healthy" | "degraded" => Ok(()),
        other => Err(Failure::Refused(format!(
            "the daemon is {}",
            printable(other)
        ))),
    }
}

/// A daemon that is not well says so with 503 and tells what it can all the same.
fn fetch(remote: &Remote, path: &str) -> Result<String, Failure> {
    let answer = remote.ask(remote.request(Method::GET, path, None))?;
    match answer.status {
        StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE => Ok(answer.body),
        _ => Err(refused(remote, &answer)),
    }
}

fn painted(level: &str) -> String {
    let screen = Screen::new();
    match level {
        "healthy" => screen.green(level),
        "degraded" => screen.yellow(level),
        _ => screen.red(level),
    }
}

fn told(health: &Health, history: &History, view: &View) -> String {
    let mut text = view.table(&[], summary(health, view));
    text += "\n";
    text += &match history.processing_history.last() {
        Some(cycle) => view.table(&[], cycle.rows(&view.times)),
        None => "No cycle has ended yet.\n".to_owned(),
    };
    text += "\n";
    text += &view.table(
        &["DEPENDENCY", "STATUS", "ANSWERED IN", "ASKED", "ERROR"],
        health.dependencies.iter().map(|(name, one)| {
            let took = one.response_time_ms.map(|took| format!("{took:.0} ms"));
            vec![
                name.clone(),
                one.status.clone(),
                took.unwrap_or_else(|| "-".to_owned()),
                view.times.tell(moment(one.last_checked)),
                one.error.clone().unwrap_or_else(|| "-".to_owned()),
            ]
        }),
    );
    text
}

fn summary(health: &Health, view: &View) -> Vec<Vec<String>> {
    let running = match health.processing {
        true => "one runs now",
        false => "none runs now",
    };
    let Queue {
        waiting,
        capacity,
        oldest,
    } = health.queue;
    let since = match waiting {
        0 => String::new(),
        _ => format!(
            ", the oldest since {}",
            view.times.tell_both(moment(oldest))
        ),
    };
    let deliveries = health.deliveries.as_ref().map(|counts| {
        let each = counts
            .iter()
            .map(|(state, count)| format!("{count} {state}"));
        each.collect::<Vec<_>>().join(", ")
    });
    let unknown = || "unknown, the store cannot be read".to_owned();
    let mut rows = vec![
        ("mode", health.mode.clone()),
        (
            "paused",
            if health.paused {
                "yes, `resume` goes on"
            } else {
                "no"
            }
            .to_owned(),
        ),
        (
            "cycles",
            format!("{} ended, {running}", health.processing_count),
        ),
        (
            "last success",
            view.times.tell_both(moment(health.last_success_time)),
        ),
        (
            "triggers",
            format!("{waiting} of at most {capacity} wait{since}"),
        ),
        ("deliveries", deliveries.unwrap_or_else(unknown)),
        (
            "held list",
            health.held.clone().unwrap_or_else(|| "none".to_owned()),
        ),
        (
            "store",
            if health.store.writable {
                "writable"
            } else {
                "NOT WRITABLE"
            }
            .to_owned(),
        ),
    ];
    rows.extend(
        health
            .warnings
            .iter()
            .map(|warning| ("warning", warning.clone())),
    );
    rows.into_iter()
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_in_trouble_is_told_in_full() {
        let health = r#"{
            "status": "unhealthy", "version": "9.9.9", "mode": "event-driven", "processing": true,
            "processing_count": 7, "last_success_time": 1814349600.0,
            "dependencies": {
                "api_client": {"status": "unhealthy", "response_time_ms": 2004.6, "last_checked": 1814435940.5,
                    "error": "no connection to 10.0.0.1:8080 could be made (is the address right, does it run?)"},
                "storage_service": {"status": "unknown"}
            },
            "store": {"writable": false},
            "queue": {"waiting": 2, "capacity": 10000, "oldest": 1814435700.0},
            "deliveries": null, "held": "30 of 40 matches are missing", "paused": true,
            "warnings": ["RUN_MODE is odd"], "of_a_later_version": []
        }"#;
        let history = r#"{"processing_history": [{
            "processing_id": "webhook_1814435700_7", "timestamp": 1814435700.25, "duration": 30.456,
            "outcome": "failure", "summary": "Processing failed: no answer in time",
            "error": "no answer in time", "triggers": 3, "odd_entries": {"duplicate": 2, "no_id": 1},
            "deliveries": {"total": 6, "delivered": 4, "pending": 1, "dead": 1}
        }]}"#;
        let text = told(
            &serde_json::from_str(health).unwrap(),
            &serde_json::from_str(history).unwrap(),
            &View::fixed(Some(80)),
        );
        insta::assert_snapshot!(text, @"
        mode          event-driven
        paused        yes, `resume` goes on
        cycles        7 ended, one runs now
        last success  2027-06-30 12:00:00
        triggers      2 of at most 10000 wait, the oldest since 2027-07-01 11:55:00 (5
                      min ago)
        deliveries    unknown, the store cannot be read
        held list     30 of 40 matches are missing
        store         NOT WRITABLE
        warning       RUN_MODE is odd

        cycle        webhook_1814435700_7
        began        2027-07-01 11:55:00 (4 min ago)
        outcome      failure after 30.46 s
        found        Processing failed: no answer in time
        deliveries   4 of 6 delivered, 1 to be tried, 1 given up
        triggers     3
        odd entries  2 with an id that comes again; 1 without an id, skipped

        DEPENDENCY       STATUS     ANSWERED IN  ASKED     ERROR
        api_client       unhealthy  2005 ms      59 s ago  no connection to
                                                           10.0.0.1:8080 could be made
                                                           (is the address right, does
                                                           it run?)
        storage_service  unknown    -            -         -
        ");
        let nothing = told(&Health::default(), &History::default(), &View::fixed(None));
        assert!(nothing.contains("No cycle has ended yet."), "{nothing}");
    }
}
