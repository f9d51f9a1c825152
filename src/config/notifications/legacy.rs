//! The JSON file in which the service that this program replaces keeps its stakeholders.
//!
//! It comes in two forms: the one that the service writes (`stakeholder_id`, a list `contact_info`),
//! and the one of the template that it is shipped with (`id`, `email`). Keys that mean nothing here
//! are passed over, as that service does.

mod contacts;
mod entry;
mod ways;

use serde_json::{Map, Value};

use super::Defaults;
use super::channels::ChannelConfig;
use crate::auth::is_label;
use crate::domain::routing::{Channel, Group, Stakeholder};
use contacts::Contacts;

/// Stakeholders that a warning names; of a whole district there may be hundreds.
const NAMED: usize = 10;

/// What the file says.
#[derive(Default)]
pub(super) struct Legacy {
    pub stakeholders: Vec<Stakeholder>,
    pub groups: Vec<Group>,
    /// The channels to which addresses of stakeholders lead.
    pub channels: Vec<(Channel, ChannelConfig)>,
    pub problems: Vec<String>,
    pub warnings: Vec<String>,
}

impl Legacy {
    /// Reads the file. `known` are the channels of the document beside it.
    pub fn read(json: &[u8], known: &[Channel], defaults: &Defaults) -> Self {
        let mut legacy = Self::default();
        let mut file: Map<String, Value> = match serde_json::from_slice(json) {
            Ok(file) => file,
            Err(error) => {
                // The library's message could show a value.
                let (line, column) = (error.line(), error.column());
                let problem = format!("is no JSON object: line {line}, column {column}");
                legacy.problems.push(problem);
                return legacy;
            }
        };
        let stakeholders = file.remove("stakeholders");
        if !stakeholders.as_ref().is_some_and(Value::is_array) {
            legacy
                .problems
                .push("has no list \"stakeholders\"".to_owned());
        }
        let stakeholders = stakeholders.as_ref().and_then(Value::as_array);
        let mut contacts = Contacts::new(known);
        for (n, one) in stakeholders.into_iter().flatten().enumerate() {
            let found = entry::stakeholder(one, n + 1, defaults, &mut contacts);
            legacy.stakeholders.extend(found.stakeholder);
            legacy.problems.extend(found.problems);
            legacy.warnings.extend(found.warnings);
        }
        legacy.channels = contacts.channels;
        legacy.groups(file.remove("groups"));
        legacy.unreached();
        if file.contains_key("notification_rules") {
            let odd = "notification_rules is left out; write [[rule]] in NOTIFICATIONS instead";
            legacy.warnings.push(odd.to_owned());
        }
        legacy
    }

    fn groups(&mut self, groups: Option<Value>) {
        let Some(Value::Array(groups)) = groups else {
            return;
        };
        for (n, group) in groups.iter().enumerate() {
            let id = group["id"].as_str().filter(|id| is_label(id));
            let members = group["members"].as_array();
            let members = members.map(|list| list.iter().map(|one| one.as_str()).collect());
            let (Some(id), Some(Some::<Vec<&str>>(members))) = (id, members) else {
                let problem = "must have an \"id\" and a list \"members\" of ids";
                self.problems.push(format!("group {}: {problem}", n + 1));
                continue;
            };
            let (names, odd): (Vec<&str>, Vec<&str>) = members.iter().partition(|id| is_label(id));
            if !odd.is_empty() {
                self.problems
                    .push(format!("group {id}: members has what is no id"));
            }
            self.groups.push(Group {
                id: id.to_owned(),
                members: names.into_iter().map(str::to_owned).collect(),
            });
        }
    }

    /// The service registers every referee that it sees, also those whose address it does not know.
    fn unreached(&mut self) {
        let stakeholders = self.stakeholders.iter_mut();
        let unreached = stakeholders.filter(|one| one.channels.is_empty() && one.is_active);
        let ids: Vec<&str> = unreached
            .map(|one| {
                one.is_active = false;
                one.id.as_str()
            })
            .collect();
        let (count, mut named) = (ids.len(), ids);
        named.truncate(NAMED);
        let more = match count - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let named = named.join(", ");
        let odd = match count {
            0 => return,
            1 => {
                format!("stakeholder {named} has no address that can be used, and is told nothing")
            }
            _ => format!(
                "{count} stakeholders have no address that can be used, and are told nothing: \
                 {named}{more}"
            ),
        };
        self.warnings.push(odd);
    }
}
