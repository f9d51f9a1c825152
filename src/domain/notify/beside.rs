//! A digest and the messages of single matches that wait beside it, for the same reader.
//!
//! Of one match only one of them may tell: whichever came second would say what is no longer true.

use std::cmp::Ordering::{Equal, Greater, Less};
use std::collections::HashMap;

use super::merge::surrounded;
use super::message::MatchNews;
use super::{Message, Stored};

/// A message about one match that waits beside a digest.
#[derive(Clone, Copy, Debug)]
pub struct Beside<'a> {
    /// What it tells, as the outbox holds it.
    pub payload: &'a str,
    /// Whether it came into the outbox after the digest.
    pub is_newer: bool,
    /// Whether it may have arrived.
    pub heard: bool,
}

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

    /// Gives what it tells of a match to the message about that match; `heard` says whether it may have
    /// arrived. Returns what that message tells then: `Some(None)` if the match is again as its reader
    /// knows it. `None`, and all stays as it is, if there is nothing to give or it cannot be read.
    pub fn give(
        &mut self,
        match_id: i64,
        beside: &Beside<'_>,
        heard: bool,
    ) -> Option<Option<Stored>> {
        let place = *self.places.get(&match_id)?;
        let message: Message = serde_json::from_str(beside.payload).ok()?;
        self.places.remove(&match_id);
        let mut given = self.matches[place].take()?;
        given.event = None;
        let all = together((given, heard), (message, beside));
        Some(all.as_ref().map(Stored::of))
    }

    /// Tells of a match what a message about it had to tell that was given up, too; `heard` says
    /// whether the digest may have arrived. False, and all stays as it is, if it does not tell of the
    /// match or the message cannot be read.
    pub fn take_up(&mut self, match_id: i64, dead: &Beside<'_>, heard: bool) -> bool {
        let Some(&place) = self.places.get(&match_id) else {
            return false;
        };
        let Ok(message) = serde_json::from_str::<Message>(dead.payload) else {
            return false;
        };
        let Some(own) = self.matches[place].take() else {
            return false;
        };
        let event = own.event;
        let told = together((own, heard), (message, dead));
        let told = told.and_then(|told| told.matches.into_iter().next());
        self.matches[place] = told.map(|told| MatchNews { event, ..told });
        if self.matches[place].is_none() {
            self.places.remove(&match_id);
        }
        true
    }

    /// What it still tells; none if nothing is left.
    #[must_use]
    pub fn left(self) -> Option<Stored> {
        let matches: Vec<MatchNews> = self.matches.into_iter().flatten().collect();
        let priority = matches.iter().map(MatchNews::priority).min()?;
        let mut message = Message {
            priority,
            matches,
            ..self.message
        };
        // What was given up may be more urgent than what comes before it.
        message.sort();
        Some(Stored::of(&message))
    }
}

/// Which of two pieces of news about one match came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// The first.
    Before,
    /// The second.
    After,
    /// The second tells of changes before the first and after it.
    Within,
    /// The other way round.
    Around,
}

/// The ids tell, unless something stands out of line: what was given up and retried, goes on under a
/// new id, or was put together. Then the times tell at which the changes were found; only then, since
/// somebody may have set the clock in between.
fn order(given: &MatchNews, beside: &MatchNews, (is_newer, is_tried): (bool, bool)) -> Order {
    let by_id = match is_newer {
        true => Order::Before,
        false => Order::After,
    };
    let is_in_line = |news: &MatchNews| news.first_found_at.is_none();
    if !is_tried && is_in_line(given) && is_in_line(beside) {
        return by_id;
    }
    let (Some(a), Some(b)) = (given.found(), beside.found()) else {
        return by_id;
    };
    match (a.0.cmp(&b.0), a.1.cmp(&b.1)) {
        (Equal, Equal) => by_id,
        (Less | Equal, Less | Equal) => Order::Before,
        (Greater | Equal, Greater | Equal) => Order::After,
        (Greater, Less) => Order::Within,
        (Less, Greater) => Order::Around,
    }
}

/// What the message tells with what the digest gave it.
fn together(
    (given, given_heard): (MatchNews, bool),
    (message, beside): (Message, &Beside<'_>),
) -> Option<Message> {
    let (language, first) = (message.language, message.matches.first());
    let heard = given_heard || beside.heard;
    let line = (beside.is_newer, heard);
    let order = first.map_or(Order::Before, |first| order(&given, first, line));
    let told = |news| Message::changes(language, news);
    match (order, first) {
        (Order::Within, Some(outer)) => surrounded(outer.clone(), given, heard).map(told),
        (Order::Around, Some(inner)) => surrounded(given, inner.clone(), heard).map(told),
        (Order::After, _) => Message::merged_after(message, told(given), beside.heard),
        _ => Message::merged_after(told(given), message, given_heard),
    }
}
