//! How many files and connections the system lets the process open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For all that is no client: the store, files, calls to other services.
const OWN: u64 = 128;

/// Raises the limit as far as the process may, and warns if it is too low for so many connections.
///
/// The limit that shells and service managers set is often 1024, for programs that cannot count
/// further; the one to which a process may raise it is in the thousands.
pub fn allow(connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let limit = setrlimit(Resource::Nofile, raised).map_or(limit, |()| raised);
    let needed = connections as u64 + OWN;
    if let Some(allowed) = limit.current.filter(|&allowed| allowed < needed) {
        tracing::warn!(
            allowed,
            needed,
            "MAX_CONNECTIONS allows {connections} connections on all listeners together, the system \
             {allowed} open files: what comes beyond will wait. Raise the hard limit to {needed} \
             (LimitNOFILE=, --ulimit nofile=, ulimit -Hn) or lower MAX_CONNECTIONS"
        );
    }
}
