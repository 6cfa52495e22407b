//! The read tables.

use std::time::Duration;

use millrace_eventsourcing::{Cell, Table};
use millrace_runtime::store::{Batch, ContextTables, Mark, Progress, ReadStore, StoreError};
use millrace_runtime::tables::{
    Applied, Migrating, SelectError, TableAccess, TablesError, Tell, check_select,
};

use crate::database::Database;
use crate::fault::Failure;
use crate::migrate::{self, MigrateError};
use crate::{progress, rows, select};

/// About what a row of a batch takes, to bound transactions.
const ROW_BYTES: usize = 500;

/// Read tables in the same file as the log. A table is called as people write it,
/// `"bank.accounts"`; times are texts, truth values 0 and 1.
#[derive(Debug, Clone)]
pub struct EmbeddedStore {
    database: Database,
}

impl EmbeddedStore {
    /// On this database.
    pub fn new(database: &Database) -> Self {
        Self {
            database: database.clone(),
        }
    }
}

fn failed(action: String, failure: &Failure) -> StoreError {
    let reason = failure.to_string();
    StoreError { action, reason }
}

impl ReadStore for EmbeddedStore {
    /// Rows and progress are one transaction.
    async fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let context = batch.context;
        for row in &batch.rows {
            rows::check(context, row)?;
        }
        let written = self
            .database
            .write(batch.rows.len() * ROW_BYTES, move |turn| {
                turn.check_worker()?;
                for row in &batch.rows {
                    rows::merge(turn.connection, context, row)?;
                }
                progress::write(turn.connection, context, &batch.progress)
            });
        let written = written.await;
        written.map_err(|failure| failed(format!("apply a batch to `{context}`"), &failure))
    }

    /// None: what was acknowledged is never lost while the file is there.
    async fn marks(&self) -> Result<Vec<Mark>, StoreError> {
        Ok(Vec::new())
    }

    async fn progress(
        &self,
        context: &'static str,
        projection: &'static str,
    ) -> Result<Vec<Progress>, StoreError> {
        let shared = std::sync::Arc::clone(self.database.shared());
        let read = self
            .database
            .read(move |connection| progress::read(&shared, connection, context, projection));
        let action = || format!("read the progress of `{context}.{projection}`");
        read.await.map_err(|failure| failed(action(), &failure))
    }
}

impl TableAccess for EmbeddedStore {
    async fn select(
        &self,
        context: &str,
        table: &'static Table,
        key: &[Cell],
        limit: i64,
    ) -> Result<Vec<Vec<Cell>>, SelectError> {
        let limit = check_select(table, key, limit)?;
        let (owner, key) = (context.to_owned(), key.to_vec());
        let read = self
            .database
            .read(move |connection| select::rows(connection, (&owner, table), &key, limit));
        let action = || format!("read `{context}.{}`", table.name);
        let rows = read.await.map_err(|failure| failed(action(), &failure))?;
        Ok(rows)
    }

    async fn truncate(
        &self,
        context: &str,
        projection: &'static str,
        tables: &[&'static Table],
    ) -> Result<(), StoreError> {
        let (owner, tables) = (context.to_owned(), tables.to_vec());
        let emptied = self.database.write(0, move |turn| {
            select::empty(turn.connection, &owner, projection, &tables)
        });
        let action = || format!("empty the tables of `{context}.{projection}`");
        emptied.await.map_err(|failure| failed(action(), &failure))
    }

    async fn verify(&self, contexts: &[ContextTables]) -> Result<(), TablesError> {
        let contexts = contexts.to_vec();
        let compared = self
            .database
            .read(move |connection| migrate::differences(connection, &contexts));
        let action = || "compare the tables".to_owned();
        let differences = compared.await.map_err(|failure| failed(action(), &failure));
        match differences {
            Ok(all) if all.is_empty() => Ok(()),
            Ok(all) => Err(TablesError::new(MigrateError::Missing(all))),
            Err(error) => Err(TablesError::new(error)),
        }
    }

    /// Another process that migrates is awaited as any other that writes.
    async fn migrate(
        &self,
        contexts: &[ContextTables],
        _wait: Duration,
        tell: Tell<'_>,
    ) -> Result<Vec<Applied>, TablesError> {
        let contexts = contexts.to_vec();
        let migrated = self
            .database
            .write(0, move |turn| migrate::migrate(turn, &contexts));
        let action = || "make or change the tables".to_owned();
        match migrated.await.map_err(|failure| failed(action(), &failure)) {
            Ok(Ok(applied)) => {
                for (step, done) in applied.iter().zip(1..) {
                    let all = applied.len();
                    tell(Migrating::Did { step, done, all });
                }
                Ok(applied)
            }
            Ok(Err(error)) => Err(TablesError::new(error)),
            Err(error) => Err(TablesError::new(MigrateError::Store(error))),
        }
    }
}
