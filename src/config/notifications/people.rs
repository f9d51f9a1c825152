//! Stakeholders and groups.

use jiff::civil::Time;

use super::Defaults;
use super::fields::Fields;
use super::values::is_address;
use crate::domain::change::{Category, Priority};
use crate::domain::notify::Language;
use crate::domain::routing::{Group, Identity, MAIL, Pace, Role, Stakeholder};
use crate::domain::schedule::QuietHours;

/// When daily digests come, if nothing else is said.
pub(super) const DIGEST_AT: Time = Time::constant(7, 0, 0, 0);
/// What is less is not told, if nothing else is said.
pub(super) const MINIMUM: Priority = Priority::Medium;
/// What quiet hours must be.
pub(super) const QUIET: &str = "up to twelve ranges of the clock, such as 22:00-07:00";

crate::labels! {
    /// How often somebody wants to be told.
    Often {
        /// At once.
        Immediate => "immediate",
        /// Once an hour.
        Hourly => "hourly",
        /// Once a day.
        Daily => "daily",
    }
}

/// Reads a `[[stakeholder]]`; none if nobody knows how it is called.
pub(super) fn stakeholder(fields: &mut Fields<'_>, defaults: &Defaults) -> Option<Stakeholder> {
    let id = fields.name("stakeholder", "id");
    fields.require("role");
    let role = fields.label("role", Role::ALL, Role::from_label);
    let mail = fields.text("mail");
    if mail.as_deref().is_some_and(|mail| !is_address(mail)) {
        fields.problem("mail must be an address, such as anna@example.org");
    }
    let channels = fields.names("channels", "");
    let by_mail = || mail.iter().map(|_| MAIL.to_owned()).collect();
    let categories = fields.labels("categories", Category::ALL, Category::from_label);
    let minimum = fields.label("minimum_priority", Priority::ALL, Priority::from_label);
    let language = fields.label("language", Language::ALL, Language::from_label);
    Some(Stakeholder {
        name: fields.text("name").unwrap_or_default(),
        role: role.unwrap_or(Role::Operator),
        identity: identity(fields, role),
        is_active: fields.boolean("active", true),
        language: language.unwrap_or(defaults.language),
        zone: fields
            .zone("time_zone")
            .unwrap_or_else(|| defaults.zone.clone()),
        quiet: fields
            .parsed("quiet_hours", QUIET, QuietHours::parse)
            .unwrap_or_default(),
        minimum: minimum.unwrap_or(MINIMUM),
        categories,
        pace: pace(fields),
        channels: channels.unwrap_or_else(by_mail),
        mail,
        id: id?,
    })
}

/// Whom of the match list it is. What its role makes no use of is a mistake.
fn identity(fields: &mut Fields<'_>, role: Option<Role>) -> Identity {
    for (key, own) in [
        ("referee_id", Role::Referee),
        ("person_id", Role::Referee),
        ("referee_number", Role::Referee),
        ("club_id", Role::Team),
        ("team_id", Role::Team),
    ] {
        if fields.has(key) && role.is_some_and(|role| role != own) {
            fields.problem(&format!("{key} is of use only to a {own}"));
        }
    }
    Identity {
        referee_id: fields.id("referee_id"),
        person_id: fields.id("person_id"),
        referee_number: fields.text("referee_number"),
        club_id: fields.id("club_id"),
        team_id: fields.id("team_id"),
    }
}

fn pace(fields: &mut Fields<'_>) -> Pace {
    let often = fields.label("digest", Often::ALL, Often::from_label);
    let at = fields.parsed("digest_at", "a time of the clock, such as 07:00", clock);
    match often.unwrap_or(Often::Immediate) {
        Often::Daily => Pace::Daily(at.unwrap_or(DIGEST_AT)),
        _ if at.is_some() => {
            fields.problem("digest_at is of use only with digest = \"daily\"");
            Pace::Immediate
        }
        Often::Hourly => Pace::Hourly,
        Often::Immediate => Pace::Immediate,
    }
}

/// Hours and minutes, two digits each.
pub(super) fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    (digits(hour) && digits(minute)).then_some(())?;
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

/// Reads a `[[group]]`.
pub(super) fn group(fields: &mut Fields<'_>) -> Option<Group> {
    let id = fields.name("group", "id");
    fields.require("members");
    let members = fields.names("members", "").unwrap_or_default();
    Some(Group { id: id?, members })
}
