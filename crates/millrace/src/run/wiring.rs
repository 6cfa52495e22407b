//! What all workers of a process share.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use millrace_runtime::access::LogAccess;
use millrace_runtime::clock::{Clock, Now, SystemClock};
use millrace_runtime::stop::StopToken;
use tokio::runtime::Handle;
use tracing::info;

use crate::backend::{Backend, Store};
use crate::board::Board;
use crate::registry::{AggregateEntry, Registry};
use crate::schemas::Registration;
use crate::settings::Settings;

/// See the module.
#[derive(Debug)]
pub(crate) struct Wiring {
    pub(crate) settings: Settings,
    /// All aggregates that the program knows: those that answers and follow-ups may be for.
    pub(crate) aggregates: Vec<Arc<dyn AggregateEntry>>,
    pub(crate) schemas: Arc<Registration>,
    pub(crate) backend: Backend,
    pub(crate) access: Arc<dyn LogAccess>,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) stop: StopToken,
    pub(crate) board: Board,
    pub(crate) runtime: Handle,
}

impl Wiring {
    pub(super) fn new(
        registry: &Registry,
        settings: Settings,
        runtime: Handle,
    ) -> anyhow::Result<Self> {
        let catalogue = registry.catalogue().context("the schemas cannot be used")?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let backend = Backend::open(&settings, registry, &clock)?;
        backend.claim()?;
        let url = settings.schema_registry_url.as_deref();
        Ok(Self {
            schemas: Arc::new(Registration::new(catalogue, url)?),
            access: backend.access(),
            store: backend.store(&settings, &clock)?,
            backend,
            aggregates: registry.aggregates().map(Arc::clone).collect(),
            settings,
            clock,
            stop: StopToken::default(),
            board: Board::default(),
            runtime,
        })
    }

    /// How long a revocation may wait for work on its way: others wait for us, so no longer than
    /// half of what makes them wait after a crash.
    pub(crate) fn drain_max(&self) -> Duration {
        self.settings.kafka.session_timeout / 2
    }

    pub(crate) fn clock(&self) -> Now {
        self.clock.now()
    }
}

/// A worker's place: what it shares, and what tells it from the others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seat<'a> {
    pub(crate) wiring: &'a Wiring,
    /// The consumer group and the worker's number, which name it on the board and in logs.
    pub(crate) worker: &'a str,
    /// Its number among the workers of its group in this process.
    pub(crate) number: usize,
}

impl Seat<'_> {
    /// Tells why the worker is not ready, or that it is.
    pub(crate) fn post(&self, reasons: &[String]) {
        let text = reasons.join("; ");
        if self.wiring.board.post(self.worker, reasons) {
            match text.as_str() {
                "" => info!("ready"),
                reason => info!(reason, "not ready"),
            }
        }
    }
}
