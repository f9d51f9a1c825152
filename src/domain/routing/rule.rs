//! Rules: who is told beside those whom their role says, or in place of them.

use super::notice::Subject;
use crate::domain::change::{Category, Priority, Stakeholder as Audience};
use crate::domain::matchlist::{Match, Referee, Team};

/// A rule. It applies to a change when all its conditions hold; one without values always holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// What people call it.
    pub name: String,
    /// Of these categories.
    pub categories: Vec<Category>,
    /// Of these priorities.
    pub priorities: Vec<Priority>,
    /// Of a match that one of these referees has or had.
    pub referees: Vec<i64>,
    /// Of a match that one of these clubs plays or played.
    pub clubs: Vec<i64>,
    /// Of a match that belongs or belonged to one of these competitions.
    pub competitions: Vec<i64>,
    /// Of a change that concerns one of these.
    pub audiences: Vec<Audience>,
    /// What it leads to.
    pub then: Then,
}

/// What a rule that applies leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nobody is told, but for those whom rules above name.
    Skip,
    /// Somebody is told.
    Notify {
        /// Whom.
        targets: Vec<Target>,
        /// By these channels; none for those that each has chosen.
        channels: Option<Vec<String>>,
        /// Whether in place of those whom their role says. Rules below are asked all the same.
        instead: bool,
    },
}

impl Default for Then {
    fn default() -> Self {
        Self::Notify {
            targets: Vec::new(),
            channels: None,
            instead: false,
        }
    }
}

/// Whom a rule names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The stakeholder with this id.
    Stakeholder(String),
    /// All in the group with this id.
    Group(String),
}

impl Rule {
    /// Whether it applies.
    #[must_use]
    pub fn applies(&self, subject: &Subject<'_>) -> bool {
        let change = subject.change;
        any(&self.categories, |one| *one == change.category)
            && any(&self.priorities, |one| *one == change.priority)
            && any(&self.audiences, |one| {
                concerns(change.affected_stakeholders.as_slice(), *one)
            })
            && any(&self.competitions, |id| {
                on(subject, |m| m.competition.id == Some(*id))
            })
            && any(&self.clubs, |id| {
                on(subject, |m| teams(m).any(|team| team.club_id == Some(*id)))
            })
            && any(&self.referees, |id| {
                on(subject, |m| m.referees.iter().any(|r| is_referee(r, *id)))
            })
    }
}

/// Whether a condition holds: it names nothing, or one of what it names.
fn any<T>(named: &[T], holds: impl Fn(&T) -> bool) -> bool {
    named.is_empty() || named.iter().any(holds)
}

/// Whether the match, as it is or as it was, is so.
fn on(subject: &Subject<'_>, holds: impl Fn(&Match) -> bool) -> bool {
    subject.matches().any(holds)
}

/// The id of the referee; of the person where the list does not tell it.
fn is_referee(referee: &Referee, id: i64) -> bool {
    referee.referee_id.or(referee.person_id) == Some(id)
}

/// Both teams.
pub(super) fn teams(m: &Match) -> impl Iterator<Item = &Team> {
    [&m.home, &m.away].into_iter()
}

/// Whether a change that affects `affected` concerns `one`.
pub(super) fn concerns(affected: &[Audience], one: Audience) -> bool {
    affected.contains(&one) || affected.contains(&Audience::All)
}
