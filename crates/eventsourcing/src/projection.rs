//! Events to rows.

use crate::{Aggregate, EventEnvelope, Row, Table};

/// Turns the facts of one aggregate into rows of read tables. Pure: the same event always gives
/// the same rows, whatever was applied before.
pub trait Projection: Send + Sync + 'static {
    /// Whose events it follows.
    type Aggregate: Aggregate;
    /// Persisted: part of the consumer group and of `projection_progress`.
    const NAME: &'static str;
    /// Raised when the same events give other rows; the projection then waits to be rebuilt.
    const REVISION: i32;
    /// The tables it fills; no other projection writes to them.
    const TABLES: &'static [&'static Table];

    /// The rows as they stand after this event. An event type that does not matter gives none.
    fn project(id: &str, event: &EventEnvelope<<Self::Aggregate as Aggregate>::Event>) -> Vec<Row>;
}
