//! How far projections have come: the last that was told counts.

use millrace_eventsourcing::{Cell, Timestamp};
use millrace_runtime::store::{PROGRESS, PROGRESS_TABLE, Progress};
use rusqlite::{Connection, params_from_iter};

use crate::cell::CellValue;
use crate::fault::Failure;
use crate::rows::cells_of;
use crate::shared::Shared;
use crate::statements;

pub(crate) fn write(
    connection: &Connection,
    context: &str,
    progress: &Progress,
) -> Result<(), Failure> {
    // In the order of the columns of [`PROGRESS`].
    let cells: [Cell; 7] = [
        progress.projection.into(),
        progress.source.topic.name().into(),
        progress.source.partition.into(),
        progress.next_offset.into(),
        progress.command_offset.into(),
        progress.revision.into(),
        progress.updated_at.into(),
    ];
    let replace = statements::replace(context, &PROGRESS);
    let mut replace = connection.prepare_cached(&replace)?;
    replace.execute(params_from_iter(cells.iter().map(CellValue)))?;
    Ok(())
}

/// Of one projection, for every partition that has some.
pub(crate) fn read(
    shared: &Shared,
    connection: &Connection,
    context: &str,
    projection: &'static str,
) -> Result<Vec<Progress>, Failure> {
    let select = statements::select(context, &PROGRESS, 1);
    let mut select = connection.prepare_cached(&select)?;
    let mut rows = select.query((projection, i64::MAX))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let progress = parse(shared, projection, cells_of(&PROGRESS, row)?);
        let odd = || Failure::Refused(format!("`{PROGRESS_TABLE}` is damaged"));
        all.push(progress.ok_or_else(odd)?);
    }
    Ok(all)
}

fn parse(shared: &Shared, projection: &'static str, cells: Vec<Cell>) -> Option<Progress> {
    let cells: [Cell; 7] = cells.try_into().ok()?;
    let [
        _,
        Cell::Text(topic),
        Cell::Int(partition),
        Cell::Bigint(next_offset),
        command_offset,
        Cell::Int(revision),
        Cell::Timestamp(updated_at),
    ] = cells
    else {
        return None;
    };
    let command_offset = match command_offset {
        Cell::Bigint(offset) => Some(offset),
        Cell::Unset
        | Cell::Null
        | Cell::Text(_)
        | Cell::Int(_)
        | Cell::Boolean(_)
        | Cell::Timestamp(_) => None,
    };
    Some(Progress {
        projection,
        source: shared.topic(topic).partition(partition),
        next_offset,
        command_offset,
        revision,
        updated_at: Timestamp::from_millis(updated_at.as_millis()),
    })
}

/// Makes readers believe that the projection has applied nothing.
pub(crate) fn forget(
    connection: &Connection,
    context: &str,
    projection: &str,
) -> rusqlite::Result<()> {
    let table = statements::qualified(context, PROGRESS_TABLE);
    let delete = format!("DELETE FROM {table} WHERE \"projection\" = ?1");
    connection.execute(&delete, [projection])?;
    Ok(())
}
