//! Workers beside something else that the process does.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::runtime::Runtime;

use super::supervise::{Crew, pause};
use super::{ASYNC_THREADS, Plan, Role, Wiring, hire, oversee};
use crate::registry::Registry;
use crate::settings::Settings;

/// How often is looked whether everybody is ready.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// All workers of a process, without anything served about them.
#[derive(Debug)]
pub(crate) struct Team {
    wiring: Arc<Wiring>,
    crew: Crew,
    runtime: Runtime,
}

impl Team {
    /// Starts workers of all roles.
    ///
    /// # Errors
    /// When the settings are wrong, or another process works on the same data.
    pub(crate) fn start(registry: &Registry, settings: Settings) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(ASYNC_THREADS)
            .enable_all()
            .build()
            .context("cannot start the asynchronous runtime")?;
        let wiring = Arc::new(Wiring::new(registry, settings, runtime.handle().clone())?);
        let plan = Plan {
            roles: vec![
                Role::Commands,
                Role::Projections,
                Role::Policies,
                Role::Reactors,
            ],
            contexts: Vec::new(),
        };
        let crew = hire(registry, &wiring, &plan)?;
        Ok(Self {
            wiring,
            crew,
            runtime,
        })
    }

    /// Waits until every worker is ready.
    ///
    /// # Errors
    /// When one of them is not in time, and why.
    pub(crate) fn wait_ready(&self, limit: Duration) -> anyhow::Result<()> {
        let until = self.wiring.clock().elapsed + limit;
        loop {
            let reasons = self.wiring.board.reasons();
            if reasons.is_empty() {
                return Ok(());
            }
            if self.wiring.clock().elapsed > until {
                bail!("not ready within {limit:?}: {}", reasons.join("; "));
            }
            pause(&self.wiring, LOOK_INTERVAL);
        }
    }

    /// Ends them in an orderly way.
    ///
    /// # Errors
    /// When one of them could not go on, or does not end.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.wiring.board.stop();
        self.wiring.stop.stop();
        let ended = oversee(self.crew, &self.wiring);
        self.runtime.shutdown_background();
        ended
    }
}
