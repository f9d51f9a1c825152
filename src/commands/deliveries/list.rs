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
        "FILE",
        "DESTINATION",
        "TRIES",
        "NEXT",
        "LAST ERROR",
    ];
    let cells = rows.iter().map(|row| {
        vec![
            row.id.to_string(),
            row.state.clone(),
            row.match_id.to_string(),
            row.kind.clone(),
            row.destination.clone(),
            row.attempts.to_string(),
            view.times.tell(moment(row.next_attempt)),
            row.last_error.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    });
    // The kind of file tells the destination, too.
    view.table_without(4, &header, cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_told_with_when_it_is_tried_again() {
        let rows = r#"[
            {"id": 1204, "destination": "avatars", "match_id": 7100101, "kind": "avatar", "state": "superseded",
             "attempts": 0, "next_attempt": null, "last_error": null},
            {"id": 1203, "destination": "assets", "match_id": 7100101, "kind": "group_description", "state": "pending",
             "attempts": 7, "next_attempt": 1814443200.0, "last_error": "the service answered 503"},
            {"id": 2, "destination": "assets", "match_id": 1, "kind": "group_info", "state": "dead",
             "attempts": 12, "last_error": "no connection to 10.0.0.1:5000 could be made"}
        ]"#;
        let rows: Vec<Delivery> = serde_json::from_str(rows).unwrap();
        insta::assert_snapshot!(table(&View::fixed(Some(80)), &rows), @"
        ID    STATE       MATCH    FILE               TRIES  NEXT    LAST ERROR
        1204  superseded  7100101  avatar             0      -       -
        1203  pending     7100101  group_description  7      in 2 h  the service
                                                                     answered 503
        2     dead        1        group_info         12     -       no connection to
                                                                     10.0.0.1:5000 could
                                                                     be made
        ");
        insta::assert_snapshot!(table(&View::fixed(None), &rows), @"
        ID    STATE       MATCH    FILE               DESTINATION  TRIES  NEXT                 LAST ERROR
        1204  superseded  7100101  avatar             avatars      0      -                    -
        1203  pending     7100101  group_description  assets       7      2027-07-01 14:00:00  the service answered 503
        2     dead        1        group_info         assets       12     -                    no connection to 10.0.0.1:5000 could be made
        ");
    }
}
