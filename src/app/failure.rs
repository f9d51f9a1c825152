//! How the program can fail, and which exit code says so.

use crate::store::OpenError;

/// Why the daemon did not start or did not end well, with its exit code.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The store or the exported list cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// Another process works on the folder.
    #[error("{0}")]
    Locked(String),
    /// A commit failed and its outcome is unknown.
    #[error("the store failed while committing; start again to read what was written")]
    Store,
    /// A part of the daemon that runs as long as it does has ended.
    #[error("a part of the program met a defect and ended; start again, nothing stored is lost")]
    Worker,
    /// The one cycle of a oneshot run failed, or its list is held.
    #[error("{0}")]
    Cycle(String),
    /// The daemon that was asked says no, or is not well.
    #[error("{0}")]
    Refused(String),
    /// The command line asks for what cannot be done.
    #[error("{0}")]
    Usage(String),
    /// The daemon that was asked is not there, or cannot do it now.
    #[error("{0}")]
    Unavailable(String),
    /// The daemon that was asked does not know who asks.
    #[error("{0}")]
    Denied(String),
    /// The deadline of the shutdown passed.
    #[error(
        "the shutdown took longer than its deadline; what was not done waits for the next start"
    )]
    Deadline,
    /// Anything else that the system refused.
    #[error("{0:#}")]
    System(#[from] anyhow::Error),
}

impl Failure {
    /// The exit code, by the conventions of `sysexits.h`.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unusable(_) => 78,
            Self::Locked(_) => 75,
            Self::Store => 74,
            Self::Worker => 70,
            Self::System(_) => 71,
            Self::Denied(_) => 77,
            Self::Unavailable(_) => 69,
            Self::Usage(_) => 2,
            Self::Cycle(_) | Self::Refused(_) | Self::Deadline => 1,
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Locked(_) => Self::Locked(error.to_string()),
            OpenError::Folder { .. } | OpenError::Unusable { .. } => {
                Self::Unusable(error.to_string())
            }
            OpenError::System { .. } => Self::System(error.into()),
        }
    }
}
