//! How many files and connections the system lets the process open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::HttpConfig;

/// For all that is no client: the store, files, calls to other services.
const OWN: u64 = 128;
/// Connections that a listener takes in any case, where nobody chose a number.
const LEAST: u64 = 16;

/// Raises the limit as far as the process may, and returns how many connections each of so many
/// listeners takes at a time. A number that somebody chose stands, with a warning if it does not fit;
/// the default gives way.
///
/// The limit that shells and service managers set is often 1024, for programs that cannot count
/// further; the one to which a process may raise it is in the thousands.
pub fn fit(listeners: usize, http: &HttpConfig) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let limit = setrlimit(Resource::Nofile, raised).map_or(limit, |()| raised);
    let wanted = http.max_connections;
    let connections = listeners * wanted;
    let needed = connections as u64 + OWN;
    let Some(allowed) = limit.current.filter(|&allowed| allowed < needed) else {
        return wanted;
    };
    if http.is_max_chosen {
        tracing::warn!(
            allowed,
            needed,
            "MAX_CONNECTIONS allows {connections} connections on all listeners together, the system \
             {allowed} open files: what comes beyond will wait. Raise the hard limit to {needed} \
             (LimitNOFILE=, --ulimit nofile=, ulimit -Hn) or lower MAX_CONNECTIONS"
        );
        return wanted;
    }
    let fitting = (allowed.saturating_sub(OWN) / listeners.max(1) as u64).max(LEAST);
    tracing::info!(
        allowed,
        connections = fitting,
        "a listener takes {fitting} connections at a time, as the system allows {allowed} open files"
    );
    usize::try_from(fitting).unwrap_or(wanted)
}
