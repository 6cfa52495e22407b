//! What every command has at hand.

use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;

use anyhow::Context;
use millrace_runtime::access::LogAccess;
use millrace_runtime::clock::{Clock, SystemClock};

use crate::backend::{Backend, Store};
use crate::registry::Registry;
use crate::schemas::{KnownSchemas, Registration};
use crate::settings::Settings;

/// The contexts that are served, and the settings.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) registry: Registry,
    pub(crate) settings: Settings,
    backend: OnceCell<Backend>,
    clock: Arc<dyn Clock>,
}

impl App {
    pub(super) fn new(registry: Registry, settings: Settings) -> Self {
        Self {
            registry,
            settings,
            backend: OnceCell::new(),
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Where records and rows are kept; opened when it is first asked for.
    fn backend(&self) -> anyhow::Result<&Backend> {
        if let Some(backend) = self.backend.get() {
            return Ok(backend);
        }
        let backend = Backend::open(&self.settings, &self.registry, &self.clock)?;
        Ok(self.backend.get_or_init(|| backend))
    }

    /// The read tables.
    pub(crate) fn store(&self) -> anyhow::Result<Store> {
        self.backend()?.store(&self.settings, &self.clock)
    }

    /// The log, for everything but workers.
    pub(crate) fn log(&self) -> anyhow::Result<Arc<dyn LogAccess>> {
        Ok(self.backend()?.access())
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
