//! Who is told of changes, and by which channels.
//!
//! `NOTIFICATIONS` is a TOML document, `STAKEHOLDERS_FILE` the JSON file in which the service that this
//! program replaces keeps its stakeholders. Both are read to their ends before the first mistake is
//! told; what cannot be read has a stand-in meanwhile, so that one mistake makes no others.

mod channels;
mod fields;
mod files;
mod legacy;
mod people;
mod rules;
mod values;

#[cfg(test)]
mod document_tests;
#[cfg(test)]
mod legacy_tests;
#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;

use super::cycle::zone;
use super::reader::{Form, Reader};
use super::secret::shown;
use crate::domain::notify::Language;
use crate::domain::routing::{
    Channel, ChannelKind, Group, MAIL, Parts, Routing, Rule, Stakeholder,
};
pub use channels::{ChannelConfig, Security, SmtpConfig, Way};
use fields::Fields;
use files::Files;
use legacy::Legacy;

const NAME: &str = "NOTIFICATIONS";
const LEGACY: &str = "STAKEHOLDERS_FILE";

const DOCUMENT: Form = Form {
    expected: "TOML: [smtp], and as many [[channel]], [[stakeholder]], [[group]] and [[rule]] as wanted; \
               docs/notifications.md has a whole example",
    // On one line, and TOML even so.
    example: "channel = [{ name = \"ops\", kind = \"ntfy\", topic = \"referees\" }]",
};
const FILE: Form = Form {
    expected: "the path of a readable file with channels, stakeholders and rules",
    example: "/etc/match-list-processor/notifications.toml",
};
const STAKEHOLDERS: Form = Form {
    expected: "the path of a readable JSON file with \"stakeholders\": [{\"stakeholder_id\", \"role\", \
               \"contact_info\", \"preferences\"}]",
    example: "/data/stakeholders.json",
};

/// Who is told of changes, and by which channels.
#[derive(Clone, Debug, Default)]
pub struct NotificationsConfig {
    /// Who is told of what, when, and by which channel.
    pub routing: Routing,
    /// The mail server; the channel `mail`.
    pub smtp: Option<SmtpConfig>,
    /// The other channels, in the order of the settings.
    pub channels: Vec<ChannelConfig>,
}

/// What the document says.
#[derive(Default)]
struct Document {
    smtp: Option<SmtpConfig>,
    channels: Vec<ChannelConfig>,
    /// Every channel by name, also those whose own settings have mistakes.
    names: Vec<Channel>,
    stakeholders: Vec<Stakeholder>,
    groups: Vec<Group>,
    rules: Vec<Rule>,
}

/// What holds for a stakeholder or a channel that does not say otherwise.
#[derive(Clone)]
struct Defaults {
    language: Language,
    zone: TimeZone,
}

impl NotificationsConfig {
    pub(super) fn read(from: &mut Reader<'_>) -> Self {
        let text = from.document(NAME, FILE);
        let json = from.content(LEGACY, STAKEHOLDERS);
        if text.is_none() && json.is_none() {
            return Self::default();
        }
        let general = from.raw("TZ").map_or("Europe/Stockholm", |(text, _)| text);
        let mut defaults = Defaults {
            language: Language::Swedish,
            zone: zone(general).unwrap_or(TimeZone::UTC),
        };
        let mut problems = Vec::new();
        let mut files = Files::default();
        let document = text
            .as_ref()
            .map(|text| Document::read(text, &mut defaults, &mut files, &mut problems));
        files.tell(from, NAME);
        let mut document = document.unwrap_or_default();
        if let Some(json) = json {
            document.add(Legacy::read(&json, &document.names, &defaults), from);
        }
        let (config, relations) = document.build();
        let place = from.place_of(NAME);
        for problem in problems {
            from.mistake(&place, &problem, DOCUMENT);
        }
        let (name, place) = match text {
            Some(_) => (NAME, place),
            None => (LEGACY, legacy_place(from)),
        };
        for problem in relations {
            from.mistake(&place, &problem, DOCUMENT);
        }
        config.tell(from, name);
        config
    }

    /// What people see of it.
    fn summary(&self) -> String {
        let count = |count: usize, noun: &str| match count {
            1 => format!("1 {noun}"),
            count => format!("{count} {noun}s"),
        };
        let (people, rules) = (self.routing.stakeholders().count(), self.routing.rules());
        let channels = self.routing.channels().len();
        format!(
            "{}, {}, {}",
            count(people, "stakeholder"),
            count(channels, "channel"),
            count(rules, "rule")
        )
    }

    /// Channels that lead where one before them does. Each is told for itself, so that the receiver
    /// gets all that goes by both twice; in two languages that may be wanted.
    fn doubled(&self) -> impl Iterator<Item = String> {
        let speaks = |one: &ChannelConfig| {
            let known = self.routing.channels().iter();
            let mut known = known.filter(|channel| channel.name == one.name);
            known.next().map(|channel| channel.language)
        };
        let numbered = self.channels.iter().enumerate();
        numbered.filter_map(move |(n, one)| {
            let same = |other: &&ChannelConfig| {
                other.way.leads_where(&one.way) && speaks(other) == speaks(one)
            };
            let first = self.channels[..n].iter().find(same)?;
            Some(format!(
                "channel {}: leads to the same receiver as channel {}, which gets all that goes by both \
                 twice; have everybody use one of them",
                one.name, first.name
            ))
        })
    }

    fn tell(&self, from: &mut Reader<'_>, name: &str) {
        let summary = self.summary();
        from.show_instead(NAME, &summary);
        from.show_beside(&format!("{NAME}_FILE"), &summary);
        let unsigned = self
            .channels
            .iter()
            .filter(|one| matches!(&one.way, Way::Webhook { keys, .. } if keys.is_empty()));
        let unsigned = unsigned.map(|one| {
            format!(
                "channel {}: has no secret, so that nobody can tell who calls",
                one.name
            )
        });
        let odd = self.routing.oddities().into_iter().chain(unsigned);
        let odd = odd.chain(self.doubled());
        from.private_warnings
            .extend(odd.map(|odd| format!("{name}: {odd}")));
    }
}

impl Document {
    fn read(
        text: &str,
        defaults: &mut Defaults,
        files: &mut Files,
        problems: &mut Vec<String>,
    ) -> Self {
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                problems.push(told(text, &error));
                return Self::default();
            }
        };
        if table.is_empty() {
            // Of a file that was cut off, or has comments only.
            problems.push("has no [[stakeholder]] and no [[channel]]".to_owned());
        }
        let mut fields = Fields::new(String::new(), table, problems);
        if let Some(language) = fields.label("language", Language::ALL, Language::from_label) {
            defaults.language = language;
        }
        if let Some(zone) = fields.zone("time_zone") {
            defaults.zone = zone;
        }
        let smtp = fields.tables("smtp");
        let [channels, stakeholders, groups, rules] =
            ["channel", "stakeholder", "group", "rule"].map(|key| fields.tables(key));
        if smtp.len() > 1 {
            fields.problem("there can be one [smtp] only");
        }
        fields.end();
        let mut document = Self::default();
        document.names.extend(smtp.first().map(|_| Channel {
            name: MAIL.to_owned(),
            kind: ChannelKind::Mail,
            language: defaults.language,
        }));
        let smtp = each(smtp, "smtp", problems, |fields| {
            channels::smtp(fields, files)
        });
        document.smtp = smtp.into_iter().next();
        each(channels, "channel", problems, |fields| {
            let (name, channel) = channels::channel(fields, defaults.language, files);
            document.names.extend(name);
            document.channels.extend(channel);
            Some(())
        });
        document.stakeholders = each(stakeholders, "stakeholder", problems, |fields| {
            people::stakeholder(fields, defaults)
        });
        document.groups = each(groups, "group", problems, people::group);
        document.rules = each(rules, "rule", problems, rules::rule);
        document
    }

    /// Adds what the JSON file says.
    fn add(&mut self, legacy: Legacy, from: &mut Reader<'_>) {
        let place = legacy_place(from);
        for problem in legacy.problems {
            from.mistake(&place, &problem, STAKEHOLDERS);
        }
        let warnings = legacy.warnings.into_iter();
        from.private_warnings
            .extend(warnings.map(|odd| format!("{LEGACY}: {odd}")));
        let (names, channels): (Vec<_>, Vec<_>) = legacy.channels.into_iter().unzip();
        self.names.extend(names);
        self.channels.extend(channels);
        self.stakeholders.extend(legacy.stakeholders);
        self.groups.extend(legacy.groups);
    }

    /// Puts it together; after mistakes there is nobody in it.
    fn build(self) -> (NotificationsConfig, Vec<String>) {
        let parts = Parts {
            channels: self.names,
            stakeholders: self.stakeholders,
            groups: self.groups,
            rules: self.rules,
        };
        let (routing, problems) = match Routing::new(parts) {
            Ok(routing) => (routing, Vec::new()),
            Err(problems) => (Routing::default(), problems),
        };
        let config = NotificationsConfig {
            routing,
            smtp: self.smtp,
            channels: self.channels,
        };
        (config, problems)
    }
}

/// The JSON file, as mistakes in it call it.
fn legacy_place(from: &mut Reader<'_>) -> String {
    let path = from.raw(LEGACY).map_or("", |(path, _)| path);
    format!("{LEGACY} ({})", shown(path))
}

/// Reads each table of a kind.
fn each<T>(
    tables: Vec<toml::Table>,
    what: &str,
    problems: &mut Vec<String>,
    mut read: impl FnMut(&mut Fields<'_>) -> Option<T>,
) -> Vec<T> {
    let mut found = Vec::new();
    for (n, table) in tables.into_iter().enumerate() {
        let mut fields = Fields::new(format!("{what} {}", n + 1), table, problems);
        found.extend(read(&mut fields));
        fields.end();
    }
    found
}

fn told(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    // The error as a whole would show the line, which may hold a secret.
    format!("line {line} is not valid TOML: {}", error.message())
}
