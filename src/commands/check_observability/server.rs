//! A server with an API in JSON.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::app::Failure;
use crate::client::endpoint;
use crate::commands::output::printable;
use crate::commands::place::Place;
use crate::commands::remote::{Connection, receive};

/// Characters of somebody else's message that are told.
const TOLD: usize = 200;

/// Prometheus or Alertmanager.
pub struct Server {
    place: Place,
    connection: Connection,
}

impl Server {
    /// The server at this place, which may take `patience` for an answer.
    pub fn new(place: &Place, patience: Duration) -> Result<Self, Failure> {
        Ok(Self {
            place: place.clone(),
            connection: Connection::new(place, patience)?,
        })
    }

    /// Where it is, without a password.
    pub fn place(&self) -> String {
        self.place.to_string()
    }

    /// The JSON at this path.
    ///
    /// # Errors
    /// What is wrong, in a few words that a terminal can show.
    pub fn get(&self, path: &str, query: Option<&str>) -> Result<Value, String> {
        let mut url = endpoint(&self.place.base, path);
        url.set_query(query);
        let request = self.connection.client.request(Method::GET, url);
        let answered = self.connection.runtime.block_on(receive(request));
        let answer = answered.map_err(|error| short(&error.message))?;
        match answer.status {
            StatusCode::OK => serde_json::from_str(&answer.body)
                .map_err(|_| format!("the answer to {path} is no JSON")),
            status => Err(format!("the answer to {path} is {}", status.as_u16())),
        }
    }
}

/// The beginning of somebody else's message.
pub fn short(text: &str) -> String {
    let text = printable(text);
    match text.char_indices().nth(TOLD) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A list of names of which there may be many.
pub fn listed(names: &[&str]) -> String {
    const MOST: usize = 3;
    let shown = names.iter().take(MOST).copied();
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_elses_text_fills_the_screen() {
        let text = "é\x1b".repeat(1000);
        assert_eq!(short(&text).chars().count(), TOLD + 1);
        assert!(!short(&text).contains('\x1b'));
        assert_eq!(short("brief"), "brief");
        assert_eq!(listed(&["a", "b", "c"]), "a, b, c");
        assert_eq!(listed(&["a", "b", "c", "d"]), "a, b, c and 1 more");
    }
}
