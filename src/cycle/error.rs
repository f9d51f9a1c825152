//! Why a cycle fails, in words for the history and in labels for the figures.

use std::time::Duration;

use crate::client::CallError;
use crate::domain::matchlist::ListError;
use crate::store::StoreError;
use crate::telemetry::labels::{ErrorKind, Stage};

/// Why a cycle failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct CycleError {
    /// In which stage.
    pub stage: Stage,
    /// What kind of failure.
    pub kind: ErrorKind,
    /// One sentence without personal data.
    pub message: String,
    /// When the neighbour wants to be asked again.
    pub retry_after: Option<Duration>,
}

impl CycleError {
    pub(super) fn store(stage: Stage, error: StoreError) -> Self {
        Self {
            stage,
            kind: ErrorKind::Store,
            message: error.to_string(),
            retry_after: None,
        }
    }

    pub(super) fn list(error: &ListError) -> Self {
        let message = format!("The match list cannot be read: {error}");
        Self {
            stage: Stage::Compare,
            kind: ErrorKind::Invalid,
            message,
            retry_after: None,
        }
    }

    pub(super) fn fetch(error: CallError) -> Self {
        let message = format!("The match list could not be fetched: {}", error.message);
        let retry_after = error.retry_after;
        Self {
            stage: Stage::Fetch,
            kind: error.kind,
            message,
            retry_after,
        }
    }

    pub(super) fn internal() -> Self {
        let message = "The cycle met a defect of the program".to_owned();
        Self {
            stage: Stage::Compare,
            kind: ErrorKind::Internal,
            message,
            retry_after: None,
        }
    }
}
