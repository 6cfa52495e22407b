//! One row merged into its table: cell by cell the larger stamp wins.

use std::cmp::Ordering;

use millrace_eventsourcing::{Cell, Table};
use millrace_runtime::store::{StampedRow, StoreError};
use millrace_runtime::tables::{fits, show_key};
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use crate::cell::{self, CellValue};
use crate::fault::Failure;
use crate::stamps::Stamps;
use crate::statements;

/// Refuses a value of another type than its column's, without saying the value.
pub(crate) fn check(context: &str, row: &StampedRow) -> Result<(), StoreError> {
    let table = row.row.table;
    for (column, cell) in table.columns.iter().zip(&row.row.cells) {
        if !matches!(cell, Cell::Unset | Cell::Null) && !fits(cell, column.kind) {
            return Err(StoreError {
                action: action(context, row),
                reason: format!("column `{}` holds something else", column.name),
            });
        }
    }
    Ok(())
}

fn action(context: &str, row: &StampedRow) -> String {
    let table = row.row.table;
    let key = show_key(table, row.row.key());
    format!("write to `{context}.{}`, key `{key}`", table.name)
}

/// Writes what wins; nothing at all when nothing does, as after redelivery.
pub(crate) fn merge(
    connection: &Connection,
    context: &str,
    row: &StampedRow,
) -> Result<(), Failure> {
    let table = row.row.table;
    let explain = |failure| match failure {
        Failure::Storage { class, reason } => Failure::Storage {
            class,
            reason: format!("{}: {reason}", action(context, row)),
        },
        Failure::Refused(_) | Failure::Stale(_) | Failure::Fenced(_) => failure,
    };
    let target = Target {
        connection,
        context,
        table,
        key: row.row.key(),
    };
    target.merge(row).map_err(explain)
}

/// A row of the file.
struct Target<'a> {
    connection: &'a Connection,
    context: &'a str,
    table: &'static Table,
    key: &'a [Cell],
}

impl Target<'_> {
    fn merge(&self, row: &StampedRow) -> Result<(), Failure> {
        match (self.read()?, row.row.is_gone) {
            (Some(found), false) => self.update(found, row),
            (Some(found), true) => self.delete(found, row.stamp),
            (None, false) => self.insert(row),
            (None, true) => self.bury(row.stamp),
        }
    }

    /// Of a row that was gone, what this write does not touch stays gone.
    fn insert(&self, row: &StampedRow) -> Result<(), Failure> {
        let deleted = self.deleted()?;
        if deleted.is_some_and(|deleted| row.stamp <= deleted) {
            return Ok(());
        }
        let new = row.row.cells.get(self.key.len()..).unwrap_or_default();
        let stamp_of = |cell: &Cell| (*cell != Cell::Unset).then_some(row.stamp).or(deleted);
        let stamps = Stamps(new.iter().map(stamp_of).collect());
        self.write_cells(new)?;
        match (stamps.encode(), deleted) {
            (Some(entry), _) => self.write_stamps(&entry),
            (None, Some(_)) => self.delete_stamps(),
            (None, None) => Ok(()),
        }
    }

    fn update(&self, found: (Vec<Cell>, Stamps), row: &StampedRow) -> Result<(), Failure> {
        let (mut cells, mut stamps) = found;
        let new = row.row.cells.get(self.key.len()..).unwrap_or_default();
        let mut has_changed = false;
        for ((kept, stamp), new) in cells.iter_mut().zip(&mut stamps.0).zip(new) {
            if *new != Cell::Unset && wins((new, row.stamp), (kept, *stamp)) {
                *kept = cell::as_kept(new);
                *stamp = Some(row.stamp);
                has_changed = true;
            }
        }
        if !has_changed {
            return Ok(());
        }
        self.write_cells(&cells)?;
        self.keep_stamps(&stamps)
    }

    /// Takes what is not newer, and with the last such cell the row.
    fn delete(&self, found: (Vec<Cell>, Stamps), deleted: i64) -> Result<(), Failure> {
        let (mut cells, mut stamps) = found;
        let lives = |stamp: &Option<i64>| stamp.is_some_and(|stamp| stamp > deleted);
        if !stamps.0.iter().any(lives) {
            let delete = statements::delete(self.context, self.table);
            let mut delete = self.connection.prepare_cached(&delete)?;
            delete.execute(params_from_iter(self.key.iter().map(CellValue)))?;
            return self.write_stamps(&Stamps::buried(deleted));
        }
        for (kept, stamp) in cells.iter_mut().zip(&mut stamps.0) {
            if !lives(stamp) {
                *kept = Cell::Null;
                *stamp = Some(deleted);
            }
        }
        self.write_cells(&cells)?;
        self.keep_stamps(&stamps)
    }

    /// Notes the deletion of a row that is not there.
    fn bury(&self, stamp: i64) -> Result<(), Failure> {
        if self.deleted()?.is_some_and(|deleted| deleted >= stamp) {
            return Ok(());
        }
        self.write_stamps(&Stamps::buried(stamp))
    }

    /// The stamp of the deletion, of a row that is not there.
    fn deleted(&self) -> Result<Option<i64>, Failure> {
        let Some(entry) = self.entry()? else {
            return Ok(None);
        };
        let deleted = Stamps::deletion(&entry);
        deleted.map(Some).ok_or_else(|| self.damaged())
    }

    /// The cells behind the key and their stamps; nothing when there is no such row.
    fn read(&self) -> Result<Option<(Vec<Cell>, Stamps)>, Failure> {
        let select = statements::select(self.context, self.table, self.key.len());
        let mut select = self.connection.prepare_cached(&select)?;
        let one = Cell::Int(1);
        let values = self.key.iter().chain([&one]).map(CellValue);
        let mut rows = select.query(params_from_iter(values))?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let mut cells = cells_of(self.table, row)?;
        let cells = cells.split_off(self.key.len());
        let stamps = Stamps::decode(self.entry()?.as_deref(), cells.len());
        Ok(Some((cells, stamps.ok_or_else(|| self.damaged())?)))
    }

    fn entry(&self) -> Result<Option<Vec<u8>>, Failure> {
        let select = "SELECT stamps FROM row_stamps WHERE read_table = ?1 AND key = ?2";
        let mut select = self.connection.prepare_cached(select)?;
        let entry = select.query_row((self.name(), cell::key_bytes(self.key)), |row| row.get(0));
        Ok(entry.optional()?)
    }

    fn damaged(&self) -> Failure {
        Failure::Refused(format!("`row_stamps` of `{}` is damaged", self.name()))
    }

    fn write_cells(&self, cells: &[Cell]) -> Result<(), Failure> {
        let replace = statements::replace(self.context, self.table);
        let mut replace = self.connection.prepare_cached(&replace)?;
        replace.execute(params_from_iter(
            self.key.iter().chain(cells).map(CellValue),
        ))?;
        Ok(())
    }

    fn keep_stamps(&self, stamps: &Stamps) -> Result<(), Failure> {
        match stamps.encode() {
            Some(entry) => self.write_stamps(&entry),
            None => self.delete_stamps(),
        }
    }

    fn write_stamps(&self, entry: &[u8]) -> Result<(), Failure> {
        let replace = "INSERT OR REPLACE INTO row_stamps (read_table, key, stamps) \
                       VALUES (?1, ?2, ?3)";
        let mut replace = self.connection.prepare_cached(replace)?;
        replace.execute((self.name(), cell::key_bytes(self.key), entry))?;
        Ok(())
    }

    fn delete_stamps(&self) -> Result<(), Failure> {
        let delete = "DELETE FROM row_stamps WHERE read_table = ?1 AND key = ?2";
        let mut delete = self.connection.prepare_cached(delete)?;
        delete.execute((self.name(), cell::key_bytes(self.key)))?;
        Ok(())
    }

    fn name(&self) -> String {
        format!("{}.{}", self.context, self.table.name)
    }
}

/// A whole row as the file has it.
pub(crate) fn cells_of(table: &Table, row: &Row<'_>) -> Result<Vec<Cell>, Failure> {
    let mut cells = Vec::new();
    for (place, column) in table.columns.iter().enumerate() {
        let cell = cell::cell(row.get_ref(place)?, column);
        cells.push(cell.map_err(|odd| Failure::Refused(odd.to_string()))?);
    }
    Ok(cells)
}

fn wins((new, stamp): (&Cell, i64), (old, old_stamp): (&Cell, Option<i64>)) -> bool {
    let Some(old_stamp) = old_stamp else {
        return true;
    };
    match stamp.cmp(&old_stamp) {
        Ordering::Greater => true,
        Ordering::Less => false,
        Ordering::Equal => cell::tie(&cell::as_kept(new), old) == Ordering::Greater,
    }
}
