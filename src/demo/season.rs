//! What happens in the invented season, look by look, without an end.

use jiff::civil::Date;
use serde_json::Value;

use super::fixture::{Fixture, club};

/// Things that happen before the season starts over with other matches and people.
const STEPS: usize = 8;

const BASE_ID: i64 = 7_100_000;

/// Usual kick-off of the match of today, in minutes after midnight.
const TODAY: u32 = 18 * 60;

/// Usual kick-off of the match under floodlights.
const FLOODLIT: u32 = 19 * 60;

/// The club that is the first to withdraw a team.
const LEAVING: usize = 9;

/// What the service answers on a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// This list.
    List(String),
    /// An error.
    Failure,
}

/// A season that starts on a day.
#[derive(Clone, Copy, Debug)]
pub struct Season {
    today: Date,
}

impl Season {
    /// One of its matches is played on `today`.
    #[must_use]
    pub fn new(today: Date) -> Self {
        Self { today }
    }

    /// What the service answers on look number `look`, from 0.
    #[must_use]
    pub fn look(self, look: usize) -> Look {
        if step(look) == Some(Step::Hiccup) {
            return Look::Failure;
        }
        let list: Vec<Value> = fixtures(look)
            .iter()
            .map(|fixture| fixture.to_json(self.today))
            .collect();
        Look::List(serde_json::to_string(&list).unwrap_or_default())
    }

    /// What the association just did, in one line.
    #[must_use]
    pub fn story(self, look: usize) -> String {
        let now = fixtures(look);
        let (teams, kickoff) = (|n: usize| now[n].teams(), |n: usize| now[n].kickoff());
        let lights = ["fail", "shine again"][usize::from(now[1].minute == FLOODLIT)];
        let bus = ["late", "on time after all"][usize::from(now[0].minute == TODAY)];
        let cup = ["the cup is drawn anew", "a cup match is added"][usize::from(lap(look) == 0)];
        let fate = if now[5].referees.is_empty() {
            "loses all of its referees to the flu"
        } else {
            "gets its referees at last"
        };
        match step(look) {
            None => "The season's list is published.".to_owned(),
            Some(Step::Kickoff) => format!(
                "The floodlights {lights}: {} kicks off at {}.",
                teams(1),
                kickoff(1)
            ),
            Some(Step::Referee) => format!("A referee of {} has caught a cold.", teams(2)),
            Some(Step::Nothing) => "Nobody changes anything. A good day.".to_owned(),
            Some(Step::Venue) => {
                let venue = now[3].venue_name();
                format!(
                    "The pitch is waterlogged: {} moves to {venue}. And {cup}.",
                    teams(3)
                )
            }
            Some(Step::Today) => format!(
                "The bus is {bus}: {}, played TODAY, moves to {}.",
                teams(0),
                kickoff(0)
            ),
            Some(Step::Hiccup) => "The association's service answers with an error.".to_owned(),
            Some(Step::Gone) => {
                let club = club(LEAVING + lap(look));
                format!("{club} has withdrawn its team: a match leaves the list.")
            }
            Some(Step::Assigned) => format!("{} {fate}.", teams(5)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Kickoff,
    Referee,
    Nothing,
    Venue,
    Today,
    Hiccup,
    Gone,
    Assigned,
}

/// What happened between the look before and this one.
fn step(look: usize) -> Option<Step> {
    let steps = [
        Step::Kickoff,
        Step::Referee,
        Step::Nothing,
        Step::Venue,
        Step::Today,
        Step::Hiccup,
        Step::Gone,
        Step::Assigned,
    ];
    look.checked_sub(1).map(|n| steps[n % STEPS])
}

fn lap(look: usize) -> usize {
    look.saturating_sub(1) / STEPS
}

/// How often a step has happened up to this look.
fn times(look: usize, which: Step) -> usize {
    (1..=look).filter(|&n| step(n) == Some(which)).count()
}

fn fixtures(look: usize) -> Vec<Fixture> {
    let kickoffs = u32::try_from(times(look, Step::Kickoff) % 4).unwrap_or(0);
    let today = u32::try_from(times(look, Step::Today) % 3).unwrap_or(0);
    let venue = times(look, Step::Venue);
    let stand_in = [7, 9, 1, 3][times(look, Step::Referee) % 4];
    let assigned: &[usize] = if times(look, Step::Assigned) % 2 == 1 {
        &[3, 9, 5]
    } else {
        &[]
    };
    let mut all = vec![
        fixture(0, [0, 1], 3, (0, TODAY + 60 * today), &[0, 1, 2]),
        fixture(1, [2, 3], 0, (2, FLOODLIT + 30 * kickoffs), &[3, 4, 5]),
        fixture(2, [4, 5], 5, (3, 15 * 60), &[6, stand_in, 8]),
        fixture(3, [6, 7], venue, (5, 13 * 60), &[9, 0]),
        fixture(4, [8, 10], 2, (6, 16 * 60 + 15), &[1, 3, 5, 7]),
        fixture(5, [10, 8], 1, (8, 12 * 60), assigned),
        fixture(6, [1, 4], 4, (12, 17 * 60), &[5, 6, 0]),
    ];
    all.extend(passing(venue, times(look, Step::Gone)));
    all
}

/// A cup match and one that is going to leave the list: at most one of each at a time, with ids of
/// their own each time.
fn passing(drawn: usize, gone: usize) -> Vec<Fixture> {
    let mut all = Vec::new();
    if drawn > 0 {
        let kickoff = (21, 18 * 60 + 30);
        all.push(fixture(100 + drawn, [11, 2], 1, kickoff, &[8, 9, 4]));
    }
    if gone < drawn.max(1) {
        let home = LEAVING + gone;
        let teams = [home, home + 9];
        all.push(fixture(1_000 + gone, teams, 4, (16, 14 * 60), &[4, 7]));
    }
    all
}

fn fixture(
    n: usize,
    [home, away]: [usize; 2],
    venue: usize,
    (day, minute): (i64, u32),
    referees: &[usize],
) -> Fixture {
    Fixture {
        id: BASE_ID + i64::try_from(n).unwrap_or(0),
        home,
        away,
        venue,
        day,
        minute,
        referees: referees.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::fixture::REFEREES;
    use super::*;
    use crate::domain::compare::{KnownMatch, diff, hold_reason};
    use crate::domain::matchlist::List;

    const DAY: Date = jiff::civil::date(2027, 5, 1);

    fn body(look: usize) -> Option<String> {
        match Season::new(DAY).look(look) {
            Look::List(list) => Some(list),
            Look::Failure => None,
        }
    }

    /// Matches that the story says are new or different, and gone.
    fn told(look: usize) -> (usize, usize) {
        match step(look) {
            None => (8, 0),
            Some(Step::Nothing | Step::Hiccup) => (0, 0),
            Some(Step::Venue) if lap(look) == 0 => (2, 0),
            Some(Step::Venue) => (3, 1),
            Some(Step::Gone) => (0, 1),
            Some(Step::Kickoff | Step::Referee | Step::Today | Step::Assigned) => (1, 0),
        }
    }

    #[test]
    fn nobody_is_needed_twice_in_a_match() {
        for (look, fixture) in
            (0..200).flat_map(|look| fixtures(look).into_iter().map(move |f| (look, f)))
        {
            let people: BTreeSet<_> = fixture
                .referees
                .iter()
                .map(|n| n % REFEREES.len())
                .collect();
            assert_eq!(
                people.len(),
                fixture.referees.len(),
                "look {look}: {fixture:?}"
            );
            assert_ne!(club(fixture.home), club(fixture.away), "look {look}");
        }
    }

    #[test]
    fn each_look_is_believable_and_changes_what_its_story_tells() {
        let mut known: Vec<KnownMatch> = Vec::new();
        for look in 0..50 {
            assert!(!Season::new(DAY).story(look).is_empty());
            let Some(body) = body(look) else {
                assert_eq!(step(look), Some(Step::Hiccup));
                continue;
            };
            let list = List::split(body.as_bytes()).unwrap();
            let found = diff(&list, &known, DAY);
            assert_eq!(hold_reason(&found, &known, DAY), None, "look {look}");
            let changed = (found.upserts.len(), found.gone.len());
            assert_eq!(changed, told(look), "look {look}");
            let everything = diff(&list, &[], DAY);
            let row = |one: &crate::domain::compare::Upsert<'_>| KnownMatch {
                id: one.id,
                fingerprint: one.fingerprint,
                date: one.parsed.date,
            };
            known = everything.upserts.iter().map(row).collect();
        }
    }

    #[test]
    fn one_match_is_played_today() {
        let body = body(0).unwrap();
        assert!(body.contains("\"speldatum\":\"2027-05-01\""));
    }
}
