//! What goes into routing and what comes out of it.

use jiff::Timestamp;

use crate::domain::change::Change;
use crate::domain::delivery::Lane;
use crate::domain::matchlist::Match;
use crate::domain::notify::Language;

/// A change with the match that it is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// What changed.
    pub change: &'a Change,
    /// The match as it is now; none if it left the list.
    pub current: Option<&'a Match>,
    /// The match as it was; none if it is new.
    pub previous: Option<&'a Match>,
}

impl<'a> Subject<'a> {
    /// The match now and before, as far as they are known.
    pub(super) fn matches(&self) -> impl Iterator<Item = &'a Match> + use<'a> {
        [self.current, self.previous].into_iter().flatten()
    }
}

/// When a notice goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At once.
    Now,
    /// On its own, but not before this moment: quiet hours hold until then.
    NotBefore(Timestamp),
    /// At this moment, together with all else that the same recipient has for it.
    Digest(Timestamp),
}

impl When {
    /// Not before which moment; none if at once.
    #[must_use]
    pub fn moment(self) -> Option<Timestamp> {
        match self {
            Self::Now => None,
            Self::NotBefore(moment) | Self::Digest(moment) => Some(moment),
        }
    }

    /// The earlier of two; of two at the same moment the one that goes on its own.
    #[must_use]
    pub fn or_earlier(self, other: Self) -> Self {
        let order = |when: Self| (when.moment(), matches!(when, Self::Digest(_)));
        if order(other) < order(self) {
            other
        } else {
            self
        }
    }
}

/// One message to send: what changed about one match, to one recipient, by one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// By which channel.
    pub channel: Lane,
    /// The id of the stakeholder whose mail it is; empty where all read the same channel.
    pub recipient: String,
    /// In which language.
    pub language: Language,
    /// When.
    pub when: When,
    /// About which match.
    pub match_id: i64,
    /// Of the subjects that were asked about, the indices of those that it tells; ascending.
    pub changes: Vec<usize>,
}
