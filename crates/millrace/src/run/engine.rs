//! What all workers with an engine do: join the group, run, leave.

use std::sync::atomic::{AtomicBool, Ordering};

use millrace_runtime::addresses::Addresses;
use millrace_runtime::clock::Now;
use millrace_runtime::engine::{Engine, EngineConfig, StartAt};
use millrace_runtime::step::Step;
use millrace_runtime::topic::Topic;
use millrace_runtime::topic_spec::TopicKind;
use millrace_runtime::worker::{self, Shell};

use super::standing::{RestoreReport, Watched, reasons};
use super::{End, Seat, membership, topics};
use crate::backend::Seating;
use crate::settings::Start;

/// Which records a worker takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intake<'a> {
    /// The consumer group.
    pub(super) group: &'a str,
    /// What it reads.
    pub(super) input: Topic,
    /// Where a task begins that never ran.
    pub(super) start: StartAt,
}

impl From<Start> for StartAt {
    fn from(start: Start) -> Self {
        match start {
            Start::Beginning => Self::Beginning,
            Start::End => Self::End,
        }
    }
}

/// Works until it is stopped or breaks.
pub(super) fn work<S: Step>(
    seat: Seat<'_>,
    intake: Intake<'_>,
    step: S,
    beside: &mut dyn FnMut(Now, &mut Engine<S>),
) -> End {
    let wiring = seat.wiring;
    let settings = &wiring.settings;
    let Intake {
        group,
        input,
        start,
    } = intake;
    let config = EngineConfig {
        start,
        accept_gap: settings.accept_gap.iter().any(|accepted| accepted == group),
        drain_max: wiring.drain_max(),
        seed: fastrand::u64(..),
        group: group.to_owned(),
    };
    let producers = format!("millrace.{}.{group}.{}", settings.instance, seat.number);
    let log = match membership::join(seat, group, &[input], Seating::Worker { producers }) {
        Ok(log) => log,
        Err(end) => return end,
    };
    let has_assignment = AtomicBool::new(false);
    let mut log = Watched::new(log, &has_assignment);
    let engine = Engine::new(step, config, wiring.clock());
    let shell = Shell {
        clock: wiring.clock.as_ref(),
        stop: &wiring.stop,
    };
    let mut restore = RestoreReport::default();
    let ended = worker::run(&mut log, engine, shell, beside, &mut |status| {
        let has_assignment = has_assignment.load(Ordering::Relaxed);
        let mut reasons = reasons(wiring.backend.log_name(), &status, has_assignment);
        let progress = restore.line(wiring.clock().elapsed, status.restoring);
        reasons.extend(progress);
        seat.post(&reasons);
    });
    membership::leave(log.into_inner(), ended)
}

/// Where commands for these aggregates go. Waits for their topics.
///
/// # Errors
/// When it is time to stop.
pub(super) fn addresses(
    seat: Seat<'_>,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Addresses, End> {
    let mut addresses = Vec::new();
    for aggregate in &seat.wiring.aggregates {
        let name = aggregate.name();
        if is_wanted(name) {
            let commands = format!("{name}.{}", TopicKind::Commands.word());
            addresses.push(aggregate.address(topics::partitions(seat, &[&commands])?));
        }
    }
    Ok(addresses.into_iter().collect())
}
