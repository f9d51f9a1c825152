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
use crate::domain::delivery::DeliveryState;

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
    /// The daemon, and the deliveries that are meant.
    pub fn open(&self) -> Result<(Remote, Meant), Failure> {
        let remote = self.listener.open(&settings()?, self.asking.patience())?;
        let meant = Meant {
            ids: self.which.ids(&remote)?,
            are_found: self.which.ids.is_empty(),
        };
        Ok((remote, meant))
    }
}

/// The deliveries that are meant.
#[derive(Debug)]
pub struct Meant {
    /// Their ids.
    pub ids: Vec<u64>,
    /// Whether nobody named them: they were dead a moment ago, and somebody else may have taken one up
    /// since.
    pub are_found: bool,
}

/// What is done with each.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// The last part of its path.
    pub path: &'static str,
    /// The query that has it carried out only for one that is dead still; none if it always is.
    pub if_dead: Option<&'static str>,
    /// What has become of one then, where the daemon says nothing else.
    pub state: &'static str,
    /// What was done to it.
    pub done: &'static str,
}

#[derive(Deserialize)]
struct Row {
    id: u64,
}

impl Which {
    /// Their ids. All are read before anything is done with the first, so that no page shifts
    /// meanwhile.
    fn ids(&self, remote: &Remote) -> Result<Vec<u64>, Failure> {
        match self.ids.is_empty() {
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
/// When it cannot be carried out for one that was named; it is for the others.
pub fn give(order: Order, meant: &Meant, remote: &Remote, is_json: bool) -> Result<(), Failure> {
    let mut refusals = 0;
    for &id in &meant.ids {
        match one(order, remote, id, meant.are_found)? {
            Ok(body) if is_json => print_line(&body)?,
            Ok(body) => print_line(&format!("{id} is {}", state(&body, order)))?,
            Err(why) => {
                refusals += 1;
                let _ = writeln!(std::io::stderr(), "{id}: {why}");
            }
        }
    }
    let all = meant.ids.len();
    match refusals {
        0 if all == 0 && !is_json => print_line("No such delivery is dead."),
        0 => Ok(()),
        _ if meant.are_found => {
            let told = format!("{refusals} of {all} had moved on and are left as they are");
            let _ = writeln!(std::io::stderr(), "{told}");
            Ok(())
        }
        _ => {
            let told = format!("{refusals} of {all} were not {}", order.done);
            Err(Failure::Refused(told))
        }
    }
}

/// What has become of one, as the daemon says.
fn state(body: &str, order: Order) -> &'static str {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Done {
        state: String,
    }
    let done: Done = serde_json::from_str(body).unwrap_or_default();
    match DeliveryState::from_label(&done.state) {
        Some(DeliveryState::Superseded) => "superseded: another tells what is still news of it",
        _ => order.state,
    }
}

/// The answer, or why it cannot be carried out for this one.
fn one(
    order: Order,
    remote: &Remote,
    id: u64,
    if_dead: bool,
) -> Result<Result<String, String>, Failure> {
    let path = format!("/deliveries/{id}/{}", order.path);
    let query = order.if_dead.filter(|_| if_dead);
    let answer = remote.ask(remote.request(Method::POST, &path, query))?;
    match answer.status {
        StatusCode::OK => Ok(Ok(answer.body)),
        StatusCode::NOT_FOUND => Ok(Err("there is no such delivery".to_owned())),
        StatusCode::CONFLICT => Ok(Err(detail(&answer))),
        _ => Err(refused(remote, &answer)),
    }
}
