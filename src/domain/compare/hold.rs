//! Lists that cannot be true, and are held until a second fetch or a person agrees.

use jiff::civil::Date;

use super::{Diff, KnownMatch};

/// Fewest future matches that must be missing before a list is held.
const LOST_AT_LEAST: usize = 10;

crate::labels! {
    /// Why a list is held.
    HoldReason {
        /// No match in the list although matches are known.
        Empty => "empty",
        /// At least ten and at least half of the future matches are missing.
        HalfLost => "half_lost",
    }
}

impl HoldReason {
    /// The reason as a sentence, for the history and the answer.
    #[must_use]
    pub fn sentence(self, diff: &Diff) -> String {
        match self {
            Self::Empty => {
                let known = diff.gone.len();
                let verb = if known == 1 {
                    "match is"
                } else {
                    "matches are"
                };
                let odd = diff.anomalies.not_object + diff.anomalies.no_id;
                match odd {
                    0 => format!("The list is empty although {known} {verb} known."),
                    // Whoever accepts that loses all matches for a change of its form.
                    odd => format!(
                        "None of the {odd} entries of the list is a match, although {known} {verb} known."
                    ),
                }
            }
            Self::HalfLost => format!(
                "{} of the {} matches still to come are missing from the list.",
                diff.lost_future, diff.known_future
            ),
        }
    }
}

/// Tells whether the list that led to `diff` must be held. `known` and `today` are those that
/// [`diff`](super::diff()) was given.
#[must_use]
pub fn hold_reason(diff: &Diff, known: &[KnownMatch], today: Date) -> Option<HoldReason> {
    debug_assert_eq!(
        diff.known_future,
        known.iter().filter(|k| k.is_future(today)).count()
    );
    if diff.total == 0 && !known.is_empty() {
        return Some(HoldReason::Empty);
    }
    let half_lost = diff.lost_future >= LOST_AT_LEAST && diff.lost_future * 2 >= diff.known_future;
    half_lost.then_some(HoldReason::HalfLost)
}
