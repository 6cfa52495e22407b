//! How a CQL server merges the cells of a row (measured on Cassandra 5.0.9): the larger stamp wins;
//! of equal stamps null wins, then the larger bytes. Cell by cell, so that two writes with one
//! stamp can leave a row that nobody wrote. A deletion takes everything with its stamp or a smaller
//! one, whenever it comes.

use std::cmp::Ordering;

use millrace_eventsourcing::{Cell, ColumnType, Timestamp};
use millrace_runtime::store::{StampedRow, StoreError};

/// One row: what was ever written, deletions included.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// Behind the key, each with its stamp; one that nobody wrote has none.
    cells: Vec<Option<(Cell, i64)>>,
    /// The stamp of the last upsert.
    upserted: Option<i64>,
    /// The stamp of the last deletion.
    deleted: Option<i64>,
}

impl Stored {
    pub(super) fn merge(&mut self, row: &StampedRow) {
        let stamp = row.stamp;
        if row.row.is_gone {
            self.deleted = self.deleted.max(Some(stamp));
            return;
        }
        self.upserted = self.upserted.max(Some(stamp));
        let cells = row.row.cells.iter().skip(row.row.table.key_len());
        for (place, cell) in cells.enumerate() {
            if self.cells.len() <= place {
                self.cells.push(None);
            }
            let kept = self.cells.get_mut(place);
            let Some(kept) = kept.filter(|_| *cell != Cell::Unset) else {
                continue;
            };
            let new = (as_kept(cell), stamp);
            if kept.as_ref().is_none_or(|old| wins(&new, old)) {
                *kept = Some(new);
            }
        }
    }

    /// As a reader sees them; nothing when there is no such row.
    pub(super) fn cells(&self) -> Option<impl Iterator<Item = Cell>> {
        let lives = |stamp: i64| self.deleted.is_none_or(|deleted| stamp > deleted);
        if !self.upserted.is_some_and(lives) {
            return None;
        }
        let shown = move |kept: &Option<(Cell, i64)>| match kept {
            Some((cell, stamp)) if lives(*stamp) => cell.clone(),
            Some(_) | None => Cell::Null,
        };
        Some(self.cells.iter().map(shown))
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
