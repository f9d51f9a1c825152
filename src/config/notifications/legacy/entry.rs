//! One stakeholder of the file.

use serde_json::Value;

use super::super::Defaults;
use super::super::people::{DIGEST_AT, MINIMUM};
use super::super::values::{choice, quoted};
use super::contacts::Contacts;
use crate::auth::is_label;
use crate::config::cycle::zone;
use crate::domain::change::{Category, Priority};
use crate::domain::routing::{Identity, Pace, Role, Stakeholder};
use crate::domain::schedule::QuietHours;

/// What the service calls roles, in lower case.
const ROLES: [(&str, Role); 10] = [
    ("referee", Role::Referee),
    ("coordinator", Role::Coordinator),
    ("refereecoordinator", Role::Coordinator),
    ("team", Role::Team),
    ("team_manager", Role::Team),
    ("teammanager", Role::Team),
    ("operator", Role::Operator),
    ("administrator", Role::Operator),
    ("systemadmin", Role::Operator),
    ("devops", Role::Operator),
];

/// What the service tells somebody who has chosen nothing.
const USUAL: [Category; 6] = [
    Category::NewAssignment,
    Category::RefereeChange,
    Category::TimeChange,
    Category::DateChange,
    Category::VenueChange,
    Category::Cancellation,
];

/// What the template calls `referee_assignments`.
const ASSIGNMENTS: [Category; 3] = [
    Category::NewAssignment,
    Category::RefereeChange,
    Category::AssignmentRemoved,
];

/// What was found in an entry.
#[derive(Default)]
pub(super) struct Found {
    pub stakeholder: Option<Stakeholder>,
    pub problems: Vec<String>,
    pub warnings: Vec<String>,
}

/// An entry while it is read.
pub(super) struct Entry<'a> {
    pub place: String,
    pub json: &'a Value,
    pub preferences: &'a Value,
    pub found: Found,
}

/// Reads the `n`th entry.
pub(super) fn stakeholder(
    entry: &Value,
    n: usize,
    defaults: &Defaults,
    contacts: &mut Contacts<'_>,
) -> Found {
    let mut one = Entry {
        place: format!("stakeholder {n}"),
        json: entry,
        preferences: &entry["preferences"],
        found: Found::default(),
    };
    let stakeholder = one.read(defaults, contacts);
    Found {
        stakeholder,
        ..one.found
    }
}

impl<'a> Entry<'a> {
    /// Notes a mistake in this entry.
    pub fn problem(&mut self, problem: &str) {
        self.found
            .problems
            .push(format!("{}: {problem}", self.place));
    }

    /// A text; an empty one is none.
    pub fn text(&mut self, value: &'a Value, what: &str) -> Option<&'a str> {
        if !value.is_null() && !value.is_string() {
            self.problem(&format!("{what} must be a text"));
        }
        value.as_str().filter(|text| !text.trim().is_empty())
    }

    /// Texts; none if there is no list.
    pub fn texts(&mut self, value: &'a Value, what: &str) -> Option<Vec<&'a str>> {
        if value.is_null() {
            return None;
        }
        let texts = value.as_array();
        let texts = texts.and_then(|list| list.iter().map(|one| one.as_str()).collect());
        if texts.is_none() {
            self.problem(&format!("{what} must be a list of texts"));
        }
        texts
    }

    fn read(&mut self, defaults: &Defaults, contacts: &mut Contacts<'_>) -> Option<Stakeholder> {
        let entry = self.json;
        let id = entry["stakeholder_id"].as_str().or(entry["id"].as_str());
        let Some(id) = id.filter(|id| is_label(id)) else {
            self.problem("stakeholder_id must be 1 to 64 of a-z A-Z 0-9 . _ -");
            return None;
        };
        self.place = format!("stakeholder {id}");
        let is_active = entry["active"].as_bool().unwrap_or(true);
        let (mail, channels) = match entry["contact_info"].is_array() {
            true => self.written_contacts(id, defaults, contacts),
            false => self.template_contacts(id, defaults, contacts),
        };
        Some(Stakeholder {
            id: id.to_owned(),
            name: entry["name"].as_str().unwrap_or_default().to_owned(),
            role: self.role(),
            identity: self.identity(),
            is_active,
            language: defaults.language,
            zone: self.zone().unwrap_or_else(|| defaults.zone.clone()),
            quiet: self.quiet(),
            minimum: self.minimum(),
            categories: Some(self.categories()),
            pace: self.pace(),
            mail,
            channels,
        })
    }

    fn role(&mut self) -> Role {
        let role = self.text(&self.json["role"], "role").unwrap_or_default();
        let known = ROLES.iter().find(|(name, _)| *name == role.to_lowercase());
        if known.is_none() {
            let names: Vec<&str> = ROLES.iter().map(|(name, _)| *name).collect();
            let (shown, expected) = (quoted(role), choice(&names));
            self.problem(&format!("role is {shown}; it must be {expected}"));
        }
        known.map_or(Role::Operator, |(_, role)| *role)
    }

    fn identity(&mut self) -> Identity {
        let id = match &self.json["fogis_person_id"] {
            Value::Number(id) => id.as_i64(),
            Value::String(text) if text.trim().is_empty() => return Identity::default(),
            Value::String(text) => text.trim().parse().ok(),
            _ => return Identity::default(),
        };
        let person_id = id.filter(|id| *id > 0);
        if person_id.is_none() {
            self.problem("fogis_person_id must be a positive number");
        }
        Identity {
            person_id,
            ..Identity::default()
        }
    }

    fn zone(&mut self) -> Option<jiff::tz::TimeZone> {
        let value = match &self.preferences["timezone"] {
            Value::Null => &self.json["metadata"]["timezone"],
            value => value,
        };
        let text = self.text(value, "timezone")?;
        let zone = zone(text);
        if zone.is_none() {
            let expected = "a time zone of the IANA database, such as Europe/Stockholm";
            self.problem(&format!(
                "timezone is {}; it must be {expected}",
                quoted(text)
            ));
        }
        zone
    }

    fn quiet(&mut self) -> QuietHours {
        let preferences = self.preferences;
        let hours = &preferences["quiet_hours"];
        let (start, end) = match hours["enabled"].as_bool() {
            Some(false) => return QuietHours::default(),
            Some(true) => (&hours["start"], &hours["end"]),
            None => (
                &preferences["quiet_hours_start"],
                &preferences["quiet_hours_end"],
            ),
        };
        let start = self.text(start, "the start of quiet hours");
        let end = self.text(end, "the end of quiet hours");
        let hours = match (start, end) {
            (None, None) => return QuietHours::default(),
            (Some(start), Some(end)) => QuietHours::parse(&format!("{start}-{end}")),
            _ => None,
        };
        if hours.is_none() {
            self.problem(
                "quiet hours must have a start and an end, two different times such as 22:00",
            );
        }
        hours.unwrap_or_default()
    }

    fn minimum(&mut self) -> Priority {
        let preferences = self.preferences;
        let value = match &preferences["minimum_priority"] {
            Value::Null => &preferences["priority_filter"],
            value => value,
        };
        let Some(text) = self.text(value, "minimum_priority") else {
            return MINIMUM;
        };
        let minimum = Priority::from_label(&text.to_lowercase());
        if minimum.is_none() {
            let (shown, expected) = (quoted(text), choice(Priority::ALL));
            self.problem(&format!(
                "minimum_priority is {shown}; it must be {expected}"
            ));
        }
        minimum.unwrap_or(MINIMUM)
    }

    fn categories(&mut self) -> Vec<Category> {
        let preferences = self.preferences;
        let types = self.texts(&preferences["notification_types"], "notification_types");
        if let Some(types) = types {
            return types.into_iter().flat_map(of_type).collect();
        }
        let names = self.texts(&preferences["enabled_change_types"], "enabled_change_types");
        let Some(names) = names else {
            return USUAL.to_vec();
        };
        let mut categories = Vec::new();
        for name in names {
            match (Category::from_label(name), name) {
                (Some(category), _) => categories.push(category),
                (None, "unknown") => categories.push(Category::Unclassified),
                (None, _) => {
                    let (shown, expected) = (quoted(name), choice(Category::ALL));
                    let problem =
                        format!("enabled_change_types has {shown}; each must be {expected}");
                    self.problem(&problem);
                }
            }
        }
        categories
    }

    fn pace(&mut self) -> Pace {
        let preferences = self.preferences;
        let frequency = self.text(&preferences["digest_frequency"], "digest_frequency");
        let pace = match frequency.map(str::to_lowercase).as_deref() {
            None | Some("immediate" | "never") => Pace::Immediate,
            Some("hourly") => Pace::Hourly,
            Some("daily") => Pace::Daily(DIGEST_AT),
            Some(other) => {
                let expected = "immediate, hourly, daily or never";
                self.problem(&format!(
                    "digest_frequency is {}; it must be {expected}",
                    quoted(other)
                ));
                Pace::Immediate
            }
        };
        let gathers = match preferences["immediate_delivery"].as_bool() {
            Some(at_once) => !at_once,
            None => preferences["digest_mode"].as_bool().unwrap_or(false),
        };
        if gathers { pace } else { Pace::Immediate }
    }
}

/// What the template calls a type of notification. Alerts go by the role.
fn of_type(name: &str) -> Vec<Category> {
    match name {
        "referee_assignments" => ASSIGNMENTS.to_vec(),
        "match_changes" => {
            let others = Category::ALL.iter().copied();
            others.filter(|one| !ASSIGNMENTS.contains(one)).collect()
        }
        _ => Vec::new(),
    }
}
