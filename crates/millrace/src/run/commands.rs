//! A worker that decides the commands of one aggregate.

use std::sync::atomic::{AtomicBool, Ordering};

use millrace_eventsourcing::Aggregate;
use millrace_kafka::Role;
use millrace_runtime::decide::CommandStep;
use millrace_runtime::engine::{Engine, EngineConfig, StartAt};
use millrace_runtime::topic_spec::TopicKind;
use millrace_runtime::worker;

use super::standing::{Watched, reasons};
use super::{End, Seat, membership, registering, topics};
use crate::registry::codecs;

/// Works until it is stopped or breaks.
pub(crate) fn work_on_commands<A: Aggregate>(seat: Seat<'_>) -> End {
    let wiring = seat.wiring;
    let codecs = match registering::schemas(seat)
        .and_then(|schemas| codecs::<A>(&schemas).map_err(End::fatal))
    {
        Ok(codecs) => codecs,
        Err(end) => return end,
    };
    let names = TopicKind::ALL.map(|kind| format!("{}.{}", A::NAME, kind.word()));
    let partitions = match topics::partitions(seat, &names.each_ref().map(String::as_str)) {
        Ok(partitions) => partitions,
        Err(end) => return end,
    };
    let settings = &wiring.settings;
    let step = CommandStep::new(codecs, partitions, settings.dedupe_window);
    let group = step.topics().group.clone();
    let config = EngineConfig {
        start: StartAt::Beginning,
        accept_gap: settings.accept_gap.contains(&group),
        drain_max: wiring.drain_max(),
        seed: fastrand::u64(..),
        group: group.clone(),
    };
    let producers = format!("millrace.{}.{group}.{}", settings.instance, seat.number);
    let input = [step.topics().commands];
    let log = match membership::join(seat, &group, &input, Role::Worker { producers }) {
        Ok(log) => log,
        Err(end) => return end,
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
    membership::leave(log.into_inner(), ended)
}
