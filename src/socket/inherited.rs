//! Sockets that a service manager opened beforehand and hands over, as systemd does: they go on
//! taking connections while the daemon is not there.

use std::env;
use std::io;

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

use super::{Address, Origin, Socket};

/// The names that sockets can have, and the settings that they stand for.
const NAMES: [(&str, &str); 3] = [
    ("public", "LISTEN"),
    ("admin", "ADMIN_LISTEN"),
    ("metrics", "METRICS_LISTEN"),
];

/// The sockets that this process was started with, each with the setting that it stands for.
#[derive(Debug, Default)]
pub struct Inherited(Vec<(&'static str, Address, Socket)>);

/// Why a socket cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("socket {number} that this process was started with: {problem}")]
pub struct InheritError {
    number: usize,
    problem: String,
}

impl Inherited {
    /// Takes them, once. Must be called before there are other threads, as it changes the
    /// environment: no other process is to take them for its own.
    ///
    /// # Errors
    /// When one of them has no name that is known, or no connections can come on it.
    pub fn take() -> Result<Self, InheritError> {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let meant = env::var("LISTEN_PID").ok().and_then(|id| id.parse().ok());
        if meant != Some(std::process::id()) {
            return Ok(Self::default());
        }
        let mut given = ListenFd::from_env();
        let names: Vec<&str> = names.split(':').collect();
        let mut all = Self::default();
        for n in 0..given.len() {
            let name = names.get(n).copied().unwrap_or_default();
            all.add(&mut given, n, name)
                .map_err(|problem| InheritError {
                    number: n + 1,
                    problem,
                })?;
        }
        Ok(all)
    }

    fn add(&mut self, given: &mut ListenFd, n: usize, name: &str) -> Result<(), String> {
        let setting = setting(name, given.len())?;
        if self.0.iter().any(|(other, ..)| *other == setting) {
            return Err(format!("there is another of the name {name}"));
        }
        let socket = socket(given, n)
            .map_err(|error| format!("no connections can come on it ({name}): {error}"))?;
        let address = socket.address().map_err(|error| error.to_string())?;
        self.0.push((setting, address, socket));
        Ok(())
    }

    /// The settings that they stand for, with their values.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String)> {
        let pairs = self.0.iter();
        pairs
            .map(|(setting, address, _)| ((*setting).to_owned(), address.to_string()))
            .collect()
    }

    /// Takes the one that stands for this setting.
    pub fn remove(&mut self, setting: &str) -> Option<Socket> {
        let found = self.0.iter().position(|(other, ..)| *other == setting)?;
        Some(self.0.swap_remove(found).2)
    }
}

/// The setting that a socket of this name stands for. One alone needs no name.
fn setting(name: &str, count: usize) -> Result<&'static str, String> {
    let known = NAMES.iter().find(|(known, _)| *known == name);
    match known {
        Some((_, setting)) => Ok(setting),
        None if count == 1 => Ok("LISTEN"),
        None => Err(format!(
            "the name {name:?} is not known; FileDescriptorName= must be public, admin or metrics"
        )),
    }
}

fn socket(given: &mut ListenFd, n: usize) -> io::Result<Socket> {
    let gone = || io::Error::other("it is gone");
    let (socket, listens) = if let Ok(listener) = given.take_tcp_listener(n) {
        let listener = listener.ok_or_else(gone)?;
        listener.set_nonblocking(true)?;
        let listens = socket_acceptconn(&listener)?;
        (Socket::Tcp(listener, Origin::Inherited), listens)
    } else {
        let listener = given.take_unix_listener(n)?.ok_or_else(gone)?;
        listener.set_nonblocking(true)?;
        let listens = socket_acceptconn(&listener)?;
        (Socket::Unix(listener, Origin::Inherited), listens)
    };
    match listens {
        true => Ok(socket),
        false => Err(io::Error::other("it does not listen")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_says_by_its_name_what_it_is_for() {
        for (name, count, expected) in [
            ("public", 3, Some("LISTEN")),
            ("admin", 1, Some("ADMIN_LISTEN")),
            ("metrics", 2, Some("METRICS_LISTEN")),
            ("match-list-processor.socket", 1, Some("LISTEN")),
            ("", 1, Some("LISTEN")),
            ("match-list-processor.socket", 2, None),
            ("", 2, None),
        ] {
            assert_eq!(setting(name, count).ok(), expected, "{name} of {count}");
        }
    }
}
