//! Whether what the settings say fits together.

use std::collections::{BTreeSet, HashMap};

use super::index::Index;
use super::parts::{ChannelKind, Parts, Role, Stakeholder};
use super::rule::{Rule, Target, Then};
use super::when::{Clockwork, Schedules};
use super::{Person, Resolved, Routing};

/// The most stakeholders.
pub const MOST_STAKEHOLDERS: usize = 1_000;
/// The most channels.
pub const MOST_CHANNELS: usize = 100;
/// The most rules, and the most groups.
pub const MOST_RULES: usize = 200;

/// What was found so far.
struct Checked<'a> {
    parts: &'a Parts,
    ids: HashMap<&'a str, usize>,
    channels: HashMap<&'a str, usize>,
    problems: Vec<String>,
}

impl Routing {
    /// Puts together what the settings say.
    ///
    /// # Errors
    /// Every mistake: names that stand for two things or for none, mail without an address, and
    /// more than there may be. Each says where it is; none holds an address.
    pub fn new(parts: Parts) -> Result<Self, Vec<String>> {
        let mut checked = Checked::new(&parts);
        let mut schedules = Schedules::new();
        let clockwork = |one| Clockwork::of(one, &mut schedules);
        let clockworks: Vec<_> = parts.stakeholders.iter().map(clockwork).collect();
        let ways: Vec<_> = parts
            .stakeholders
            .iter()
            .zip(&clockworks)
            .map(|(one, clockwork)| checked.stakeholder(one, clockwork))
            .collect();
        checked.groups();
        let rules: Vec<_> = parts.rules.iter().map(|rule| checked.rule(rule)).collect();
        if !checked.problems.is_empty() {
            return Err(checked.problems);
        }
        let index = Index::of(parts.stakeholders.iter());
        let people = parts.stakeholders.into_iter().zip(clockworks).zip(ways);
        let people = people.map(|((stakeholder, clockwork), ways)| Person {
            stakeholder,
            clockwork,
            ways,
        });
        let rules = parts.rules.into_iter().zip(rules);
        Ok(Self {
            channels: parts.channels,
            people: people.collect(),
            rules: rules
                .map(|(rule, (people, ways))| Resolved { rule, people, ways })
                .collect(),
            index,
        })
    }

    /// What is odd, but no mistake: channels that nobody uses, stakeholders whom nothing reaches.
    #[must_use]
    pub fn oddities(&self) -> Vec<String> {
        let overridden = self.rules.iter().flat_map(|one| one.ways.iter().flatten());
        let own = self.people.iter().flat_map(|person| &person.ways);
        let used: BTreeSet<usize> = own.chain(overridden).copied().collect();
        let named: BTreeSet<usize> = self
            .rules
            .iter()
            .flat_map(|one| &one.people)
            .copied()
            .collect();
        let unused = self
            .channels
            .iter()
            .enumerate()
            .filter(|(n, _)| !used.contains(n));
        let unused = unused.map(|(_, one)| format!("channel {}: nobody uses it", one.name));
        let unreached = self
            .people
            .iter()
            .enumerate()
            .filter(|(n, _)| !named.contains(n));
        let unreached = unreached.filter_map(|(_, person)| {
            let Stakeholder { id, role, identity, .. } = &person.stakeholder;
            let missing = match role {
                Role::Referee if !identity.is_a_referee() => {
                    "none of referee_id, person_id and referee_number"
                }
                Role::Team if !identity.is_a_team() => "neither club_id nor team_id",
                _ => return None,
            };
            Some(format!(
                "stakeholder {id}: is a {role} with {missing}, and no rule names it: nothing reaches it"
            ))
        });
        unused.chain(unreached).collect()
    }
}

impl<'a> Checked<'a> {
    fn new(parts: &'a Parts) -> Self {
        let mut problems = Vec::new();
        for (count, most, what) in [
            (parts.stakeholders.len(), MOST_STAKEHOLDERS, "stakeholders"),
            (parts.channels.len(), MOST_CHANNELS, "channels"),
            (parts.groups.len(), MOST_RULES, "groups"),
            (parts.rules.len(), MOST_RULES, "rules"),
        ] {
            if count > most {
                problems.push(format!("there are {count} {what}; {most} are possible"));
            }
        }
        let ids = parts.stakeholders.iter().map(|one| one.id.as_str());
        let channels = parts.channels.iter().map(|one| one.name.as_str());
        let ids = numbered(ids, "stakeholder", "id", &mut problems);
        let channels = numbered(channels, "channel", "name", &mut problems);
        numbered(
            parts.groups.iter().map(|one| one.id.as_str()),
            "group",
            "id",
            &mut problems,
        );
        numbered(
            parts.rules.iter().map(|one| one.name.as_str()),
            "rule",
            "name",
            &mut problems,
        );
        Self {
            parts,
            ids,
            channels,
            problems,
        }
    }

    fn stakeholder(&mut self, one: &Stakeholder, clockwork: &Clockwork) -> Vec<usize> {
        let place = format!("stakeholder {}", one.id);
        if !clockwork.is_ever_awake() {
            self.problems
                .push(format!("{place}: quiet_hours leave no time of the day"));
        }
        let ways = self.ways(&place, &one.channels);
        if ways.iter().any(|way| self.is_mail(*way)) && one.mail.is_none() {
            self.problems.push(format!(
                "{place}: is told by mail and has no address; set mail"
            ));
        }
        if one.channels.is_empty() && one.is_active {
            let problem = "nothing says how it is told; set mail or channels";
            self.problems.push(format!("{place}: {problem}"));
        }
        ways
    }

    /// The channels with these names.
    fn ways(&mut self, place: &str, names: &[String]) -> Vec<usize> {
        let mut ways = Vec::new();
        for name in names {
            match self.channels.get(name.as_str()) {
                Some(way) if ways.contains(way) => {
                    self.problems
                        .push(format!("{place}: names the channel {name} twice"));
                }
                Some(way) => ways.push(*way),
                None if name == super::MAIL => {
                    let problem = "is told by mail, and there is no server; add [smtp]";
                    self.problems.push(format!("{place}: {problem}"));
                }
                None => {
                    let known = listed(self.parts.channels.iter().map(|one| one.name.as_str()));
                    self.problems
                        .push(format!("{place}: there is no channel {name}; {known}"));
                }
            }
        }
        ways
    }

    fn is_mail(&self, way: usize) -> bool {
        self.parts.channels[way].kind == ChannelKind::Mail
    }

    fn groups(&mut self) {
        for group in &self.parts.groups {
            for member in &group.members {
                if !self.ids.contains_key(member.as_str()) {
                    let problem = format!("group {}: there is no stakeholder {member}", group.id);
                    self.problems.push(problem);
                }
            }
        }
    }

    /// Whom a rule names, and the channels that it sets.
    fn rule(&mut self, rule: &Rule) -> (Vec<usize>, Option<Vec<usize>>) {
        let Then::Notify {
            targets, channels, ..
        } = &rule.then
        else {
            return (Vec::new(), None);
        };
        let place = format!("rule {}", rule.name);
        let people: BTreeSet<usize> = targets
            .iter()
            .flat_map(|target| self.target(&place, target))
            .collect();
        let ways = channels.as_ref().map(|names| self.ways(&place, names));
        if ways.iter().flatten().any(|way| self.is_mail(*way)) {
            for &n in &people {
                let Stakeholder { id, mail, .. } = &self.parts.stakeholders[n];
                if mail.is_none() {
                    let problem = format!("{place}: tells {id} by mail, who has no address");
                    self.problems.push(problem);
                }
            }
        }
        (people.into_iter().collect(), ways)
    }

    fn target(&mut self, place: &str, target: &Target) -> Vec<usize> {
        let (found, what, id) = match target {
            Target::Stakeholder(id) => {
                let found = self.ids.get(id.as_str()).map(|n| vec![*n]);
                (found, "stakeholder", id)
            }
            Target::Group(id) => (self.group(id), "group", id),
        };
        if found.is_none() {
            self.problems
                .push(format!("{place}: there is no {what} {id}"));
        }
        found.unwrap_or_default()
    }

    fn group(&self, id: &str) -> Option<Vec<usize>> {
        let group = self.parts.groups.iter().find(|group| group.id == id)?;
        let members = group.members.iter();
        Some(
            members
                .filter_map(|id| self.ids.get(id.as_str()).copied())
                .collect(),
        )
    }
}

/// Things by their names, of which each must stand for one.
fn numbered<'a>(
    names: impl Iterator<Item = &'a str>,
    what: &str,
    key: &str,
    problems: &mut Vec<String>,
) -> HashMap<&'a str, usize> {
    let mut found = HashMap::new();
    let mut told = BTreeSet::new();
    for (n, name) in names.enumerate() {
        if found.insert(name, n).is_some() && told.insert(name) {
            problems.push(format!("{what} {name}: another {what} has this {key}"));
        }
    }
    found
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.is_empty() {
        true => "there is none at all".to_owned(),
        false => format!("there are: {}", names.join(", ")),
    }
}
