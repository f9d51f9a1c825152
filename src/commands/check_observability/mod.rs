//! `check-observability`: whether everything that watches the daemon is there and joined up.

mod alertmanager;
mod daemon;
mod prometheus;
mod routing;
mod server;
mod shipped;
mod traces;

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::output::{print, print_line};
use super::place::Place;
use super::remote::PublicListener;
use super::settings;
use super::table::View;
use crate::app::Failure;
use server::Server;

const HELP: &str = "\
Examples:
  match-list-processor check-observability
  match-list-processor check-observability \\
      --prometheus http://prometheus.example:9090
  match-list-processor check-observability --json | jq '.checks[] | select(.do)'

Run it with the settings of the daemon, on its machine: it finds the daemon and
the receiver of its traces by them. To that one it sends an export without
spans. It changes nothing.

Exit codes: 0 all is there, or switched off by the settings; 1 something is
missing; 2 the command line; 69 the daemon, Prometheus or Alertmanager could
not be asked; 78 mistakes in the settings.";

/// Who is asked.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// The Prometheus that scrapes the daemon
    #[arg(long, value_name = "URL", value_parser = Place::parse)]
    #[arg(default_value = "http://localhost:9090")]
    prometheus: Place,
    /// The Alertmanager that it sends alerts to
    #[arg(long, value_name = "URL", value_parser = Place::parse)]
    #[arg(default_value = "http://localhost:9093")]
    alertmanager: Place,
    #[command(flatten)]
    listener: PublicListener,
    /// Print one line of JSON instead of a table
    #[arg(long)]
    json: bool,
    /// How long to wait for each answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// How one thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// It is there.
    Ok,
    /// It is not, or does not work.
    Missing,
    /// Nobody could be asked who knows.
    Unknown,
    /// The settings say that it is not wanted.
    Off,
}

impl Status {
    fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "MISSING",
            Self::Unknown => "unknown",
            Self::Off => "off",
        }
    }
}

/// What is known of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    status: Status,
    found: String,
    /// What to do about it; empty where nothing need be done.
    #[serde(rename = "do", skip_serializing_if = "String::is_empty")]
    advice: String,
    /// Whether this is somebody who could not be asked.
    #[serde(skip)]
    silent: bool,
}

impl Finding {
    fn new(check: &'static str, status: Status, found: String, advice: &str) -> Self {
        Self {
            check,
            status,
            found,
            advice: advice.to_owned(),
            silent: false,
        }
    }

    fn ok(check: &'static str, found: String) -> Self {
        Self::new(check, Status::Ok, found, "")
    }

    fn missing(check: &'static str, found: String, advice: &str) -> Self {
        Self::new(check, Status::Missing, found, advice)
    }

    fn unknown(check: &'static str, found: String, advice: &str) -> Self {
        Self::new(check, Status::Unknown, found, advice)
    }

    /// Somebody who did not answer as they should.
    fn silent(check: &'static str, found: String, advice: &str) -> Self {
        Self {
            silent: true,
            ..Self::missing(check, found, advice)
        }
    }
}

#[derive(Serialize)]
struct Report {
    checks: Vec<Finding>,
}

/// Asks everybody, and tells what they say.
///
/// # Errors
/// When something is missing, or somebody could not be asked.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = settings()?;
    let patience = Duration::from_secs(arguments.timeout);
    let remote = arguments.listener.open(&config, patience)?;
    let prometheus = Server::new(&arguments.prometheus, patience)?;
    let alertmanager = Server::new(&arguments.alertmanager, patience)?;

    let seen = daemon::look(&remote);
    let traces = traces::look(&config.otel, patience);
    let traced = traces.status != Status::Off;
    let mut checks = vec![seen.finding, traces];
    checks.extend(prometheus::look(&prometheus, seen.started, traced));
    checks.extend(alertmanager::look(&alertmanager));

    let report = Report { checks };
    match arguments.json {
        true => print_line(&serde_json::to_string(&report).unwrap_or_default())?,
        false => print(&told(&report, &View::new(&config)))?,
    }
    judge(&report)
}

fn told(report: &Report, view: &View) -> String {
    let rows = report.checks.iter().map(|one| {
        let found = match one.advice.is_empty() {
            true => one.found.clone(),
            false => format!("{}; {}", one.found, one.advice),
        };
        vec![one.check.to_owned(), one.status.label().to_owned(), found]
    });
    view.table(&["CHECK", "STATUS", "FOUND"], rows)
}

fn judge(report: &Report) -> Result<(), Failure> {
    let all = report.checks.len();
    let settled = |one: &&Finding| matches!(one.status, Status::Ok | Status::Off);
    let open = all - report.checks.iter().filter(settled).count();
    let told = format!("{open} of {all} checks are open");
    if report.checks.iter().any(|one| one.silent) {
        return Err(Failure::Unavailable(format!(
            "{told}; not everybody could be asked"
        )));
    }
    match open {
        0 => Ok(()),
        _ => Err(Failure::Refused(told)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(checks: Vec<Finding>) -> Report {
        Report { checks }
    }

    #[test]
    fn what_is_open_decides_the_exit_code() {
        let ok = || Finding::ok("daemon", "there".to_owned());
        let off = || Finding::new("traces", Status::Off, "off".to_owned(), "");
        let missing = || Finding::missing("rules", "none".to_owned(), "load them");
        let unknown = || Finding::unknown("rules", "not asked".to_owned(), "");
        let silent = || Finding::silent("prometheus", "no answer".to_owned(), "start it");
        let code = |checks| judge(&report(checks)).map_err(|failure| failure.exit_code());
        assert_eq!(code(vec![ok(), off()]), Ok(()));
        assert_eq!(code(vec![ok(), missing()]), Err(1));
        assert_eq!(code(vec![unknown()]), Err(1));
        assert_eq!(code(vec![missing(), silent()]), Err(69));
    }

    #[test]
    fn the_table_says_what_to_do() {
        let report = report(vec![
            Finding::ok("daemon", "http://127.0.0.1:8000 shows metrics".to_owned()),
            Finding::missing("scraped", "no target".to_owned(), "add the job"),
        ]);
        insta::assert_snapshot!(told(&report, &View::fixed(Some(80))), @"
        CHECK    STATUS   FOUND
        daemon   ok       http://127.0.0.1:8000 shows metrics
        scraped  MISSING  no target; add the job
        ");
        let json = serde_json::to_string(&report).unwrap();
        insta::assert_snapshot!(json, @r#"{"checks":[{"check":"daemon","status":"ok","found":"http://127.0.0.1:8000 shows metrics"},{"check":"scraped","status":"missing","found":"no target","do":"add the job"}]}"#);
    }
}
