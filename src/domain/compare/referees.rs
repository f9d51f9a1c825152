//! Changes of who referees a match, in which role, and of how to reach them.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::finding::Finding;
use super::wording::count;
use crate::domain::change::Category;
use crate::domain::matchlist::{CONTACT_FIELDS, Referee};

const FIELD: &str = "domaruppdraglista";

/// Everything that differs between two lists of referees.
pub(super) fn findings(before: &[Referee], now: &[Referee]) -> Vec<Finding> {
    if before.is_empty() && now.is_empty() {
        return Vec::new();
    }
    if before.is_empty() {
        let referees = count(now.len(), "referee", "referees");
        let sentence = format!("Assigned where there were none: {referees}.");
        return vec![new_assignment(now, sentence)];
    }
    let keys = Keys::of(before, now);
    let mut found = Vec::new();
    found.extend(assignments(&keys, before, now));
    found.extend(contacts(&keys, before, now));
    found
}

/// Referees came where there were none, or with the match itself.
pub(super) fn new_assignment(now: &[Referee], sentence: String) -> Finding {
    let mut found = Finding::of_field(Category::NewAssignment, FIELD, sentence);
    found.current = listed(now);
    found
}

/// Whether the sets of persons differ, whatever their roles.
pub(super) fn persons_differ(before: &[Referee], now: &[Referee]) -> bool {
    let keys = Keys::of(before, now);
    let persons = |side| keys.sorted(side).into_iter().map(|(person, ..)| person);
    let [mut before, mut now] = [before, now].map(|side| persons(side).collect::<Vec<_>>());
    before.dedup();
    now.dedup();
    before != now
}

/// `Role: Name` of each; none for an empty list.
pub(super) fn listed(referees: &[Referee]) -> Option<String> {
    let one = |r: &Referee| {
        format!(
            "{}: {}",
            r.role.label().unwrap_or("?"),
            r.name().unwrap_or("?")
        )
    };
    (!referees.is_empty()).then(|| referees.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// Who a referee is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who<'a> {
    Referee(i64),
    Person(i64),
    Number(&'a str),
    Name(&'a str),
    Nobody,
}

/// What a referee does: as many of name, id and short name as count.
type Role<'a> = (Option<&'a str>, Option<i64>, Option<&'a str>);

type PersonOf = fn(&Referee) -> Option<Who<'_>>;

/// What tells persons apart, best first. A name does so only where there is nothing else.
const IDENTIFIERS: [PersonOf; 4] = [
    |r| r.referee_id.map(Who::Referee),
    |r| r.person_id.map(Who::Person),
    |r| r.number.as_deref().map(Who::Number),
    |r| r.name().map(Who::Name),
];

/// By what the referees of two lists are told apart: by what all of them carry, else each by the
/// first that it has.
struct Keys {
    person: Option<PersonOf>,
    role: RoleKey,
}

/// What counts of a role.
#[derive(Clone, Copy)]
enum RoleKey {
    /// One side tells no roles at all.
    Nothing,
    Name,
    Id,
    NameAndId,
    /// Of each referee the first of name, short name and id.
    First,
}

/// A referee with what it is sorted by.
type Keyed<'a> = (Who<'a>, Role<'a>, &'a Referee);

impl Keys {
    fn of(before: &[Referee], now: &[Referee]) -> Self {
        let all = |has: &dyn Fn(&Referee) -> bool| before.iter().chain(now).all(has);
        let untold = |side: &[Referee]| side.iter().all(|r| first(r) == (None, None, None));
        let role = match (all(&|r| name(r).is_some()), all(&|r| r.role.id.is_some())) {
            _ if untold(before) || untold(now) => RoleKey::Nothing,
            (true, true) => RoleKey::NameAndId,
            (true, false) => RoleKey::Name,
            (false, true) => RoleKey::Id,
            (false, false) => RoleKey::First,
        };
        let person = IDENTIFIERS[..3]
            .iter()
            .copied()
            .find(|person| all(&|r| person(r).is_some()));
        Self { person, role }
    }

    fn person<'a>(&self, referee: &'a Referee) -> Who<'a> {
        let any = || IDENTIFIERS.iter().find_map(|person| person(referee));
        self.person
            .and_then(|person| person(referee))
            .or_else(any)
            .unwrap_or(Who::Nobody)
    }

    fn role<'a>(&self, referee: &'a Referee) -> Role<'a> {
        match self.role {
            RoleKey::Nothing => (None, None, None),
            RoleKey::Name => (name(referee), None, None),
            RoleKey::Id => (None, referee.role.id, None),
            RoleKey::NameAndId => (name(referee), referee.role.id, None),
            RoleKey::First => first(referee),
        }
    }

    fn sorted<'a>(&self, side: &'a [Referee]) -> Vec<Keyed<'a>> {
        let mut keyed: Vec<_> = side
            .iter()
            .map(|r| (self.person(r), self.role(r), r))
            .collect();
        keyed.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        keyed
    }
}

fn name(referee: &Referee) -> Option<&str> {
    referee.role.name.as_deref().filter(|name| !name.is_empty())
}

/// The first of name, short name and id that a role has.
fn first(referee: &Referee) -> Role<'_> {
    let short = referee
        .role
        .short
        .as_deref()
        .filter(|short| !short.is_empty());
    match (name(referee), short) {
        (Some(name), _) => (Some(name), None, None),
        (None, Some(short)) => (None, None, Some(short)),
        (None, None) => (None, referee.role.id, None),
    }
}

/// The multisets of (person, role) differ.
fn assignments(keys: &Keys, before: &[Referee], now: &[Referee]) -> Option<Finding> {
    let [old, new] = [before, now].map(|side| keys.sorted(side));
    let (mut i, mut j, mut gone, mut came) = (0, 0, 0, 0);
    while i < old.len() || j < new.len() {
        let order = match (old.get(i), new.get(j)) {
            (Some(old), Some(new)) => (old.0, old.1).cmp(&(new.0, new.1)),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        i += usize::from(order.is_le());
        j += usize::from(order.is_ge());
        gone += usize::from(order.is_lt());
        came += usize::from(order.is_gt());
    }
    if gone + came == 0 {
        return None;
    }
    let sentence = format!("The referee assignments changed: {came} new, {gone} gone.");
    let mut found = Finding::of_field(Category::RefereeChange, FIELD, sentence);
    (found.previous, found.current) = (listed(before), listed(now));
    Some(found)
}

/// The contact data of referees on both sides differ. Names the fields, never the values.
fn contacts(keys: &Keys, before: &[Referee], now: &[Referee]) -> Option<Finding> {
    let (names, referees) = contact_difference(keys, before, now);
    if referees == 0 {
        return None;
    }
    let referees = count(referees, "referee", "referees");
    let sentence = format!("Contact data of {referees} changed: {}.", names.join(", "));
    Some(Finding::of_field(Category::ContactChange, FIELD, sentence))
}

/// The raw names of the contact fields that differ for somebody who is on both sides, in the order
/// of [`CONTACT_FIELDS`].
#[must_use]
pub fn contact_fields(before: &[Referee], now: &[Referee]) -> Vec<&'static str> {
    contact_difference(&Keys::of(before, now), before, now).0
}

/// The fields that differ, and for how many referees any does.
fn contact_difference(
    keys: &Keys,
    before: &[Referee],
    now: &[Referee],
) -> (Vec<&'static str>, usize) {
    let [old, new] = [before, now].map(|side| keys.sorted(side));
    let mut differs = [false; CONTACT_FIELDS.len()];
    let mut referees = 0;
    let mut new = new.chunk_by(same_person).peekable();
    for group in old.chunk_by(same_person) {
        while new.next_if(|other| other[0].0 < group[0].0).is_some() {}
        let Some(other) = new.next_if(|other| other[0].0 == group[0].0) else {
            continue;
        };
        let fields = (0..differs.len()).filter(|&field| values_differ(group, other, field));
        let count = fields.inspect(|&field| differs[field] = true).count();
        referees += usize::from(count > 0);
    }
    let names = CONTACT_FIELDS
        .iter()
        .zip(differs)
        .filter(|(_, differs)| *differs);
    (names.map(|(name, _)| *name).collect(), referees)
}

fn same_person(a: &Keyed<'_>, b: &Keyed<'_>) -> bool {
    a.0 == b.0
}

/// Whether what one person's entries tell in a field differs. Somebody with two roles has two
/// entries, so these are sets.
fn values_differ(before: &[Keyed<'_>], now: &[Keyed<'_>], field: usize) -> bool {
    if let ([before], [now]) = (before, now) {
        let values = (contact(before, field), contact(now, field));
        return matches!(values, (Some(before), Some(now)) if before != now);
    }
    let [before, now] = [before, now].map(|s| {
        s.iter()
            .filter_map(|k| contact(k, field))
            .collect::<BTreeSet<_>>()
    });
    !before.is_empty() && !now.is_empty() && before != now
}

fn contact<'a>(keyed: &Keyed<'a>, field: usize) -> Option<&'a str> {
    keyed.2.contact.get(field)
}
