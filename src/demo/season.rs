//! What happens in the invented season, look by look, without an end.

use jiff::civil::Date;
use serde_json::Value;

use super::fixture::{Fixture, club};

/// Things that happen before the season starts over with other matches and people.
const STEPS: usize = 8;

const BASE_ID: i64 = 7_100_000;

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
        let after = fixtures(look);
        let teams = |n: usize| after.get(n).map(Fixture::teams).unwrap_or_default();
        match step(look) {
            None => "The season's list is published.".to_owned(),
            Some(Step::Kickoff) => {
                format!(
                    "The floodlights fail: {} kicks off at {}.",
                    teams(1),
                    after[1].kickoff()
                )
            }
            Some(Step::Referee) => format!("A referee of {} has caught a cold.", teams(2)),
            Some(Step::Nothing) => "Nobody changes anything. A good day.".to_owned(),
            Some(Step::Venue) => format!(
                "The pitch is waterlogged: {} moves to {}. And a cup match is added.",
                teams(3),
                after[3].venue_name()
            ),
            Some(Step::Today) => {
                format!(
                    "The bus is late: {}, played TODAY, moves to {}.",
                    teams(0),
                    after[0].kickoff()
                )
            }
            Some(Step::Hiccup) => "The association's service answers with an error.".to_owned(),
            Some(Step::Gone) => {
                format!(
                    "{} has withdrawn its team: a match leaves the list.",
                    club(9 + lap(look))
                )
            }
            Some(Step::Assigned) => format!("{} gets its referees at last.", teams(5)),
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
    let (referee, venue) = (times(look, Step::Referee), times(look, Step::Venue));
    let (gone, assigned) = (times(look, Step::Gone), times(look, Step::Assigned));
    let fixture = |n: i64, home, away, venue, day, minute, referees: &[usize]| Fixture {
        id: BASE_ID + n,
        home,
        away,
        venue,
        day,
        minute,
        referees: referees.to_vec(),
    };
    let mut all = vec![
        fixture(0, 0, 1, 3, 0, 18 * 60 + 60 * today, &[0, 1, 2]),
        fixture(1, 2, 3, 0, 2, 19 * 60 + 30 * kickoffs, &[3, 4, 5]),
        fixture(2, 4, 5, 5, 3, 15 * 60, &[6, 7 + referee, 8]),
        fixture(3, 6, 7, venue, 5, 13 * 60, &[9, 0]),
        fixture(4, 8, 10, 2, 6, 16 * 60 + 15, &[1, 3, 5, 7]),
        unassigned(assigned),
        fixture(6, 1, 4, 4, 12, 17 * 60, &[5, 6, 0]),
    ];
    // Matches of their own for each lap: those of earlier laps have come and gone.
    let cup = i64::try_from(venue).unwrap_or(0);
    if venue > 0 {
        all.push(fixture(
            100 + cup,
            11,
            2,
            1,
            20 + cup,
            18 * 60 + 30,
            &[8, 9, 4],
        ));
    }
    let leaving = i64::try_from(lap(look)).unwrap_or(0);
    if gone == lap(look) {
        all.push(fixture(
            1_000 + leaving,
            9 + lap(look),
            6,
            4,
            16,
            14 * 60,
            &[4, 7],
        ));
    }
    all
}

/// A match that is listed before it has referees, then with them; then the next such match.
fn unassigned(assigned: usize) -> Fixture {
    let n = i64::try_from(assigned).unwrap_or(0);
    let referees = if assigned == 0 {
        vec![]
    } else {
        vec![2 + assigned, 8 + assigned, 5]
    };
    Fixture {
        id: BASE_ID + 5,
        home: 10,
        away: 8,
        venue: 1,
        day: 8 + n % 2,
        minute: 12 * 60,
        referees,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::compare::{KnownMatch, diff, hold_reason};
    use crate::domain::matchlist::List;

    const TODAY: Date = jiff::civil::date(2027, 5, 1);

    fn body(look: usize) -> Option<String> {
        match Season::new(TODAY).look(look) {
            Look::List(list) => Some(list),
            Look::Failure => None,
        }
    }

    #[test]
    fn each_look_is_believable_and_changes_what_its_story_tells() {
        let mut known: Vec<KnownMatch> = Vec::new();
        for look in 0..50 {
            assert!(!Season::new(TODAY).story(look).is_empty());
            let Some(body) = body(look) else {
                assert_eq!(step(look), Some(Step::Hiccup));
                continue;
            };
            let list = List::split(body.as_bytes()).unwrap();
            let found = diff(&list, &known, TODAY);
            assert_eq!(hold_reason(&found, &known, TODAY), None, "look {look}");
            let changed = !found.upserts.is_empty() || !found.gone.is_empty();
            assert_eq!(changed, step(look) != Some(Step::Nothing), "look {look}");
            let everything = diff(&list, &[], TODAY);
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
