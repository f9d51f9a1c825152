//! What can go wrong with the store. No message holds data of a row.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::telemetry::labels::TriggerResult;

/// A failed operation.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum StoreError {
    /// The disk, or the quota on it, is full.
    #[error("the disk is full")]
    Full,
    /// The file or its file system is read-only.
    #[error("the store is read-only")]
    ReadOnly,
    /// The system could not read or write.
    #[error("the store cannot be read or written (code {0})")]
    Io(i32),
    /// As many triggers wait as may.
    #[error("the queue is full: {0} triggers wait")]
    QueueFull(usize),
    /// As many reads wait as may.
    #[error("too many requests read the store")]
    Busy,
    /// A commit failed and nobody can tell whether it is on disk.
    #[error("a commit failed and its outcome is unknown; the process must end")]
    Unknown,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// A job panicked; its writes were undone.
    #[error("the store met a defect of the program")]
    Panicked,
    /// The file does not hold what the system was given to keep.
    #[error("the store is damaged")]
    Damaged,
    /// What is stored does not have the expected form.
    #[error("the store holds a row that cannot be understood ({0})")]
    Row(&'static str),
    /// Anything else that `SQLite` says.
    #[error("the store failed (code {0})")]
    Other(i32),
}

impl StoreError {
    /// What became of a request for a cycle that met this, for the metrics.
    #[must_use]
    pub fn result(&self) -> TriggerResult {
        match self {
            Self::QueueFull(_) => TriggerResult::RejectedFull,
            _ => TriggerResult::RejectedStore,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let rusqlite::Error::SqliteFailure(failure, _) = &error else {
            return Self::Row("unexpected column");
        };
        match failure.code {
            ErrorCode::DiskFull => Self::Full,
            ErrorCode::ReadOnly => Self::ReadOnly,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged,
            ErrorCode::SystemIoFailure | ErrorCode::CannotOpen => Self::Io(failure.extended_code),
            _ => Self::Other(failure.extended_code),
        }
    }
}

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the folder.
    #[error(
        "{} is in use by another process: only one may work on a data folder. \
         Stop the other one, or set DATA_FOLDER to a folder of its own",
        .0.display()
    )]
    Locked(PathBuf),
    /// The folder cannot be used.
    #[error(
        "the data folder {} cannot be used: {source}. \
         Set DATA_FOLDER to a folder that this user can write to",
        path.display()
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no store of this program, damaged or newer.
    #[error(
        "{} {problem}. It was left as it is. Restore it from a backup, or move it away: the \
         exported match list beside it is then read as the baseline, but history, changes and \
         pending deliveries are lost",
        path.display()
    )]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The system failed while the store was being opened.
    #[error("{} cannot be opened: {problem}", path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// What `SQLite` or the system said.
        problem: String,
    },
}

impl OpenError {
    /// What a failure at the start says of the file: damage is told from trouble with the system,
    /// because the way out differs.
    #[must_use]
    pub fn of(path: &Path, error: &StoreError) -> Self {
        let (path, problem) = (path.to_owned(), error.to_string());
        match error {
            StoreError::Damaged => Self::Unusable {
                path,
                problem: "is damaged".to_owned(),
            },
            _ => Self::System { path, problem },
        }
    }
}
