//! What must be made for the matches of a list.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use crate::domain::compare::{Diff, Upsert};
use crate::domain::matchlist::{Match, truncate};
use crate::domain::texts::{self, TemplateError, TextKind, Texts};

crate::labels! {
    /// A file that is made for a match.
    AssetKind {
        /// The description of the chat group.
        GroupDescription => "group_description",
        /// The sheet from which a person makes the group.
        GroupInfo => "group_info",
        /// The picture of the chat group.
        Avatar => "avatar",
    }
}

/// What an avatar is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvatarRequest {
    /// The home team's club.
    pub home_club: Option<i64>,
    /// The away team's club.
    pub away_club: Option<i64>,
    /// The home team's name; empty if unknown.
    pub home_name: String,
    /// The away team's name; empty if unknown.
    pub away_name: String,
}

/// What is in a file, or what it is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileContent {
    /// The text itself.
    Text(String),
    /// A picture that is still to be drawn.
    Avatar(AvatarRequest),
}

/// A file to be made and stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFile {
    /// The match's id.
    pub match_id: i64,
    /// Which file.
    pub kind: AssetKind,
    /// Where it goes, with `/` between the segments and none at the end.
    pub folder: String,
    /// Its name there.
    pub file_name: String,
    /// Its MIME type.
    pub content_type: &'static str,
    /// What is in it.
    pub content: FileContent,
    /// A hash of folder, name and content.
    pub digest: [u8; 16],
}

/// What a cycle must have made.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Files that are new or whose content or place differs, in the order of the list.
    pub files: Vec<PlannedFile>,
    /// Files that are as they were.
    pub unchanged: BTreeMap<AssetKind, usize>,
    /// Files that are not made because the match has too few referees.
    pub skipped: BTreeMap<AssetKind, usize>,
    /// Files that could not be rendered. The others of the same match are made.
    pub failed: Vec<(i64, AssetKind, TemplateError)>,
}

/// How it is decided what to make.
#[derive(Clone, Copy, Debug)]
pub struct PlanRules<'a> {
    /// Fewest referees of a match that gets files.
    pub min_referees: usize,
    /// The folder above those of all days.
    pub folder_base: &'a str,
    /// The templates.
    pub texts: &'a Texts,
}

/// Plans the files of every match that is new or whose raw text differs.
///
/// `planned` holds per match and file the digest of what was planned last, or `None` if that failed
/// for good and is to be made again. For a known match without a record the files count as made
/// from its previous version in `old`, as the daemon that ran before will have done.
#[must_use]
pub fn plan<S: BuildHasher, T: BuildHasher>(
    diff: &Diff,
    old: &HashMap<i64, Match, S>,
    planned: &HashMap<(i64, AssetKind), Option<[u8; 16]>, T>,
    rules: &PlanRules,
) -> Plan {
    let mut plan = Plan::default();
    for upsert in &diff.upserts {
        let few = upsert.parsed.referees.len() < rules.min_referees;
        for &kind in AssetKind::ALL {
            if few {
                *plan.skipped.entry(kind).or_default() += 1;
                continue;
            }
            let file = match rules.file(kind, &upsert.parsed) {
                Ok(file) => file,
                Err(error) => {
                    plan.failed.push((upsert.id, kind, error));
                    continue;
                }
            };
            let last = match planned.get(&(upsert.id, kind)) {
                Some(record) => *record,
                None => rules.made_before(kind, upsert, old.get(&upsert.id)),
            };
            if last == Some(file.digest) {
                *plan.unchanged.entry(kind).or_default() += 1;
            } else {
                plan.files.push(file);
            }
        }
    }
    plan
}

impl PlanRules<'_> {
    /// The digest of the file as an earlier daemon will have made it from the previous version.
    fn made_before(&self, kind: AssetKind, now: &Upsert, old: Option<&Match>) -> Option<[u8; 16]> {
        let old = old.filter(|old| !now.is_new && old.referees.len() >= self.min_referees)?;
        self.file(kind, old).ok().map(|file| file.digest)
    }

    fn file(&self, kind: AssetKind, m: &Match) -> Result<PlannedFile, TemplateError> {
        let (content, content_type) = match kind {
            AssetKind::GroupDescription => (self.text(TextKind::Description, m)?, "text/plain"),
            AssetKind::GroupInfo => (self.text(TextKind::GroupInfo, m)?, "text/plain"),
            AssetKind::Avatar => (FileContent::Avatar(AvatarRequest::of(m)), "image/png"),
        };
        let folder = texts::folder(self.folder_base, m);
        let file_name = texts::file_name(kind, m.id);
        let digest = digest(&folder, &file_name, &content);
        Ok(PlannedFile {
            match_id: m.id,
            kind,
            folder,
            file_name,
            content_type,
            content,
            digest,
        })
    }

    fn text(&self, kind: TextKind, m: &Match) -> Result<FileContent, TemplateError> {
        self.texts.render(kind, m).map(FileContent::Text)
    }
}

impl AvatarRequest {
    fn of(m: &Match) -> Self {
        Self {
            home_club: m.home.club_id,
            away_club: m.away.club_id,
            home_name: m.home.name.clone().unwrap_or_default(),
            away_name: m.away.name.clone().unwrap_or_default(),
        }
    }
}

/// Every part is preceded by its length, so that no two lists of parts look alike.
fn digest(folder: &str, file_name: &str, content: &FileContent) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(folder.as_bytes());
    part(file_name.as_bytes());
    match content {
        FileContent::Text(text) => part(text.as_bytes()),
        FileContent::Avatar(avatar) => {
            for club in [avatar.home_club, avatar.away_club] {
                part(&club.map(i64::to_le_bytes).unwrap_or_default());
            }
            part(avatar.home_name.as_bytes());
            part(avatar.away_name.as_bytes());
        }
    }
    truncate(&hasher.finalize())
}

#[cfg(test)]
mod tests;
