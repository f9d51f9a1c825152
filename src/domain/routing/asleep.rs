//! Whose quiet hours hold.

use jiff::Timestamp;

use super::{Person, Routing};
use crate::domain::delivery::Lane;

impl Routing {
    /// Readers of this channel whose quiet hours hold at `now`, each as a notice names it, with their
    /// end. Of a channel that is shared it is all who read it or none: to the first who wakes it is
    /// told.
    #[must_use]
    pub fn asleep(&self, channel: &Lane, now: Timestamp) -> Vec<(String, Timestamp)> {
        let Some(way) = self.channels.iter().position(|one| one.lane() == *channel) else {
            return Vec::new();
        };
        let end = |person: &Person| person.clockwork.after_quiet(now);
        if self.is_personal(way) {
            let people = self.people.iter();
            return people
                .filter_map(|one| Some((one.stakeholder.id.clone(), end(one)?)))
                .collect();
        }
        let ends: Option<Vec<Timestamp>> = self.readers(way).map(end).collect();
        let first = ends.and_then(|ends| ends.into_iter().min());
        first.map(|end| (String::new(), end)).into_iter().collect()
    }

    /// Who may be told by this channel, some more than once.
    fn readers(&self, way: usize) -> impl Iterator<Item = &Person> {
        let own = self
            .people
            .iter()
            .filter(move |one| one.ways.contains(&way));
        let names =
            move |ways: &Option<Vec<usize>>| ways.as_ref().is_some_and(|ways| ways.contains(&way));
        let named = self.rules.iter().filter(move |rule| names(&rule.ways));
        let by_rules = named.flat_map(|rule| rule.people.iter().map(|&n| &self.people[n]));
        own.chain(by_rules).filter(|one| one.stakeholder.is_active)
    }
}
