//! `deliveries list`.

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde::Deserialize;

use crate::app::Failure;
use crate::commands::output::moment;
use crate::commands::page::{Listing, Paging};
use crate::commands::remote::{AdminListener, Asking};
use crate::commands::table::View;
use crate::domain::delivery::DeliveryState;

const HELP: &str = concat!(
    "\
Examples:
  match-list-processor deliveries list --state dead
  match-list-processor deliveries list --destination avatars --limit 5
  match-list-processor deliveries list --state pending --json | jq .next_attempt

With --json, the id of the last line is the --before of the next page.

",
    crate::commands::exit_codes!()
);

/// Which deliveries are shown.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    #[command(flatten)]
    paging: Paging,
    /// Only in this state
    #[arg(long)]
    #[arg(value_parser = PossibleValuesParser::new(DeliveryState::ALL.iter().map(|one| one.label())))]
    state: Option<String>,
    /// Only to this destination: assets, mail, webhook, …, or one of several such as webhook:club
    #[arg(long)]
    destination: Option<String>,
    #[command(flatten)]
    listener: AdminListener,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Delivery {
    id: i64,
    destination: String,
    recipient: String,
    match_id: i64,
    kind: String,
    state: String,
    attempts: u32,
    next_attempt: Option<f64>,
    last_error: Option<String>,
}

/// Shows them.
///
/// # Errors
/// When they cannot be had.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let query = [
        ("state", arguments.state.as_deref()),
        ("destination", arguments.destination.as_deref()),
    ];
    let listing = Listing {
        name: "deliveries",
        paging: &arguments.paging,
        query: &query,
    };
    listing.show(&arguments.listener, &arguments.asking, table)
}

fn table(view: &View, rows: &[Delivery]) -> String {
    let header = [
        "ID",
        "STATE",
        "MATCH",
        "WHAT",
        "DESTINATION",
        "TO",
        "TRIES",
        "NEXT",
        "LAST ERROR",
    ];
    let or_none = |text: String| match text.is_empty() {
        true => "-".to_owned(),
        false => text,
    };
    let cells = rows.iter().map(|row| {
        let about = match row.match_id {
            // Of a digest, an alert or the whole list.
            0 => String::new(),
            id => id.to_string(),
        };
        vec![
            row.id.to_string(),
            row.state.clone(),
            or_none(about),
            row.kind.clone(),
            row.destination.clone(),
            or_none(row.recipient.clone()),
            row.attempts.to_string(),
            view.times.tell_next(moment(row.next_attempt)),
            row.last_error.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    });
    let mut left_out = vec![WHAT, TRIES];
    if rows.iter().all(|row| row.recipient.is_empty()) {
        left_out.push(TO);
    }
    view.table_without(&left_out, &header, cells)
}

/// What an operator can do without on a narrow terminal: where it goes, and why it does not get
/// there, come first.
const WHAT: usize = 3;
const TO: usize = 5;
const TRIES: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_told_with_when_it_is_tried_again() {
        let rows = r#"[
            {"id": 1204, "destination": "avatars", "match_id": 7100101, "kind": "avatar", "state": "superseded",
             "attempts": 0, "next_attempt": null, "last_error": null},
            {"id": 1203, "destination": "assets", "match_id": 7100101, "kind": "group_description", "state": "pending",
             "attempts": 7, "next_attempt": 1814443199.9996, "last_error": "the service answered 503"},
            {"id": 2, "destination": "webhook:club", "match_id": 1, "kind": "message", "state": "dead",
             "attempts": 12, "last_error": "no connection to 10.0.0.1:5000 could be made"}
        ]"#;
        let rows: Vec<Delivery> = serde_json::from_str(rows).unwrap();
        insta::assert_snapshot!(table(&View::fixed(Some(80)), &rows), @"
        ID    STATE       MATCH    DESTINATION   NEXT    LAST ERROR
        1204  superseded  7100101  avatars       -       -
        1203  pending     7100101  assets        in 2 h  the service answered 503
        2     dead        1        webhook:club  -       no connection to 10.0.0.1:5000
                                                         could be made
        ");
        insta::assert_snapshot!(table(&View::fixed(None), &rows), @"
        ID    STATE       MATCH    WHAT               DESTINATION   TO  TRIES  NEXT                 LAST ERROR
        1204  superseded  7100101  avatar             avatars       -   0      -                    -
        1203  pending     7100101  group_description  assets        -   7      2027-07-01 14:00:00  the service answered 503
        2     dead        1        message            webhook:club  -   12     -                    no connection to 10.0.0.1:5000 could be made
        ");
    }

    #[test]
    fn who_a_message_is_for_is_told_by_its_id() {
        let rows = r#"[
            {"id": 31, "destination": "mail", "recipient": "anna", "match_id": 0, "kind": "digest",
             "state": "pending", "attempts": 0, "next_attempt": 1814443200.0004, "last_error": null},
            {"id": 30, "destination": "discord:team", "recipient": "", "match_id": 7100101, "kind": "message",
             "state": "dead", "attempts": 1, "next_attempt": null, "last_error": "the service answered 404"}
        ]"#;
        let rows: Vec<Delivery> = serde_json::from_str(rows).unwrap();
        insta::assert_snapshot!(table(&View::fixed(Some(80)), &rows), @"
        ID  STATE    MATCH    DESTINATION   TO    NEXT    LAST ERROR
        31  pending  -        mail          anna  in 2 h  -
        30  dead     7100101  discord:team  -     -       the service answered 404
        ");
        insta::assert_snapshot!(table(&View::fixed(Some(120)), &rows), @"
        ID  STATE    MATCH    WHAT     DESTINATION   TO    TRIES  NEXT    LAST ERROR
        31  pending  -        digest   mail          anna  0      in 2 h  -
        30  dead     7100101  message  discord:team  -     1      -       the service answered 404
        ");
    }
}
