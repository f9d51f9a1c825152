//! Messages as Discord shows them.
//!
//! A call may hold 10 embeds; an embed 256 characters of title, 4096 of text, 25 fields with 256 of
//! name and 1024 of value each; all embeds together 6000.

use serde_json::{Value, json};

use super::news::NewsView;
use super::phrases::Speech;
use super::view::{MatchView, View, more};
use super::{Template, Wording};
use crate::domain::notify::clean::escape_markdown;
use crate::domain::notify::{Message, MessageKind};

const MOST_EMBEDS: usize = 10;
const MOST_FIELDS: usize = 25;
const LONGEST_CONTENT: usize = 2000;
const LONGEST_TITLE: usize = 256;
/// Less than Discord allows, so that the fields have room.
const LONGEST_TEXT: usize = 2000;
const LONGEST_NAME: usize = 256;
const LONGEST_VALUE: usize = 1024;
const LONGEST_IN_ALL: usize = 6000;

/// An embed is left out if no more than this is left for it.
const LEAST: usize = 400;

/// The body of the call.
pub(super) fn body(wording: &Wording, message: &Message, view: &View, speech: Speech<'_>) -> Value {
    let mut budget = Budget {
        left: LONGEST_IN_ALL,
    };
    let mut embeds = Vec::new();
    for alert in &view.alerts {
        let about = View {
            title: alert.title.clone(),
            matches: Vec::new(),
            alerts: vec![alert.clone()],
            more: String::new(),
            ..view.clone()
        };
        if embeds.len() < MOST_EMBEDS && budget.left >= LEAST {
            let colour = if alert.is_over {
                GREEN
            } else {
                colour(view.priority)
            };
            embeds.push(embed(wording, &about, colour, &mut budget));
        }
    }
    let mut told = 0;
    for of in &view.matches {
        if embeds.len() >= MOST_EMBEDS || budget.left < LEAST {
            break;
        }
        embeds.push(match_embed(wording, (view, speech), of, &mut budget));
        told += 1;
    }
    if message.kind == MessageKind::Test {
        embeds.push(embed(wording, view, colour(view.priority), &mut budget));
    }
    let mut body = json!({ "embeds": embeds, "allowed_mentions": { "parse": [] } });
    let left = message.matches.len() - told;
    if message.matches.len() > 1 {
        let more = more(speech, left);
        let content = format!("{}\n{more}", escape_markdown(&view.title));
        body["content"] = cut(content.trim(), LONGEST_CONTENT).into();
    }
    body
}

/// A title and a text.
fn embed(wording: &Wording, view: &View, colour: u32, budget: &mut Budget) -> Value {
    let title = wording.render(Template::DiscordTitle, view);
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    let title = budget.take(&title, LONGEST_TITLE);
    let text = wording.body(Template::DiscordText, view);
    let text = budget.take(text.trim(), LONGEST_TEXT);
    json!({ "title": title, "description": text, "color": colour })
}

fn match_embed(
    wording: &Wording,
    (view, speech): (&View, Speech<'_>),
    of: &MatchView,
    budget: &mut Budget,
) -> Value {
    let mut embed = embed(wording, &view.about(of), colour(of.priority), budget);
    embed["url"] = of.url.clone().into();
    if !of.number.is_empty() {
        let label = speech.say("label-number");
        let number = speech.with("fact", &[("label", &label), ("value", &of.number)]);
        embed["footer"] = json!({ "text": budget.take(&number, 256) });
    }
    if of.found_at.parse::<jiff::Timestamp>().is_ok() {
        embed["timestamp"] = of.found_at.clone().into();
    }
    let mut fields = Vec::new();
    for news in of.news.iter().take(MOST_FIELDS) {
        if budget.left < 2 {
            break;
        }
        fields.push(field(news, speech, budget));
    }
    embed["fields"] = fields.into();
    embed
}

fn field(news: &NewsView, speech: Speech<'_>, budget: &mut Budget) -> Value {
    // A field without a name or a value is refused.
    let name = budget.take(
        &escape_markdown(&news.label),
        LONGEST_NAME.min(budget.left - 1),
    );
    let value = match (news.before.as_str(), news.now.as_str()) {
        // What it is about is the field's name.
        ("", now) if !now.is_empty() => {
            escape_markdown(&speech.with("same-value", &[("value", now)]))
        }
        ("", _) | (_, "") => {
            let lines: Vec<String> = news
                .lines
                .iter()
                .map(|line| escape_markdown(line))
                .collect();
            lines.join("\n")
        }
        (before, now) => {
            // Each on its own, so that no mark loses the one that closes it.
            let [before, now] = [before, now].map(|text| cut(&escape_markdown(text), 500));
            format!("~~{before}~~ → **{now}**")
        }
    };
    json!({ "name": name, "value": budget.take(&value, LONGEST_VALUE), "inline": false })
}

const GREEN: u32 = 0x15_80_3d;

fn colour(priority: &str) -> u32 {
    match priority {
        "critical" => 0xb7_1c_1c,
        "high" => 0xd9_77_06,
        "medium" => 0x1d_4e_d8,
        _ => 0x6b_72_80,
    }
}

/// What is left of the characters of all embeds, counted as Discord does, in UTF-16.
struct Budget {
    left: usize,
}

impl Budget {
    /// The text, cut to `longest` and to what is left.
    fn take(&mut self, text: &str, longest: usize) -> String {
        let text = cut(text, longest.min(self.left));
        self.left -= text.encode_utf16().count();
        text
    }
}

/// At most so many UTF-16 units; what was longer ends in `…`, and never within an escape.
fn cut(text: &str, longest: usize) -> String {
    if text.encode_utf16().count() <= longest {
        return text.to_owned();
    }
    let mut room = longest.saturating_sub(1);
    let mut out = String::new();
    for c in text.chars() {
        let Some(left) = room.checked_sub(c.len_utf16()) else {
            break;
        };
        room = left;
        out.push(c);
    }
    let escapes = out.len() - out.trim_end_matches('\\').len();
    if escapes % 2 == 1 {
        out.pop();
    }
    if longest > 0 {
        out.push('…');
    }
    out
}
