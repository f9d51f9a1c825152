//! `changes`: what was found.

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde::Deserialize;

use super::page::{Listing, Paging};
use super::remote::{AdminListener, Asking};
use super::table::View;
use crate::app::Failure;
use crate::domain::change::{Category, Priority};

const HELP: &str = concat!(
    "\
Examples:
  match-list-processor changes --priority critical
  match-list-processor changes --match-id 7100101 --limit 5
  match-list-processor changes --limit 1000 --json | jq -r .change_description

With --json, the id of the last line is the --before of the next page.

",
    super::exit_codes!()
);

/// Which changes are shown.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    #[command(flatten)]
    paging: Paging,
    /// Only of this category
    #[arg(long, hide_possible_values = true)]
    #[arg(value_parser = PossibleValuesParser::new(Category::ALL.iter().map(|one| one.label())))]
    category: Option<String>,
    /// Only of this priority
    #[arg(long)]
    #[arg(value_parser = PossibleValuesParser::new(Priority::ALL.iter().map(|one| one.label())))]
    priority: Option<String>,
    /// Only of this match
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    match_id: Option<i64>,
    #[command(flatten)]
    listener: AdminListener,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Change {
    id: i64,
    match_id: i64,
    category: String,
    priority: String,
    #[serde(rename = "change_description")]
    sentence: String,
    timestamp: String,
}

/// Shows them, newest first.
///
/// # Errors
/// When they cannot be had.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let match_id = arguments.match_id.map(|id| id.to_string());
    let query = [
        ("category", arguments.category.as_deref()),
        ("priority", arguments.priority.as_deref()),
        ("match_id", match_id.as_deref()),
    ];
    let listing = Listing {
        name: "changes",
        paging: &arguments.paging,
        query: &query,
    };
    listing.show(&arguments.listener, &arguments.asking, table)
}

fn table(view: &View, rows: &[Change]) -> String {
    let header = ["ID", "FOUND", "MATCH", "PRIORITY", "CATEGORY", "CHANGE"];
    let cells = rows.iter().map(|row| {
        let found = view.times.tell(row.timestamp.parse().ok());
        vec![
            row.id.to_string(),
            found,
            row.match_id.to_string(),
            row.priority.clone(),
            row.category.clone(),
            row.sentence.clone(),
        ]
    });
    // What the category says, the sentence says as well.
    view.table_without(&[4], &header, cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Change> {
        let rows = r#"[
            {"id": 12, "match_id": 7100101, "category": "venue_change", "priority": "medium",
             "change_description": "Venue changed from \u001b[31mÅbyvallen\nto 東京国立競技場・サブグラウンド and back to Ruddalens IP 1.",
             "timestamp": "2027-07-01T09:57:00.5Z", "of_a_later_version": 1},
            {"id": 9, "match_id": 7, "category": "of_a_later_version", "priority": "critical",
             "change_description": "Cancelled.", "timestamp": "2027-05-01T09:57:00Z"}
        ]"#;
        serde_json::from_str(rows).unwrap()
    }

    #[test]
    fn changes_fit_a_terminal_also_with_wide_letters() {
        insta::assert_snapshot!(table(&View::fixed(Some(80)), &rows()), @"
        ID  FOUND                MATCH    PRIORITY  CHANGE
        12  2 min ago            7100101  medium    Venue changed from �[31mÅbyvallen to
                                                    東京国立競技場・サブグラウンド and
                                                    back to Ruddalens IP 1.
        9   2027-05-01 11:57:00  7        critical  Cancelled.
        ");
    }

    #[test]
    fn without_a_terminal_each_change_has_one_line() {
        insta::assert_snapshot!(table(&View::fixed(None), &rows()), @"
        ID  FOUND                MATCH    PRIORITY  CATEGORY            CHANGE
        12  2027-07-01 11:57:00  7100101  medium    venue_change        Venue changed from �[31mÅbyvallen to 東京国立競技場・サブグラウンド and back to Ruddalens IP 1.
        9   2027-05-01 11:57:00  7        critical  of_a_later_version  Cancelled.
        ");
    }
}
