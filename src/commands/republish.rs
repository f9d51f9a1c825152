//! `republish`: services are told again.

use clap::Args;
use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;

use super::output::print_line;
use super::remote::{AdminListener, Asking};
use super::settings;
use crate::app::Failure;

const HELP: &str = concat!(
    "\
Redis and the calendar service are told, whichever the settings name: what changed since a moment
as one message with the matches as they are now, or without --since the whole list.

Examples:
  match-list-processor republish --since 2030-05-01T12:00:00Z
  match-list-processor republish

",
    super::exit_codes!()
);

/// What is told.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// Only what changed since this moment
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    #[command(flatten)]
    listener: AdminListener,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Deserialize)]
struct Answer {
    destinations: Vec<String>,
    changes: Option<usize>,
}

/// Has them told.
///
/// # Errors
/// When they are not.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = settings()?;
    let patience = arguments.asking.patience();
    let remote = arguments.listener.open(&config, patience)?;
    let query = arguments.since.map(|since| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("since", &since.to_string()).finish()
    });
    let request = remote.request(Method::POST, "/republish", query.as_deref());
    let body = remote.fetch(request)?;
    let answer: Answer = remote.parse(&body)?;
    if arguments.asking.json {
        return print_line(&body);
    }
    let whom = answer.destinations.join(" and ");
    print_line(&match answer.changes {
        None => format!("The whole list is on its way to {whom}; `deliveries list` shows it."),
        Some(0) => "Nothing changed since then.".to_owned(),
        Some(count) => format!("{count} change(s) are on their way to {whom}."),
    })
}
