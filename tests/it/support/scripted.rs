//! An HTTP service that answers what a test wants and notes what it was asked.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::wire::{Asked, answer, serve};

/// What it does with a request.
#[derive(Clone)]
pub enum Act {
    /// These bytes are the answer.
    Answer(Vec<u8>),
    /// Nothing, until the client goes away.
    Hang,
    /// The connection is reset.
    Reset,
}

impl Act {
    /// An answer with this status and nothing in it.
    pub fn status(code: u16) -> Self {
        Self::with(code, "", "")
    }

    /// One with more headers, each with a line break behind it, and a body.
    pub fn with(code: u16, headers: &str, body: &str) -> Self {
        Self::Answer(answer(&code.to_string(), headers, body.as_bytes()))
    }
}

/// A service whose address is its own for as long as the tests run.
#[derive(Clone)]
pub struct Scripted {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    asked: Vec<Asked>,
    act: Arc<dyn Fn(&Asked) -> Act + Send + Sync>,
}

impl Scripted {
    pub fn start(act: Act) -> Self {
        let state = Arc::new(Mutex::new(State {
            asked: Vec::new(),
            act: Arc::new(move |_| act.clone()),
        }));
        let noted = Arc::clone(&state);
        let address = serve(move |stream| {
            let Some(asked) = Asked::read(&stream) else {
                return;
            };
            let act = {
                let mut state = noted.lock().unwrap();
                let act = (state.act)(&asked);
                state.asked.push(asked);
                act
            };
            match act {
                Act::Answer(bytes) => drop((&stream).write_all(&bytes)),
                Act::Hang => drop(Asked::read(&stream)),
                Act::Reset => {
                    let socket = socket2::SockRef::from(&stream);
                    socket.set_linger(Some(Duration::ZERO)).unwrap();
                }
            }
        });
        Self { address, state }
    }

    pub fn act(&self, act: Act) {
        self.acts(move |_| act.clone());
    }

    /// Depending on what it is asked.
    pub fn acts(&self, act: impl Fn(&Asked) -> Act + Send + Sync + 'static) {
        self.state.lock().unwrap().act = Arc::new(act);
    }

    pub fn url(&self, path: &str) -> url::Url {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What it was asked since it was last looked at.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }
}
