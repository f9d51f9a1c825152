//! The older rule: a match is modified or not, by five raw fields.

use super::finding::{Field, Finding};
use super::referees;
use crate::domain::change::Category;
use crate::domain::matchlist::Match;

/// The first difference in `tid`, a team id, the venue's id or the set of referees.
pub(super) fn finding(before: &Match, now: &Match) -> Option<Finding> {
    // The shorter form writes the kick-off where the longer one has an instant.
    let instant = if before.tid.is_none() && now.tid.is_none() {
        Field::text("tid", before.kickoff.as_deref(), now.kickoff.as_deref())
    } else {
        Field::text("tid", before.tid.as_deref(), now.tid.as_deref())
    };
    let fields = [
        instant,
        Field::id("lag1lagid", before.home.team_id, now.home.team_id),
        Field::id("lag2lagid", before.away.team_id, now.away.team_id),
        Field::id("anlaggningid", before.venue.id, now.venue.id),
    ];
    let of_field = fields.iter().find_map(|f| Some((f.name, f.difference()?)));
    if let Some((name, values)) = of_field {
        let sentence = format!("The match was modified: {name}.");
        return Some(Finding::of_values(
            Category::Unclassified,
            name,
            values,
            sentence,
        ));
    }
    referees::persons_differ(&before.referees, &now.referees).then(|| {
        let sentence = "The match was modified: domaruppdraglista.".to_owned();
        Finding {
            previous: referees::listed(&before.referees),
            current: referees::listed(&now.referees),
            ..Finding::of_field(Category::Unclassified, "domaruppdraglista", sentence)
        }
    })
}
