//! The read-table port: where rows go.
//!
//! Promises of every adapter: applying the same batch twice, late, or beside a newer one leaves what
//! applying each once in order leaves, because every row is an absolute image with its own stamp.

use std::future::Future;
use std::time::Duration;

use millrace_eventsourcing::{Column, Order, Row, Stamp, Table, Timestamp};

use crate::topic::TopicPartition;

/// A store of read tables. One keyspace per context. Cheap to clone.
pub trait ReadStore: Clone + Send + Sync + 'static {
    /// Writes the rows, and only when all are acknowledged the progress. Cancel-safe: a batch that
    /// was given up is applied again whole.
    fn apply(&self, batch: Batch) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// What tells one life of each server node from the next; equal marks mean that no node was
    /// restarted in between. A store that never loses what it acknowledged returns none.
    fn marks(&self) -> impl Future<Output = Result<Vec<Mark>, StoreError>> + Send;

    /// The stored progress of a projection, for every partition that has one.
    fn progress(
        &self,
        context: &'static str,
        projection: &'static str,
    ) -> impl Future<Output = Result<Vec<Progress>, StoreError>> + Send;
}

/// Rows of one input partition and the progress that goes with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The keyspace.
    pub context: &'static str,
    /// At most one for each primary key.
    pub rows: Vec<StampedRow>,
    /// Written last.
    pub progress: Progress,
}

/// A row and what orders it among the writes of the same row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StampedRow {
    /// The absolute image.
    pub row: Row,
    /// Microseconds as the store's write timestamps are; larger wins, cell by cell.
    pub stamp: i64,
}

/// How far a projection has come in one partition; a row of `projection_progress`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Name of the projection, without its context.
    pub projection: &'static str,
    /// The input partition.
    pub source: TopicPartition,
    /// The first record whose rows are not acknowledged.
    pub next_offset: i64,
    /// The highest command offset whose events are applied; nothing if that is not known.
    pub command_offset: Option<i64>,
    /// The projection's revision that made the rows.
    pub revision: i32,
    /// Time of the last record that was applied.
    pub updated_at: Timestamp,
}

/// The life of one server node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The node's lasting identity.
    pub node: String,
    /// Changes with every start.
    pub generation: i64,
}

/// The store did not take a batch, or did not answer. Always transient to the projector: the
/// partition pauses, says why, and tries again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{action}: {reason}")]
pub struct StoreError {
    /// What was tried, on which table.
    pub action: String,
    /// What the store said.
    pub reason: String,
}

/// The constant part of all stamps: microseconds as write timestamps usually are, in the past for
/// every store, and far above what a hand-made small number would be. Persisted.
pub const STAMP_BASE: i64 = 1_700_000_000_000_000;

/// Name of the table that every context has for [`Progress`]. Persisted.
pub const PROGRESS_TABLE: &str = "projection_progress";

/// What [`Progress`] looks like to readers. Adapters stamp its rows by their own clock, so that
/// progress can be set back.
pub static PROGRESS: Table = Table {
    name: PROGRESS_TABLE,
    columns: &[
        Column::text("projection"),
        Column::text("topic"),
        Column::int("partition"),
        Column::bigint("next_offset"),
        Column::bigint("command_offset"),
        Column::int("revision"),
        Column::timestamp("updated_at"),
    ],
    partition_key: 1,
    clustering: &[Order::Ascending, Order::Ascending],
    stamp: Stamp::Constant,
};

/// How often marks are looked at while something is not safe yet.
pub const MARKS_INTERVAL: Duration = Duration::from_secs(1);

/// All read tables of one context.
#[derive(Debug, Clone)]
pub struct ContextTables {
    /// The keyspace.
    pub context: &'static str,
    /// Without the progress table, which every context has.
    pub tables: Vec<&'static Table>,
}
