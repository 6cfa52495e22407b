//! Keyspaces and tables, made and changed from their declarations.
//!
//! Every statement that was carried out is recorded with its checksum in the keyspace `millrace`:
//! version 1 of a table creates it, each later one adds a column. So a declaration may only grow
//! at its end; anything else is refused before the server is touched. Nothing is ever dropped.
//! One process at a time changes a schema, which Cassandra needs: it holds a lock that ends by
//! itself when the process dies. Only the two tables of this keyspace are made before the lock can
//! be taken: the very first `migrate` of a cluster with several nodes must run alone.

mod lock;
mod plan;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_eventsourcing::{Cell, Column, Order, Stamp, Table};
use millrace_runtime::store::{ContextTables, PROGRESS, StoreError};
use millrace_runtime::tables::{Applied, Migrating, Tell};
use scylla::errors::ExecutionError;
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::{Consistency, SerialConsistency, Statement};
use scylla::value::Row;
use tracing::{info, warn};

use crate::cell::RowValues;
use crate::connection::Live;
use crate::fault::{Fault, store_error};
use crate::schema::{self, Difference, Joined, Keyspace};
use crate::store::Inner;
use crate::{ScyllaStore, cql};
use lock::{LOCKS, Lock};
use plan::{Recorded, Step};

/// The keyspace of what was migrated. Persisted.
const KEYSPACE: &str = "millrace";
/// A change of schema reaches all nodes before the next one, or the migration ends.
const CHANGE_TIMEOUT: Duration = Duration::from_mins(1);

/// What was carried out. Persisted.
static MIGRATIONS: Table = Table {
    name: "migrations",
    columns: &[
        Column::text("context"),
        Column::text("table_name"),
        Column::int("version"),
        Column::text("description"),
        Column::text("checksum"),
        Column::timestamp("applied_at"),
        Column::int("columns"),
    ],
    partition_key: 1,
    clustering: &[Order::Ascending, Order::Ascending],
    stamp: Stamp::Constant,
};

/// Why tables were not made or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MigrateError {
    /// A declaration with a name that would need quotes.
    #[error("`{0}` is no name of a keyspace, table or column: lower case, digits and `_` only")]
    Name(String),
    /// The declaration changed other than by growing.
    #[error(
        "`{table}`: version {version} was made by another statement; columns can only be added, \
         at the end"
    )]
    Changed {
        /// With its keyspace.
        table: String,
        /// The recorded one.
        version: i32,
    },
    /// The tables were made by a later release.
    #[error("`{table}` has version {version}, which this program does not know: it is too old")]
    Newer {
        /// With its keyspace.
        table: String,
        /// The recorded one.
        version: i32,
    },
    /// Somebody else made the table, or changed it.
    #[error("`{table}` was changed by another hand: {}", Joined(.differences))]
    Differs {
        /// With its keyspace.
        table: String,
        /// How.
        differences: Vec<Difference>,
    },
    /// A column was dropped; rows with our stamps would stay invisible in a new one of its name.
    #[error("column `{column}` of `{table}` was dropped: drop the table, migrate and rebuild")]
    Dropped {
        /// With its keyspace.
        table: String,
        /// The column.
        column: String,
    },
    /// Another process was still at it.
    #[error("`{holder}` still migrates after {} s", .waited.as_secs())]
    Locked {
        /// Who.
        holder: String,
        /// How long we waited.
        waited: Duration,
    },
    /// Another process took over, because ours was silent for too long.
    #[error("the migration lock was lost to another process")]
    LockLost,
    /// No answer from the server.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ScyllaStore {
    /// Makes what is missing; says what was done, and tells each step. Waits so long for another
    /// process that migrates. May be run again after any error.
    ///
    /// # Errors
    /// See [`MigrateError`]. A refused declaration changes nothing.
    pub async fn migrate(
        &self,
        contexts: &[ContextTables],
        wait: Duration,
        tell: Tell<'_>,
    ) -> Result<Vec<Applied>, MigrateError> {
        plan::check_names(contexts)?;
        let store = &*self.inner;
        let live = store.connection.live().await?;
        let migration = Migration { store, live };
        migration.prepare_keyspace().await?;
        let lock = Lock::acquire(&migration, wait, tell).await?;
        let result = lock.hold(migration.run(contexts, tell)).await;
        if let Err(error) = lock.release().await {
            warn!(%error, "the migration lock was not released; it ends by itself");
        }
        result
    }
}

/// One run.
struct Migration<'a> {
    store: &'a Inner,
    live: Arc<Live>,
}

impl Migration<'_> {
    async fn prepare_keyspace(&self) -> Result<(), StoreError> {
        let found = self.schema(KEYSPACE).await?;
        if found.is_none() {
            self.create_keyspace(KEYSPACE).await?;
        }
        let found = found.unwrap_or_default();
        for table in [&LOCKS, &MIGRATIONS] {
            if !found.has_table(table.name) {
                let text = cql::create_table(KEYSPACE, table, table.columns.len());
                let name = format!("{KEYSPACE}.{}", table.name);
                self.change(&name, text).await?;
            }
        }
        Ok(())
    }

    /// Plans everything before it changes anything.
    async fn run(
        &self,
        contexts: &[ContextTables],
        tell: Tell<'_>,
    ) -> Result<Vec<Applied>, MigrateError> {
        let mut missing = Vec::new();
        let mut steps = Vec::new();
        for context in contexts {
            let found = self.schema(context.context).await?;
            if found.is_none() {
                missing.push(context.context);
            }
            let found = found.unwrap_or_default();
            let recorded = self.recorded(context.context).await?;
            for table in context.tables.iter().copied().chain([&PROGRESS]) {
                let known = recorded.get(table.name).map_or(&[][..], Vec::as_slice);
                steps.extend(plan::steps(context.context, table, known, &found)?);
            }
        }
        for keyspace in missing {
            self.create_keyspace(keyspace).await?;
        }
        let mut applied = Vec::new();
        let all = steps.len();
        for step in steps {
            let table = format!("{}.{}", step.context, step.table);
            if step.is_missing {
                self.change(&table, step.statement.clone()).await?;
            }
            self.record(&step).await?;
            let (version, description) = (step.version, step.description);
            info!(table, version, description, "migrated");
            let step = Applied {
                table,
                version,
                description,
            };
            let done = applied.len() + 1;
            tell(Migrating::Did {
                step: &step,
                done,
                all,
            });
            applied.push(step);
        }
        Ok(applied)
    }

    async fn schema(&self, keyspace: &str) -> Result<Option<Keyspace>, StoreError> {
        let found = schema::read(&self.live, keyspace).await;
        let action = || format!("read the schema of `{keyspace}`");
        found.map_err(|fault| self.report(fault, action()))
    }

    async fn create_keyspace(&self, keyspace: &str) -> Result<(), StoreError> {
        let copies = self.store.connection.config.replication_factor;
        let text = cql::create_keyspace(keyspace, copies);
        self.change(keyspace, text).await?;
        info!(keyspace, copies, "keyspace made");
        Ok(())
    }

    /// Carries out a statement and waits until every node knows of it.
    async fn change(&self, name: &str, text: String) -> Result<(), StoreError> {
        let mut statement = Statement::new(text);
        statement.set_request_timeout(Some(CHANGE_TIMEOUT));
        let action = || format!("make or change `{name}`");
        let changed = self.live.session.query_unpaged(statement, &[]).await;
        changed.map_err(|error| self.report(error, action()))?;
        let agreed = self.live.session.await_schema_agreement().await;
        agreed.map_err(|error| self.report(ExecutionError::from(error), action()))?;
        Ok(())
    }

    /// What was carried out in a context, by table, in order of versions.
    async fn recorded(&self, context: &str) -> Result<HashMap<String, Vec<Recorded>>, StoreError> {
        let text = cql::select_all(KEYSPACE, &MIGRATIONS, 1);
        let rows = async {
            let statement = self.prepare(text).await?;
            self.live.rows(&statement, (context,)).await
        };
        let action = || format!("read `{KEYSPACE}.{}`", MIGRATIONS.name);
        let rows = rows.await.map_err(|fault| self.report(fault, action()))?;
        let mut all: HashMap<String, Vec<Recorded>> = HashMap::new();
        for row in rows {
            let (table, recorded) = parse(row)
                .ok_or_else(|| store_error(action(), "a row that this program did not write"))?;
            all.entry(table).or_default().push(recorded);
        }
        Ok(all)
    }

    async fn record(&self, step: &Step) -> Result<(), StoreError> {
        let cells: [Cell; 7] = [
            step.context.into(),
            step.table.into(),
            step.version.into(),
            Cell::from(&step.description),
            Cell::from(&step.checksum),
            self.store.clock.now().wall.into(),
            step.columns.into(),
        ];
        let written = async {
            let statement = self.prepare(cql::insert(KEYSPACE, &MIGRATIONS)).await?;
            let values = RowValues {
                cells: &cells,
                stamp: self.store.next_stamp(),
            };
            self.live.session.execute_unpaged(&statement, values).await
        };
        let action = || format!("write to `{KEYSPACE}.{}`", MIGRATIONS.name);
        let written = written.await;
        written.map_err(|error| self.report(error, action()))?;
        Ok(())
    }

    /// A statement that all data centres see alike, whatever `scylla.consistency` is.
    async fn prepare(&self, text: String) -> Result<PreparedStatement, ExecutionError> {
        let statement = self.live.prepare(text).await?;
        let mut statement = PreparedStatement::clone(&statement);
        statement.set_consistency(Consistency::Quorum);
        statement.set_serial_consistency(Some(SerialConsistency::Serial));
        Ok(statement)
    }

    fn report(&self, fault: impl Into<Fault>, action: String) -> StoreError {
        let connection = &self.store.connection;
        connection.failed(&self.live, action, fault)
    }
}

/// In the order of the columns of [`MIGRATIONS`].
fn parse(row: Row) -> Option<(String, Recorded)> {
    let [_, table, version, _, checksum, _, columns]: [_; 7] = row.columns.try_into().ok()?;
    let recorded = Recorded {
        version: version?.as_int()?,
        checksum: checksum?.into_string()?,
        columns: columns?.as_int()?,
    };
    Some((table?.into_string()?, recorded))
}
