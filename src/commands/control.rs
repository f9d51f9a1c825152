//! `pause`, `resume` and `accept`.

use clap::Args;
use reqwest::Method;

use super::output::print_line;
use super::remote::{AdminListener, Asking};
use super::settings;
use crate::app::Failure;

/// The help of `pause`.
pub const PAUSE: &str = concat!(
    "\
Triggers are accepted all the same and served after `resume`; a restart does
not end the pause.

Examples:
  match-list-processor pause
  match-list-processor pause --admin-url http://127.0.0.1:8001 --json

",
    super::exit_codes!()
);

/// The help of `resume`.
pub const RESUME: &str = concat!(
    "\
Examples:
  match-list-processor resume

",
    super::exit_codes!()
);

/// The help of `accept`.
pub const ACCEPT: &str = concat!(
    "\
The next look, which begins at once, takes the list if it is still the same.
Without a held list the exit code is 1.

Examples:
  match-list-processor accept

",
    super::exit_codes!()
);

/// Where it is asked for.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    listener: AdminListener,
    #[command(flatten)]
    asking: Asking,
}

/// An order without parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Stop cycles and deliveries.
    Pause,
    /// Start them again.
    Resume,
    /// Take the held list.
    Accept,
}

/// Gives the order.
///
/// # Errors
/// When it is not carried out.
pub fn run(order: Order, arguments: &Arguments) -> Result<(), Failure> {
    let config = settings()?;
    let remote = arguments
        .listener
        .open(&config, arguments.asking.patience())?;
    let (path, done) = match order {
        Order::Pause => (
            "/pause",
            "Paused; triggers are still accepted. `resume` goes on.",
        ),
        Order::Resume => ("/resume", "Resumed: cycles and deliveries go on."),
        Order::Accept => ("/snapshot/accept", "Accepted; a look at the list begins."),
    };
    let body = remote.fetch(remote.request(Method::POST, path, None))?;
    remote.parse::<serde_json::Value>(&body)?;
    print_line(if arguments.asking.json { &body } else { done })
}
