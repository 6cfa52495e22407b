//! A worker that decides the commands of one aggregate.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use millrace_eventsourcing::Aggregate;
use millrace_kafka::{KafkaLog, OpenError, Role};
use millrace_runtime::decide::CommandStep;
use millrace_runtime::engine::{Engine, EngineConfig, StartAt};
use millrace_runtime::worker::{self, Ended};

use super::standing::{Watched, reasons};
use super::{End, Seat, topics};
use crate::registry::codecs;

/// How long leaving the group may take after the work is done.
const LEAVE_MAX: Duration = Duration::from_secs(3);

/// Works until it is stopped or breaks.
pub(crate) fn work_on_commands<A: Aggregate>(seat: Seat<'_>) -> End {
    let wiring = seat.wiring;
    let codecs = match codecs::<A>(&wiring.catalogue) {
        Ok(codecs) => codecs,
        Err(error) => return End::Fatal(format!("{:#}", anyhow::Error::new(error))),
    };
    let partitions = match topics::partitions(seat, A::NAME) {
        Ok(partitions) => partitions,
        Err(end) => return end,
    };
    let settings = &wiring.settings;
    let step = CommandStep::new(codecs, partitions, settings.dedupe_window);
    let group = step.topics().group.clone();
    let config = EngineConfig {
        start: StartAt::Beginning,
        accept_gap: settings.accept_gap.contains(&group),
        // Others wait for us: no longer than half of what makes them wait anyway after a crash.
        drain_max: settings.kafka.session_timeout / 2,
        seed: fastrand::u64(..),
        group: group.clone(),
    };
    let producers = format!("millrace.{}.{group}.{}", settings.instance, seat.number);
    let input = [step.topics().commands];
    let log = match KafkaLog::open(&wiring.kafka, &group, &input, Role::Worker { producers }) {
        Ok(log) => log,
        Err(error @ OpenError::Config(_)) => return End::Fatal(error.to_string()),
        Err(error @ OpenError::Client { .. }) => {
            return End::Broken(format!("{:#}", anyhow::Error::new(error)));
        }
    };
    let has_assignment = AtomicBool::new(false);
    let mut log = Watched::new(log, &has_assignment);
    let engine = Engine::new(step, config, wiring.clock());
    let ended = worker::run(
        &mut log,
        engine,
        wiring.clock.as_ref(),
        &wiring.stop,
        &mut |status| {
            seat.post(&reasons(&status, has_assignment.load(Ordering::Relaxed)));
        },
    );
    log.into_inner().close(LEAVE_MAX);
    match ended {
        Ended::Stopped => End::Stopped,
        Ended::Abandoned => End::Fatal("could not hand everything over in time".to_owned()),
        Ended::Broken(reason) => End::Broken(reason),
    }
}
