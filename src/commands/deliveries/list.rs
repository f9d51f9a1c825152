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
    created: Option<f64>,
    next_attempt: Option<f64>,
    settled: Option<f64>,
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

/// One line for each where there is room, else two: on every terminal all of it.
fn table(view: &View, rows: &[Delivery]) -> String {
    let rows = rows.iter().map(|row| row.told(view));
    if !view.is_wide() {
        let header = [
            ["ID", ""],
            ["STATE", "TRIES"],
            ["MADE", "NEXT/END"],
            ["WHAT", "MATCH"],
            ["DESTINATION", "LAST ERROR"],
        ];
        let cells = rows.map(|row| {
            let destination = match row.recipient.as_str() {
                "-" => row.destination,
                to => format!("{} to {to}", row.destination),
            };
            [
                [row.id, String::new()],
                [row.state, row.tries],
                [row.made, row.next],
                [row.what, row.about],
                [destination, row.error],
            ]
        });
        return view.table_of_two(header, cells);
    }
    let header = [
        "ID",
        "STATE",
        "MATCH",
        "WHAT",
        "DESTINATION",
        "TO",
        "TRIES",
        "MADE",
        "NEXT/END",
        "LAST ERROR",
    ];
    let cells = rows.map(|row| {
        vec![
            row.id,
            row.state,
            row.about,
            row.what,
            row.destination,
            row.recipient,
            row.tries,
            row.made,
            row.next,
            row.error,
        ]
    });
    view.table(&header, cells)
}

/// A delivery as it is shown.
struct Told {
    id: String,
    state: String,
    about: String,
    what: String,
    destination: String,
    recipient: String,
    tries: String,
    made: String,
    /// When it is tried next, or when it came to its end.
    next: String,
    error: String,
}

impl Delivery {
    fn told(&self, view: &View) -> Told {
        let or_none = |text: &str| match text {
            "" => "-".to_owned(),
            text => text.to_owned(),
        };
        let about = match self.match_id {
            // Of a digest, an alert or the whole list.
            0 => "-".to_owned(),
            id => id.to_string(),
        };
        let next = match self.settled {
            None => view.times.tell_next(moment(self.next_attempt)),
            ended => view.times.tell(moment(ended)),
        };
        Told {
            id: self.id.to_string(),
            state: self.state.clone(),
            about,
            what: self.kind.clone(),
            destination: self.destination.clone(),
            recipient: or_none(&self.recipient),
            tries: self.attempts.to_string(),
            made: view.times.tell(moment(self.created)),
            next,
            error: or_none(self.last_error.as_deref().unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_told_with_when_it_is_tried_again() {
        let rows = r#"[
            {"id": 1204, "destination": "avatars", "match_id": 7100101, "kind": "avatar", "state": "superseded",
             "attempts": 0, "created": 1814428800, "next_attempt": null, "settled": 1814435700, "last_error": null},
            {"id": 1203, "destination": "assets", "match_id": 7100101, "kind": "group_description", "state": "pending",
             "attempts": 7, "created": 1814428800, "next_attempt": 1814443199.9996, "last_error": "the service answered 503"},
            {"id": 2, "destination": "webhook:club", "match_id": 1, "kind": "message", "state": "dead",
             "attempts": 12, "last_error": "no connection to 10.0.0.1:5000 could be made"}
        ]"#;
        let rows: Vec<Delivery> = serde_json::from_str(rows).unwrap();
        insta::assert_snapshot!(table(&View::fixed(Some(80)), &rows), @"
        ID    STATE       MADE       WHAT               DESTINATION
              TRIES       NEXT/END   MATCH              LAST ERROR
        1204  superseded  2 h ago    avatar             avatars
              0           5 min ago  7100101            -
        1203  pending     2 h ago    group_description  assets
              7           in 2 h     7100101            the service answered 503
        2     dead        -          message            webhook:club
              12          -          1                  no connection to 10.0.0.1:5000
                                                        could be made
        ");
        let wide = table(&View::fixed(None), &rows);
        let times = |line: &str| line.matches("2027-07-01 ").count();
        assert_eq!(
            wide.lines().map(times).collect::<Vec<_>>(),
            [0, 2, 2, 0],
            "{wide}"
        );
        assert!(
            wide.contains("1203  pending     7100101  group_description  assets"),
            "{wide}"
        );
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
        ID  STATE    MADE      WHAT     DESTINATION
            TRIES    NEXT/END  MATCH    LAST ERROR
        31  pending  -         digest   mail to anna
            0        in 2 h    -        -
        30  dead     -         message  discord:team
            1        -         7100101  the service answered 404
        ");
        insta::assert_snapshot!(table(&View::fixed(Some(120)), &rows), @"
        ID  STATE    MATCH    WHAT     DESTINATION   TO    TRIES  MADE  NEXT/END  LAST ERROR
        31  pending  -        digest   mail          anna  0      -     in 2 h    -
        30  dead     7100101  message  discord:team  -     1      -     -         the service answered 404
        ");
    }
}
