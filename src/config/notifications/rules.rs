//! Rules.

use super::fields::Fields;
use crate::domain::change::{Category, Priority, Stakeholder as Audience};
use crate::domain::routing::{Rule, Target, Then};

/// What names a group among those whom a rule notifies.
const GROUP: &str = "group:";

/// Reads a `[[rule]]`.
pub(super) fn rule(fields: &mut Fields<'_>) -> Option<Rule> {
    let name = fields.name("rule", "name");
    let categories = fields.labels("categories", Category::ALL, Category::from_label);
    let priorities = fields.labels("priorities", Priority::ALL, Priority::from_label);
    let audiences = fields.labels("stakeholders", Audience::ALL, Audience::from_label);
    if categories
        .iter()
        .flatten()
        .any(|one| *one == Category::AgedOut)
    {
        fields.problem("categories has \"aged_out\", of which nobody is ever told");
    }
    Some(Rule {
        categories: categories.unwrap_or_default(),
        priorities: priorities.unwrap_or_default(),
        audiences: audiences.unwrap_or_default(),
        referees: fields.ids("referees"),
        clubs: fields.ids("clubs"),
        competitions: fields.ids("competitions"),
        then: then(fields),
        name: name?,
    })
}

fn then(fields: &mut Fields<'_>) -> Then {
    let skips = fields.boolean("skip", false);
    let targets = fields.names("notify", GROUP);
    let channels = fields.names("channels", "");
    let instead = fields.boolean("instead", false);
    match (skips, targets) {
        (true, None) if channels.is_none() && !instead => Then::Skip,
        (true, _) => {
            fields.problem(
                "has skip beside notify, channels or instead; it must be one or the other",
            );
            Then::Skip
        }
        (false, Some(targets)) => Then::Notify {
            targets: targets.iter().map(|text| target(text)).collect(),
            channels,
            instead,
        },
        (false, None) => {
            fields.problem("has neither notify (whom it tells) nor skip = true");
            Then::Skip
        }
    }
}

fn target(text: &str) -> Target {
    match text.strip_prefix(GROUP) {
        Some(id) => Target::Group(id.to_owned()),
        None => Target::Stakeholder(text.to_owned()),
    }
}
