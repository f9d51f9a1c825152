//! A page of rows, newest first.

use clap::Args;
use reqwest::Method;
use serde_json::value::RawValue;

use super::output::print;
use super::remote::Remote;
use super::table::View;
use crate::app::Failure;

/// Which page.
#[derive(Debug, Args)]
pub struct Paging {
    /// At most so many, from 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub limit: u64,
    /// Only those with a smaller id
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    pub before: Option<i64>,
}

impl Paging {
    /// Asks for the page; parameters without a value are left out.
    pub fn fetch(
        &self,
        remote: &Remote,
        path: &str,
        query: &[(&str, Option<&str>)],
    ) -> Result<String, Failure> {
        let mut url = url::form_urlencoded::Serializer::new(String::new());
        url.append_pair("limit", &self.limit.to_string());
        if let Some(before) = self.before {
            url.append_pair("before", &before.to_string());
        }
        for (name, value) in query {
            if let Some(value) = value {
                url.append_pair(name, value);
            }
        }
        remote.fetch(remote.request(Method::GET, path, Some(&url.finish())))
    }
}

/// Each row as it came, on a line of its own.
pub fn print_lines(rows: &[&RawValue]) -> Result<(), Failure> {
    let lines: Vec<String> = rows.iter().map(|row| format!("{}\n", row.get())).collect();
    print(&lines.concat())
}

/// A table of so many rows, and on a terminal how to see more.
pub fn print_table(
    table: &str,
    rows: usize,
    what: &str,
    next: Option<i64>,
    view: &View,
) -> Result<(), Failure> {
    if rows == 0 {
        return print(&format!("No {what}.\n"));
    }
    let more = next.filter(|_| view.width.is_some());
    let more = more.map(|id| format!("There may be more: --before {id}\n"));
    print(&format!("{table}{}", more.unwrap_or_default()))
}
