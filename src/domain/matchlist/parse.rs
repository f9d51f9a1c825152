//! Reads one entry of the list into a [`Match`].
//!
//! Every field that is looked at is read on its own: a value that cannot be read spoils nothing but
//! itself. Fields that are not looked at are skipped.

use super::scan::Scan;
use super::{EntryError, Match, Referee, value};

impl Match {
    /// Reads one entry. Of a key that occurs twice the last counts.
    ///
    /// # Errors
    ///
    /// [`EntryError`] if the entry is no object or has no id; any other oddity leaves the field
    /// concerned unknown.
    pub fn parse(raw: &str) -> Result<Self, EntryError> {
        let mut entry = Entry::default();
        let mut scan = Scan::new(raw);
        let read = scan.object(|key, scan| match match_field(key) {
            None => scan.value().map(drop),
            Some(Field::Referees) => {
                entry.found.referees = referees(scan)?;
                Some(())
            }
            Some(field) => {
                entry.set(field, scan.value()?);
                Some(())
            }
        });
        match (read, scan.peek()) {
            (Some(()), None) => entry.finish(),
            _ => Err(EntryError::NotObject),
        }
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
            Field::Referees => {}
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

/// The referees of a list; items that are no objects or name nobody are left out.
fn referees(scan: &mut Scan) -> Option<Vec<Referee>> {
    let mut found = Vec::new();
    if scan.peek()? != b'[' {
        scan.value()?;
        return Some(found);
    }
    scan.array(|scan| {
        if scan.peek()? == b'{' {
            found.extend(Some(referee(scan)?).filter(Referee::is_somebody));
        } else {
            scan.value()?;
        }
        Some(())
    })?;
    Some(found)
}

fn referee(scan: &mut Scan) -> Option<Referee> {
    let mut found = Referee::default();
    // `domarid` is older; it must not hide a `domareid` beside it.
    let mut old_id = None;
    scan.object(|key, scan| {
        let raw = scan.value()?;
        match referee_field(key) {
            None => {}
            Some(RefereeField::Id) => found.referee_id = value::id(raw),
            Some(RefereeField::OldId) => old_id = value::id(raw),
            Some(RefereeField::PersonId) => found.person_id = value::id(raw),
            Some(RefereeField::Number) => found.number = value::number(raw),
            Some(RefereeField::RoleId) => found.role.id = value::id(raw),
            Some(RefereeField::RoleName) => found.role.name = value::text(raw),
            Some(RefereeField::RoleShort) => found.role.short = value::text(raw),
            Some(RefereeField::Contact(index)) => {
                found.contact.set(index, value::borrowed(raw).as_deref());
            }
        }
        Some(())
    })?;
    found.referee_id = found.referee_id.or(old_id);
    Some(found)
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
    /// The index among [`CONTACT_FIELDS`](super::CONTACT_FIELDS).
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
        b"personnamn" => RefereeField::Contact(0),
        b"namn" => RefereeField::Contact(1),
        b"telefon" => RefereeField::Contact(2),
        b"mobiltelefon" => RefereeField::Contact(3),
        b"telefonarbete" => RefereeField::Contact(4),
        b"epostadress" => RefereeField::Contact(5),
        b"adress" => RefereeField::Contact(6),
        b"coadress" => RefereeField::Contact(7),
        b"postnr" => RefereeField::Contact(8),
        b"postort" => RefereeField::Contact(9),
        b"land" => RefereeField::Contact(10),
        _ => return None,
    })
}
