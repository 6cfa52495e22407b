//! Carrying actions out: the port to the outside world, and the shell around the step.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use millrace_eventsourcing::Reactor;
use tokio::runtime::Handle;

use super::{AttemptId, Begun, End, ReactorStep};
use crate::clock::Now;
use crate::engine::Engine;
use crate::topic::TopicPartition;

/// What can carry an action out.
pub trait Outside<A>: Send + Sync + 'static {
    /// Carries it out once. Given up when it takes too long, so it must be cancel-safe in the sense
    /// that doing it again is right.
    ///
    /// # Errors
    /// See [`ActionError`].
    fn perform(&self, action: A) -> impl Future<Output = Result<(), ActionError>> + Send;
}

/// Why an action was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// It may work later: it is tried again for ever, with growing waits.
    #[error("{0}")]
    Transient(String),
    /// It never will: the event is set aside with this code, and the partition goes on.
    #[error("refused with `{code}`: {reason}")]
    Refused {
        /// The word for programs; it labels a metric.
        code: &'static str,
        /// The sentence for people.
        reason: String,
    },
}

/// Carries out what a reactor step begins. Holds at most one attempt for each partition.
#[derive(Debug)]
pub struct Performer<O> {
    outside: Arc<O>,
    runtime: Handle,
    attempt_max: Duration,
    sender: Sender<(TopicPartition, AttemptId, End)>,
    ends: Receiver<(TopicPartition, AttemptId, End)>,
}

impl<O> Performer<O> {
    /// Works on this runtime; gives an attempt up after `attempt_max`.
    pub fn new(outside: O, runtime: Handle, attempt_max: Duration) -> Self {
        // Bounded by the partitions that are ours: each has one attempt at most.
        let (sender, ends) = unbounded();
        Self {
            outside: Arc::new(outside),
            runtime,
            attempt_max,
            sender,
            ends,
        }
    }

    /// One turn of the worker's loop: begins what is to be begun, and tells what has ended.
    pub fn turn<R>(&self, now: Now, engine: &mut Engine<ReactorStep<R>>)
    where
        R: Reactor,
        O: Outside<R::Action>,
    {
        while let Ok((source, attempt, end)) = self.ends.try_recv() {
            engine.step_mut().on_end(now, (source, attempt), end);
            engine.wake(source);
        }
        for begun in engine.step_mut().take_begun() {
            self.perform(begun);
        }
    }

    fn perform<A: Send + 'static>(&self, begun: Begun<A>)
    where
        O: Outside<A>,
    {
        let Begun {
            source,
            attempt,
            action,
        } = begun;
        let (outside, attempt_max) = (Arc::clone(&self.outside), self.attempt_max);
        let attempting = self.runtime.spawn(async move {
            let performed = outside.perform(action);
            match tokio::time::timeout(attempt_max, performed).await {
                Ok(end) => end,
                Err(_) => Err(ActionError::Transient(format!(
                    "no answer within {attempt_max:?}"
                ))),
            }
        });
        let sender = self.sender.clone();
        self.runtime.spawn(async move {
            let end = attempting.await.unwrap_or_else(|broken| {
                Err(ActionError::Transient(format!(
                    "the attempt broke: {broken}"
                )))
            });
            // The receiver is gone only when the worker is.
            sender.send((source, attempt, end)).unwrap_or_default();
        });
    }
}
