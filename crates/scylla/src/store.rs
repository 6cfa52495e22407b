//! The store itself: what callers hold.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millrace_eventsourcing::{Cell, Table};
use millrace_runtime::clock::Clock;
use millrace_runtime::store::{Batch, ContextTables, Mark, Progress, ReadStore, StoreError};
use millrace_runtime::tables::{Applied, SelectError, TableAccess, TablesError, Tell};
use millrace_runtime::topic::Topic;
use tokio::sync::Semaphore;

use crate::connection::Connection;
use crate::fault::store_error;
use crate::{Config, ConfigError, apply, marks, progress};

/// Statements on their way at once, over all callers: 64 to 256 keep a node busy, more only wait.
pub(crate) const IN_FLIGHT_MAX: usize = 128;

/// Read tables in ScyllaDB or Cassandra. Clones share one connection.
#[derive(Debug, Clone)]
pub struct ScyllaStore {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) connection: Connection,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) in_flight: Semaphore,
    /// The last stamp of a progress row, in microseconds.
    stamp: AtomicI64,
    /// Names read from the server, each kept once.
    topics: Mutex<HashMap<String, Topic>>,
}

impl ScyllaStore {
    /// A store with these settings. Connects when it is first used: until a server answers, every
    /// call returns an error that says why.
    ///
    /// # Errors
    /// A setting that cannot be, by name.
    pub fn new(config: Config, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        config.check()?;
        let inner = Inner {
            connection: Connection::new(config),
            clock,
            in_flight: Semaphore::new(IN_FLIGHT_MAX),
            stamp: AtomicI64::new(0),
            topics: Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Connects if need be, and asks a node for a sign of life. Cancel-safe.
    ///
    /// # Errors
    /// Why no server answers; wrong credentials are called so.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let live = self.inner.connection.live().await?;
        let answer = live
            .session
            .query_unpaged("SELECT key FROM system.local", &[])
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) => Err(self
                .inner
                .connection
                .failed(&live, "read `system.local`", error)),
        }
    }
}

impl ReadStore for ScyllaStore {
    async fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        apply::apply(&self.inner, &batch).await
    }

    async fn marks(&self) -> Result<Vec<Mark>, StoreError> {
        marks::marks(&self.inner.connection).await
    }

    async fn progress(
        &self,
        context: &'static str,
        projection: &'static str,
    ) -> Result<Vec<Progress>, StoreError> {
        progress::read(&self.inner, context, projection).await
    }
}

impl TableAccess for ScyllaStore {
    async fn select(
        &self,
        context: &str,
        table: &'static Table,
        key: &[Cell],
        limit: i64,
    ) -> Result<Vec<Vec<Cell>>, SelectError> {
        Self::select(self, context, table, key, limit).await
    }

    async fn truncate(
        &self,
        context: &str,
        projection: &'static str,
        tables: &[&'static Table],
    ) -> Result<(), StoreError> {
        Self::truncate(self, context, projection, tables).await
    }

    async fn verify(&self, contexts: &[ContextTables]) -> Result<(), TablesError> {
        Self::verify(self, contexts).await.map_err(TablesError::new)
    }

    async fn migrate(
        &self,
        contexts: &[ContextTables],
        wait: Duration,
        tell: Tell<'_>,
    ) -> Result<Vec<Applied>, TablesError> {
        Self::migrate(self, contexts, wait, tell)
            .await
            .map_err(TablesError::new)
    }
}

impl Inner {
    /// A stamp for a progress row: the time of day, and more than any before.
    pub(crate) fn next_stamp(&self) -> i64 {
        let now = self.clock.now().wall.as_micros();
        let next = |last: i64| now.max(last.saturating_add(1));
        let last = self
            .stamp
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(next(last))
            });
        // The closure never refuses, so both arms are the stamp before.
        next(last.unwrap_or_else(|last| last))
    }

    /// Later stamps are above this one, which another process with a faster clock has written.
    pub(crate) fn stamp_seen(&self, stamp: i64) {
        self.stamp.fetch_max(stamp, Ordering::Relaxed);
    }

    pub(crate) fn topic(&self, name: String) -> Topic {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        *topics
            .entry(name)
            .or_insert_with_key(|name| Topic::intern(name.clone()))
    }

    /// The right to have one statement on its way.
    pub(crate) async fn permit(&self) -> Result<tokio::sync::SemaphorePermit<'_>, StoreError> {
        let permit = self.in_flight.acquire().await;
        permit.map_err(|closed| store_error("wait for a free place", closed))
    }
}

#[cfg(test)]
mod tests {
    use millrace_eventsourcing::Timestamp;
    use millrace_runtime::clock::Now;

    use super::*;

    #[derive(Debug)]
    struct Stopped;
    impl Clock for Stopped {
        fn now(&self) -> Now {
            Now {
                wall: Timestamp::from_micros(1_000),
                elapsed: Duration::ZERO,
            }
        }
    }

    #[test]
    fn stamps_of_progress_rise_also_when_the_clock_does_not() {
        let store = ScyllaStore::new(Config::default(), Arc::new(Stopped)).unwrap();
        assert_eq!(store.inner.next_stamp(), 1_000);
        assert_eq!(store.inner.next_stamp(), 1_001);
        store.inner.stamp_seen(5_000);
        assert_eq!(store.inner.next_stamp(), 5_001);
        store.inner.stamp_seen(10);
        assert_eq!(store.inner.next_stamp(), 5_002);
    }

    #[test]
    fn a_name_is_kept_once() {
        let store = ScyllaStore::new(Config::default(), Arc::new(Stopped)).unwrap();
        let (first, second) = (
            store.inner.topic("a".to_owned()),
            store.inner.topic("a".to_owned()),
        );
        assert!(std::ptr::eq(first.name(), second.name()));
    }

    #[test]
    fn a_wrong_setting_stops_the_start() {
        let config = Config {
            nodes: Vec::new(),
            ..Config::default()
        };
        let error = ScyllaStore::new(config, Arc::new(Stopped)).unwrap_err();
        assert_eq!(error.key, "scylla.nodes");
    }
}
