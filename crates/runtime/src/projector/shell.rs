//! Runs a projector on a log and a store: the loop of one worker's thread.

use std::collections::HashMap;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::{Id, JoinError, JoinSet};

use super::{Projector, RequestId, StoreAnswer, StoreRequest};
use crate::clock::Clock;
use crate::log::{Log, LogEvent};
use crate::stop::StopToken;
use crate::store::{ReadStore, StoreError};
use crate::worker::{Ended, WorkerStatus};

/// Records taken between two looks at the clock, the store's answers and the stop token.
const RECORDS_PER_TURN_MAX: usize = 1_000;
/// Wait for the log while the store is at work: its answers show only at the next turn.
const WAIT_BEHIND_STORE: Duration = Duration::from_millis(1);
/// Wait for the log otherwise; bounds how late a stop is seen.
const WAIT_IDLE: Duration = Duration::from_millis(50);
/// How often the state of the tasks is told.
const STATUS_INTERVAL: Duration = Duration::from_millis(250);
/// How long a graceful stop may take before the worker goes without finishing.
const STOP_MAX: Duration = Duration::from_secs(15);
/// A request that takes longer is given up and made again.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// What a projector runs on.
#[derive(Debug)]
pub struct Shell<'a, S> {
    /// Where rows go.
    pub store: S,
    /// Where time comes from.
    pub clock: &'a dyn Clock,
    /// The one way to end it.
    pub stop: &'a StopToken,
    /// Where requests to the store run.
    pub handle: &'a Handle,
}

/// Works until it is stopped or the log breaks. Tells `on_status` how it stands, now and then.
/// Blocks its thread.
pub fn run<S: ReadStore>(
    log: &mut impl Log,
    mut projector: Projector,
    shell: &Shell<'_, S>,
    on_status: &mut dyn FnMut(WorkerStatus),
) -> Ended {
    let mut requests = Requests::default();
    let mut told_at: Option<Duration> = None;
    let mut stopping_since: Option<Duration> = None;
    loop {
        if let Some(reason) = turn(log, &mut projector, shell.clock) {
            return Ended::Broken(reason);
        }
        projector.set_now(shell.clock.now());
        requests.take_answers(&mut projector);
        let now = shell.clock.now();
        if shell.stop.is_stopped() && stopping_since.is_none() {
            stopping_since = Some(now.elapsed);
            projector.stop();
        }
        let effects = projector.advance(now);
        for effect in effects.log {
            log.act(effect);
        }
        for (id, request) in effects.store {
            requests.send(shell, &projector, id, request);
        }
        if told_at.is_none_or(|at| now.elapsed >= at + STATUS_INTERVAL) {
            told_at = Some(now.elapsed);
            projector.record_metrics();
            on_status(WorkerStatus {
                tasks: projector.status(),
                unreachable: projector.unreachable().map(str::to_owned),
                restoring: None,
            });
        }
        if projector.is_stopped() {
            return Ended::Stopped;
        }
        if stopping_since.is_some_and(|since| now.elapsed > since + STOP_MAX) {
            return Ended::Abandoned;
        }
    }
}

/// Takes in what the log has; tells why when it is broken.
fn turn(log: &mut impl Log, projector: &mut Projector, clock: &dyn Clock) -> Option<String> {
    let wait = if projector.is_busy() {
        WAIT_BEHIND_STORE
    } else {
        WAIT_IDLE
    };
    let records_max = projector.capacity().min(RECORDS_PER_TURN_MAX);
    let mut broken = None;
    let mut events = 0_u32;
    log.poll(wait, records_max, &mut |event| {
        // The wait for the first event may have been long; then the clock is read now and then.
        if events.is_multiple_of(64) {
            projector.set_now(clock.now());
        }
        events += 1;
        if let LogEvent::Broken(reason) = &event {
            broken = Some(reason.clone());
        }
        projector.on_event(event);
    });
    broken
}

/// Requests to the store that are under way; dropped ones are cancelled.
#[derive(Debug, Default)]
struct Requests {
    running: JoinSet<StoreAnswer>,
    ids: HashMap<Id, (RequestId, StoreRequest)>,
}

impl Requests {
    fn send<S: ReadStore>(
        &mut self,
        shell: &Shell<'_, S>,
        projector: &Projector,
        id: RequestId,
        request: StoreRequest,
    ) {
        let store = shell.store.clone();
        let (context, name) = (projector.config.context, projector.config.projection);
        let asked = request.clone();
        let answer = async move {
            let answer = tokio::time::timeout(ANSWER_MAX, answer(&store, &asked, (context, name)));
            let late = |_| failed(&asked, "no answer in time");
            answer.await.unwrap_or_else(late)
        };
        let running = self.running.spawn_on(answer, shell.handle);
        self.ids.insert(running.id(), (id, request));
    }

    fn take_answers(&mut self, projector: &mut Projector) {
        while let Some(result) = self.running.try_join_next_with_id() {
            let task = result
                .as_ref()
                .map_or_else(JoinError::id, |(task, _)| *task);
            let Some((id, request)) = self.ids.remove(&task) else {
                continue;
            };
            let answer = match result {
                Ok((_, answer)) => answer,
                // The store's client panicked, or its runtime ends.
                Err(error) => failed(&request, &error.to_string()),
            };
            projector.on_store(id, answer);
        }
    }
}

async fn answer<S: ReadStore>(
    store: &S,
    request: &StoreRequest,
    (context, projection): (&'static str, &'static str),
) -> StoreAnswer {
    match request {
        StoreRequest::Apply(batch) => {
            StoreAnswer::Applied(store.apply(batch.as_ref().clone()).await)
        }
        StoreRequest::Marks => StoreAnswer::Marks(store.marks().await),
        StoreRequest::Progress => StoreAnswer::Progress(store.progress(context, projection).await),
    }
}

fn failed(request: &StoreRequest, reason: &str) -> StoreAnswer {
    let error = |action: &str| StoreError {
        action: action.to_owned(),
        reason: reason.to_owned(),
    };
    match request {
        StoreRequest::Apply(_) => StoreAnswer::Applied(Err(error("write rows"))),
        StoreRequest::Marks => StoreAnswer::Marks(Err(error("read start marks"))),
        StoreRequest::Progress => StoreAnswer::Progress(Err(error("read progress"))),
    }
}
