//! What the settings say of channels, stakeholders and groups.

use std::fmt;

use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::rule::Rule;
use crate::domain::change::{Category, Priority};
use crate::domain::delivery::{Destination, Lane};
use crate::domain::notify::Language;
use crate::domain::schedule::QuietHours;

/// The name of the channel that sends mail, of which there is one.
pub const MAIL: &str = "mail";

crate::labels! {
    /// What kind of way out a channel is.
    ChannelKind {
        /// A mail server: each stakeholder has an address of its own.
        Mail => "mail",
        /// A Discord channel, which all its readers share.
        Discord => "discord",
        /// Another program that is told by HTTP.
        Webhook => "webhook",
        /// A topic of an ntfy server.
        Ntfy => "ntfy",
    }
}

/// A channel as routing sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its name in the settings.
    pub name: String,
    /// What kind it is.
    pub kind: ChannelKind,
    /// Of what is told there; mail is in the language of who gets it.
    pub language: Language,
}

impl Channel {
    /// What fails together: there is one mail server, and of each other kind there may be several.
    #[must_use]
    pub fn lane(&self) -> Lane {
        match self.kind {
            ChannelKind::Mail => Destination::Mail.into(),
            ChannelKind::Discord => Lane::named(Destination::Discord, &self.name),
            ChannelKind::Webhook => Lane::named(Destination::Webhook, &self.name),
            ChannelKind::Ntfy => Lane::named(Destination::Ntfy, &self.name),
        }
    }
}

crate::labels! {
    /// What a stakeholder is told of without a rule that names it.
    Role {
        /// Of the matches that it referees.
        Referee => "referee",
        /// Of all matches.
        Coordinator => "coordinator",
        /// Of the matches of its club or team.
        Team => "team",
        /// Of how the program itself does, and of no match.
        Operator => "operator",
    }
}

/// How often a stakeholder wants to be told of what is not critical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At once.
    Immediate,
    /// At the next full hour of its clock.
    Hourly,
    /// Once a day, at this time of its clock.
    Daily(Time),
}

/// Whom of the match list a stakeholder is. Whatever is told counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// `domareid`, or `domarid` in older lists.
    pub referee_id: Option<i64>,
    /// `personid`.
    pub person_id: Option<i64>,
    /// `domarnr`.
    pub referee_number: Option<String>,
    /// `lag1foreningid`, `lag2foreningid`.
    pub club_id: Option<i64>,
    /// `lag1lagid`, `lag2lagid`.
    pub team_id: Option<i64>,
}

impl Identity {
    /// Whether a referee of the list can be this one.
    #[must_use]
    pub fn is_a_referee(&self) -> bool {
        self.referee_id.is_some() || self.person_id.is_some() || self.referee_number.is_some()
    }

    /// Whether a team of the list can be this one.
    #[must_use]
    pub fn is_a_team(&self) -> bool {
        self.club_id.is_some() || self.team_id.is_some()
    }
}

/// Somebody who is told. Its `Debug` form shows neither name nor address.
#[derive(Clone)]
pub struct Stakeholder {
    /// How rules, groups and the outbox call it.
    pub id: String,
    /// How people call it; may be empty.
    pub name: String,
    /// What it is told of without a rule.
    pub role: Role,
    /// Whom of the match list it is.
    pub identity: Identity,
    /// Whether it is told anything at all.
    pub is_active: bool,
    /// Of its mail.
    pub language: Language,
    /// Of its quiet hours and digests.
    pub zone: TimeZone,
    /// When only what is critical comes through.
    pub quiet: QuietHours,
    /// What is less than this is not told.
    pub minimum: Priority,
    /// Only these are told; none for all.
    pub categories: Option<Vec<Category>>,
    /// How often.
    pub pace: Pace,
    /// Its mail address.
    pub mail: Option<String>,
    /// The names of the channels by which it is told.
    pub channels: Vec<String>,
}

impl fmt::Debug for Stakeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stakeholder")
            .field("id", &self.id)
            .field("role", &self.role)
            .field("channels", &self.channels)
            .finish_non_exhaustive()
    }
}

/// Stakeholders that rules name together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// How rules call it, after `group:`.
    pub id: String,
    /// The ids of its stakeholders.
    pub members: Vec<String>,
}

/// What the settings say, before it is known to fit together.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// Every channel; mail among them, if there is a server.
    pub channels: Vec<Channel>,
    /// Who is told.
    pub stakeholders: Vec<Stakeholder>,
    /// Named sets of them.
    pub groups: Vec<Group>,
    /// Who is told beside those whom their role says, or in place of them; asked in this order.
    pub rules: Vec<Rule>,
}
