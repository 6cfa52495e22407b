//! How far projections have come, as readers see it.
//!
//! Progress goes back when rows were lost, so its rows are ordered by the clock of who writes them.
//! What is read raises our own clock: the next write counts also where another's clock was ahead.

use std::sync::Arc;

use millrace_eventsourcing::{Cell, Timestamp};
use millrace_runtime::store::{PROGRESS, PROGRESS_TABLE, Progress, StoreError};
use scylla::value::{CqlTimestamp, CqlValue, Row};

use crate::apply::prepare;
use crate::cell::RowValues;
use crate::connection::Live;
use crate::cql;
use crate::fault::Fault;
use crate::store::Inner;

pub(crate) async fn write(
    store: &Inner,
    live: &Arc<Live>,
    context: &str,
    progress: &Progress,
) -> Result<(), StoreError> {
    let statement = prepare(
        store,
        live,
        (context, &PROGRESS),
        cql::insert(context, &PROGRESS),
    )
    .await?;
    let cells = cells(progress);
    let _permit = store.permit().await?;
    let values = RowValues {
        cells: &cells,
        stamp: store.next_stamp(),
    };
    match live.session.execute_unpaged(&statement, values).await {
        Ok(_) => Ok(()),
        Err(error) => {
            let (projection, source) = (progress.projection, progress.source);
            let key = format!("{projection}, {source}");
            let action = format!("write to `{context}.{PROGRESS_TABLE}`, key `{key}`");
            Err(store.connection.failed(live, action, error))
        }
    }
}

/// In the order of the columns of [`PROGRESS`].
fn cells(progress: &Progress) -> [Cell; 7] {
    [
        progress.projection.into(),
        progress.source.topic.name().into(),
        progress.source.partition.into(),
        progress.next_offset.into(),
        progress.command_offset.into(),
        progress.revision.into(),
        progress.updated_at.into(),
    ]
}

pub(crate) async fn read(
    store: &Inner,
    context: &str,
    projection: &'static str,
) -> Result<Vec<Progress>, StoreError> {
    let live = store.connection.live().await?;
    let text = format!(
        "SELECT \"topic\", \"partition\", \"next_offset\", \"command_offset\", \"revision\", \
         \"updated_at\", WRITETIME(\"next_offset\") FROM {} WHERE \"projection\" = ?",
        cql::qualified(context, PROGRESS_TABLE)
    );
    let all = async {
        let statement = live.prepare(text).await?;
        let rows = live.rows(&statement, (projection,)).await?;
        let parsed = rows.into_iter().map(|row| parse(store, projection, row));
        parsed.collect::<Result<Vec<_>, _>>()
    };
    let action = || format!("read `{context}.{PROGRESS_TABLE}`, key `{projection}`");
    all.await
        .map_err(|fault: Fault| store.connection.failed(&live, action(), fault))
}

fn parse(store: &Inner, projection: &'static str, row: Row) -> Result<Progress, Fault> {
    let Ok::<[_; 7], _>(columns) = row.columns.try_into() else {
        return Err(Fault::answer("not as many columns as asked for"));
    };
    match columns {
        [
            Some(CqlValue::Text(topic)),
            Some(CqlValue::Int(partition)),
            Some(CqlValue::BigInt(next_offset)),
            command_offset @ (Some(CqlValue::BigInt(_)) | None),
            Some(CqlValue::Int(revision)),
            Some(CqlValue::Timestamp(CqlTimestamp(updated_at))),
            Some(CqlValue::BigInt(stamp)),
        ] => {
            store.stamp_seen(stamp);
            Ok(Progress {
                projection,
                source: store.topic(topic).partition(partition),
                next_offset,
                command_offset: command_offset.and_then(|offset| offset.as_bigint()),
                revision,
                updated_at: Timestamp::from_millis(updated_at),
            })
        }
        _ => Err(Fault::answer("a row that this program did not write")),
    }
}

/// Makes readers believe that the projection has applied nothing.
pub(crate) async fn forget(
    store: &Inner,
    live: &Arc<Live>,
    context: &str,
    projection: &'static str,
) -> Result<(), StoreError> {
    // Raises the stamp over those of the rows, so that the deletion counts.
    read(store, context, projection).await?;
    let text = format!(
        "DELETE FROM {} USING TIMESTAMP ? WHERE \"projection\" = ?",
        cql::qualified(context, PROGRESS_TABLE)
    );
    let deleted = async {
        let statement = live.prepare(text).await?;
        let values = (store.next_stamp(), projection);
        live.session.execute_unpaged(&statement, values).await
    };
    match deleted.await {
        Ok(_) => Ok(()),
        Err(error) => {
            let action = format!("delete from `{context}.{PROGRESS_TABLE}`, key `{projection}`");
            Err(store.connection.failed(live, action, error))
        }
    }
}
