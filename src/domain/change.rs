//! A change of one match: its category, its priority and who must know.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Declares a closed set of label values: the enum, its wire names and the list of all of them.
#[macro_export]
macro_rules! labels {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident => $label:literal,)+ }) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord,
            serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        pub enum $name {
            $($(#[$vmeta])* #[serde(rename = $label)] $variant,)+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name used on the wire, in labels and in the store.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }

            /// The value with this wire name.
            #[must_use]
            pub fn from_label(label: &str) -> Option<Self> {
                match label { $($label => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.label())
            }
        }
    };
}

labels! {
    /// What kind of thing changed.
    Category {
        /// A match with referees is new, or referees came where there were none.
        NewAssignment => "new_assignment",
        /// A match without referees is new.
        NewMatch => "new_match",
        /// The set of (referee, role) differs.
        RefereeChange => "referee_change",
        /// The contact data of a referee differs.
        ContactChange => "contact_change",
        /// The match moved to another day.
        DateChange => "date_change",
        /// The kick-off moved.
        TimeChange => "time_change",
        /// The match moved to another pitch.
        VenueChange => "venue_change",
        /// A team was replaced or renamed.
        TeamChange => "team_change",
        /// The match was called off.
        Cancellation => "cancellation",
        /// The match was postponed.
        Postponement => "postponement",
        /// The match was interrupted.
        Interruption => "interruption",
        /// A cancellation, postponement or interruption was withdrawn.
        StatusChange => "status_change",
        /// The match belongs to another competition.
        CompetitionChange => "competition_change",
        /// The match left the list although its day has not passed.
        AssignmentRemoved => "assignment_removed",
        /// The match left the list after its day.
        AgedOut => "aged_out",
        /// Found by the legacy rule, which knows no categories.
        Unclassified => "unclassified",
    }
}

labels! {
    /// How soon people must know.
    Priority {
        /// Now.
        Critical => "critical",
        /// Soon.
        High => "high",
        /// Today.
        Medium => "medium",
        /// For the record.
        Low => "low",
    }
}

labels! {
    /// Who must know.
    Stakeholder {
        /// The referees of the match.
        Referees => "referees",
        /// Those who assign referees.
        Coordinators => "coordinators",
        /// The two teams.
        Teams => "teams",
        /// Everyone above.
        All => "all",
    }
}

/// One change of one match.
///
/// `previous_value` and `current_value` may hold referees' names (never contact data): they belong
/// in the store and in what is delivered, not in logs, spans, metrics or the public endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The match's id.
    pub match_id: i64,
    /// The match number that people use, e.g. `000402010`; empty if the list has none.
    pub match_nr: String,
    /// What kind of change.
    pub category: Category,
    /// How soon people must know.
    pub priority: Priority,
    /// Who must know.
    pub affected_stakeholders: Vec<Stakeholder>,
    /// The first raw field that differs; none where the match as a whole came or went.
    pub field_name: Option<String>,
    /// The value before.
    pub previous_value: Option<String>,
    /// The value now.
    pub current_value: Option<String>,
    /// One English sentence without personal data.
    pub change_description: String,
    /// When the change was found, RFC 3339 in UTC.
    pub timestamp: String,
}
