//! Records on their way out of the file.

use std::ops::{ControlFlow, Range};

use millrace_eventsourcing::Timestamp;
use millrace_runtime::log::{Header, Headers, Record};
use millrace_runtime::outbox::NewHeader;
use millrace_runtime::topic::TopicPartition;
use rusqlite::{Connection, Row};

use crate::fault::Failure;
use crate::headers;
use crate::place::{Slot, offset_of};

/// Which records: those of one partition within a range of offsets, the first so many.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) source: TopicPartition,
    pub(crate) slot: Slot,
    pub(crate) offsets: Range<i64>,
    pub(crate) records_max: usize,
}

/// Shows the records of a page, in order. They are borrowed from the database, which keeps what
/// they stood in until the last was shown: whoever takes his time copies them first.
pub(crate) fn visit(
    connection: &Connection,
    page: &Page,
    visit: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
) -> Result<(), Failure> {
    let select = "SELECT place, timestamp, key, value, headers FROM records \
                  WHERE place >= ?1 AND place < ?2 ORDER BY place LIMIT ?3";
    let mut select = connection.prepare_cached(select)?;
    let places = page.slot.places(page.offsets.clone());
    let limit = i64::try_from(page.records_max).unwrap_or(i64::MAX);
    let mut rows = select.query((places.start, places.end, limit))?;
    while let Some(row) = rows.next()? {
        if visit(record(page.source, row)?).is_break() {
            break;
        }
    }
    Ok(())
}

fn record<'a>(source: TopicPartition, row: &'a Row<'_>) -> Result<Record<'a>, Failure> {
    let bytes = |column| -> Result<Option<&'a [u8]>, Failure> {
        let value = row.get_ref(column)?;
        value.as_blob_or_null().map_err(|_| odd(source))
    };
    let headers = match bytes(4)? {
        Some(bytes) => headers::decode(bytes).ok_or_else(|| odd(source))?,
        None => Headers::new(),
    };
    Ok(Record {
        source,
        offset: offset_of(row.get(0)?),
        timestamp: Timestamp::from_micros(row.get(1)?),
        key: bytes(2)?,
        value: bytes(3)?,
        headers,
    })
}

fn odd(source: TopicPartition) -> Failure {
    Failure::Refused(format!("`{source}` holds what this program did not write"))
}

/// The offset of the first record in a range.
pub(crate) fn first_in(
    connection: &Connection,
    slot: Slot,
    offsets: Range<i64>,
) -> rusqlite::Result<Option<i64>> {
    let select = "SELECT MIN(place) FROM records WHERE place >= ?1 AND place < ?2";
    let places = slot.places(offsets);
    let mut select = connection.prepare_cached(select)?;
    let first: Option<i64> = select.query_row((places.start, places.end), |row| row.get(0))?;
    Ok(first.map(offset_of))
}

/// A record that nothing is borrowed for.
#[derive(Debug)]
pub(crate) struct Copied {
    source: TopicPartition,
    pub(crate) offset: i64,
    timestamp: Timestamp,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<NewHeader>,
}

impl Copied {
    pub(crate) fn borrow(&self) -> Record<'_> {
        let headers = self.headers.iter();
        Record {
            source: self.source,
            offset: self.offset,
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: headers
                .map(|(name, value)| Header {
                    name,
                    value: value.as_deref(),
                })
                .collect(),
        }
    }
}

/// The records of a page, for those who take their time.
pub(crate) fn page(connection: &Connection, wanted: &Page) -> Result<Vec<Copied>, Failure> {
    let mut records = Vec::new();
    visit(connection, wanted, &mut |record| {
        let headers = record.headers.iter();
        records.push(Copied {
            source: record.source,
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: headers
                .map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect(),
        });
        ControlFlow::Continue(())
    })?;
    Ok(records)
}
