//! Where the files of a match go.

use crate::domain::matchlist::Match;
use crate::domain::plan::AssetKind;

/// Longest part of a folder's name that a team's name makes, in bytes.
const LONGEST_NAME: usize = 80;

/// `<base>/<day>/Match_<id>_<home>_<away>`.
///
/// Whatever the teams are called, they make one path segment of less than 255 bytes. An unknown
/// day is `unknown-date`, an unusable name `unknown`.
#[must_use]
pub fn folder(base: &str, m: &Match) -> String {
    let day = m
        .date
        .map_or_else(|| "unknown-date".to_owned(), |date| date.to_string());
    let name = |team: &Option<String>| segment(team.as_deref().unwrap_or_default());
    let teams = format!(
        "Match_{}_{}_{}",
        m.id,
        name(&m.home.name),
        name(&m.away.name)
    );
    match base.trim_end_matches('/') {
        "" => format!("{day}/{teams}"),
        base => format!("{base}/{day}/{teams}"),
    }
}

/// The name of a match's file, without its folder.
#[must_use]
pub fn file_name(kind: AssetKind, id: i64) -> String {
    match kind {
        AssetKind::GroupDescription => format!("whatsapp_group_description_match_{id}.txt"),
        AssetKind::GroupInfo => format!("whatsapp_group_info_match_{id}.txt"),
        AssetKind::Avatar => format!("whatsapp_group_avatar_match_{id}.png"),
    }
}

/// A name as a part of a path segment: white space and what separates paths become `_`, invisible
/// characters go, dots stand neither first nor beside each other.
fn segment(name: &str) -> String {
    let mut out = String::with_capacity(name.len().min(LONGEST_NAME));
    for c in name.trim().chars().filter(|c| !is_invisible(*c)) {
        let c = if c.is_whitespace() || c.is_control() || matches!(c, '/' | '\\') {
            '_'
        } else {
            c
        };
        if c == '.' && (out.is_empty() || out.ends_with('.')) {
            continue;
        }
        if out.len() + c.len_utf8() > LONGEST_NAME {
            break;
        }
        out.push(c);
    }
    if out.is_empty() {
        "unknown".to_owned()
    } else {
        out
    }
}

/// Format characters, which show nothing themselves but can reorder or hide what is beside them.
pub const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}
