//! From changes to notices.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::Timestamp;

use super::notice::{Notice, Subject, When};
use super::parts::ChannelKind;
use super::select::refusal;
use super::{Person, Routing};
use crate::domain::change::Priority;

impl Routing {
    /// What must be sent because of these changes, found at `now`: for each channel, recipient and
    /// match one notice, with all changes of the match that concern who reads it, when the most
    /// urgent of them is due.
    ///
    /// In the order of the changes, then of the stakeholders in the settings.
    #[must_use]
    pub fn route(&self, subjects: &[Subject<'_>], now: Timestamp) -> Vec<Notice> {
        let mut notices: Vec<Notice> = Vec::new();
        let mut places = HashMap::new();
        let mut moments = Moments::new(now);
        for (index, subject) in subjects.iter().enumerate() {
            let change = subject.change;
            for (n, told) in self.concerned(subject).0 {
                let person = &self.people[n];
                if refusal(&person.stakeholder, change).is_some() {
                    continue;
                }
                let when = moments.of(n, person, change.priority);
                for way in told.ways {
                    let reader = self.is_personal(way).then_some(n);
                    match places.entry((way, reader, change.match_id)) {
                        Entry::Occupied(place) => add(&mut notices[*place.get()], index, when),
                        Entry::Vacant(place) => {
                            place.insert(notices.len());
                            notices.push(self.notice(way, reader, when, (change.match_id, index)));
                        }
                    }
                }
            }
        }
        notices
    }

    /// Whether each who is told by this channel gets a message of their own.
    pub(super) fn is_personal(&self, way: usize) -> bool {
        self.channels[way].kind == ChannelKind::Mail
    }

    fn notice(
        &self,
        way: usize,
        reader: Option<usize>,
        when: When,
        (match_id, change): (i64, usize),
    ) -> Notice {
        let channel = &self.channels[way];
        let reader = reader.map(|n| &self.people[n].stakeholder);
        Notice {
            channel: channel.lane(),
            recipient: reader.map_or_else(String::new, |one| one.id.clone()),
            language: reader.map_or(channel.language, |one| one.language),
            when,
            match_id,
            changes: vec![change],
        }
    }
}

fn add(notice: &mut Notice, index: usize, when: When) {
    notice.when = notice.when.or_earlier(when);
    if notice.changes.last() != Some(&index) {
        notice.changes.push(index);
    }
}

/// When each is told of what came up at one moment, found out once.
struct Moments {
    now: Timestamp,
    /// Of what is not critical, by index.
    found: HashMap<usize, When>,
}

impl Moments {
    fn new(now: Timestamp) -> Self {
        let found = HashMap::new();
        Self { now, found }
    }

    fn of(&mut self, n: usize, person: &Person, priority: Priority) -> When {
        let when = || person.clockwork.when(priority, self.now);
        match priority {
            Priority::Critical => when(),
            _ => *self.found.entry(n).or_insert_with(when),
        }
    }
}
