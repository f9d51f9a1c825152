//! A digest and the messages of single matches that wait beside it, for the same reader.
//!
//! Of one match only one of them may tell: whichever came second would say what is no longer true.

use std::collections::HashMap;

use super::message::MatchNews;
use super::{Message, Stored};

/// A digest that is yet to be told, and that gives away what a message beside it tells.
#[derive(Debug)]
pub struct OpenDigest {
    message: Message,
    /// What it tells, without what it gave away.
    matches: Vec<Option<MatchNews>>,
    places: HashMap<i64, usize>,
}

impl OpenDigest {
    /// The digest of this payload; none if it cannot be read, because the store is damaged.
    #[must_use]
    pub fn read(payload: &str) -> Option<Self> {
        let mut message: Message = serde_json::from_str(payload).ok()?;
        let matches = std::mem::take(&mut message.matches);
        let places = matches.iter().map(|one| one.match_id).zip(0..).collect();
        Some(Self {
            message,
            matches: matches.into_iter().map(Some).collect(),
            places,
        })
    }

    /// Whether it tells of this match.
    #[must_use]
    pub fn tells_of(&self, match_id: i64) -> bool {
        self.places.contains_key(&match_id)
    }

    /// Gives what it tells of a match to the message about that match, which is newer than the digest
    /// or older; `heard` says whether the older of them may have arrived. Returns what that message
    /// tells then: `Some(None)` if the match is again as its reader knows it. `None`, and all stays as
    /// it is, if there is nothing to give or it cannot be read.
    pub fn give(
        &mut self,
        match_id: i64,
        (payload, is_newer): (&str, bool),
        heard: bool,
    ) -> Option<Option<Stored>> {
        let place = *self.places.get(&match_id)?;
        let beside: Message = serde_json::from_str(payload).ok()?;
        self.places.remove(&match_id);
        let given = Message::changes(beside.language, self.matches[place].take()?);
        let all = match is_newer {
            true => Message::merged_after(given, beside, heard),
            false => Message::merged_after(beside, given, heard),
        };
        Some(all.as_ref().map(Stored::of))
    }

    /// What it still tells; none if nothing is left.
    #[must_use]
    pub fn left(self) -> Option<Stored> {
        let matches: Vec<MatchNews> = self.matches.into_iter().flatten().collect();
        let priority = matches.iter().map(MatchNews::priority).min()?;
        Some(Stored::of(&Message {
            priority,
            matches,
            ..self.message
        }))
    }
}
