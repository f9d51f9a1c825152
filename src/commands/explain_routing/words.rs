//! Reasons in words.

use jiff::Timestamp;

use super::super::output::Times;
use crate::domain::routing::{Cause, Refusal, Role, Subject, Target, Then, When};

/// Why somebody is told.
pub(super) fn cause(cause: &Cause) -> String {
    match cause {
        Cause::Referee => "referees the match".to_owned(),
        Cause::FormerReferee => "refereed the match until now".to_owned(),
        Cause::Coordinator => "is a coordinator".to_owned(),
        Cause::Team => "plays the match, or did until now".to_owned(),
        Cause::Rule(name) => format!("rule {name}"),
    }
}

/// Why somebody is not told of this.
pub(super) fn refusal(refusal: &Refusal, subject: &Subject<'_>) -> String {
    let Subject {
        change,
        current,
        previous,
    } = subject;
    match refusal {
        Refusal::AgedOut => {
            "nobody is told of matches that left the list after their day".to_owned()
        }
        Refusal::Inactive => "is not active".to_owned(),
        Refusal::Unreachable => "has no address or channel that can be used".to_owned(),
        Refusal::BelowMinimum(minimum) => {
            format!("wants {minimum} at least, and this is {}", change.priority)
        }
        Refusal::Unwanted => format!("does not want {}", change.category),
        Refusal::Skipped(rule) => format!("rule {rule} says that nobody is told"),
        Refusal::Instead(rule) => format!("rule {rule} tells others instead"),
        Refusal::NotOfRole(Role::Operator) => "is an operator, who is told of no match".to_owned(),
        Refusal::NotOfRole(role) => format!("is a {role}, whom this does not concern"),
        Refusal::NotOnMatch if current.is_none() && previous.is_none() => {
            "whether it is on the match is not known; see --match".to_owned()
        }
        Refusal::NotOnMatch => "is not on the match".to_owned(),
    }
}

/// When something is sent.
pub(super) fn when(when: When, times: &Times) -> String {
    let tell = |moment: Timestamp| times.tell(Some(moment));
    match when {
        When::Now => "now".to_owned(),
        When::NotBefore(moment) => format!("{}, after quiet hours", tell(moment)),
        When::Digest(moment) => format!("{}, in a digest", tell(moment)),
    }
}

/// What a rule leads to.
pub(super) fn then(then: &Then) -> String {
    let Then::Notify {
        targets,
        channels,
        instead,
    } = then
    else {
        return "nobody is told, nor is a rule below asked".to_owned();
    };
    let names: Vec<String> = targets
        .iter()
        .map(|target| match target {
            Target::Stakeholder(id) => id.clone(),
            Target::Group(id) => format!("group:{id}"),
        })
        .collect();
    let by = channels
        .as_ref()
        .map(|names| format!(" by {}", names.join(", ")));
    let instead = if *instead {
        ", instead of those by role"
    } else {
        ""
    };
    format!(
        "tells {}{}{instead}",
        names.join(", "),
        by.unwrap_or_default()
    )
}
