//! How a CQL server merges the cells of a row (measured on Cassandra 5.0.9): the larger stamp wins;
//! of equal stamps null wins, then the larger bytes. Cell by cell, so that two writes with one
//! stamp can leave a row that nobody wrote.

use std::cmp::Ordering;

use millrace_eventsourcing::{Cell, ColumnType, Timestamp};
use millrace_runtime::store::{StampedRow, StoreError};

/// The cells behind the key, each with its stamp; one that nobody wrote has none.
#[derive(Debug, Default)]
pub(super) struct Stored(Vec<Option<(Cell, i64)>>);

impl Stored {
    pub(super) fn merge<'a>(&mut self, cells: impl Iterator<Item = &'a Cell>, stamp: i64) {
        for (place, cell) in cells.enumerate() {
            if self.0.len() <= place {
                self.0.push(None);
            }
            let Some(kept) = self.0.get_mut(place).filter(|_| *cell != Cell::Unset) else {
                continue;
            };
            let new = (as_kept(cell), stamp);
            if kept.as_ref().is_none_or(|old| wins(&new, old)) {
                *kept = Some(new);
            }
        }
    }

    /// As a reader sees them.
    pub(super) fn cells(&self) -> impl Iterator<Item = Cell> {
        let cells = self.0.iter();
        cells.map(|kept| kept.as_ref().map_or(Cell::Null, |(cell, _)| cell.clone()))
    }
}

fn wins((cell, stamp): &(Cell, i64), (old, old_stamp): &(Cell, i64)) -> bool {
    match stamp.cmp(old_stamp) {
        Ordering::Greater => true,
        Ordering::Less => false,
        Ordering::Equal => match (cell, old) {
            (_, Cell::Null) => false,
            (Cell::Null, _) => true,
            (cell, old) => bytes(cell) > bytes(old),
        },
    }
}

/// The value's form in the store, which compares without regard for its meaning: -1 beats 1.
fn bytes(cell: &Cell) -> Vec<u8> {
    match cell {
        Cell::Unset | Cell::Null => Vec::new(),
        Cell::Text(text) => text.as_bytes().to_vec(),
        Cell::Bigint(number) => number.to_be_bytes().to_vec(),
        Cell::Int(number) => number.to_be_bytes().to_vec(),
        Cell::Boolean(yes) => vec![u8::from(*yes)],
        Cell::Timestamp(time) => time.as_millis().to_be_bytes().to_vec(),
    }
}

/// A store keeps milliseconds.
pub(super) fn to_millis(time: Timestamp) -> Timestamp {
    Timestamp::from_millis(time.as_millis())
}

pub(super) fn as_kept(cell: &Cell) -> Cell {
    if let Cell::Timestamp(time) = cell {
        return to_millis(*time).into();
    }
    cell.clone()
}

/// Refuses what a server would refuse: a value of another type than its column's.
pub(super) fn check(context: &str, row: &StampedRow) -> Result<(), StoreError> {
    let table = row.row.table;
    for (column, cell) in table.columns.iter().zip(&row.row.cells) {
        let fits = match cell {
            Cell::Unset | Cell::Null => true,
            Cell::Text(_) => column.kind == ColumnType::Text,
            Cell::Bigint(_) => column.kind == ColumnType::Bigint,
            Cell::Int(_) => column.kind == ColumnType::Int,
            Cell::Boolean(_) => column.kind == ColumnType::Boolean,
            Cell::Timestamp(_) => column.kind == ColumnType::Timestamp,
        };
        if !fits {
            return Err(StoreError {
                action: format!(
                    "write to `{context}.{}`, key `{:?}`",
                    table.name,
                    row.row.key()
                ),
                reason: format!("column `{}` holds something else", column.name),
            });
        }
    }
    Ok(())
}
