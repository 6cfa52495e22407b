//! What all workers of a process share.

use std::sync::Arc;

use anyhow::Context;
use millrace_avro::Catalogue;
use millrace_kafka::{Config, KafkaAccess};
use millrace_runtime::clock::{Clock, Now, SystemClock};
use millrace_runtime::stop::StopToken;
use tokio::runtime::Handle;

use crate::board::Board;
use crate::registry::Registry;
use crate::settings::Settings;

/// See the module.
#[derive(Debug)]
pub(crate) struct Wiring {
    pub(crate) settings: Settings,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) kafka: Config,
    pub(crate) access: KafkaAccess,
    pub(crate) clock: Arc<SystemClock>,
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
        Ok(Self {
            catalogue: Arc::new(catalogue),
            kafka: settings.kafka.config(),
            access: settings.kafka.access(),
            settings,
            clock: Arc::new(SystemClock::new()),
            stop: StopToken::default(),
            board: Board::default(),
            runtime,
        })
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
                "" => tracing::info!(worker = self.worker, "ready"),
                reason => tracing::info!(worker = self.worker, reason, "not ready"),
            }
        }
    }
}
