//! Taking away records that are too old, a bounded number at a time.

use std::time::Duration;

use rusqlite::Connection;

use crate::fault::Failure;
use crate::place::{Slot, offset_of};
use crate::topics::{self, StoredTopic};
use crate::writer::Turn;

/// How often it is done.
pub(crate) const KEEP_INTERVAL: Duration = Duration::from_secs(30);
/// Of one partition at a time: others wait meanwhile.
const RECORDS_MAX: i64 = 1_000;

/// How many records were taken away.
pub(crate) fn keep(turn: &Turn<'_>) -> Result<usize, Failure> {
    let mut gone = 0;
    for name in topics::names(turn.connection)? {
        let Some(topic) = turn.shared.catalogue.find(turn.connection, &name)? else {
            continue;
        };
        for slot in &topic.slots {
            gone += expire(turn, &topic, *slot)?;
        }
    }
    Ok(gone)
}

fn expire(turn: &Turn<'_>, topic: &StoredTopic, slot: Slot) -> Result<usize, Failure> {
    let setting = if topic.is_compacted() {
        "delete.retention.ms"
    } else {
        "retention.ms"
    };
    let Some(millis) = topic.number(setting) else {
        return Ok(0);
    };
    let cutoff = turn
        .now
        .as_micros()
        .saturating_sub(millis.saturating_mul(1_000));
    if topic.is_compacted() {
        return Ok(drop_tombstones(turn.connection, slot, cutoff)?);
    }
    let (first, end) = topics::range(turn.connection, slot)?;
    let mut from = first;
    let mut ages = turn.connection.prepare_cached(
        "SELECT place, timestamp FROM records WHERE place >= ?1 AND place < ?2 \
         ORDER BY place LIMIT ?3",
    )?;
    let places = slot.places(first..end);
    let mut rows = ages.query((places.start, places.end, RECORDS_MAX))?;
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(1)? >= cutoff {
            break;
        }
        from = offset_of(row.get(0)?) + 1;
    }
    drop(rows);
    Ok(delete_before(turn.connection, slot, from)?)
}

/// Takes away the records before an offset; the partition begins there from now on.
pub(crate) fn delete_before(
    connection: &Connection,
    slot: Slot,
    offset: i64,
) -> rusqlite::Result<usize> {
    let (first, end) = topics::range(connection, slot)?;
    let from = offset.clamp(first, end);
    if from == first {
        return Ok(0);
    }
    let update = "UPDATE partitions SET first_offset = ?2 WHERE slot = ?1";
    connection.prepare_cached(update)?.execute((slot.0, from))?;
    let delete = "DELETE FROM records WHERE place >= ?1 AND place < ?2";
    let places = slot.places(first..from);
    connection
        .prepare_cached(delete)?
        .execute((places.start, places.end))
}

/// Tombstones have been there long enough for every restore to have met them.
fn drop_tombstones(connection: &Connection, slot: Slot, cutoff: i64) -> rusqlite::Result<usize> {
    let delete = "DELETE FROM records WHERE place IN (SELECT place FROM records \
                  WHERE is_compacted = 1 AND value IS NULL AND place >= ?1 AND place < ?2 \
                  AND timestamp < ?3 LIMIT ?4)";
    let places = slot.places(0..i64::MAX);
    let values = (places.start, places.end, cutoff, RECORDS_MAX);
    connection.prepare_cached(delete)?.execute(values)
}
