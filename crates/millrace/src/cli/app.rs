//! What every command has at hand.

use std::fmt;
use std::sync::Arc;

use anyhow::Context;
use millrace_kafka::KafkaAccess;
use millrace_runtime::clock::SystemClock;
use millrace_scylla::ScyllaStore;

use crate::registry::Registry;
use crate::schemas::{KnownSchemas, Registration};
use crate::settings::{Backend, Settings};

/// The contexts that are served, and the settings.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) registry: Registry,
    pub(crate) settings: Settings,
}

impl App {
    pub(super) const fn new(registry: Registry, settings: Settings) -> Self {
        Self { registry, settings }
    }

    /// The read tables.
    pub(crate) fn store(&self) -> anyhow::Result<ScyllaStore> {
        Ok(self.settings.scylla.store(Arc::new(SystemClock::new()))?)
    }

    /// The log, for everything but workers.
    pub(crate) fn log(&self) -> KafkaAccess {
        self.settings.kafka.access()
    }

    /// The schemas, registered if there is a registry.
    pub(crate) fn catalogue(&self) -> anyhow::Result<KnownSchemas> {
        let catalogue = self
            .registry
            .catalogue()
            .context("the schemas cannot be used")?;
        let url = self.settings.schema_registry_url.as_deref();
        Ok(Registration::new(catalogue, url)?.complete()?)
    }

    /// Refuses backends that a command cannot use.
    pub(crate) fn require_kafka(&self) -> Result<(), UsageError> {
        match self.settings.backend {
            Backend::Kafka => Ok(()),
            Backend::Embedded => Err(UsageError::new(
                "`backend`: the embedded backend is not built yet; use --backend kafka",
            )),
        }
    }
}

/// Waits for the end of something asynchronous, on a runtime made for it.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")?;
    Ok(runtime.block_on(future))
}

/// The command line or the settings ask for something that makes no sense.
#[derive(Debug, thiserror::Error)]
pub(crate) struct UsageError(String);

impl UsageError {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
