//! What is shown of one change.

use serde_json::{Value, json};

use super::super::output::printable;
use super::super::table::View;
use super::{Told, words};
use crate::domain::change::Change;
use crate::domain::routing::{Notice, Outcome, RuleAnswer, Verdict, When};

/// For people: the change, the rules, who is told and who is not.
pub(super) fn text(told: &Told<'_>, view: &View, index: usize) -> String {
    let change = told.subject.change;
    let gap = if index == 0 { "" } else { "\n" };
    let Change {
        match_id,
        category,
        priority,
        ..
    } = change;
    let sentence = printable(&change.change_description);
    let first = format!("Match {match_id}: {category}, {priority}. {sentence}");
    let mut text = format!("{gap}{}\n", first.trim_end());
    let rules = told.explained.rules.iter().map(|rule| {
        let then = words::then(rule.then);
        vec![rule.name.to_owned(), answer(rule).to_owned(), then]
    });
    let refused = told.explained.verdicts.iter().filter_map(|verdict| {
        let Outcome::NotTold(refusal) = &verdict.outcome else {
            return None;
        };
        let why = words::refusal(refusal, told.subject);
        Some(vec![verdict.stakeholder.id.clone(), why])
    });
    let sent = told.sent.iter().map(|(n, notice)| {
        let verdict = &told.explained.verdicts[*n];
        let (id, channel) = (verdict.stakeholder.id.clone(), notice.channel.key());
        let when = words::when(notice.when, &view.times);
        vec![id, channel, when, causes(verdict).join(", ")]
    });
    for (header, rows) in [
        (&["RULE", "NOW", "THEN"][..], rules.collect::<Vec<_>>()),
        (&["TOLD", "CHANNEL", "WHEN", "WHY"], sent.collect()),
        (&["NOT TOLD", "WHY"], refused.collect()),
    ] {
        if !rows.is_empty() {
            text.push('\n');
            text.push_str(&view.table(header, rows));
        }
    }
    text
}

fn answer(rule: &RuleAnswer<'_>) -> &'static str {
    match (rule.is_asked, rule.applies) {
        (false, _) => "not asked",
        (true, true) => "applies",
        (true, false) => "does not apply",
    }
}

fn causes(verdict: &Verdict<'_>) -> Vec<String> {
    match &verdict.outcome {
        Outcome::Told { causes, .. } => causes.iter().map(words::cause).collect(),
        Outcome::NotTold(_) => Vec::new(),
    }
}

/// For programs: the same on one line.
pub(super) fn json(told: &Told<'_>) -> Value {
    let change = told.subject.change;
    let rules = told.explained.rules.iter().map(|rule| {
        json!({
            "name": rule.name,
            "asked": rule.is_asked,
            "applies": rule.applies,
            "then": words::then(rule.then),
        })
    });
    let refused = told.explained.verdicts.iter().filter_map(|verdict| {
        let Outcome::NotTold(refusal) = &verdict.outcome else {
            return None;
        };
        let why = words::refusal(refusal, told.subject);
        Some(json!({"stakeholder": verdict.stakeholder.id, "why": why}))
    });
    let sent = told.sent.iter().map(|(n, notice)| {
        let verdict = &told.explained.verdicts[*n];
        sent_json(verdict, notice)
    });
    json!({
        "match_id": change.match_id,
        "category": change.category,
        "priority": change.priority,
        "rules": rules.collect::<Vec<_>>(),
        "told": sent.collect::<Vec<_>>(),
        "not_told": refused.collect::<Vec<_>>(),
    })
}

fn sent_json(verdict: &Verdict<'_>, notice: &Notice) -> Value {
    let when = match notice.when {
        When::Now => "now",
        When::NotBefore(_) => "not_before",
        When::Digest(_) => "digest",
    };
    json!({
        "stakeholder": verdict.stakeholder.id,
        "channel": notice.channel.key(),
        "language": notice.language,
        "when": when,
        "at": notice.when.moment().map(|moment| moment.to_string()),
        "why": causes(verdict),
    })
}
