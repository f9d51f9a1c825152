//! When people are told that something is wrong, and that it is right again: once, not each time that
//! somebody looks.
//!
//! Times are Unix seconds of the wall clock, so that they mean the same after a restart.

use serde::{Deserialize, Serialize};

/// Before somebody is told again of what came back after it was right for a while.
pub const COOLDOWN: f64 = 3_600.0;

/// How long things have to be so before people are told, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lasting {
    /// What is wrong.
    pub wrong: f64,
    /// What is right again.
    pub right: f64,
}

/// What is known of something that can be wrong. It is kept over restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    /// Since when it is wrong; none while it is right.
    pub wrong_since: Option<f64>,
    /// Since when it is right again, of what people were told is wrong.
    pub right_since: Option<f64>,
    /// When people were last told that it is wrong.
    pub told: Option<f64>,
    /// Whether they have not been told yet that it is right again.
    pub is_open: bool,
    /// Since when what they were told of is wrong.
    pub open_since: Option<f64>,
    /// The least that there was of it since they were told.
    #[serde(default)]
    pub extent: u64,
}

/// What people are to be told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum News {
    /// It is wrong.
    Wrong {
        /// Since when.
        since: f64,
    },
    /// It is right again.
    Right {
        /// Since when it was wrong.
        since: f64,
        /// Until when.
        until: f64,
    },
}

impl Watch {
    /// What it is after a look at `now`, and what people are to be told of it.
    #[must_use]
    pub fn looked(mut self, is_wrong: bool, now: f64, lasting: Lasting) -> (Self, Option<News>) {
        self.forget_the_future(now);
        if is_wrong {
            self.right_since = None;
            let since = *self.wrong_since.get_or_insert(now);
            let is_cool = self.told.is_none_or(|told| now - told >= COOLDOWN);
            if self.is_open || now - since < lasting.wrong || !is_cool {
                return (self, None);
            }
            self.is_open = true;
            self.open_since = Some(since);
            self.told = Some(now);
            return (self, Some(News::Wrong { since }));
        }
        self.wrong_since = None;
        if !self.is_open {
            return (self, None);
        }
        let until = *self.right_since.get_or_insert(now);
        if now - until < lasting.right {
            return (self, None);
        }
        let since = self.open_since.take().unwrap_or(until);
        self.is_open = false;
        self.right_since = None;
        (self, Some(News::Right { since, until }))
    }

    /// What it is when there is so much of what is wrong: people are told again of what has grown
    /// since, and was left to itself for a while. What somebody did away with meanwhile does not make
    /// room for as much that is new.
    #[must_use]
    pub fn grown(mut self, extent: u64, now: f64) -> Self {
        let is_cool = self.told.is_none_or(|told| now - told >= COOLDOWN);
        self.is_open &= !(is_cool && extent > self.extent);
        self.extent = self.extent.min(extent);
        self
    }

    /// Whether nothing needs to be kept of it.
    #[must_use]
    pub fn is_idle(&self, now: f64) -> bool {
        let is_cool = self.told.is_none_or(|told| now - told >= COOLDOWN);
        self.wrong_since.is_none() && !self.is_open && is_cool
    }

    /// A clock that was ahead must not silence anybody.
    fn forget_the_future(&mut self, now: f64) {
        for time in [
            &mut self.wrong_since,
            &mut self.right_since,
            &mut self.told,
            &mut self.open_since,
        ] {
            *time = time.map(|time| time.min(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTING: Lasting = Lasting {
        wrong: 300.0,
        right: 60.0,
    };
    const AT_ONCE: Lasting = Lasting {
        wrong: 0.0,
        ..LASTING
    };

    /// What is told at which of these looks: each a time and whether it is wrong then.
    fn told(looks: &[(f64, bool)]) -> Vec<(f64, News)> {
        let mut watch = Watch::default();
        let mut told = Vec::new();
        for &(now, is_wrong) in looks {
            let (after, news) = watch.looked(is_wrong, now, LASTING);
            told.extend(news.map(|news| (now, news)));
            // As a restart reads it.
            watch = serde_json::from_str(&serde_json::to_string(&after).unwrap()).unwrap();
        }
        told
    }

    #[test]
    fn people_are_told_once_and_once_more_when_it_is_right() {
        let wrong = (0..200).map(|n| (f64::from(n) * 30.0, true));
        let right = (200..300).map(|n| (f64::from(n) * 30.0, false));
        let looks: Vec<_> = wrong.chain(right).collect();
        let since = 0.0;
        let until = 6_000.0;
        assert_eq!(
            told(&looks),
            [
                (300.0, News::Wrong { since }),
                (6_060.0, News::Right { since, until })
            ]
        );
    }

    #[test]
    fn what_is_soon_over_is_not_told() {
        let looks = [
            (0.0, true),
            (299.0, true),
            (299.5, false),
            (300.0, true),
            (599.0, true),
        ];
        assert_eq!(told(&looks), []);
    }

    #[test]
    fn what_comes_and_goes_is_told_once_an_hour() {
        // Wrong for ten minutes, right for two, for a day.
        let looks: Vec<_> = (0..1_440)
            .map(|n| (f64::from(n) * 60.0, n % 12 < 10))
            .collect();
        let told = told(&looks);
        let wrong = told
            .iter()
            .filter(|one| matches!(one.1, News::Wrong { .. }));
        let times: Vec<f64> = wrong.map(|one| one.0).collect();
        assert!((12..=24).contains(&times.len()), "{times:?}");
        assert!(
            times.windows(2).all(|two| two[1] - two[0] >= COOLDOWN),
            "{times:?}"
        );
        // Each end belongs to one that was told.
        let ends = told.len() - times.len();
        assert!(ends == times.len() || ends + 1 == times.len(), "{told:?}");
    }

    #[test]
    fn a_moment_of_health_is_no_recovery() {
        let looks = [
            (0.0, true),
            (300.0, true),
            (330.0, false),
            (360.0, true),
            (420.0, false),
            (479.0, false),
            (480.0, false),
        ];
        let since = 0.0;
        let until = 420.0;
        assert_eq!(
            told(&looks),
            [
                (300.0, News::Wrong { since }),
                (480.0, News::Right { since, until })
            ]
        );
    }

    #[test]
    fn a_clock_that_is_set_back_silences_nobody() {
        let looks = [
            (1e9, true),
            (1e9 + 400.0, true),
            (1e9 + 500.0, false),
            (1e9 + 600.0, false),
            (1_000.0, true),
            (1_300.0, true),
            (4_700.0, true),
        ];
        let told = told(&looks);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!((told[2].0 - 4_700.0).abs() < 1e-9, "{told:?}");
    }

    #[test]
    fn what_grows_is_told_again_but_not_each_time() {
        let (watch, _) = Watch::default().looked(true, 0.0, AT_ONCE);
        let watch = Watch { extent: 3, ..watch };
        let told = |extent, now| watch.grown(extent, now).looked(true, now, AT_ONCE).1;
        assert_eq!(told(9, COOLDOWN - 1.0), None, "soon after");
        assert_eq!(told(3, COOLDOWN), None, "no more than before");
        assert_eq!(told(4, COOLDOWN), Some(News::Wrong { since: 0.0 }));
        let older =
            r#"{"wrong_since":1,"right_since":null,"told":1,"is_open":true,"open_since":1}"#;
        let read: Watch = serde_json::from_str(older).unwrap();
        assert!(read.is_open && read.extent == 0);
    }

    #[test]
    fn what_is_new_after_some_of_it_was_done_away_with_is_told() {
        let (watch, _) = Watch::default().looked(true, 0.0, AT_ONCE);
        let watch = Watch { extent: 5, ..watch };
        let fewer = watch.grown(2, 10.0);
        assert_eq!(fewer.looked(true, 10.0, AT_ONCE).1, None, "nothing is new");
        let more = fewer.grown(4, 20.0);
        assert_eq!(more.looked(true, 20.0, AT_ONCE).1, None, "soon after");
        let later = more.grown(4, COOLDOWN).looked(true, COOLDOWN, AT_ONCE).1;
        assert_eq!(later, Some(News::Wrong { since: 0.0 }));
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let (watch, _) = Watch::default().looked(true, 0.0, AT_ONCE);
        assert!(!watch.is_idle(1e9));
        let (watch, _) = watch.looked(false, 10.0, AT_ONCE);
        let (watch, news) = watch.looked(false, 100.0, AT_ONCE);
        assert!(news.is_some() && !watch.is_idle(200.0));
        assert!(watch.is_idle(COOLDOWN));
    }
}
