//! What can be wrong, and the messages about it.

use jiff::Timestamp;

use crate::clock::unix_seconds;
use crate::domain::change::Priority;
use crate::domain::delivery::{Destination, Lane};
use crate::domain::notify::{AlertKind, AlertNews, Language, Message, Stored};
use crate::domain::routing::{AlertNotice, Routing, When};
use crate::store::NewDelivery;

/// Something that can be wrong.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    /// What.
    pub kind: AlertKind,
    /// Which of several.
    pub subject: Option<String>,
    /// Whether it is.
    pub is_wrong: bool,
    /// How soon people must know.
    pub urgency: Priority,
    /// How many things it is about.
    pub count: Option<u64>,
    /// How many of them people have to be told of: messages about it that cannot be delivered are nothing
    /// new.
    pub extent: u64,
    /// One sentence without personal data.
    pub detail: String,
}

impl Condition {
    pub fn of(kind: AlertKind, urgency: Priority, is_wrong: bool) -> Self {
        Self {
            kind,
            subject: None,
            is_wrong,
            urgency,
            count: None,
            extent: 0,
            detail: String::new(),
        }
    }

    /// Keeps it apart from all others.
    pub fn name(&self) -> String {
        name_of(self.kind, self.subject.as_deref())
    }
}

pub(super) fn name_of(kind: AlertKind, subject: Option<&str>) -> String {
    match subject {
        None => kind.label().to_owned(),
        Some(subject) => format!("{kind}:{subject}"),
    }
}

/// The kind of an entry of the outbox about something of this name.
fn entry_kind(name: &str) -> String {
    format!("alert_{name}")
}

/// The messages about this, as entries of the outbox. A newer one about the same takes the place of one
/// that waits.
pub(super) fn deliveries(
    routing: &Routing,
    news: &AlertNews,
    urgency: Priority,
    now: Timestamp,
    is_on_redis: bool,
) -> Vec<NewDelivery> {
    let kind = entry_kind(&name_of(news.kind, news.subject.as_deref()));
    let notices = routing.alert(urgency, now).into_iter();
    let redis = is_on_redis.then(|| AlertNotice {
        channel: Lane::from(Destination::Redis),
        recipient: String::new(),
        language: Language::English,
        when: When::Now,
    });
    let delivery = |notice: AlertNotice| {
        let message = Message::alert(notice.language, urgency, news.clone());
        let Stored { payload, priority } = Stored::of(&message);
        NewDelivery {
            lane: notice.channel,
            recipient: notice.recipient,
            match_id: 0,
            kind: kind.clone(),
            priority,
            not_before: notice.when.moment().map(unix_seconds),
            digest: [0; 16],
            payload,
        }
    };
    notices.chain(redis).map(delivery).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::DEAD_LETTERS_ALERT;

    #[test]
    fn the_store_knows_messages_about_dead_letters() {
        let name = name_of(AlertKind::DeadLetters, None);
        assert_eq!(entry_kind(&name), DEAD_LETTERS_ALERT);
    }
}
