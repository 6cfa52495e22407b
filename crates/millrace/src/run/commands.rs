//! A worker that decides the commands of one aggregate.

use millrace_eventsourcing::Aggregate;
use millrace_runtime::decide::CommandStep;
use millrace_runtime::engine::StartAt;
use millrace_runtime::topic_spec::TopicKind;

use super::engine::{self, Intake};
use super::{End, Seat, registering, topics};
use crate::registry::codecs;

/// Works until it is stopped or breaks.
pub(crate) fn work_on_commands<A: Aggregate>(seat: Seat<'_>) -> End {
    match step::<A>(seat) {
        Ok(step) => {
            let topics = step.topics().clone();
            let intake = Intake {
                group: &topics.group,
                input: topics.commands,
                start: StartAt::Beginning,
            };
            engine::work(seat, intake, step, &mut |_, _| {})
        }
        Err(end) => end,
    }
}

fn step<A: Aggregate>(seat: Seat<'_>) -> Result<CommandStep<A>, End> {
    let schemas = registering::schemas(seat)?;
    let codecs = codecs::<A>(&schemas).map_err(End::fatal)?;
    let names = TopicKind::ALL.map(|kind| format!("{}.{}", A::NAME, kind.word()));
    let partitions = topics::partitions(seat, &names.each_ref().map(String::as_str))?;
    // Whoever is known here may await an answer.
    let addresses = engine::addresses(seat, |_| true)?;
    let settings = &seat.wiring.settings;
    let step = CommandStep::new(codecs, addresses, partitions, settings.dedupe_window);
    let limits = settings.rate_limits_of(A::NAME);
    Ok(limits.fold(step, |step, (kind, limit)| step.limited(kind, limit)))
}
