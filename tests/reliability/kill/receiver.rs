//! A stand-in for the Drive service, or for somebody's webhook, that accepts, fails, hangs and resets
//! at random and forgets nothing.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::ensure;

use super::door::Door;
use super::fuse::{Fuse, Sight};
use super::parse::Takes;
use crate::support::Result;
use crate::support::daemon::{PATIENCE, request};
use crate::support::wire::{Asked, answer};

/// What became of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Not decided yet, or never answered.
    Unanswered,
    /// Stored, and the answer was sent.
    Answered,
    /// Refused in a way that asks for another try.
    Failed,
    /// Refused for good.
    Rejected,
}

/// An upload, or a message, that came whole.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Of the delivery, read from its key.
    pub id: i64,
    pub key: String,
    /// Empty for a message, as which `file` is called by its match.
    pub folder: String,
    pub file: String,
    /// The file's bytes, as text.
    pub content: String,
    /// In which life of the daemon.
    pub life: u32,
    pub fate: Fate,
    /// Whether the file is kept, answered or not.
    pub stored: bool,
}

#[derive(Default)]
struct State {
    rng: fastrand::Rng,
    well: bool,
    /// What `/health` says.
    healthy: bool,
    asked_for_health: u32,
    life: u32,
    reading: u32,
    uploads: Vec<Upload>,
    odd: Option<String>,
}

pub struct Receiver {
    pub door: Door,
    shared: Arc<Shared>,
}

struct Shared {
    takes: Takes,
    state: Mutex<State>,
    changed: Condvar,
}

impl Receiver {
    pub fn start(takes: Takes, fuse: &Arc<Fuse>) -> Result<Self> {
        let shared = Arc::new(Shared {
            takes,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let (theirs, fuse) = (Arc::clone(&shared), Arc::clone(fuse));
        let door = Door::new(move |stream| {
            // Counted before the next connection is taken, so that none is overlooked.
            theirs.lock().reading += 1;
            let (shared, fuse) = (Arc::clone(&theirs), Arc::clone(&fuse));
            std::thread::spawn(move || shared.serve(stream, &fuse));
        })?;
        Ok(Self { door, shared })
    }

    pub fn address(&self) -> SocketAddr {
        self.door.address
    }

    /// Forgets everything.
    pub fn reset(&self, seed: u64) {
        let mut state = self.shared.lock();
        *state = State {
            rng: fastrand::Rng::with_seed(seed),
            healthy: true,
            life: state.life + 1,
            reading: state.reading,
            ..State::default()
        };
        self.shared.changed.notify_all();
    }

    /// Answers everything as it should, or at random.
    pub fn well(&self, well: bool) {
        self.shared.lock().well = well;
        self.shared.changed.notify_all();
    }

    /// What `/health` says from now on.
    pub fn healthy(&self, healthy: bool) {
        let mut state = self.shared.lock();
        state.healthy = healthy;
        state.asked_for_health = 0;
    }

    /// Waits until it was asked how it is.
    pub fn await_health_asked(&self) -> Result<()> {
        let waited =
            self.shared
                .changed
                .wait_timeout_while(self.shared.lock(), PATIENCE, |state| {
                    state.asked_for_health == 0
                });
        let timeout = waited.unwrap_or_else(PoisonError::into_inner).1;
        ensure!(!timeout.timed_out(), "nobody asked the receiver how it is");
        Ok(())
    }

    /// After a death of the daemon: waits until all that it sent has been read, and begins a new
    /// life. Returns the number of the one that ended.
    pub fn next_life(&self) -> Result<u32> {
        // Connections are taken in their order: once this one is, all before it were.
        request(self.address(), "GET", "/health", "")?;
        let waited =
            self.shared
                .changed
                .wait_timeout_while(self.shared.lock(), PATIENCE, |state| state.reading > 0);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        ensure!(!timeout.timed_out(), "the receiver still reads");
        state.life += 1;
        self.shared.changed.notify_all();
        Ok(state.life - 1)
    }

    /// Everything that came, in order.
    pub fn uploads(&self) -> Result<Vec<Upload>> {
        let state = self.shared.lock();
        ensure!(state.odd.is_none(), "an odd upload came: {:?}", state.odd);
        Ok(state.uploads.clone())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrived(&self) -> Sight {
        match self.takes {
            Takes::Files => Sight::UploadArrived,
            Takes::Messages => Sight::MessageArrived,
        }
    }

    fn stored(&self) -> Sight {
        match self.takes {
            Takes::Files => Sight::UploadStored,
            Takes::Messages => Sight::MessageStored,
        }
    }

    fn answered(&self) -> Sight {
        match self.takes {
            Takes::Files => Sight::UploadAnswered,
            Takes::Messages => Sight::MessageAnswered,
        }
    }

    fn serve(&self, mut stream: TcpStream, fuse: &Fuse) {
        let asked = Asked::read(&stream);
        let parsed = asked.as_ref().map(|asked| self.takes.parse(asked));
        let mut state = self.lock();
        let place = match parsed {
            Some(Ok(Some(upload))) => {
                let life = state.life;
                state.uploads.push(Upload { life, ..upload });
                Some(state.uploads.len() - 1)
            }
            Some(Err(error)) => {
                state.odd = Some(format!("{error:#}"));
                None
            }
            Some(Ok(None)) => {
                state.asked_for_health += 1;
                None
            }
            None => None,
        };
        state.reading -= 1;
        let healthy = state.healthy;
        drop(state);
        self.changed.notify_all();
        match place {
            Some(place) => {
                fuse.seen(self.arrived());
                if let Some(bytes) = self.decide(place, fuse) {
                    let _ = stream.write_all(&bytes);
                    fuse.seen(self.answered());
                }
            }
            None if healthy => {
                let _ = stream.write_all(&answer("200 OK", "", b"{}"));
            }
            None => {
                let _ = stream.write_all(&answer("503 Down", "", b"{}"));
            }
        }
    }

    /// What to answer, if anything.
    fn decide(&self, place: usize, fuse: &Fuse) -> Option<Vec<u8>> {
        let mut state = self.lock();
        let life = state.life;
        let whim = if state.well { 0 } else { state.rng.u8(..100) };
        let slowest = if state.well { 1 } else { 20 };
        let slowness = Duration::from_millis(state.rng.u64(..slowest));
        drop(state);
        std::thread::sleep(slowness);
        let settle = |fate, stored| {
            let mut state = self.lock();
            // After a reset the place may be gone, or another's.
            if let Some(upload) = state.uploads.get_mut(place).filter(|one| one.life == life) {
                (upload.fate, upload.stored) = (fate, stored || upload.stored);
            }
        };
        match whim {
            0..60 => {
                settle(Fate::Unanswered, true);
                fuse.seen(self.stored());
                settle(Fate::Answered, true);
            }
            60..74 => {
                settle(Fate::Failed, false);
                return Some(answer("503 Busy", "", b"{\"error\":{}}"));
            }
            74..80 => {
                settle(Fate::Rejected, false);
                return Some(answer("422 No", "", b"{\"error\":{}}"));
            }
            // The connection breaks, before or after the file was stored.
            80..88 => {
                settle(Fate::Failed, whim % 2 == 0);
                return None;
            }
            _ => {
                settle(Fate::Unanswered, whim % 2 == 0);
                let hangs = |state: &mut State| !state.well && state.life == life;
                let waited = self.changed.wait_while(self.lock(), hangs);
                let state = waited.unwrap_or_else(PoisonError::into_inner);
                let ended = state.life != life;
                drop(state);
                if ended {
                    return None;
                }
                settle(Fate::Answered, true);
            }
        }
        let body = format!("{{\"status\":\"success\",\"file_url\":\"https://x/{place}\"}}");
        Some(answer("200 OK", "", body.as_bytes()))
    }
}
