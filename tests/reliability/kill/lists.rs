//! A list service whose list changes all the time, and which knows what it has sent.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::fuse::{Fuse, Sight};
use crate::support::matches::{a_match, with};
use crate::support::wire::{Asked, answer, serve};

/// The ids of the matches.
pub const IDS: std::ops::RangeInclusive<i64> = 7001..=7003;

/// Failures in a row at most, so that no trigger is ever given up.
const FAILURES: u32 = 2;

/// What a match is like in one version of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision {
    pub id: i64,
    venue: u32,
    team: u32,
}

impl Revision {
    /// Stands in both texts.
    pub fn venue(self) -> String {
        format!("Vallen {}.", self.venue)
    }

    /// Stands in both texts and in the name of the folder of all three files.
    pub fn team(self) -> String {
        format!("Laget-{}.", self.team)
    }

    /// As it is in the list.
    pub fn json(self) -> Value {
        let day = self.id - IDS.start() + 1;
        let fields = json!({
            "anlaggningnamn": self.venue(), "lag1namn": self.team(),
            "speldatum": format!("2035-05-{day:02}"),
        });
        with(a_match(self.id), fields)
    }
}

struct State {
    rng: fastrand::Rng,
    /// Every version that there was; the last is the one that is sent.
    versions: Vec<Vec<Revision>>,
    frozen: bool,
    failures: u32,
    next: u32,
}

pub struct Lists {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Lists {
    pub fn start(fuse: &Arc<Fuse>) -> Self {
        let state = Arc::new(Mutex::new(State::new(0)));
        let (theirs, fuse) = (Arc::clone(&state), Arc::clone(fuse));
        let address = serve(move |mut stream| {
            let _ = handle(&mut stream, &theirs, &fuse);
        });
        Self { address, state }
    }

    /// Begins anew.
    pub fn reset(&self, seed: u64) {
        *lock(&self.state) = State::new(seed);
    }

    /// Changes no more and fails no more, or does so again.
    pub fn freeze(&self, frozen: bool) {
        let mut state = lock(&self.state);
        state.frozen = frozen;
        state.failures = 0;
    }

    /// Every version so far.
    pub fn versions(&self) -> Vec<Vec<Revision>> {
        lock(&self.state).versions.clone()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn new(seed: u64) -> Self {
        let first = IDS.map(|id| Revision {
            id,
            venue: 0,
            team: 0,
        });
        Self {
            rng: fastrand::Rng::with_seed(seed),
            versions: vec![first.collect()],
            frozen: false,
            failures: 0,
            next: 1,
        }
    }

    /// The answer to the next request.
    fn next(&mut self) -> Vec<u8> {
        if !self.frozen && self.failures < FAILURES && self.rng.u8(..10) == 0 {
            self.failures += 1;
            return answer("500 Oops", "", b"{\"error\":\"no\"}");
        }
        self.failures = 0;
        if !self.frozen && self.rng.u8(..10) < 6 {
            self.change();
        }
        let list: Vec<_> = self.versions[self.versions.len() - 1]
            .iter()
            .map(|revision| revision.json())
            .collect();
        answer("200 OK", "", Value::from(list).to_string().as_bytes())
    }

    fn change(&mut self) {
        let mut version = self.versions[self.versions.len() - 1].clone();
        let one = self.rng.usize(..version.len());
        if self.rng.u8(..4) == 0 {
            version[one].team = self.next;
        } else {
            version[one].venue = self.next;
        }
        self.next += 1;
        self.versions.push(version);
    }
}

fn handle(stream: &mut TcpStream, state: &Mutex<State>, fuse: &Fuse) -> std::io::Result<()> {
    let Some(asked) = Asked::read(stream) else {
        return Ok(());
    };
    if !asked.head.starts_with("GET /matches ") {
        return stream.write_all(&answer("200 OK", "", b"{\"status\":\"healthy\"}"));
    }
    fuse.seen(Sight::ListAsked);
    let bytes = lock(state).next();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    stream.write_all(first)?;
    fuse.seen(Sight::ListHalf);
    stream.write_all(second)?;
    fuse.seen(Sight::ListSent);
    Ok(())
}
