//! A worker that reacts to events in the outside world.

use millrace_eventsourcing::{Aggregate, Reactor};
use millrace_runtime::reactor::{Outside, Performer, ReactorStep};

use super::engine::{self, Intake};
use super::policies::check_topics;
use super::{End, Seat, registering};
use crate::registry::{codecs, task_codec};

/// Works until it is stopped or breaks.
pub(crate) fn work_on_reactor<R, O>(seat: Seat<'_>, reactor: R, outside: O) -> End
where
    R: Reactor,
    O: Outside<R::Action>,
{
    let step = match step(seat, reactor) {
        Ok(step) => step,
        Err(end) => return end,
    };
    let wiring = seat.wiring;
    let intake = Intake {
        group: R::NAME,
        input: step.input(),
        start: wiring.settings.start_of(R::NAME).into(),
    };
    let attempt_max = wiring.settings.smtp.timeout;
    let performer = Performer::new(outside, wiring.runtime.clone(), attempt_max);
    engine::work(seat, intake, step, &mut |now, engine| {
        performer.turn(now, engine);
    })
}

fn step<R: Reactor>(seat: Seat<'_>, reactor: R) -> Result<ReactorStep<R>, End> {
    let schemas = registering::schemas(seat)?;
    let events = codecs::<R::Aggregate>(&schemas).map_err(End::fatal)?.events;
    let tasks = task_codec(&schemas, R::NAME).map_err(End::fatal)?;
    check_topics(seat, R::Aggregate::NAME, R::NAME)?;
    Ok(ReactorStep::new(reactor, events, tasks))
}
