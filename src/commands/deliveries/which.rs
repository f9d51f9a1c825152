//! Deliveries that are meant by an order, and the order given for one after the other.

use std::io::Write;

use clap::Args;
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use crate::app::Failure;
use crate::commands::output::print_line;
use crate::commands::page::{Listing, Paging};
use crate::commands::refusal::{detail, refused};
use crate::commands::remote::{AdminListener, Asking, Remote};
use crate::commands::settings;

/// Most rows that the daemon tells at a time.
const PAGE: u64 = 1000;

/// Which deliveries are meant.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// Ids, as `deliveries list` shows them
    #[arg(value_name = "ID")]
    ids: Vec<u64>,
    /// All that were given up
    #[arg(long)]
    all_dead: bool,
    /// All that were given up to this destination: mail, webhook, …, or one such as webhook:club
    #[arg(long, value_name = "TO")]
    destination: Option<String>,
}

/// The arguments of an order: which deliveries, and whom to ask.
#[derive(Debug, Args)]
pub struct Chosen {
    #[command(flatten)]
    pub which: Which,
    #[command(flatten)]
    listener: AdminListener,
    #[command(flatten)]
    pub asking: Asking,
}

impl Chosen {
    /// The daemon, and the ids that are meant.
    pub fn open(&self) -> Result<(Remote, Vec<u64>), Failure> {
        let remote = self.listener.open(&settings()?, self.asking.patience())?;
        let ids = self.which.ids(&remote)?;
        Ok((remote, ids))
    }
}

/// What is done with each.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// The last part of its path.
    pub path: &'static str,
    /// What has become of one then.
    pub state: &'static str,
    /// What was done to it.
    pub done: &'static str,
}

#[derive(Deserialize)]
struct Row {
    id: u64,
}

impl Which {
    /// Whether the daemon is asked which they are.
    pub fn is_open(&self) -> bool {
        self.ids.is_empty()
    }

    /// Their ids. All are read before anything is done with the first, so that no page shifts
    /// meanwhile.
    pub fn ids(&self, remote: &Remote) -> Result<Vec<u64>, Failure> {
        match self.is_open() {
            true => dead(remote, self.destination.as_deref()),
            false => Ok(self.ids.clone()),
        }
    }
}

fn dead(remote: &Remote, destination: Option<&str>) -> Result<Vec<u64>, Failure> {
    let (mut ids, mut before) = (Vec::new(), None);
    loop {
        let paging = Paging {
            limit: PAGE,
            before,
        };
        let listing = Listing {
            name: "deliveries",
            paging: &paging,
            query: &[("state", Some("dead")), ("destination", destination)],
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

/// Gives the order for each of them and tells what came of it.
///
/// # Errors
/// When it cannot be carried out for one of them; it is for the others.
pub fn give(order: Order, ids: &[u64], remote: &Remote, is_json: bool) -> Result<(), Failure> {
    let mut refusals = 0;
    for &id in ids {
        match one(order, remote, id)? {
            Ok(body) if is_json => print_line(&body)?,
            Ok(_) => print_line(&format!("{id} is {}", order.state))?,
            Err(why) => {
                refusals += 1;
                let _ = writeln!(std::io::stderr(), "{id}: {why}");
            }
        }
    }
    if refusals > 0 {
        let (all, done) = (ids.len(), order.done);
        return Err(Failure::Refused(format!(
            "{refusals} of {all} were not {done}"
        )));
    }
    if ids.is_empty() && !is_json {
        print_line("No such delivery is dead.")?;
    }
    Ok(())
}

/// The answer, or why it cannot be carried out for this one.
fn one(order: Order, remote: &Remote, id: u64) -> Result<Result<String, String>, Failure> {
    let path = format!("/deliveries/{id}/{}", order.path);
    let answer = remote.ask(remote.request(Method::POST, &path, None))?;
    match answer.status {
        StatusCode::OK => Ok(Ok(answer.body)),
        StatusCode::NOT_FOUND => Ok(Err("there is no such delivery".to_owned())),
        StatusCode::CONFLICT => Ok(Err(detail(&answer))),
        _ => Err(refused(remote, &answer)),
    }
}
