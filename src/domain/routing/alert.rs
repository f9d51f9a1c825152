//! Who is told how the program itself does.

use jiff::Timestamp;

use super::Routing;
use super::notice::When;
use crate::domain::change::Priority;
use crate::domain::delivery::Lane;
use crate::domain::notify::Language;

/// One message about the program itself to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertNotice {
    /// By which channel.
    pub channel: Lane,
    /// The id of the stakeholder whose mail it is; empty where all read the same channel.
    pub recipient: String,
    /// In which language.
    pub language: Language,
    /// When; never in a digest.
    pub when: When,
}

impl Routing {
    /// Who is told of an alert of this severity, or of its end, that came up at `now`: operators,
    /// or coordinators where there are none, by all of their channels and whatever their minimum
    /// priority. One for each channel and recipient.
    #[must_use]
    pub fn alert(&self, severity: Priority, now: Timestamp) -> Vec<AlertNotice> {
        let mut notices: Vec<AlertNotice> = Vec::new();
        for person in self.watchers() {
            let stakeholder = &person.stakeholder;
            let when = person.clockwork.not_in_digest(severity, now);
            for &way in &person.ways {
                let channel = &self.channels[way];
                let is_personal = self.is_personal(way);
                let same = |one: &&mut AlertNotice| !is_personal && one.channel == channel.lane();
                if let Some(shared) = notices.iter_mut().find(same) {
                    shared.when = shared.when.or_earlier(when);
                    continue;
                }
                notices.push(AlertNotice {
                    channel: channel.lane(),
                    recipient: if is_personal {
                        stakeholder.id.clone()
                    } else {
                        String::new()
                    },
                    language: if is_personal {
                        stakeholder.language
                    } else {
                        channel.language
                    },
                    when,
                });
            }
        }
        notices
    }

    /// Those who look after the program.
    fn watchers(&self) -> impl Iterator<Item = &super::Person> {
        let active = |indices: &[usize]| -> Vec<usize> {
            let is_active = |n: &usize| self.people[*n].stakeholder.is_active;
            indices.iter().copied().filter(is_active).collect()
        };
        let operators = active(self.index.operators());
        let watchers = match operators.is_empty() {
            true => active(self.index.coordinators()),
            false => operators,
        };
        watchers.into_iter().map(|n| &self.people[n])
    }
}
