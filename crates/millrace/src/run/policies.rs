//! A worker that reacts to events with commands.

use millrace_eventsourcing::{Aggregate, Policy};
use millrace_runtime::react::ReactStep;
use millrace_runtime::topic_spec::TopicKind;

use super::engine::{self, Intake};
use super::{End, Seat, registering, topics};
use crate::registry::{codecs, task_codec};

/// Works until it is stopped or breaks.
pub(crate) fn work_on_policy<P: Policy>(seat: Seat<'_>, policy: P) -> End {
    let step = match step(seat, policy) {
        Ok(step) => step,
        Err(end) => return end,
    };
    let intake = Intake {
        group: P::NAME,
        input: step.input(),
        start: seat.wiring.settings.start_of(P::NAME).into(),
    };
    engine::work(seat, intake, step, &mut |_, _| {})
}

fn step<P: Policy>(seat: Seat<'_>, policy: P) -> Result<ReactStep<P>, End> {
    let schemas = registering::schemas(seat)?;
    let events = codecs::<P::Aggregate>(&schemas).map_err(End::fatal)?.events;
    let tasks = task_codec(&schemas, P::NAME).map_err(End::fatal)?;
    check_topics(seat, P::Aggregate::NAME, P::NAME)?;
    let addresses = engine::addresses(seat, |name| P::TARGETS.contains(&name))?;
    Ok(ReactStep::new(policy, events, tasks, addresses))
}

/// Waits for the topics of a policy or a reactor; each input partition has a state partition of its
/// number.
///
/// # Errors
/// When they disagree, or when it is time to stop.
pub(super) fn check_topics(seat: Seat<'_>, aggregate: &str, owner: &str) -> Result<(), End> {
    let names = [
        format!("{aggregate}.{}", TopicKind::Events.word()),
        format!("{aggregate}.{}", TopicKind::DeadLetters.word()),
        format!("{owner}.{}", TopicKind::State.word()),
    ];
    topics::partitions(seat, &names.each_ref().map(String::as_str)).map(drop)
}
