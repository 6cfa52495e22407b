//! Runs an engine on a log: the loop of one worker's thread.

use std::time::Duration;

use crate::clock::{Clock, Now};
use crate::engine::{Engine, Restoring, TaskStatus};
use crate::log::{Log, LogEvent};
use crate::step::Step;
use crate::stop::StopToken;

/// Records taken between two looks at the clock, the commit in flight and the stop token.
const RECORDS_PER_TURN_MAX: usize = 1_000;
/// Wait for a record while another batch waits for the commit in flight: the commit's end shows
/// only at the next turn.
const WAIT_BEHIND_COMMIT: Duration = Duration::from_millis(1);
/// Wait for a record while answers are expected.
const WAIT_BUSY: Duration = Duration::from_millis(5);
/// Wait for a record otherwise; bounds how late a stop is seen.
const WAIT_IDLE: Duration = Duration::from_millis(50);
/// How often the state of the tasks is told.
const STATUS_INTERVAL: Duration = Duration::from_millis(250);
/// How long a graceful stop may take before the worker goes without finishing.
const STOP_MAX: Duration = Duration::from_secs(15);

/// Why a worker ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to, and handed everything over.
    Stopped,
    /// It was asked to, and could not hand everything over in time; its successor will fence it.
    Abandoned,
    /// The log is beyond repair: open another and begin again.
    Broken(String),
}

/// How a worker stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Its tasks.
    pub tasks: Vec<TaskStatus>,
    /// Why the log cannot be worked with at the moment.
    pub unreachable: Option<String>,
    /// How far restoring is, while some of them are restored.
    pub restoring: Option<Restoring>,
}

/// What a worker's thread has at hand.
#[derive(Debug, Clone, Copy)]
pub struct Shell<'a> {
    /// What time it is.
    pub clock: &'a dyn Clock,
    /// When to end.
    pub stop: &'a StopToken,
}

/// Works until it is stopped or the log breaks. Tells `on_status` how it stands, now and then.
/// `beside` is called with every turn: what the step needs besides the log happens there.
pub fn run<S: Step>(
    log: &mut impl Log,
    mut engine: Engine<S>,
    Shell { clock, stop }: Shell<'_>,
    beside: &mut dyn FnMut(Now, &mut Engine<S>),
    on_status: &mut dyn FnMut(WorkerStatus),
) -> Ended {
    let mut told_at: Option<Duration> = None;
    let mut stopping_since: Option<Duration> = None;
    loop {
        if let Some(reason) = turn(log, &mut engine, clock) {
            return Ended::Broken(reason);
        }
        let now = clock.now();
        if stop.is_stopped() && stopping_since.is_none() {
            stopping_since = Some(now.elapsed);
            engine.stop();
        }
        beside(now, &mut engine);
        for effect in engine.advance(now) {
            log.act(effect);
        }
        if told_at.is_none_or(|at| now.elapsed >= at + STATUS_INTERVAL) {
            told_at = Some(now.elapsed);
            engine.record_metrics();
            let unreachable = engine.unreachable().map(str::to_owned);
            on_status(WorkerStatus {
                tasks: engine.status(),
                unreachable,
                restoring: engine.restoring(),
            });
        }
        if engine.is_stopped() {
            return Ended::Stopped;
        }
        if stopping_since.is_some_and(|since| now.elapsed > since + STOP_MAX) {
            return Ended::Abandoned;
        }
    }
}

/// Takes in what the log has; tells why when it is broken.
fn turn<S: Step>(log: &mut impl Log, engine: &mut Engine<S>, clock: &dyn Clock) -> Option<String> {
    let wait = if engine.is_waiting() {
        WAIT_BEHIND_COMMIT
    } else if engine.is_busy() {
        WAIT_BUSY
    } else {
        WAIT_IDLE
    };
    let records_max = engine.capacity().min(RECORDS_PER_TURN_MAX);
    let mut broken = None;
    let mut events = 0_u32;
    log.poll(wait, records_max, &mut |event| {
        // The wait for the first event may have been long; then the clock is read now and then.
        if events.is_multiple_of(64) {
            engine.set_now(clock.now());
        }
        events += 1;
        if let LogEvent::Broken(reason) = &event {
            broken = Some(reason.clone());
        }
        engine.on_event(event);
    });
    broken
}
