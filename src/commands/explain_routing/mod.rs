//! `explain-routing`: who would be told of a change, without a daemon.

mod given;
mod shown;
mod words;

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::output::print;
use super::settings;
use super::table::View;
use crate::app::Failure;
use crate::domain::routing::{Notice, Outcome, Routing, Subject};

/// How it is used.
pub const HELP: &str = "\
Asks every rule and every stakeholder of NOTIFICATIONS about changes, as
`changes --json` and `GET /changes` show them, and tells who gets what, by
which channel, when and why, and who does not and why not. Nothing is sent.
What the change does not tell, a match does: --match takes one as the list has
it, or a whole list such as the exported one.

Examples:
  match-list-processor explain-routing --change change.json
  match-list-processor explain-routing --change change.json \\
      --match /data/previous_matches.json
  match-list-processor explain-routing --change - \\
      --at 2027-07-01T23:30+02:00 --json

Exit codes: 0 somebody is told; 1 nobody is; 2 the command line, or a file
cannot be read; 78 mistakes in the settings.";

/// The change that is asked about.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// The change in JSON, or several: a list, a page of them, or one per line; - is the standard
    /// input
    #[arg(long, value_name = "FILE")]
    change: PathBuf,
    /// The match as it is now
    #[arg(long = "match", value_name = "FILE")]
    current: Option<PathBuf>,
    /// The match as it was before
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,
    /// When the change is found [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<Timestamp>,
    /// Print one line of JSON for each change
    #[arg(long)]
    json: bool,
}

/// Asks the routing of the settings.
///
/// # Errors
/// When nobody is told.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = settings()?;
    let changes = given::changes(&arguments.change)?;
    let current = given::matches(arguments.current.as_deref())?;
    let previous = given::matches(arguments.previous.as_deref())?;
    let subjects: Vec<Subject<'_>> = changes
        .iter()
        .map(|change| given::subject(change, &current, &previous))
        .collect();
    let routing = &config.notifications.routing;
    let view = View::new(&config);
    let now = arguments.at.unwrap_or(view.times.now);
    let notices = routing.route(&subjects, now);
    for (index, subject) in subjects.iter().enumerate() {
        let told = Told::of(routing, subject, &notices, index);
        match arguments.json {
            true => print(&format!("{}\n", shown::json(&told)))?,
            false => print(&shown::text(&told, &view, index))?,
        }
    }
    if !notices.is_empty() {
        return Ok(());
    }
    Err(Failure::Refused(match routing.is_empty() {
        true => {
            "nobody is told: NOTIFICATIONS and STAKEHOLDERS_FILE name no stakeholder".to_owned()
        }
        false => "nobody is told".to_owned(),
    }))
}

/// What becomes of one change.
struct Told<'a> {
    subject: &'a Subject<'a>,
    explained: crate::domain::routing::Explained<'a>,
    /// Of each way in which somebody is told: the index of the verdict, and what is sent.
    sent: Vec<(usize, &'a Notice)>,
}

impl<'a> Told<'a> {
    fn of(
        routing: &'a Routing,
        subject: &'a Subject<'a>,
        notices: &'a [Notice],
        index: usize,
    ) -> Self {
        let explained = routing.explain(subject);
        let mut sent = Vec::new();
        for (n, verdict) in explained.verdicts.iter().enumerate() {
            let Outcome::Told { channels, .. } = &verdict.outcome else {
                continue;
            };
            let id = verdict.stakeholder.id.as_str();
            // What several read is sent once; to each of them it is theirs.
            let is_theirs = |one: &&Notice| {
                one.changes.contains(&index)
                    && channels.contains(&one.channel)
                    && (one.recipient.is_empty() || one.recipient == id)
            };
            sent.extend(notices.iter().filter(is_theirs).map(|notice| (n, notice)));
        }
        Self {
            subject,
            explained,
            sent,
        }
    }
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let expected = "expected a time with an offset, such as 2027-07-01T23:30+02:00";
    text.parse().map_err(|_| expected.to_owned())
}
