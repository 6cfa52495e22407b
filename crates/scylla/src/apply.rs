//! Rows on their way to the server, and tables emptied again.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use millrace_eventsourcing::Table;
use millrace_runtime::store::{Batch, StoreError};
use millrace_runtime::tables::show_key;
use scylla::statement::Statement;
use scylla::statement::batch::{Batch as CqlBatch, BatchType};
use scylla::statement::prepared::PreparedStatement;

use crate::ScyllaStore;
use crate::cell::RowValues;
use crate::connection::Live;
use crate::group::{Group, groups};
use crate::store::{IN_FLIGHT_MAX, Inner};
use crate::{cql, progress};

/// Longer than a server takes to empty a table (Cassandra: 60 s).
const TRUNCATE_TIMEOUT: Duration = Duration::from_secs(70);

pub(crate) async fn apply(store: &Inner, batch: &Batch) -> Result<(), StoreError> {
    let live = store.connection.live().await?;
    let mut statements = HashMap::new();
    let mut writes = Vec::new();
    for group in groups(&batch.rows) {
        let statement = match statements.entry(group.table.name) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(place) => {
                let statement = prepare(store, &live, batch.context, group.table).await?;
                Arc::clone(place.insert(statement))
            }
        };
        writes.push(write(store, &live, batch.context, (group, statement)));
    }
    stream::iter(writes)
        .buffer_unordered(IN_FLIGHT_MAX)
        .try_collect::<()>()
        .await?;
    progress::write(store, &live, batch.context, &batch.progress).await
}

pub(crate) async fn prepare(
    store: &Inner,
    live: &Arc<Live>,
    context: &str,
    table: &Table,
) -> Result<Arc<PreparedStatement>, StoreError> {
    let prepared = live.prepare(cql::insert(context, table)).await;
    prepared.map_err(|error| {
        let action = format!("write to `{context}.{}`", table.name);
        store.connection.failed(live, action, error)
    })
}

/// Writes rows of one partition: one as it is, more in one batch, which is one mutation there.
async fn write(
    store: &Inner,
    live: &Arc<Live>,
    context: &str,
    (group, statement): (Group<'_>, Arc<PreparedStatement>),
) -> Result<(), StoreError> {
    let _permit = store.permit().await?;
    let values = group.rows.iter().map(|row| RowValues {
        cells: &row.row.cells,
        stamp: row.stamp,
    });
    let values: Vec<_> = values.collect();
    let written = match values.as_slice() {
        [one] => live.session.execute_unpaged(&statement, one).await,
        several => {
            let mut together = CqlBatch::new(BatchType::Unlogged);
            together.set_is_idempotent(true);
            for _ in several {
                together.append_statement(PreparedStatement::clone(&statement));
            }
            live.session.batch(&together, several).await
        }
    };
    match written {
        Ok(_) => Ok(()),
        Err(error) => {
            let (table, key) = (group.table.name, show_key(group.table, group.key()));
            let action = format!("write to `{context}.{table}`, key `{key}`");
            Err(store.connection.failed(live, action, error))
        }
    }
}

impl ScyllaStore {
    /// Forgets the progress of a projection, then empties its tables: readers are never told of
    /// rows that are gone. Every node must be up. May be done again after an error.
    ///
    /// # Errors
    /// What the server said, with the table.
    pub async fn truncate(
        &self,
        context: &str,
        projection: &'static str,
        tables: &[&'static Table],
    ) -> Result<(), StoreError> {
        let store = &*self.inner;
        let live = store.connection.live().await?;
        progress::forget(store, &live, context, projection).await?;
        for table in tables {
            let text = format!("TRUNCATE TABLE {}", cql::qualified(context, table.name));
            let mut statement = Statement::new(text);
            statement.set_request_timeout(Some(TRUNCATE_TIMEOUT));
            let emptied = live.session.query_unpaged(statement, &[]).await;
            emptied.map_err(|error| {
                let action = format!("empty `{context}.{}`", table.name);
                store.connection.failed(&live, action, error)
            })?;
        }
        Ok(())
    }
}
