//! What can go wrong with a piece of work, and whom it concerns.

use millrace_runtime::log::{AskFailure, CommitFailure};
use millrace_runtime::topic::TopicPartition;
use rusqlite::ErrorCode;

/// Why a piece of work has changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The file did not take it. Concerns everything in the same transaction; passes by itself,
    /// or when somebody makes room.
    #[error("{reason}")]
    Storage {
        /// A word from a small fixed set; it labels a metric.
        class: &'static str,
        /// What SQLite said.
        reason: String,
    },
    /// This piece alone cannot be done.
    #[error("{0}")]
    Refused(String),
    /// Partitions that are not ours, or not under this epoch.
    #[error("stale epochs of {0:?}")]
    Stale(Vec<TopicPartition>),
    /// Somebody else does the work now.
    #[error("{0}")]
    Fenced(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        let class = match error.sqlite_error_code() {
            Some(
                ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::OutOfMemory
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase,
            ) => "disk",
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "busy",
            Some(_) | None => "sqlite",
        };
        Self::Storage {
            class,
            reason: error.to_string(),
        }
    }
}

impl From<Failure> for CommitFailure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Storage { class, reason } => Self::Aborted { class, reason },
            Failure::Refused(reason) => Self::Aborted {
                class: "refused",
                reason,
            },
            Failure::Stale(partitions) => Self::Stale(partitions),
            Failure::Fenced(reason) => Self::Fenced(reason),
        }
    }
}

impl From<Failure> for AskFailure {
    fn from(failure: Failure) -> Self {
        Self(failure.to_string())
    }
}

/// The thread that writes has ended: it panicked, or the program is about to.
pub(crate) fn no_writer() -> Failure {
    Failure::Storage {
        class: "writer",
        reason: "the thread that writes to the file has ended".to_owned(),
    }
}
