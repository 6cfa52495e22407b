//! A worker that keeps the tables of one projection.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use millrace_runtime::projector::{self, Projector, ProjectorConfig, Shell, Source};
use millrace_runtime::store::ContextTables;
use millrace_runtime::tables::TableAccess;
use millrace_runtime::topic::Topic;

use super::standing::{Watched, reasons};
use super::supervise::pause;
use super::topics::{self, LOOK_INTERVAL};
use super::{End, Seat, membership, registering};
use crate::backend::Seating;
use crate::registry::{ProjectionEntry, group_of_projection};

/// How long one look at the tables may take.
const VERIFY_MAX: Duration = Duration::from_secs(10);

/// Works until it is stopped or breaks.
pub(super) fn work_on_projection(
    seat: Seat<'_>,
    context: &'static str,
    projection: &dyn ProjectionEntry,
) -> End {
    let wiring = seat.wiring;
    let sources = match registering::schemas(seat)
        .and_then(|schemas| projection.sources(&schemas).map_err(End::fatal))
    {
        Ok(sources) => sources,
        Err(end) => return end,
    };
    for source in &sources {
        if let Err(end) =
            topics::partitions(seat, &[source.topic.name(), source.dead_letters.name()])
        {
            return end;
        }
    }
    if let Err(end) = wait_for_tables(seat, context, projection) {
        return end;
    }
    let group = group_of_projection(context, projection.name());
    let inputs: Vec<Topic> = sources.iter().map(|source| source.topic).collect();
    let log = match membership::join(seat, &group, &inputs, Seating::Reader) {
        Ok(log) => log,
        Err(end) => return end,
    };
    let has_assignment = AtomicBool::new(false);
    let mut log = Watched::new(log, &has_assignment);
    let config = config(seat, context, projection, sources);
    let projector = Projector::new(config, wiring.clock());
    let shell = Shell {
        store: wiring.store.clone(),
        clock: wiring.clock.as_ref(),
        stop: &wiring.stop,
        handle: &wiring.runtime,
    };
    let ended = projector::run(&mut log, projector, &shell, &mut |status| {
        let has_assignment = has_assignment.load(Ordering::Relaxed);
        seat.post(&reasons(wiring.backend.log_name(), &status, has_assignment));
    });
    membership::leave(log.into_inner(), ended)
}

fn config(
    seat: Seat<'_>,
    context: &'static str,
    projection: &dyn ProjectionEntry,
    sources: Vec<Source>,
) -> ProjectorConfig {
    let settings = &seat.wiring.settings;
    let group = group_of_projection(context, projection.name());
    ProjectorConfig {
        context,
        projection: projection.name(),
        revision: projection.revision(),
        sources,
        start: settings.start_of(&group).into(),
        accept_gap: settings.accept_gap.contains(&group),
        durable_after: seat.wiring.backend.durable_after(settings),
        drain_max: seat.wiring.drain_max(),
        seed: fastrand::u64(..),
        group,
    }
}

/// Waits for the CQL store, and until its tables are as the projection declares them.
fn wait_for_tables(
    seat: Seat<'_>,
    context: &'static str,
    projection: &dyn ProjectionEntry,
) -> Result<(), End> {
    let wiring = seat.wiring;
    let tables = [ContextTables {
        context,
        tables: projection.tables().to_vec(),
    }];
    while !wiring.stop.is_stopped() {
        let verified = wiring.runtime.block_on(async {
            tokio::time::timeout(VERIFY_MAX, wiring.store.verify(&tables)).await
        });
        let reason = match verified {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => format!("read tables: {:#}", anyhow::Error::new(error)),
            Err(_) => format!("read tables: no answer within {VERIFY_MAX:?}"),
        };
        seat.post(&[reason]);
        pause(wiring, LOOK_INTERVAL);
    }
    Err(End::Stopped)
}
