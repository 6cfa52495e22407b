//! From a record to the rows it makes. Pure: the same record always gives the same rows.

use std::fmt;
use std::sync::Arc;

use millrace_eventsourcing::{
    Aggregate, Cell, Codec, DecodeError, EventEnvelope, Projection, Row, Stamp, Timestamp,
};

use crate::code::{self, Problem};
use crate::log::Record;
use crate::store::{STAMP_BASE, StampedRow};

/// What a projector asks of each record. Object-safe: a projection may follow several topics.
pub trait Project: Send {
    /// The rows as they stand after this record.
    ///
    /// # Errors
    /// See [`ProjectError`].
    fn project(&self, record: &Record<'_>) -> Result<Projected, ProjectError>;
}

/// What a record means to a projection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projected {
    /// None when the record does not matter: it is skipped and counted.
    pub rows: Vec<StampedRow>,
    /// The command that led to it; only records of events topics know.
    pub command_offset: Option<i64>,
    /// When it happened.
    pub time: Timestamp,
}

/// Why a record makes no rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectError {
    /// It never will: it is set aside, and its partition goes on.
    Undecodable(Problem),
    /// Somebody else may know its schema: its partition waits and tries again.
    UnknownSchema(u32),
}

impl From<DecodeError> for ProjectError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::UnknownSchema(id) => Self::UnknownSchema(id),
            DecodeError::Unframed(_) | DecodeError::Malformed(_) => {
                Self::Undecodable(Problem::new(code::MALFORMED_AVRO, error.to_string()))
            }
        }
    }
}

/// The codec of an aggregate's events.
pub type EventCodec<A> = Arc<dyn Codec<EventEnvelope<<A as Aggregate>::Event>>>;

/// A [`Projection`] on the events topic of its aggregate.
pub struct Typed<P: Projection> {
    codec: EventCodec<P::Aggregate>,
}

impl<P: Projection> Typed<P> {
    /// Reads events with this codec.
    pub fn new(codec: EventCodec<P::Aggregate>) -> Self {
        Self { codec }
    }
}

impl<P: Projection> fmt::Debug for Typed<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Typed").field(&P::NAME).finish()
    }
}

impl<P: Projection> Project for Typed<P> {
    fn project(&self, record: &Record<'_>) -> Result<Projected, ProjectError> {
        let (id, event) = read_event(self.codec.as_ref(), record)?;
        let rows = P::project(id, &event);
        let version = event.version.get();
        Ok(Projected {
            rows: stamped(rows, version, record.offset),
            command_offset: Some(event.command_offset),
            time: event.recorded_at,
        })
    }
}

/// The aggregate's id and the event of a record of an events topic.
pub(crate) fn read_event<'r, E>(
    codec: &dyn Codec<EventEnvelope<E>>,
    record: &Record<'r>,
) -> Result<(&'r str, EventEnvelope<E>), ProjectError> {
    let id = read_key(record)?;
    let event = codec.decode(record.value.unwrap_or_default())?;
    Ok((id, event))
}

/// The aggregate's id that a record is keyed by.
pub(super) fn read_key<'r>(record: &Record<'r>) -> Result<&'r str, ProjectError> {
    let undecodable = |code, text: &str| ProjectError::Undecodable(Problem::new(code, text));
    let key = record.key.filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| undecodable(code::MISSING_KEY, "the record has no key"))?;
    std::str::from_utf8(key).map_err(|_| undecodable(code::INVALID_KEY, "the key is not UTF-8"))
}

/// Gives each row the stamp that its table asks for.
pub(super) fn stamped(rows: Vec<Row>, version: i64, offset: i64) -> Vec<StampedRow> {
    let stamp = |row: &Row| match row.table.stamp {
        Stamp::Version => STAMP_BASE.saturating_add(version),
        Stamp::Constant => STAMP_BASE,
        Stamp::Offset => STAMP_BASE.saturating_add(offset),
    };
    let rows = rows.into_iter();
    rows.map(|row| StampedRow {
        stamp: stamp(&row),
        row,
    })
    .collect()
}

/// Text of a row's key beyond this is refused by stores for ever; they allow 64 KiB.
const KEY_BYTES_MAX: usize = 60 * 1024;
/// Text of a row beyond this does not fit what stores take as one write.
const ROW_BYTES_MAX: usize = 1024 * 1024;

/// Why no store would ever take this row; nothing when it is fine.
pub(super) fn fault_of_row(row: &Row) -> Option<Problem> {
    let partition_key = row.key().iter().take(row.table.partition_key);
    if partition_key.clone().count() == 1 && partition_key.clone().any(is_empty) {
        let text = format!("the key of a row of `{}` is empty", row.table.name);
        return Some(Problem::new(code::INVALID_KEY, text));
    }
    let key_bytes: usize = row.key().iter().map(text_bytes).sum();
    let bytes = bytes_of(row);
    if key_bytes <= KEY_BYTES_MAX && bytes <= ROW_BYTES_MAX {
        return None;
    }
    let text = format!(
        "a row of `{}` has {bytes} bytes, {key_bytes} of them in its key",
        row.table.name
    );
    Some(Problem::new(code::TOO_LARGE, text))
}

/// Roughly what a row takes in memory and on the wire.
pub(super) fn bytes_of(row: &Row) -> usize {
    row.cells.iter().map(|cell| text_bytes(cell) + 16).sum()
}

fn is_empty(cell: &Cell) -> bool {
    matches!(cell, Cell::Text(text) if text.is_empty())
}

fn text_bytes(cell: &Cell) -> usize {
    match cell {
        Cell::Text(text) => text.len(),
        Cell::Unset
        | Cell::Null
        | Cell::Bigint(_)
        | Cell::Int(_)
        | Cell::Boolean(_)
        | Cell::Timestamp(_) => 0,
    }
}
