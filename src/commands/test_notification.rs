//! `test-notification`: sends one message and shows what came of it.

use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::output::print_line;
use super::serve::main_runtime;
use super::settings;
use crate::app::{Failure, messengers};
use crate::client::CallError;
use crate::clock::Clock;
use crate::config::Config;
use crate::delivery::Messengers;
use crate::domain::delivery::{Destination, Lane};
use crate::domain::notify::{Language, Message};
use crate::domain::routing::Routing;
use crate::telemetry::metrics::Metrics;

const HELP: &str = "\
It is sent by this process with the settings of the daemon, at once and once:
nothing is stored, and nothing is tried again. What the receiver answers is the
outcome.

Examples:
  match-list-processor test-notification --destination discord:team
  match-list-processor test-notification --destination mail \\
      --recipient anna --json

Exit codes: 0 the receiver took it; 1 it did not; 2 the command line; 78
mistakes in the settings, or no such destination or recipient in them.";

/// What is sent where.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// A channel: mail, discord:NAME, webhook:NAME or ntfy:NAME
    #[arg(long, value_name = "WHERE")]
    destination: String,
    /// For mail, which goes to one person: the stakeholder, by the id in the settings
    #[arg(long, value_name = "ID")]
    recipient: Option<String>,
    /// In which language: sv or en [default: that of the recipient, or of the channel]
    #[arg(long, value_parser = language)]
    language: Option<Language>,
    /// Print one line of JSON instead of a sentence
    #[arg(long)]
    json: bool,
}

fn language(text: &str) -> Result<Language, String> {
    Language::from_label(text).ok_or_else(|| "it must be sv or en".to_owned())
}

#[derive(Serialize)]
struct Outcome<'a> {
    destination: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    duration_ms: u128,
}

/// Sends it.
///
/// # Errors
/// When it was not taken.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = settings()?;
    let (metrics, clock) = (Arc::new(Metrics::new()), Clock::system());
    let ways = messengers(&config, &metrics, &clock)?;
    let lane = lane(&arguments.destination, &ways)?;
    let recipient = recipient(arguments, &lane, &config)?;
    let own = || language_of(&lane, recipient, &config.notifications.routing);
    let message = Message::test(arguments.language.unwrap_or_else(own));
    let now = clock.now();
    let id = format!("test-{}", now.as_millisecond());
    let begun = Instant::now();
    let runtime = main_runtime()?;
    let sent = runtime.block_on(ways.send(&lane, recipient, &message, (&id, now)));
    let outcome = Outcome {
        destination: &arguments.destination,
        status: if sent.is_ok() { "delivered" } else { "failed" },
        error: sent.as_ref().err().map(|error| error.message.clone()),
        duration_ms: begun.elapsed().as_millis(),
    };
    tell(arguments, &outcome, sent)
}

fn tell(
    arguments: &Arguments,
    outcome: &Outcome<'_>,
    sent: Result<(), CallError>,
) -> Result<(), Failure> {
    if arguments.json {
        print_line(&serde_json::to_string(outcome).unwrap_or_default())?;
    } else if sent.is_ok() {
        let took = outcome.duration_ms;
        let all = match &arguments.recipient {
            Some(id) if outcome.destination != "mail" => {
                format!(" Whoever reads that channel got it, not {id} alone.")
            }
            _ => String::new(),
        };
        print_line(&format!(
            "{} took it in {took} ms.{all}",
            outcome.destination
        ))?;
    }
    sent.map_err(|error| {
        let destination = outcome.destination;
        Failure::Refused(format!("{destination} did not take it: {error}"))
    })
}

fn lane(key: &str, ways: &Messengers) -> Result<Lane, Failure> {
    let found = Lane::from_key(key).filter(|lane| ways.lanes().any(|known| known == lane));
    found.ok_or_else(|| {
        let known: Vec<String> = ways.lanes().map(Lane::key).collect();
        let known = match known.is_empty() {
            true => "they name none: set NOTIFICATIONS_FILE".to_owned(),
            false => format!("they name {}", known.join(", ")),
        };
        Failure::Unusable(format!("{key} is no destination of the settings; {known}"))
    })
}

/// What messages there are written in: to one person alone that person's language, else the channel's.
fn language_of(lane: &Lane, recipient: &str, routing: &Routing) -> Language {
    let person = routing.stakeholder(recipient).map(|one| one.language);
    let channels = routing.channels().iter();
    let channel = channels.filter(|one| Some(one.name.as_str()) == lane.name.as_deref());
    person
        .or_else(|| channel.map(|one| one.language).next())
        .unwrap_or(Language::Swedish)
}

/// Whose mail it is; empty for what all read. Somebody who is named has to be known even so: who
/// mistypes an id would take the answer for that person's.
fn recipient<'a>(
    arguments: &'a Arguments,
    lane: &Lane,
    config: &Config,
) -> Result<&'a str, Failure> {
    let routing = &config.notifications.routing;
    let named = arguments.recipient.as_deref();
    if let Some(id) = named
        && routing.stakeholder(id).is_none()
    {
        let all: Vec<&str> = routing.stakeholders().map(|one| one.id.as_str()).collect();
        return Err(Failure::Unusable(format!(
            "{id} is no stakeholder of the settings; {}",
            match all.is_empty() {
                true => "they name none".to_owned(),
                false => format!("they name {}", all.join(", ")),
            }
        )));
    }
    if lane.kind != Destination::Mail {
        return Ok("");
    }
    let with_mail = routing.stakeholders().filter(|one| one.mail.is_some());
    let known: Vec<&str> = with_mail.map(|one| one.id.as_str()).collect();
    match named {
        Some(id) if known.contains(&id) => Ok(id),
        _ => Err(Failure::Unusable(format!(
            "mail needs --recipient with a stakeholder that has a mail address: {}",
            known.join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{NotificationsConfig, Source};

    fn notifications() -> NotificationsConfig {
        let document = "
            [smtp]
            host = 'mail.example'
            from = 'news@example.org'
            [[channel]]
            name = 'duty'
            kind = 'ntfy'
            topic = 'invented'
            language = 'en'
            [[stakeholder]]
            id = 'anna'
            role = 'coordinator'
            mail = 'anna@example.org'
            channels = ['mail', 'duty']
            language = 'en'
            [[stakeholder]]
            id = 'bo'
            role = 'coordinator'
            mail = 'bo@example.org'";
        let config = Config::load(&Source::of([("NOTIFICATIONS", document)]));
        config.unwrap().notifications
    }

    #[test]
    fn each_is_spoken_to_in_the_language_of_the_settings() {
        let routing = notifications().routing;
        for (key, recipient, language) in [
            ("mail", "anna", Language::English),
            ("mail", "bo", Language::Swedish),
            ("ntfy:duty", "", Language::English),
        ] {
            let lane = Lane::from_key(key).unwrap();
            assert_eq!(
                language_of(&lane, recipient, &routing),
                language,
                "{key} {recipient}"
            );
        }
    }
}
