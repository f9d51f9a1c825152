//! Makes text from elsewhere harmless.
//!
//! Names come from a list that anybody in an association can write to. What could act on the place
//! where it is shown (line breaks, characters that turn the direction of writing, invisible ones)
//! is taken out; what a form gives a meaning to is escaped by that form.

use crate::domain::texts::is_invisible;

/// The text on one line, without invisible characters, and with single spaces.
pub(super) fn line(text: &str) -> String {
    let visible = text.chars().filter(|c| !is_invisible(*c)).map(|c| {
        let breaks = c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        if breaks { ' ' } else { c }
    });
    let visible: String = visible.collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Longest value that is shown, in characters.
const LONGEST_SHOWN: usize = 300;

/// A text as it is shown: one line, of a bounded length.
pub(super) fn shown(text: &str) -> String {
    cut(&line(text), LONGEST_SHOWN)
}

/// At most so many characters; what was longer ends in `…`.
pub(super) fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some(_) => text
            .chars()
            .take(longest.saturating_sub(1))
            .chain(['…'])
            .collect(),
    }
}

/// The text as Discord's Markdown shows it: without a meaning.
///
/// A colon or a dash has one only in some places; escaping them all would be seen where a phone
/// shows the text as it is.
pub(super) fn escape_markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut chars = text.chars().peekable();
    // Where nothing but spaces and digits stand before it, a sign can begin a list or a heading.
    let mut begins = true;
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        let escapes = match c {
            '\\' | '*' | '_' | '~' | '`' | '|' | '[' | ']' | '<' | '>' | '@' => true,
            // The start of an emoji or of a link.
            ':' => next.is_some_and(|c| c.is_alphabetic() || matches!(c, '_' | '/')),
            '#' | '-' | '+' => begins,
            '.' | ')' => begins && !out.is_empty(),
            _ => false,
        };
        if escapes {
            out.push('\\');
        }
        out.push(c);
        begins = match c {
            '\n' => true,
            c => begins && (c.is_ascii_digit() || c == ' '),
        };
    }
    out
}
