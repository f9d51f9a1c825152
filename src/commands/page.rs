//! A page of rows, newest first.

use std::collections::BTreeMap;

use clap::Args;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::output::print;
use super::remote::{AdminListener, Asking, Remote};
use super::settings;
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

/// What the administration listener lists under a name: `changes` or `deliveries`.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    /// The name, in the path and in the answer.
    pub name: &'static str,
    /// Which page.
    pub paging: &'a Paging,
    /// Filters; those without a value are left out.
    pub query: &'a [(&'static str, Option<&'a str>)],
}

/// The rows of a page, each as it came, and the id to go on from.
#[derive(Debug)]
pub struct Page<'a> {
    pub rows: Vec<&'a RawValue>,
    pub next: Option<i64>,
}

impl Listing<'_> {
    /// Asks for the page.
    pub fn fetch(&self, remote: &Remote) -> Result<String, Failure> {
        let mut url = url::form_urlencoded::Serializer::new(String::new());
        url.append_pair("limit", &self.paging.limit.to_string());
        if let Some(before) = self.paging.before {
            url.append_pair("before", &before.to_string());
        }
        for (name, value) in self.query {
            if let Some(value) = value {
                url.append_pair(name, value);
            }
        }
        let path = format!("/{}", self.name);
        remote.fetch(remote.request(Method::GET, &path, Some(&url.finish())))
    }

    /// The page in an answer.
    pub fn page<'a>(&self, remote: &Remote, body: &'a str) -> Result<Page<'a>, Failure> {
        let answered: BTreeMap<String, &RawValue> = remote.parse(body)?;
        let rows = answered.get(self.name).map(|raw| remote.parse(raw.get()));
        let next = answered.get("next").map(|raw| remote.parse(raw.get()));
        Ok(Page {
            rows: rows.transpose()?.unwrap_or_default(),
            next: next.transpose()?.flatten(),
        })
    }

    /// Asks for the page and prints it: as a table, or each row as it came.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn show<R: DeserializeOwned>(
        &self,
        listener: &AdminListener,
        asking: &Asking,
        table: impl FnOnce(&View, &[R]) -> String,
    ) -> Result<(), Failure> {
        let config = settings()?;
        let remote = listener.open(&config, asking.patience())?;
        let body = self.fetch(&remote)?;
        let page = self.page(&remote, &body)?;
        if asking.json {
            let lines = page.rows.iter().map(|row| format!("{}\n", row.get()));
            return print(&lines.collect::<String>());
        }
        if page.rows.is_empty() {
            return print(&format!("No {}.\n", self.name));
        }
        let rows = page.rows.iter().map(|raw| remote.parse(raw.get()));
        let rows: Vec<R> = rows.collect::<Result<_, _>>()?;
        let view = View::new(&config);
        let more = page.next.filter(|_| view.width.is_some());
        let more = more.map(|id| format!("There may be more: --before {id}\n"));
        print(&format!(
            "{}{}",
            table(&view, &rows),
            more.unwrap_or_default()
        ))
    }
}
