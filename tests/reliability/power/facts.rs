//! What the daemon told others, read from the bytes that it sent. Whatever it told must still be
//! true after a power cut.

use std::collections::HashMap;

use serde_json::Value;

/// Something that somebody outside knows.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A sender was told that this trigger is accepted.
    Accepted { trigger: String },
    /// A sender was told how the cycle of its trigger ended.
    Served { trigger: String, cycle: String },
    /// An operator was told that so many cycles have ended.
    Ended { cycles: u64 },
    /// An operator was told how many deliveries of a cycle are through.
    Delivered { cycle: String, count: u64 },
    /// A receiver was sent a file with this name.
    Sent { file: String },
}

/// Puts together what is sent through each connection.
#[derive(Debug, Default)]
pub struct Wire {
    connections: HashMap<usize, Vec<u8>>,
}

impl Wire {
    /// Bytes were sent; what is told once they have arrived.
    pub fn sent(&mut self, connection: usize, bytes: &[u8]) -> Vec<Fact> {
        let message = self.connections.entry(connection).or_default();
        if bytes.starts_with(b"HTTP/1.1 ") || bytes.starts_with(b"POST ") {
            message.clear();
        }
        message.extend_from_slice(bytes);
        let Some(facts) = told(message) else {
            return Vec::new();
        };
        message.clear();
        facts
    }

    /// The descriptor stands for something else from now on.
    pub fn closed(&mut self, connection: usize) {
        self.connections.remove(&connection);
    }
}

/// None if the message is not complete, or none that is known.
fn told(message: &[u8]) -> Option<Vec<Fact>> {
    if message.starts_with(b"POST /upload_file ") {
        let text = String::from_utf8_lossy(message);
        let (_, rest) = text.split_once("filename=\"")?;
        let file = rest.split_once('"')?.0.to_owned();
        return Some(vec![Fact::Sent { file }]);
    }
    if !message.starts_with(b"HTTP/1.1 200 ") {
        return None;
    }
    let end = message.windows(4).position(|four| four == b"\r\n\r\n")?;
    let body: Value = serde_json::from_slice(&message[end + 4..]).ok()?;
    Some(answered(&body))
}

fn answered(body: &Value) -> Vec<Fact> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut facts = Vec::new();
    if let Some(trigger) = text(&body["trigger_id"]) {
        facts.push(match text(&body["processing_id"]) {
            Some(cycle) => Fact::Served { trigger, cycle },
            None => Fact::Accepted { trigger },
        });
    }
    let history = body["processing_history"].as_array();
    if history.is_some()
        && let Some(cycles) = body["processing_count"].as_u64()
    {
        facts.push(Fact::Ended { cycles });
    }
    for record in history.into_iter().flatten() {
        let (cycle, count) = (&record["processing_id"], &record["deliveries"]["delivered"]);
        if let (Some(cycle), Some(count)) = (text(cycle), count.as_u64()) {
            facts.push(Fact::Delivered { cycle, count });
        }
    }
    facts
}
