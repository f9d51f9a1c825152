//! `trigger`: asks for a look at the list.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use reqwest::Method;
use serde::Deserialize;

use super::cycle_view::CycleView;
use super::output::{print, print_line, printable};
use super::remote::{Asking, PublicListener};
use super::settings;
use super::sign;
use super::table::View;
use crate::app::Failure;

const HELP: &str = concat!(
    "\
Examples:
  match-list-processor trigger
  match-list-processor trigger --wait 60 --json | jq -r .summary
  match-list-processor trigger --data reason.json \\
      --url http://referees.example:8000

",
    super::exit_codes!()
);

/// What is triggered, and whether to wait for it.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// Wait for the cycle, at most so long (60 if left out), and fail if it fails or the list is held
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=300))]
    wait: Option<u64>,
    /// Send this file with the trigger; JSON is kept in the history. - is the standard input
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    #[command(flatten)]
    listener: PublicListener,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Triggered {
    trigger_id: String,
    processing_count: u64,
    queued: bool,
    /// The rule of a filter that ignores the request; empty if none does.
    rule: String,
    #[serde(flatten)]
    cycle: CycleView,
}

/// Triggers.
///
/// # Errors
/// When nothing was accepted; with `--wait` also when the cycle failed or did not end in time.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = settings()?;
    let data = arguments.data.as_deref().map(read).transpose()?;
    let wait = Duration::from_secs(arguments.wait.unwrap_or(0));
    let patience = arguments.asking.patience() + wait;
    let remote = arguments.listener.open(&config, patience)?;
    let mut request = remote.request(Method::POST, "/process", None);
    if let Some(seconds) = arguments.wait {
        request = request.header("prefer", format!("wait={seconds}"));
    }
    let data = data.unwrap_or_default();
    for (name, value) in sign::headers(&config, None, &data)? {
        request = request.header(name, value);
    }
    let body = remote.fetch(request.body(data))?;
    let triggered: Triggered = remote.parse(&body)?;
    match arguments.asking.json {
        true => print_line(&body)?,
        // The line on the standard error says it all.
        false if !triggered.rule.is_empty() => {}
        false => print(&told(&triggered, &View::new(&config)))?,
    }
    if !triggered.rule.is_empty() {
        let rule = printable(&triggered.rule);
        let told = format!("a filter of the daemon ignores this request: rule {rule}");
        return Err(Failure::Refused(told));
    }
    match arguments.wait {
        None => Ok(()),
        Some(seconds) => judge(&triggered, seconds),
    }
}

fn told(triggered: &Triggered, view: &View) -> String {
    if !triggered.cycle.processing_id.is_empty() {
        return view.table(&[], triggered.cycle.rows(&view.times));
    }
    let when = match triggered.queued {
        true => ", after the one that runs",
        false => "",
    };
    let mut rows = vec![vec!["trigger".to_owned(), triggered.trigger_id.clone()]];
    let cycle = format!("number {}{when}", triggered.processing_count);
    rows.push(vec!["cycle".to_owned(), cycle]);
    view.table(&[], rows)
}

fn judge(triggered: &Triggered, seconds: u64) -> Result<(), Failure> {
    let cycle = &triggered.cycle;
    match cycle.outcome.as_str() {
        "success" => Ok(()),
        "" => Err(Failure::Unavailable(format!(
            "the cycle did not end within {seconds} s; the trigger is stored \
             and will be served (`match-list-processor status` tells whether the daemon is paused)"
        ))),
        "held" => Err(Failure::Refused(
            "the list is held; `match-list-processor accept` takes it if it is right".to_owned(),
        )),
        _ => Err(Failure::Refused(
            "the cycle failed; the daemon tries it again by itself".to_owned(),
        )),
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = match path.to_str() {
        Some("-") => std::io::stdin().lock().read_to_end(&mut bytes),
        _ => std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
    };
    read.map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))?;
    Ok(bytes)
}
