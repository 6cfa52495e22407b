//! The two places where records and rows are kept, behind one face: Kafka with a CQL store, and one
//! local file.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use millrace_embedded::{Database, EmbeddedAccess, EmbeddedLog, EmbeddedStore};
use millrace_eventsourcing::{Cell, Table};
use millrace_kafka::{KafkaLog, OpenError};
use millrace_runtime::access::LogAccess;
use millrace_runtime::clock::Clock;
use millrace_runtime::log::{Effect, Log, LogEvent};
use millrace_runtime::store::{Batch, ContextTables, Mark, Progress, ReadStore, StoreError};
use millrace_runtime::tables::{Applied, SelectError, TableAccess, TablesError, Tell};
use millrace_runtime::topic::Topic;
use millrace_scylla::ScyllaStore;

use crate::registry::Registry;
use crate::settings::{self, Settings};

/// Set-up of a local file takes no longer than another process takes for the same.
const SET_UP_WAIT: Duration = Duration::from_secs(30);

/// Where records and rows are kept.
#[derive(Debug, Clone)]
pub(crate) enum Backend {
    /// In Kafka and a CQL store.
    Kafka(millrace_kafka::Config),
    /// In one file.
    Embedded(Database),
}

/// What a worker does in its consumer group.
#[derive(Debug, Clone)]
pub(crate) enum Seating {
    /// It reads and commits, with transactional ids that begin like this.
    Worker {
        /// The beginning.
        producers: String,
    },
    /// It only reads.
    Reader,
}

/// Why there is no place in a consumer group.
#[derive(Debug)]
pub(crate) enum NoPlace {
    /// Trying again is pointless.
    Never(String),
    /// It can be tried again.
    NotNow(String),
}

impl Backend {
    /// Opens it. A local file is made and set up when it is not there: topics and tables of
    /// everything that is registered. A Kafka is not looked at yet.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub(crate) fn open(
        settings: &Settings,
        registry: &Registry,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        match settings.backend {
            settings::Backend::Kafka => Ok(Self::Kafka(settings.kafka.config())),
            settings::Backend::Embedded => {
                let dir = &settings.data_dir;
                fs::create_dir_all(dir)
                    .with_context(|| format!("cannot make the directory `{}`", dir.display()))?;
                let options = millrace_embedded::Options {
                    clock: Arc::clone(clock),
                    ..millrace_embedded::Options::default()
                };
                let database = Database::open_with(dir, options)?;
                set_up(&database, settings, registry)?;
                Ok(Self::Embedded(database))
            }
        }
    }

    /// The log, for everything but workers.
    pub(crate) fn access(&self) -> Arc<dyn LogAccess> {
        match self {
            Self::Kafka(config) => Arc::new(millrace_kafka::KafkaAccess::new(config.clone())),
            Self::Embedded(database) => Arc::new(EmbeddedAccess::new(database)),
        }
    }

    /// The read tables; a CQL store is connected to when it is first used.
    ///
    /// # Errors
    /// When the settings of the CQL store are wrong.
    pub(crate) fn store(
        &self,
        settings: &Settings,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<Store> {
        Ok(match self {
            Self::Kafka(_) => Store::Scylla(settings.scylla.store(Arc::clone(clock))?),
            Self::Embedded(database) => Store::Embedded(EmbeddedStore::new(database)),
        })
    }

    /// Takes the right to work, of which a local file has one.
    ///
    /// # Errors
    /// When another process has it.
    pub(crate) fn claim(&self) -> anyhow::Result<()> {
        match self {
            Self::Kafka(_) => Ok(()),
            Self::Embedded(database) => Ok(database.claim()?),
        }
    }

    /// What people call the log.
    pub(crate) const fn log_name(&self) -> &'static str {
        match self {
            Self::Kafka(_) => "Kafka",
            Self::Embedded(_) => "local file",
        }
    }

    /// How old an acknowledged row must be to survive whatever its store survives.
    pub(crate) fn durable_after(&self, settings: &Settings) -> Duration {
        match self {
            Self::Kafka(_) => settings.scylla.durable_after,
            // Acknowledged is written.
            Self::Embedded(_) => Duration::ZERO,
        }
    }

    /// A place in a consumer group.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn join(
        &self,
        group: &str,
        topics: &[Topic],
        seating: Seating,
    ) -> Result<AnyLog, NoPlace> {
        let text = |error: anyhow::Error| format!("{error:#}");
        match self {
            Self::Kafka(config) => {
                let role = match seating {
                    Seating::Worker { producers } => millrace_kafka::Role::Worker { producers },
                    Seating::Reader => millrace_kafka::Role::Reader,
                };
                let log = KafkaLog::open(config, group, topics, role);
                let log = log.map_err(|error| match error {
                    OpenError::Config(wrong) => NoPlace::Never(wrong.to_string()),
                    OpenError::Client { .. } => NoPlace::NotNow(text(error.into())),
                })?;
                Ok(AnyLog::Kafka(Box::new(log)))
            }
            Self::Embedded(database) => {
                let role = match seating {
                    Seating::Worker { producers } => millrace_embedded::Role::Worker { producers },
                    Seating::Reader => millrace_embedded::Role::Reader,
                };
                let log = EmbeddedLog::open(database, group, topics, role);
                let log = log.map_err(|error| NoPlace::NotNow(text(error.into())))?;
                Ok(AnyLog::Embedded(Box::new(log)))
            }
        }
    }
}

/// Makes the topics and tables that are missing.
fn set_up(database: &Database, settings: &Settings, registry: &Registry) -> anyhow::Result<()> {
    let access = EmbeddedAccess::new(database);
    access
        .create(&registry.topics(settings))
        .context("cannot make the topics")?;
    let (store, tables) = (EmbeddedStore::new(database), registry.tables());
    // A look is enough for all but the first, and waits for nobody who writes.
    if futures::executor::block_on(store.verify(&tables)).is_ok() {
        return Ok(());
    }
    futures::executor::block_on(store.migrate(&tables, SET_UP_WAIT, &mut |_| {}))
        .context("cannot bring the read tables up to date")?;
    Ok(())
}

/// A worker's place in a consumer group of either log.
pub(crate) enum AnyLog {
    Kafka(Box<KafkaLog>),
    Embedded(Box<EmbeddedLog>),
}

impl AnyLog {
    /// Leaves the group; waits for that no longer than `limit`.
    pub(crate) fn close(self, limit: Duration) {
        match self {
            Self::Kafka(log) => log.close(limit),
            Self::Embedded(log) => log.close(limit),
        }
    }
}

impl Log for AnyLog {
    fn poll(&mut self, wait: Duration, records_max: usize, on_event: &mut dyn FnMut(LogEvent<'_>)) {
        match self {
            Self::Kafka(log) => log.poll(wait, records_max, on_event),
            Self::Embedded(log) => log.poll(wait, records_max, on_event),
        }
    }

    fn act(&mut self, effect: Effect) {
        match self {
            Self::Kafka(log) => log.act(effect),
            Self::Embedded(log) => log.act(effect),
        }
    }
}

/// The read tables of either store.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    Scylla(ScyllaStore),
    Embedded(EmbeddedStore),
}

impl ReadStore for Store {
    async fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        match self {
            Self::Scylla(store) => store.apply(batch).await,
            Self::Embedded(store) => store.apply(batch).await,
        }
    }

    async fn marks(&self) -> Result<Vec<Mark>, StoreError> {
        match self {
            Self::Scylla(store) => store.marks().await,
            Self::Embedded(store) => store.marks().await,
        }
    }

    async fn progress(
        &self,
        context: &'static str,
        projection: &'static str,
    ) -> Result<Vec<Progress>, StoreError> {
        match self {
            Self::Scylla(store) => store.progress(context, projection).await,
            Self::Embedded(store) => store.progress(context, projection).await,
        }
    }
}

impl TableAccess for Store {
    async fn select(
        &self,
        context: &str,
        table: &'static Table,
        key: &[Cell],
        limit: i64,
    ) -> Result<Vec<Vec<Cell>>, SelectError> {
        match self {
            Self::Scylla(store) => TableAccess::select(store, context, table, key, limit).await,
            Self::Embedded(store) => TableAccess::select(store, context, table, key, limit).await,
        }
    }

    async fn truncate(
        &self,
        context: &str,
        projection: &'static str,
        tables: &[&'static Table],
    ) -> Result<(), StoreError> {
        match self {
            Self::Scylla(store) => TableAccess::truncate(store, context, projection, tables).await,
            Self::Embedded(store) => {
                TableAccess::truncate(store, context, projection, tables).await
            }
        }
    }

    async fn verify(&self, contexts: &[ContextTables]) -> Result<(), TablesError> {
        match self {
            Self::Scylla(store) => TableAccess::verify(store, contexts).await,
            Self::Embedded(store) => TableAccess::verify(store, contexts).await,
        }
    }

    async fn migrate(
        &self,
        contexts: &[ContextTables],
        wait: Duration,
        tell: Tell<'_>,
    ) -> Result<Vec<Applied>, TablesError> {
        match self {
            Self::Scylla(store) => TableAccess::migrate(store, contexts, wait, tell).await,
            Self::Embedded(store) => TableAccess::migrate(store, contexts, wait, tell).await,
        }
    }
}
