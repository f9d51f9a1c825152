//! One match, with the fields that the program looks at.

use std::fmt;

use jiff::civil::Date;

/// Why an entry of the list is no match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// It is no JSON object.
    #[error("the entry is no object")]
    NotObject,
    /// It has no usable `matchid`.
    #[error("the match has no id")]
    NoId,
}

/// A match. `None` means that the list does not tell: the key is absent, null or of another type.
///
/// An empty string is a value. Ids of 0 and -1 count as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// `matchid`.
    pub id: i64,
    /// `matchnr`, e.g. `000402010`; empty if there is none.
    pub number: String,
    /// The day, read from `speldatum` (or `datum`).
    pub date: Option<Date>,
    /// `speldatum` (or `datum`) as it stands in the list.
    pub date_text: Option<String>,
    /// Local time of the kick-off: `avsparkstid`, or a `tid` of the form `19:00`.
    pub kickoff: Option<String>,
    /// `tid` as it stands in the list, e.g. `/Date(1746543600000)/`; none if it is of the form
    /// `19:00`.
    pub tid: Option<String>,
    /// `lag1…`.
    pub home: Team,
    /// `lag2…`.
    pub away: Team,
    /// `anlaggningid`, `anlaggningnamn`.
    pub venue: Named,
    /// `tavlingid`, `tavlingnamn`.
    pub competition: Named,
    /// `installd`.
    pub cancelled: Option<bool>,
    /// `uppskjuten`.
    pub postponed: Option<bool>,
    /// `avbruten`.
    pub interrupted: Option<bool>,
    /// `domaruppdraglista`; empty as well if the key is absent, null or no list.
    pub referees: Vec<Referee>,
    /// The list used the shorter form: `datum` for `speldatum`, or `tid: "19:00"`.
    pub short_form: bool,
}

/// A team of a match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Team {
    /// `lag1lagid`, `lag2lagid`.
    pub team_id: Option<i64>,
    /// `lag1namn`, `lag2namn`.
    pub name: Option<String>,
    /// `lag1foreningid`, `lag2foreningid`: the club, whose emblem the avatar shows.
    pub club_id: Option<i64>,
}

/// Something with an id and a name: a venue, a competition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The id.
    pub id: Option<i64>,
    /// The name.
    pub name: Option<String>,
}

/// A referee's assignment. Its `Debug` form shows no personal data.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Referee {
    /// `domareid`, or `domarid` in older data.
    pub referee_id: Option<i64>,
    /// `personid`.
    pub person_id: Option<i64>,
    /// `domarnr`.
    pub number: Option<String>,
    /// What the referee does in the match.
    pub role: Role,
    /// Name, telephone numbers and addresses.
    pub contact: Contact,
}

/// A referee's role in a match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// `domarrollid`.
    pub id: Option<i64>,
    /// `domarrollnamn`, e.g. `Huvuddomare`.
    pub name: Option<String>,
    /// `domarrollkortnamn`, e.g. `AD1`.
    pub short: Option<String>,
}

/// The raw names of the fields of a [`Contact`], in its order.
pub const CONTACT_FIELDS: [&str; 11] = [
    "personnamn",
    "namn",
    "telefon",
    "mobiltelefon",
    "telefonarbete",
    "epostadress",
    "adress",
    "coadress",
    "postnr",
    "postort",
    "land",
];

/// A referee's personal data, at most one value per name in [`CONTACT_FIELDS`].
///
/// The values stand in one string, because reading a long list would otherwise spend much of its
/// time on allocating them one by one.
#[derive(Clone, Default)]
pub struct Contact {
    values: String,
    /// Where each value begins and ends.
    places: [Option<(u32, u32)>; CONTACT_FIELDS.len()],
}

impl Contact {
    /// The value of a field, by its index in [`CONTACT_FIELDS`].
    #[must_use]
    pub fn get(&self, field: usize) -> Option<&str> {
        let (start, end) = (*self.places.get(field)?)?;
        self.values.get(start as usize..end as usize)
    }

    pub(super) fn set(&mut self, field: usize, value: Option<&str>) {
        let place = value.and_then(|value| {
            let start = u32::try_from(self.values.len()).ok()?;
            let end = u32::try_from(self.values.len() + value.len()).ok()?;
            if self.values.is_empty() {
                self.values.reserve(USUAL_CONTACT);
            }
            self.values.push_str(value);
            Some((start, end))
        });
        self.places[field] = place;
    }
}

/// Bytes that the values of a contact usually take.
const USUAL_CONTACT: usize = 128;

impl PartialEq for Contact {
    fn eq(&self, other: &Self) -> bool {
        (0..CONTACT_FIELDS.len()).all(|field| self.get(field) == other.get(field))
    }
}

impl Eq for Contact {}

impl Referee {
    /// The person's name: `personnamn`, or `namn` if that is empty.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        let names = [self.contact.get(0), self.contact.get(1)];
        names
            .into_iter()
            .flatten()
            .find(|name| !name.trim().is_empty())
    }

    /// Whether the entry says who it is; an assignment that nobody holds does not.
    pub(super) fn is_somebody(&self) -> bool {
        self.referee_id.is_some()
            || self.person_id.is_some()
            || self.number.is_some()
            || self.name().is_some()
    }
}

impl Role {
    /// The role's name, or its short name if that is empty.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        let names = [self.name.as_deref(), self.short.as_deref()];
        names
            .into_iter()
            .flatten()
            .find(|name| !name.trim().is_empty())
    }
}

impl fmt::Debug for Referee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Referee")
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contact(..)")
    }
}
