//! Rows on their way back, and tables emptied.

use millrace_eventsourcing::{Cell, Table};
use rusqlite::{Connection, params_from_iter};

use crate::cell::CellValue;
use crate::fault::Failure;
use crate::rows::cells_of;
use crate::{progress, statements};

/// The first rows whose key begins with these values.
pub(crate) fn rows(
    connection: &Connection,
    (context, table): (&str, &'static Table),
    key: &[Cell],
    limit: i32,
) -> Result<Vec<Vec<Cell>>, Failure> {
    let select = statements::select(context, table, key.len());
    let mut select = connection.prepare_cached(&select)?;
    let limit = Cell::Int(limit);
    let values = key.iter().chain([&limit]).map(CellValue);
    let mut rows = select.query(params_from_iter(values))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(cells_of(table, row)?);
    }
    Ok(all)
}

/// Forgets the progress of a projection and empties its tables, stamps included.
pub(crate) fn empty(
    connection: &Connection,
    context: &str,
    projection: &str,
    tables: &[&'static Table],
) -> Result<(), Failure> {
    progress::forget(connection, context, projection)?;
    for table in tables {
        let name = statements::qualified(context, table.name);
        connection.execute(&format!("DELETE FROM {name}"), [])?;
        let delete = "DELETE FROM row_stamps WHERE read_table = ?1";
        connection.execute(delete, [format!("{context}.{}", table.name)])?;
    }
    Ok(())
}
