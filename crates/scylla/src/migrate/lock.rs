//! One process at a time changes schemas.
//!
//! A row that vanishes by itself unless its holder writes it again and again. Every change of it is
//! a compare-and-set.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use millrace_eventsourcing::{Column, Stamp, Table};
use millrace_runtime::store::StoreError;
use millrace_runtime::tables::{Migrating, Tell};
use scylla::errors::ExecutionError;
use scylla::serialize::row::SerializeRow;
use scylla::value::{CqlTimestamp, CqlValue};
use tracing::info;

use super::{KEYSPACE, MigrateError, Migration};
use crate::cql;
use crate::fault::Fault;

/// Who may change schemas. Persisted.
pub(super) static LOCKS: Table = Table {
    name: "locks",
    columns: &[
        Column::text("name"),
        Column::text("holder"),
        Column::timestamp("since"),
    ],
    partition_key: 1,
    clustering: &[],
    stamp: Stamp::Constant,
};

/// The one row. Persisted.
const NAME: &str = "migrate";
/// How long a lock outlives its holder.
const LIFETIME_SECONDS: i32 = 20;
/// A holder may miss two times.
const KEEP_EVERY: Duration = Duration::from_secs(6);
/// How often one who waits looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The right to change schemas.
pub(super) struct Lock<'a> {
    migration: &'a Migration<'a>,
    holder: String,
}

impl<'a> Lock<'a> {
    /// Waits at most so long for another holder.
    pub(super) async fn acquire(
        migration: &'a Migration<'a>,
        wait: Duration,
        tell: Tell<'_>,
    ) -> Result<Self, MigrateError> {
        let clock = &migration.store.clock;
        let started = clock.now();
        let holder = holder(started.wall.as_micros());
        let lock = Self { migration, holder };
        let since = CqlTimestamp(started.wall.as_millis());
        let insert = format!(
            "INSERT INTO {} (\"name\", \"holder\", \"since\") VALUES (?, ?, ?) \
             IF NOT EXISTS USING TTL {LIFETIME_SECONDS}",
            cql::qualified(KEYSPACE, LOCKS.name)
        );
        let mut is_told = false;
        loop {
            let values = (NAME, lock.holder.as_str(), since);
            let other = match lock.change(insert.clone(), values).await? {
                Answer::Applied => return Ok(lock),
                // Our own write, whose answer was lost on the way.
                Answer::Refused(Some(other)) if other == lock.holder => return Ok(lock),
                Answer::Refused(other) => other.unwrap_or_default(),
            };
            let waited = clock.now().elapsed.saturating_sub(started.elapsed);
            if waited >= wait {
                let holder = other;
                return Err(MigrateError::Locked { holder, waited });
            }
            if !is_told {
                info!(holder = %other, "waiting for another process that migrates");
                is_told = true;
            }
            tell(Migrating::WaitsFor(&other));
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Works while the lock is ours.
    pub(super) async fn hold<T>(
        &self,
        work: impl Future<Output = Result<T, MigrateError>>,
    ) -> Result<T, MigrateError> {
        tokio::select! {
            result = work => result,
            error = self.keep() => Err(error),
        }
    }

    /// Ends only when the lock cannot be kept.
    async fn keep(&self) -> MigrateError {
        let update = format!(
            "UPDATE {} USING TTL {LIFETIME_SECONDS} SET \"holder\" = ? WHERE \"name\" = ? \
             IF \"holder\" = ?",
            cql::qualified(KEYSPACE, LOCKS.name)
        );
        let holder = self.holder.as_str();
        loop {
            tokio::time::sleep(KEEP_EVERY).await;
            match self.change(update.clone(), (holder, NAME, holder)).await {
                Ok(Answer::Applied) => {}
                Ok(Answer::Refused(_)) => return MigrateError::LockLost,
                Err(error) => return error.into(),
            }
        }
    }

    pub(super) async fn release(&self) -> Result<(), StoreError> {
        let delete = format!(
            "DELETE FROM {} WHERE \"name\" = ? IF \"holder\" = ?",
            cql::qualified(KEYSPACE, LOCKS.name)
        );
        self.change(delete, (NAME, self.holder.as_str())).await?;
        Ok(())
    }

    async fn change(&self, text: String, values: impl SerializeRow) -> Result<Answer, StoreError> {
        let answer = self.compare_and_set(text, values).await;
        let action = || format!("write to `{KEYSPACE}.{}`", LOCKS.name);
        answer.map_err(|fault| self.migration.report(fault, action()))
    }

    async fn compare_and_set(
        &self,
        text: String,
        values: impl SerializeRow,
    ) -> Result<Answer, Fault> {
        let mut statement = self.migration.prepare(text).await?;
        statement.set_is_idempotent(false);
        let session = &self.migration.live.session;
        let answer: Result<_, ExecutionError> = session.execute_unpaged(&statement, values).await;
        let answer = answer?.into_rows_result().map_err(Fault::answer)?;
        let columns = answer.column_specs();
        let holder = columns.get_by_name("holder").map(|(place, _)| place);
        let row: scylla::value::Row = answer.first_row().map_err(Fault::answer)?;
        match row.columns.first() {
            Some(Some(CqlValue::Boolean(true))) => Ok(Answer::Applied),
            Some(Some(CqlValue::Boolean(false))) => {
                let mut columns = row.columns.into_iter();
                let holder = holder.and_then(|place| columns.nth(place)).flatten();
                Ok(Answer::Refused(holder.and_then(CqlValue::into_string)))
            }
            _ => Err(Fault::answer("a conditional write without a verdict")),
        }
    }
}

enum Answer {
    Applied,
    /// With who holds the lock, as far as the server tells.
    Refused(Option<String>),
}

/// A name that no other run has, also in this process.
fn holder(now_micros: i64) -> String {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    format!("process {}, run {now_micros}.{run}", std::process::id())
}
