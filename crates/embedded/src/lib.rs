//! The log port and the read-table port in one SQLite file.
//!
//! [`Database`] is the open file; [`EmbeddedLog`], [`EmbeddedAccess`] and [`EmbeddedStore`] are
//! handles onto it. It is the same pipeline as on Kafka with another log: one process works, which
//! [`Database::claim`] sees to, and any number of others read and send beside it.
//!
//! Guarantees:
//! - A commit is one transaction of the database: records, task records and group offsets become
//!   visible together or not at all, whenever the process dies. Nothing is ever left open.
//! - What was acknowledged survives the death of the process, and with [`Durability::PowerLoss`],
//!   the default, the loss of power.
//! - Rows and the progress that goes with them are one transaction too.
//! - A full disk refuses what is written, damages nothing, and is left behind when there is room.
//!
//! Threads of one database: one that writes, which merges what waits into one transaction; one that
//! reads for the asynchronous world; and one that hears when another process has written. Workers
//! read on their own. This is the only crate that names rusqlite.

mod access;
mod append;
mod asks;
mod bell;
mod cell;
mod claim;
mod database;
mod delivery;
mod desk;
mod embedded_log;
mod ends;
mod fault;
mod groups;
mod headers;
mod keeping;
mod mailbox;
mod members;
mod migrate;
mod place;
mod progress;
mod read;
mod restore;
mod rows;
mod schema;
mod select;
mod shared;
mod shortening;
mod stamps;
mod statements;
mod store;
mod time;
mod topics;
mod watcher;
mod writer;

pub use access::EmbeddedAccess;
pub use claim::ClaimError;
pub use database::{Database, FILE_NAME, KeepError, Options};
pub use desk::Role;
pub use embedded_log::{EmbeddedLog, JoinError};
pub use migrate::MigrateError;
pub use schema::OpenError;
pub use shared::Durability;
pub use store::EmbeddedStore;
