//! What a delivery is on the wire.

use anyhow::Context;
use serde_json::Value;

use super::receiver::{Fate, Upload};
use crate::support::Result;
use crate::support::wire::Asked;

/// What the file of a message is called that tells of no match.
pub const NO_MATCH: &str = "message_of_no_match";

/// What a receiver takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Files, as the Drive service does.
    Files,
    /// Webhooks, as Standard Webhooks has them.
    Messages,
}

impl Takes {
    /// The delivery that this is; none if it is something else, such as a look whether all is well.
    pub fn parse(self, asked: &Asked) -> Result<Option<Upload>> {
        match self {
            Self::Files if asked.head.starts_with("POST /upload_file ") => file(asked).map(Some),
            Self::Messages if asked.head.starts_with("POST /hook ") => message(asked).map(Some),
            _ => Ok(None),
        }
    }
}

fn file(asked: &Asked) -> Result<Upload> {
    let text = String::from_utf8_lossy(&asked.body);
    let field = |name: &str, until: &str| {
        let (_, rest) = text.split_once(name)?;
        Some(rest.split_once(until)?.0.to_owned())
    };
    let boundary = text.split("\r\n").next().context("no boundary")?;
    let file = text.split_once("name=\"file\"").context("no file")?.1;
    let (head, content) = file.split_once("\r\n\r\n").context("no part")?;
    let name = head.split("filename=\"").nth(1).context("no file name")?;
    let key = asked.header("idempotency-key").context("no key")?;
    let folder = field("name=\"folder_path\"\r\n\r\n", "\r\n").context("no folder")?;
    let file = name.split('"').next().unwrap_or_default().to_owned();
    let content = content.split(boundary).next().unwrap_or_default();
    upload(key.trim_matches('"').to_owned(), folder, file, content)
}

fn message(asked: &Asked) -> Result<Upload> {
    let key = asked.header("webhook-id").context("no webhook-id")?;
    for name in ["webhook-timestamp", "webhook-signature"] {
        asked.header(name).with_context(|| format!("no {name}"))?;
    }
    let event: Value = serde_json::from_slice(&asked.body)?;
    let subject = match event["data"]["match"]["match_id"].as_i64() {
        Some(id) => format!("message_{id}"),
        None => NO_MATCH.to_owned(),
    };
    let content = String::from_utf8_lossy(&asked.body);
    upload(key, String::new(), subject, &content)
}

fn upload(key: String, folder: String, file: String, content: &str) -> Result<Upload> {
    let id = key.strip_prefix("delivery-");
    let id = id.and_then(|rest| rest.split('-').next());
    Ok(Upload {
        id: id.context("an odd key")?.parse()?,
        key,
        folder,
        file,
        content: content.to_owned(),
        life: 0,
        fate: Fate::Unanswered,
        stored: false,
    })
}
