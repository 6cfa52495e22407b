//! A running process: its workers, each under supervision, and what it serves about itself.

mod commands;
mod engine;
mod membership;
mod policies;
mod projections;
mod reactors;
pub(crate) mod rebuild;
mod registering;
mod signals;
mod standing;
mod supervise;
mod team;
mod topics;
mod wiring;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::runtime::Runtime;
use tracing::{error, info, warn};

pub(crate) use commands::work_on_commands;
pub(crate) use policies::work_on_policy;
use projections::work_on_projection;
pub(crate) use reactors::work_on_reactor;
pub(crate) use supervise::End;
use supervise::{Crew, Finished};
pub(crate) use team::Team;
pub(crate) use wiring::{Seat, Wiring};

use crate::http::{self, Served};
use crate::registry::{Context, Registry, group_of_projection};
use crate::settings::Settings;
use crate::telemetry;

/// How long a graceful stop may take: what a worker may take for itself, and some more to leave.
pub(crate) const STOP_MAX: Duration = Duration::from_secs(20);
/// Threads of the runtime at the CQL, HTTP and signal edges.
const ASYNC_THREADS: usize = 2;

/// What a process is asked to run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Kinds of workers.
    pub(crate) roles: Vec<Role>,
    /// Names of contexts.
    pub(crate) contexts: Vec<String>,
}

/// A kind of worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// Decide commands.
    Commands,
    /// Keep read tables.
    Projections,
    /// React to events with commands.
    Policies,
    /// React to events in the outside world.
    Reactors,
    /// Serve the API.
    Api,
}

/// Runs until it is stopped.
///
/// # Errors
/// When something makes going on pointless: wrong settings, topics that contradict each other.
pub(crate) fn run(registry: &Registry, settings: Settings, plan: &Plan) -> anyhow::Result<()> {
    let metrics = telemetry::start_metrics()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(ASYNC_THREADS)
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")?;
    let wiring = Arc::new(Wiring::new(registry, settings, runtime.handle().clone())?);
    info!(
        instance = wiring.settings.instance,
        version = env!("CARGO_PKG_VERSION"),
        "starting"
    );
    let served = Served {
        board: wiring.board.clone(),
        metrics: metrics.clone(),
        schemas: Arc::clone(&wiring.schemas),
    };
    serve(&runtime, &wiring.settings, served)?;
    runtime.spawn(async move {
        loop {
            tokio::time::sleep(telemetry::UPKEEP_INTERVAL).await;
            metrics.run_upkeep();
        }
    });
    signals::listen(&runtime, wiring.stop.clone(), wiring.board.clone())?;
    let crew = hire(registry, &wiring, plan)?;
    let result = oversee(crew, &wiring);
    // Threads of the runtime may be in the middle of a call that takes long.
    runtime.shutdown_background();
    result
}

fn serve(runtime: &Runtime, settings: &Settings, served: Served) -> anyhow::Result<()> {
    let Some(listener) = runtime.block_on(http::listen(&settings.http))? else {
        return Ok(());
    };
    let address = listener
        .local_addr()
        .context("cannot tell the address of the HTTP server")?;
    info!(%address, "serving health, metrics and schemas over HTTP");
    runtime.spawn(async move {
        if let Err(error) = axum::serve(listener, http::router(served)).await {
            error!(%error, "the HTTP server ended");
        }
    });
    Ok(())
}

/// Starts every worker of the plan.
fn hire(registry: &Registry, wiring: &Arc<Wiring>, plan: &Plan) -> anyhow::Result<Crew> {
    let mut crew = Crew::new(Arc::clone(wiring));
    for context in registry.contexts() {
        if !plan.contexts.is_empty() && !plan.contexts.iter().any(|name| name == context.name()) {
            continue;
        }
        for number in 0..wiring.settings.workers {
            for role in &plan.roles {
                hire_for(&mut crew, (*role, number), context)?;
            }
        }
    }
    Ok(crew)
}

/// Starts the workers of one role in one context, each with this number.
fn hire_for(
    crew: &mut Crew,
    (role, number): (Role, usize),
    context: &Context,
) -> anyhow::Result<()> {
    match role {
        Role::Commands => {
            for aggregate in context.aggregates() {
                let aggregate = Arc::clone(aggregate);
                let group = format!("{}.commands", aggregate.name());
                crew.hire(&group, number, move |seat| aggregate.work(seat))?;
            }
        }
        Role::Projections => {
            for projection in context.projections() {
                let (context, projection) = (context.name(), Arc::clone(projection));
                let group = group_of_projection(context, projection.name());
                crew.hire(&group, number, move |seat| {
                    work_on_projection(seat, context, projection.as_ref())
                })?;
            }
        }
        Role::Policies => {
            for policy in context.policies() {
                let policy = Arc::clone(policy);
                crew.hire(policy.full_name(), number, move |seat| policy.work(seat))?;
            }
        }
        Role::Reactors => {
            for reactor in context.reactors() {
                let reactor = Arc::clone(reactor);
                let name = reactor.full_name();
                match reactor.off(&crew.wiring().settings) {
                    Some(reason) => info!(reactor = name, reason, "does not consume"),
                    None => crew.hire(name, number, move |seat| reactor.work(seat))?,
                }
            }
        }
        // Not served yet.
        Role::Api => {}
    }
    Ok(())
}

/// Waits for all workers to end; a fatal one ends them all.
fn oversee(mut crew: Crew, wiring: &Wiring) -> anyhow::Result<()> {
    let mut fatal = None;
    let mut stopping_since = None;
    while crew.is_at_work() || !wiring.stop.is_stopped() {
        match crew.next(Duration::from_millis(100)) {
            Some(Finished {
                worker,
                fatal: Some(reason),
            }) => {
                error!(worker, reason, "a worker cannot go on; stopping");
                wiring.board.stop();
                wiring.stop.stop();
                fatal.get_or_insert_with(|| format!("{worker}: {reason}"));
            }
            Some(Finished {
                worker,
                fatal: None,
            }) => info!(worker, "ended"),
            None => {}
        }
        if wiring.stop.is_stopped() {
            let now = wiring.clock().elapsed;
            let since = *stopping_since.get_or_insert(now);
            if now > since + STOP_MAX {
                warn!(workers = ?crew.at_work(), "these did not end in time");
                bail!("not everything could be handed over in time");
            }
        }
    }
    if let Some(reason) = fatal {
        bail!(reason);
    }
    info!("stopped");
    Ok(())
}
