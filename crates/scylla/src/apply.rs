//! Rows on their way to the server, and tables emptied again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use millrace_eventsourcing::{Row, Table};
use millrace_runtime::store::{Batch, StampedRow, StoreError};
use millrace_runtime::tables::show_key;
use scylla::statement::Statement;
use scylla::statement::batch::{Batch as CqlBatch, BatchType};
use scylla::statement::prepared::PreparedStatement;

use crate::ScyllaStore;
use crate::cell::WriteValues;
use crate::connection::Live;
use crate::group::{Group, groups};
use crate::store::{IN_FLIGHT_MAX, Inner};
use crate::{cql, progress};

/// Longer than a server takes to empty a table (Cassandra: 60 s).
const TRUNCATE_TIMEOUT: Duration = Duration::from_secs(70);

pub(crate) async fn apply(store: &Inner, batch: &Batch) -> Result<(), StoreError> {
    let live = store.connection.live().await?;
    let mut statements = Statements {
        store,
        live: &live,
        context: batch.context,
        known: HashMap::new(),
    };
    let mut writes = Vec::new();
    for group in groups(&batch.rows) {
        let mut prepared = Vec::new();
        for row in &group.rows {
            prepared.push(statements.of(row).await?);
        }
        writes.push(write(store, &live, batch.context, (group, prepared)));
    }
    stream::iter(writes)
        .buffer_unordered(IN_FLIGHT_MAX)
        .try_collect::<()>()
        .await?;
    progress::write(store, &live, batch.context, &batch.progress).await
}

/// What the writes of one batch need, each prepared once.
struct Statements<'a> {
    store: &'a Inner,
    live: &'a Arc<Live>,
    context: &'a str,
    /// By table, and whether a row of it is gone.
    known: HashMap<(&'static str, bool), Arc<PreparedStatement>>,
}

impl Statements<'_> {
    async fn of(&mut self, row: &StampedRow) -> Result<Arc<PreparedStatement>, StoreError> {
        let Row { table, is_gone, .. } = row.row;
        if let Some(statement) = self.known.get(&(table.name, is_gone)) {
            return Ok(Arc::clone(statement));
        }
        let text = if is_gone {
            cql::delete(self.context, table)
        } else {
            cql::insert(self.context, table)
        };
        let statement = prepare(self.store, self.live, (self.context, table), text).await?;
        let kept = Arc::clone(&statement);
        self.known.insert((table.name, is_gone), kept);
        Ok(statement)
    }
}

pub(crate) async fn prepare(
    store: &Inner,
    live: &Arc<Live>,
    (context, table): (&str, &Table),
    text: String,
) -> Result<Arc<PreparedStatement>, StoreError> {
    let prepared = live.prepare(text).await;
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
    (group, statements): (Group<'_>, Vec<Arc<PreparedStatement>>),
) -> Result<(), StoreError> {
    let _permit = store.permit().await?;
    let values = group.rows.iter().map(|row| WriteValues::from(*row));
    let values: Vec<_> = values.collect();
    let written = match (values.as_slice(), statements.as_slice()) {
        ([one], [statement]) => live.session.execute_unpaged(statement, one).await,
        (several, statements) => {
            let mut together = CqlBatch::new(BatchType::Unlogged);
            together.set_is_idempotent(true);
            for statement in statements {
                together.append_statement(PreparedStatement::clone(statement));
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
