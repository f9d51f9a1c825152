//! Reads one entry of the list into a [`Match`].
//!
//! Every field that is looked at is taken as raw text first and read on its own: a value that
//! cannot be read spoils nothing but itself. Fields that are not looked at are skipped.

use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::value::{self, Key};
use super::{CONTACT_FIELDS, EntryError, Match, Referee};

impl Match {
    /// Reads one entry. Of a key that occurs twice the last counts.
    ///
    /// # Errors
    ///
    /// [`EntryError`] if the entry is no object or has no id; any other oddity leaves the field
    /// concerned unknown.
    pub fn parse(raw: &str) -> Result<Self, EntryError> {
        if !raw.trim_ascii_start().starts_with('{') {
            return Err(EntryError::NotObject);
        }
        let mut entry = Entry::default();
        each_field(raw, match_field, |field, raw| entry.set(field, raw))
            .map_err(|_| EntryError::NotObject)?;
        entry.finish()
    }
}

/// What is read of an entry before it is known to be a match.
#[derive(Default)]
struct Entry {
    found: Match,
    id: Option<i64>,
    speldatum: Option<String>,
    datum: Option<String>,
    tid: Option<String>,
}

/// A field of a match, by its name in the list.
#[derive(Clone, Copy)]
enum Field {
    Id,
    Number,
    Speldatum,
    Datum,
    Kickoff,
    Tid,
    TeamId(Side),
    TeamName(Side),
    ClubId(Side),
    VenueId,
    VenueName,
    CompetitionId,
    CompetitionName,
    Cancelled,
    Postponed,
    Interrupted,
    Referees,
}

#[derive(Clone, Copy)]
enum Side {
    Home,
    Away,
}

fn match_field(key: &[u8]) -> Option<Field> {
    Some(match key {
        b"matchid" => Field::Id,
        b"matchnr" => Field::Number,
        b"speldatum" => Field::Speldatum,
        b"datum" => Field::Datum,
        b"avsparkstid" => Field::Kickoff,
        b"tid" => Field::Tid,
        b"lag1lagid" => Field::TeamId(Side::Home),
        b"lag2lagid" => Field::TeamId(Side::Away),
        b"lag1namn" => Field::TeamName(Side::Home),
        b"lag2namn" => Field::TeamName(Side::Away),
        b"lag1foreningid" => Field::ClubId(Side::Home),
        b"lag2foreningid" => Field::ClubId(Side::Away),
        b"anlaggningid" => Field::VenueId,
        b"anlaggningnamn" => Field::VenueName,
        b"tavlingid" => Field::CompetitionId,
        b"tavlingnamn" => Field::CompetitionName,
        b"installd" => Field::Cancelled,
        b"uppskjuten" => Field::Postponed,
        b"avbruten" => Field::Interrupted,
        b"domaruppdraglista" => Field::Referees,
        _ => return None,
    })
}

impl Entry {
    fn set(&mut self, field: Field, raw: &str) {
        let found = &mut self.found;
        match field {
            Field::Id => self.id = value::id(raw),
            Field::Number => found.number = value::number(raw).unwrap_or_default(),
            Field::Speldatum => self.speldatum = value::text(raw),
            Field::Datum => self.datum = value::text(raw),
            Field::Kickoff => found.kickoff = value::text(raw),
            Field::Tid => self.tid = value::text(raw),
            Field::TeamId(side) => found.team_mut(side).team_id = value::id(raw),
            Field::TeamName(side) => found.team_mut(side).name = value::text(raw),
            Field::ClubId(side) => found.team_mut(side).club_id = value::id(raw),
            Field::VenueId => found.venue.id = value::id(raw),
            Field::VenueName => found.venue.name = value::text(raw),
            Field::CompetitionId => found.competition.id = value::id(raw),
            Field::CompetitionName => found.competition.name = value::text(raw),
            Field::Cancelled => found.cancelled = value::flag(raw),
            Field::Postponed => found.postponed = value::flag(raw),
            Field::Interrupted => found.interrupted = value::flag(raw),
            Field::Referees => found.referees = referees(raw),
        }
    }

    fn finish(self) -> Result<Match, EntryError> {
        let mut found = self.found;
        found.id = self.id.ok_or(EntryError::NoId)?;
        let is_empty = |text: &Option<String>| text.as_ref().is_none_or(String::is_empty);
        let short_date = is_empty(&self.speldatum) && !is_empty(&self.datum);
        found.date_text = if short_date {
            self.datum
        } else {
            self.speldatum
        };
        found.date = found.date_text.as_deref().and_then(value::date);
        let short_time = self.tid.as_deref().is_some_and(value::is_time_of_day);
        if !short_time {
            found.tid = self.tid;
        } else if is_empty(&found.kickoff) {
            found.kickoff = self.tid;
        }
        found.short_form = short_date || short_time;
        Ok(found)
    }
}

impl Match {
    fn team_mut(&mut self, side: Side) -> &mut super::Team {
        match side {
            Side::Home => &mut self.home,
            Side::Away => &mut self.away,
        }
    }
}

/// The referees of a list; entries that are no objects or name nobody are left out.
fn referees(raw: &str) -> Vec<Referee> {
    let mut json = serde_json::Deserializer::from_str(raw);
    let mut found = Vec::new();
    if raw.starts_with('[')
        && json
            .deserialize_seq(Items(|raw| found.extend(referee(raw))))
            .is_ok()
    {
        return found;
    }
    Vec::new()
}

fn referee(raw: &str) -> Option<Referee> {
    let mut found = Referee::default();
    // `domarid` is older; it must not hide a `domareid` beside it.
    let mut old_id = None;
    let set = |field, raw: &str| match field {
        RefereeField::Id => found.referee_id = value::id(raw),
        RefereeField::OldId => old_id = value::id(raw),
        RefereeField::PersonId => found.person_id = value::id(raw),
        RefereeField::Number => found.number = value::number(raw),
        RefereeField::RoleId => found.role.id = value::id(raw),
        RefereeField::RoleName => found.role.name = value::text(raw),
        RefereeField::RoleShort => found.role.short = value::text(raw),
        RefereeField::Contact(index) => found.contact.0[index] = value::text(raw),
    };
    if !raw.starts_with('{') || each_field(raw, referee_field, set).is_err() {
        return None;
    }
    found.referee_id = found.referee_id.or(old_id);
    found.is_somebody().then_some(found)
}

/// A field of a referee's assignment.
#[derive(Clone, Copy)]
enum RefereeField {
    Id,
    OldId,
    PersonId,
    Number,
    RoleId,
    RoleName,
    RoleShort,
    Contact(usize),
}

fn referee_field(key: &[u8]) -> Option<RefereeField> {
    Some(match key {
        b"domareid" => RefereeField::Id,
        b"domarid" => RefereeField::OldId,
        b"personid" => RefereeField::PersonId,
        b"domarnr" => RefereeField::Number,
        b"domarrollid" => RefereeField::RoleId,
        b"domarrollnamn" => RefereeField::RoleName,
        b"domarrollkortnamn" => RefereeField::RoleShort,
        _ => {
            let index = CONTACT_FIELDS
                .iter()
                .position(|name| name.as_bytes() == key)?;
            RefereeField::Contact(index)
        }
    })
}

/// Hands every field of an object that `name` knows to `set`, with the raw text of its value.
fn each_field<T>(
    raw: &str,
    name: impl Fn(&[u8]) -> Option<T>,
    set: impl FnMut(T, &str),
) -> serde_json::Result<()> {
    let mut json = serde_json::Deserializer::from_str(raw);
    json.deserialize_map(Fields { name, set })?;
    json.end()
}

struct Fields<N, S> {
    name: N,
    set: S,
}

impl<'de, T, N: Fn(&[u8]) -> Option<T>, S: FnMut(T, &str)> Visitor<'de> for Fields<N, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key_seed(Key(&self.name))? {
            match field {
                Some(field) => (self.set)(field, map.next_value::<&RawValue>()?.get()),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// Hands every item of an array to a function, as raw text.
struct Items<F>(F);

impl<'de, F: FnMut(&'de str)> Visitor<'de> for Items<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(item) = seq.next_element::<&RawValue>()? {
            (self.0)(item.get());
        }
        Ok(())
    }
}
