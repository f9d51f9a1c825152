//! `republish`: services are told again.

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde::Deserialize;

use super::output::print_line;
use super::remote::{AdminListener, Asking};
use super::settings;
use crate::app::Failure;

const HELP: &str = concat!(
    "\
Redis and the calendar service are told, whichever the settings name: what
changed since a moment as one message with the matches as they are now, or
without --since the whole list.

It is queued as one delivery to each of them. `deliveries list` shows it as
long as it is not delivered; then it is in the log (`delivered`, with the
destination) and in deliveries_total alone.

Examples:
  match-list-processor republish --since 2030-05-01T14:00+02:00
  match-list-processor republish --since 36h
  match-list-processor republish

",
    super::exit_codes!()
);

/// What is told.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// Only what changed since this moment (2030-05-01T12:00:00Z), or in the last hours (36h)
    #[arg(long, value_name = "TIME", value_parser = since)]
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

/// A moment with its offset, or how long ago it was.
fn since(text: &str) -> Result<Timestamp, String> {
    let ago = || {
        let span: SignedDuration = text.parse().ok()?;
        let at = Timestamp::now().checked_sub(span).ok()?;
        span.is_positive().then_some(at)
    };
    text.parse().ok().or_else(ago).ok_or_else(|| {
        "it must be a time with an offset, such as 2030-05-01T12:00:00Z or \
         2030-05-01T14:00+02:00, or how long ago that was, such as 36h or 90m"
            .to_owned()
    })
}

/// What is on its way, and how it can be followed: once it is delivered it is in no list any more.
fn queued(answer: &Answer) -> String {
    let what = match answer.changes {
        Some(0) => return "Nothing changed since then: nothing is queued.".to_owned(),
        None => "The whole list is".to_owned(),
        Some(1) => "1 change is".to_owned(),
        Some(count) => format!("{count} changes are"),
    };
    let whom = answer.destinations.join(" and ");
    let follow = answer.destinations.iter().map(|destination| {
        format!(
            "  match-list-processor deliveries list --destination {destination} --state pending"
        )
    });
    format!(
        "{what} queued for {whom}.\n{}\nshows what is not delivered yet. Once it is, the daemon logs \
         \"delivered\" with the destination and\ncounts it in deliveries_total; no list keeps it.",
        follow.collect::<Vec<_>>().join("\n")
    )
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
    print_line(&queued(&answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_an_offset_or_is_told_by_how_long_ago_it_was() {
        let noon: Timestamp = "2030-05-01T12:00:00Z".parse().unwrap();
        assert_eq!(since("2030-05-01T14:00+02:00"), Ok(noon));
        let ago = Timestamp::now().duration_since(since("1h 30m").unwrap());
        assert!((5_390..5_460).contains(&ago.as_secs()), "{ago}");
        for odd in [
            "yesterday",
            "2030-05-01",
            "2030-05-01T14:00",
            "-2h",
            "0s",
            "5",
            "",
        ] {
            let error = since(odd).unwrap_err();
            assert!(
                error.contains("2030-05-01T12:00:00Z") && error.contains("36h"),
                "{odd}"
            );
        }
    }

    #[test]
    fn what_is_queued_is_told_with_how_to_follow_it() {
        let of = |changes| Answer {
            destinations: vec!["redis".to_owned(), "calendar".to_owned()],
            changes,
        };
        insta::assert_snapshot!(queued(&of(None)), @r#"
        The whole list is queued for redis and calendar.
          match-list-processor deliveries list --destination redis --state pending
          match-list-processor deliveries list --destination calendar --state pending
        shows what is not delivered yet. Once it is, the daemon logs "delivered" with the destination and
        counts it in deliveries_total; no list keeps it.
        "#);
        assert!(queued(&of(Some(1))).starts_with("1 change is queued for redis and calendar.\n"));
        assert!(queued(&of(Some(2))).starts_with("2 changes are queued"));
        assert_eq!(
            queued(&of(Some(0))),
            "Nothing changed since then: nothing is queued."
        );
    }
}
