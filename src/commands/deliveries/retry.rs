//! `deliveries retry`.

use std::io::Write;

use clap::{ArgGroup, Args};
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use crate::app::Failure;
use crate::commands::output::print_line;
use crate::commands::page::{Listing, Paging};
use crate::commands::refusal::{detail, refused};
use crate::commands::remote::{AdminListener, Asking, Remote};
use crate::commands::settings;

const HELP: &str = concat!(
    "\
Examples:
  match-list-processor deliveries retry 17 18
  match-list-processor deliveries retry --all-dead

Those that can be retried are, also if others cannot; then the exit code is 1.

",
    crate::commands::exit_codes!()
);

/// Most rows that the daemon tells at a time.
const PAGE: u64 = 1000;

/// Which deliveries are retried.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
#[command(group = ArgGroup::new("which").args(["ids", "all_dead"]).required(true))]
pub struct Arguments {
    /// Ids, as `deliveries list` shows them
    #[arg(value_name = "ID")]
    ids: Vec<u64>,
    /// All that were given up
    #[arg(long)]
    all_dead: bool,
    #[command(flatten)]
    listener: AdminListener,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Deserialize)]
struct Row {
    id: u64,
}

/// Retries them, one after the other.
///
/// # Errors
/// When one of them cannot be retried.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = settings()?;
    let remote = arguments
        .listener
        .open(&config, arguments.asking.patience())?;
    let ids = match arguments.all_dead {
        true => all_dead(&remote)?,
        false => arguments.ids.clone(),
    };
    let mut refusals = 0;
    for &id in &ids {
        match retry(&remote, id)? {
            Ok(body) if arguments.asking.json => print_line(&body)?,
            Ok(_) => print_line(&format!("{id} is pending again"))?,
            Err(why) => {
                refusals += 1;
                let _ = writeln!(std::io::stderr(), "{id}: {why}");
            }
        }
    }
    if refusals > 0 {
        let all = ids.len();
        return Err(Failure::Refused(format!(
            "{refusals} of {all} were not retried"
        )));
    }
    if ids.is_empty() && !arguments.asking.json {
        print_line("No delivery is dead.")?;
    }
    Ok(())
}

/// All are read before the first is retried, so that no page shifts meanwhile.
fn all_dead(remote: &Remote) -> Result<Vec<u64>, Failure> {
    let (mut ids, mut before) = (Vec::new(), None);
    loop {
        let paging = Paging {
            limit: PAGE,
            before,
        };
        let listing = Listing {
            name: "deliveries",
            paging: &paging,
            query: &[("state", Some("dead"))],
        };
        let body = listing.fetch(remote)?;
        let page = listing.page(remote, &body)?;
        for raw in page.rows {
            ids.push(remote.parse::<Row>(raw.get())?.id);
        }
        match page.next {
            Some(next) => before = Some(next),
            None => return Ok(ids),
        }
    }
}

/// The answer, or why this one cannot be retried.
fn retry(remote: &Remote, id: u64) -> Result<Result<String, String>, Failure> {
    let request = remote.request(Method::POST, &format!("/deliveries/{id}/retry"), None);
    let answer = remote.ask(request)?;
    match answer.status {
        StatusCode::OK => Ok(Ok(answer.body)),
        StatusCode::NOT_FOUND => Ok(Err("there is no such delivery".to_owned())),
        StatusCode::CONFLICT => Ok(Err(detail(&answer))),
        _ => Err(refused(remote, &answer)),
    }
}
