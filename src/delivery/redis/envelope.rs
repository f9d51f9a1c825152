//! The messages on Redis, as their subscribers read them.

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::domain::change::{Change, Priority};
use crate::labels;

/// What subscribers ask for before they read the details of changes.
const SCHEMA: &str = "2.0";

labels! {
    /// What a message is about.
    MessageType {
        /// Matches changed.
        MatchUpdates => "match_updates",
        /// A cycle began or ended.
        ProcessingStatus => "processing_status",
        /// Something is wrong, or well again.
        SystemAlert => "system_alert",
    }
}

labels! {
    /// How far a cycle has come.
    ProgressStatus {
        /// It has begun.
        Started => "started",
        /// It ended well.
        Completed => "completed",
        /// It failed.
        Failed => "failed",
    }
}

/// A message, ready to be written as JSON. `payload` is one of [`ChangeSet`], `Progress` and
/// [`Alert`], or the JSON that was made of one before.
#[derive(Debug, Serialize)]
pub struct Envelope<'a, P> {
    message_id: String,
    #[serde(serialize_with = "iso")]
    timestamp: Timestamp,
    source: &'static str,
    version: &'static str,
    schema_version: &'static str,
    #[serde(rename = "type")]
    kind: MessageType,
    payload: &'a P,
}

impl<'a, P: Serialize> Envelope<'a, P> {
    /// `key` is the same at each attempt, `at` when the message was made.
    #[must_use]
    pub fn new(kind: MessageType, key: &str, at: Timestamp, payload: &'a P) -> Self {
        Self {
            message_id: message_id(key),
            timestamp: at,
            source: "match-list-processor",
            version: "1.0",
            schema_version: SCHEMA,
            kind,
            payload,
        }
    }

    /// The message.
    ///
    /// # Errors
    /// When the payload is something that JSON cannot hold.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

/// Matches that changed, each as it came.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeSet<'a> {
    /// The raw objects, byte for byte.
    pub matches: &'a [&'a RawValue],
    schema_version: &'static str,
    /// The changes of these matches.
    pub detailed_changes: &'a [&'a Change],
    high_priority: bool,
    metadata: ChangeSetMetadata<'a>,
}

/// What [`ChangeSet`] says beside the matches.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeSetMetadata<'a> {
    total_matches: usize,
    has_changes: bool,
    /// One sentence.
    pub change_summary: &'a str,
    /// When the changes were found.
    #[serde(serialize_with = "iso")]
    pub processing_timestamp: Timestamp,
}

impl<'a> ChangeSet<'a> {
    /// The matches that `changes` speak of. `summary` is one sentence, `found` when they were found.
    #[must_use]
    pub fn new(
        matches: &'a [&'a RawValue],
        changes: &'a [&'a Change],
        summary: &'a str,
        found: Timestamp,
    ) -> Self {
        Self::made(matches, changes, summary, found)
    }

    /// All matches there are. Subscribers read it as they read changes.
    #[must_use]
    pub fn whole(matches: &'a [&'a RawValue], summary: &'a str, found: Timestamp) -> Self {
        let mut whole = Self::made(matches, &[], summary, found);
        whole.metadata.has_changes = true;
        whole
    }

    fn made(
        matches: &'a [&'a RawValue],
        changes: &'a [&'a Change],
        summary: &'a str,
        found: Timestamp,
    ) -> Self {
        let is_high = |change: &&Change| change.priority <= Priority::High;
        Self {
            matches,
            schema_version: SCHEMA,
            detailed_changes: changes,
            high_priority: changes.iter().any(is_high),
            metadata: ChangeSetMetadata {
                total_matches: matches.len(),
                has_changes: !changes.is_empty(),
                change_summary: summary,
                processing_timestamp: found,
            },
        }
    }
}

/// How far a cycle has come.
#[derive(Clone, Debug, Serialize)]
pub struct Progress<D> {
    /// Begun or ended.
    pub status: ProgressStatus,
    /// When.
    #[serde(serialize_with = "iso")]
    pub timestamp: Timestamp,
    /// A JSON object without personal data.
    pub details: D,
}

/// Something is wrong, or well again.
#[derive(Clone, Debug, Serialize)]
pub struct Alert<'a, D> {
    /// What is wrong, e.g. `list_unreachable`.
    pub alert_type: &'a str,
    /// How bad: `info`, `warning` or `critical`.
    pub severity: &'a str,
    /// One sentence without personal data.
    pub message: &'a str,
    /// When it was noticed.
    #[serde(serialize_with = "iso")]
    pub timestamp: Timestamp,
    /// A JSON object without personal data.
    pub details: D,
}

/// A UUID (version 8 of RFC 9562) that depends on `key` alone.
#[must_use]
pub fn message_id(key: &str) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&blake3::hash(key.as_bytes()).as_bytes()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let groups = [0..4, 4..6, 6..8, 8..10, 10..16];
    groups.map(|group| hex::encode(&bytes[group])).join("-")
}

/// With six digits of a second: subscribers on an older Python read three or six of them, no others.
fn iso<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{at:.6}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::change::{Category, Stakeholder};

    fn at() -> Timestamp {
        "2030-05-01T12:00:00Z".parse().unwrap()
    }

    fn change(priority: Priority) -> Change {
        Change {
            match_id: 1,
            match_nr: "000000001".to_owned(),
            category: Category::VenueChange,
            priority,
            affected_stakeholders: vec![Stakeholder::All],
            field_name: Some("anlaggningnamn".to_owned()),
            previous_value: Some("Vallen".to_owned()),
            current_value: Some("Ängen".to_owned()),
            change_description: "the venue changed".to_owned(),
            timestamp: "2030-05-01T11:59:00Z".to_owned(),
        }
    }

    #[test]
    fn a_match_message_is_what_its_subscribers_ask_for() {
        let raw = r#"{"matchid": 1,"lat":57.10,"namn":"\u00c5"}"#;
        let raw = RawValue::from_string(raw.to_owned()).unwrap();
        let (medium, high) = (change(Priority::Medium), change(Priority::High));
        let matches = [&*raw];
        let changes = [&medium, &high];
        let set = ChangeSet::new(&matches, &changes, "1 match updated", at());
        let message = Envelope::new(MessageType::MatchUpdates, "delivery-1-2", at(), &set);
        let text = message.json().unwrap();
        assert!(text.contains(raw.get()), "byte for byte: {text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        let expected = json!({
            "message_id": message_id("delivery-1-2"), "timestamp": "2030-05-01T12:00:00.000000Z",
            "source": "match-list-processor", "version": "1.0", "schema_version": "2.0",
            "type": "match_updates",
            "payload": {
                "matches": [{ "matchid": 1, "lat": 57.1, "namn": "Å" }], "schema_version": "2.0",
                "detailed_changes": [medium, high], "high_priority": true,
                "metadata": {
                    "total_matches": 1, "has_changes": true, "change_summary": "1 match updated",
                    "processing_timestamp": "2030-05-01T12:00:00.000000Z",
                },
            },
        });
        assert_eq!(value, expected);
        let changes = [&medium];
        let set = ChangeSet::new(&matches, &changes, "", at());
        assert!(!set.high_priority);
    }

    #[test]
    fn a_payload_that_was_stored_is_sent_as_it_is() {
        let alert = Alert {
            alert_type: "list_unreachable",
            severity: "critical",
            message: "the list cannot be fetched",
            timestamp: at(),
            details: json!({ "failures": 3 }),
        };
        let stored = serde_json::value::to_raw_value(&alert).unwrap();
        let text = |payload: &RawValue| {
            let message = Envelope::new(MessageType::SystemAlert, "key", at(), &payload);
            message.json().unwrap()
        };
        let direct = Envelope::new(MessageType::SystemAlert, "key", at(), &alert);
        assert_eq!(text(&stored), direct.json().unwrap());
        let progress = Progress {
            status: ProgressStatus::Completed,
            timestamp: at(),
            details: json!({}),
        };
        let message = Envelope::new(MessageType::ProcessingStatus, "key", at(), &progress);
        let value: Value = serde_json::from_str(&message.json().unwrap()).unwrap();
        assert_eq!(value["type"], "processing_status");
        assert_eq!(value["payload"]["status"], "completed");
        assert_eq!(value["payload"]["timestamp"], "2030-05-01T12:00:00.000000Z");
    }

    #[test]
    fn an_id_is_a_uuid_and_the_same_for_the_same_key() {
        let id = message_id("delivery-1-2");
        assert_eq!(id, message_id("delivery-1-2"));
        assert_ne!(id, message_id("delivery-1-3"));
        let parts: Vec<&str> = id.split('-').collect();
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
        assert!(parts[2].starts_with('8'), "{id}");
        assert!(parts[3].starts_with(['8', '9', 'a', 'b']), "{id}");
    }
}
