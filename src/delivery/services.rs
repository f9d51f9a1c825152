//! What services read: sets of matches and, on Redis, how the program does.

use std::sync::Arc;

use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::destinations::unreadable;
use super::{Alert, Calendar, ChangeSet, Envelope, MessageType, Progress, Redis};
use crate::client::{CallError, Health};
use crate::clock::moment;
use crate::domain::change::{Change, Priority};
use crate::domain::delivery::{FULL_STATE, MATCH_UPDATES};
use crate::domain::notify::Message;
use crate::notify::StoredSet;
use crate::store::{Claimed, Store};
use crate::telemetry::labels::ErrorKind;

/// How sets of matches get to Redis.
#[derive(Clone, Debug)]
pub enum RedisWay {
    /// Published on this channel.
    Channel(String),
    /// Appended to this stream, which keeps so many.
    Stream(String, u32),
}

/// Tells Redis.
#[derive(Debug)]
pub struct RedisService {
    /// The server.
    pub redis: Redis,
    /// For sets of matches.
    pub updates: RedisWay,
    /// The channel for system alerts.
    pub alerts: String,
    /// The channel for how far a cycle has come.
    pub status: String,
    /// What is told there.
    pub progress: Arc<Progress>,
    /// Holds the whole list.
    pub store: Store,
}

impl RedisService {
    /// Delivers an entry of the outbox.
    ///
    /// # Errors
    /// When Redis did not take it, or nobody listened.
    pub async fn deliver(&self, claimed: &Claimed) -> Result<(), CallError> {
        let key = claimed.idempotency_key();
        if !matches!(claimed.kind.as_str(), MATCH_UPDATES | FULL_STATE) {
            let body = alert(&claimed.payload, &key, claimed.created)?;
            return self.redis.to_anyone().publish(&self.alerts, &body).await;
        }
        let set = stored_set(claimed)?;
        let body = update(&set, &matches(&set, &self.store).await?, &key)?;
        match &self.updates {
            RedisWay::Channel(channel) => self.redis.publish(channel, &body).await,
            RedisWay::Stream(stream, keep) => self.redis.append(stream, *keep, &key, &body).await,
        }
    }

    /// Tells how far cycles have come, until `stop` is set.
    pub async fn tell_progress(&self, stop: watch::Receiver<bool>) {
        let redis = self.redis.to_anyone();
        self.progress.run(&redis, &self.status, stop).await;
    }

    /// Tells once how far cycles have come.
    pub async fn tell_progress_once(&self) {
        let redis = self.redis.to_anyone();
        self.progress.publish(&redis, &self.status).await;
    }

    /// Asks how it is, and whether somebody listens if somebody has to.
    pub async fn probe(&self) -> Health {
        let channel = match &self.updates {
            RedisWay::Channel(channel) => Some(channel.as_str()),
            RedisWay::Stream(..) => None,
        };
        self.redis.probe(channel).await
    }
}

/// Has the calendar service bring matches into the calendar.
#[derive(Debug)]
pub struct CalendarService {
    /// The service.
    pub calendar: Calendar,
    /// Holds the matches.
    pub store: Store,
}

impl CalendarService {
    /// Delivers an entry of the outbox. Matches that have left the list since are nothing that could
    /// be told.
    ///
    /// # Errors
    /// When the service did not take it.
    pub async fn deliver(&self, claimed: &Claimed) -> Result<(), CallError> {
        let matches = matches(&stored_set(claimed)?, &self.store).await?;
        if matches.is_empty() {
            return Ok(());
        }
        let matches: Vec<&RawValue> = matches.iter().map(AsRef::as_ref).collect();
        self.calendar
            .sync(&claimed.idempotency_key(), &matches)
            .await
    }
}

/// The raw matches of a set as they are now, without those that left the list.
async fn matches(set: &StoredSet, store: &Store) -> Result<Vec<Box<RawValue>>, CallError> {
    let unread = |_| CallError::of(ErrorKind::Internal, "the store cannot be read");
    let ids = if let Some(ids) = &set.matches {
        ids.clone()
    } else {
        let known = store.known().await.map_err(unread)?;
        known.iter().map(|row| row.id).collect()
    };
    let raw = store.raw(ids).await.map_err(unread)?.into_iter();
    Ok(raw
        .filter_map(|(_, text)| RawValue::from_string(text).ok())
        .collect())
}

fn stored_set(claimed: &Claimed) -> Result<StoredSet, CallError> {
    serde_json::from_str(&claimed.payload).map_err(|_| unreadable())
}

fn update(set: &StoredSet, matches: &[Box<RawValue>], key: &str) -> Result<String, CallError> {
    let matches: Vec<&RawValue> = matches.iter().map(AsRef::as_ref).collect();
    let changes: Vec<&Change> = set.changes.iter().collect();
    let payload = match set.matches {
        Some(_) => ChangeSet::new(&matches, &changes, &set.summary, set.found),
        None => ChangeSet::whole(&matches, &set.summary, set.found),
    };
    let envelope = Envelope::new(MessageType::MatchUpdates, key, set.found, &payload);
    envelope.json().map_err(|_| unreadable())
}

/// A system alert as subscribers read it.
fn alert(message: &str, key: &str, created: f64) -> Result<String, CallError> {
    let message: Message = serde_json::from_str(message).map_err(|_| unreadable())?;
    let news = message.alerts.first().ok_or_else(unreadable)?;
    let at = moment(created);
    let severity = match message.priority {
        Priority::Critical => "critical",
        Priority::High | Priority::Medium => "warning",
        Priority::Low => "info",
    };
    let details = json!({
        "subject": news.subject,
        "since": news.since,
        "until": news.until,
        "count": news.count,
    });
    let payload = Alert {
        alert_type: news.kind.label(),
        severity: if news.until.is_some() {
            "info"
        } else {
            severity
        },
        message: &news.detail,
        timestamp: at,
        details,
    };
    let envelope = Envelope::new(MessageType::SystemAlert, key, at, &payload);
    envelope.json().map_err(|_| unreadable())
}
