//! Batches on their way: letters first, then rows, again and again until the store has them.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, histogram};

use super::safety::Times;
use super::task::{Flight, Run, Stage, Task};
use super::{Projector, ProjectorConfig, RequestId, StoreRequest};
use crate::log::{AskFailure, Effect};
use crate::metrics as names;
use crate::store::{Batch, Progress, StoreError};
use crate::topic::TopicPartition;

/// Failures in a row from which on a partition's log is paused: fewer are over before the log
/// would have delivered again.
const FAILURES_BEFORE_PAUSE: u32 = 2;

impl Projector {
    /// Sends what is due of every partition.
    pub(super) fn dispatch(&mut self) {
        if !self.config.durable_after.is_zero() && !self.marks.are_tried() {
            return;
        }
        let now = self.now.elapsed;
        let mut due = Vec::new();
        for (source, task) in &mut self.tasks {
            let is_revoking = task.is_revoking;
            let Some(run) = task.running_mut() else {
                continue;
            };
            if run.flight.is_none() && !is_revoking {
                run.flight = next_flight(&self.config, *source, run, now);
            }
            let is_due = run.flight.as_ref().is_some_and(|flight| flight.is_due(now));
            if is_due && !is_revoking {
                due.push(*source);
            }
        }
        for source in due {
            self.send(source);
        }
    }

    fn send(&mut self, source: TopicPartition) {
        let next_id = RequestId(self.last_id + 1);
        let run = self.tasks.get_mut(&source).and_then(Task::running_mut);
        let Some(flight) = run.and_then(|run| run.flight.as_mut()) else {
            return;
        };
        match flight.stage {
            Stage::PublishAt(_) if self.publishing.is_none() => {
                flight.stage = Stage::Publishing;
                self.publishing = Some(source);
                self.effects
                    .log
                    .push(Effect::Publish(flight.letters.clone()));
            }
            Stage::ApplyAt(_) => {
                if let Err(at) = self.breaker.begin(self.now.elapsed) {
                    flight.stage = Stage::ApplyAt(at);
                    self.leave_alone(source);
                    return;
                }
                flight.stage = Stage::Applying(next_id);
                let batch = Arc::clone(&flight.batch);
                self.last_id = next_id.0;
                let request = StoreRequest::Apply(batch);
                self.effects.store.push((next_id, request));
            }
            Stage::PublishAt(_) | Stage::Publishing | Stage::Applying(_) => {}
        }
    }

    pub(super) fn on_published(&mut self, result: Result<(), AskFailure>) {
        let Some(source) = self.publishing.take() else {
            return;
        };
        let now = self.now.elapsed;
        let run = self.tasks.get_mut(&source).and_then(Task::running_mut);
        let Some(run) = run.filter(|run| run.is_publishing()) else {
            return;
        };
        if run.flight.take_if(|flight| flight.is_void).is_some() {
            return;
        }
        let Some(flight) = &mut run.flight else {
            return;
        };
        match result {
            Ok(()) => {
                flight.stage = Stage::ApplyAt(now);
                for code in flight.codes.drain(..) {
                    let task = self.config.group.clone();
                    counter!(names::DEAD_LETTERS_TOTAL, "task" => task, "code" => code)
                        .increment(1);
                }
            }
            Err(failure) => {
                flight.stage = Stage::PublishAt(now + run.backoff.next());
                self.in_trouble(source, format!("cannot write dead letters: {failure}"));
            }
        }
    }

    pub(super) fn on_applied(&mut self, id: RequestId, result: Result<(), StoreError>) {
        // Also of a partition that was lost meanwhile: its attempt may have been the probe.
        self.tell_breaker(&result);
        let is_it = |flight: &Flight| flight.stage == Stage::Applying(id);
        let mut runs = self.tasks.iter_mut().filter_map(|(source, task)| {
            let run = task.running_mut()?;
            run.flight
                .as_ref()
                .is_some_and(is_it)
                .then_some((*source, run))
        });
        let Some((source, run)) = runs.next() else {
            return;
        };
        let Some(mut flight) = run.flight.take() else {
            return;
        };
        if flight.is_void {
            return;
        }
        if let Err(error) = result {
            let wait = self.breaker.wait(run.backoff.next());
            flight.stage = Stage::ApplyAt(self.now.elapsed + wait);
            run.flight = Some(flight);
            self.in_trouble(source, format!("cannot {error}"));
            return;
        }
        let times = Times {
            now: self.now.elapsed,
            durable_after: self.config.durable_after,
        };
        if !flight.is_reset {
            run.acknowledge(flight.place, !flight.batch.rows.is_empty(), times);
        }
        run.backoff.reset();
        if run.trouble.take().is_some() {
            tracing::info!(task = self.config.group, %source, "the store takes rows again");
        }
        self.resume(source);
        self.tell_landed(&flight);
    }

    fn tell_landed(&self, flight: &Flight) {
        if flight.is_reset {
            return;
        }
        let took = self.now.elapsed.saturating_sub(flight.since);
        let group = self.config.group.clone();
        histogram!(names::BATCH_SECONDS, "task" => group).record(took.as_secs_f64());
        let name = || format!("{}.{}", self.config.context, self.config.projection);
        counter!(names::PROJECTED_EVENTS_TOTAL, "projection" => name())
            .increment(flight.counts.projected as u64);
        if flight.counts.skipped > 0 {
            counter!(names::SKIPPED_EVENTS_TOTAL, "projection" => name())
                .increment(flight.counts.skipped as u64);
        }
    }

    /// A batch did not get through; it is tried again for ever.
    fn in_trouble(&mut self, source: TopicPartition, reason: String) {
        let Some(run) = self.tasks.get_mut(&source).and_then(Task::running_mut) else {
            return;
        };
        let failures = run.backoff.failures();
        tracing::warn!(task = self.config.group, %source, reason, failures, "batch not written");
        let reason = match failures {
            1 => reason,
            _ => format!("{reason} ({failures} times in a row)"),
        };
        run.trouble = Some(reason);
        if failures >= FAILURES_BEFORE_PAUSE {
            self.pause(source);
        }
    }

    /// The store gets a rest, and this partition has something for it.
    fn leave_alone(&mut self, source: TopicPartition) {
        let dependency = self.breaker.dependency();
        let reason = format!("{dependency}, left alone for a while: failed for others");
        if let Some(run) = self.tasks.get_mut(&source).and_then(Task::running_mut) {
            run.trouble.get_or_insert(reason);
        }
        self.pause(source);
    }

    /// How an attempt ended that the breaker let through. Nothing that a store says is about a row.
    pub(super) fn tell_breaker<T>(&mut self, result: &Result<T, StoreError>) {
        match result {
            Ok(_) => self.breaker.succeed(),
            Err(_) => self.breaker.fail(self.now.elapsed),
        }
    }
}

impl Run {
    fn is_publishing(&self) -> bool {
        let stage = self.flight.as_ref().map(|flight| &flight.stage);
        stage == Some(&Stage::Publishing)
    }
}

impl Flight {
    fn is_due(&self, now: Duration) -> bool {
        match self.stage {
            Stage::PublishAt(at) | Stage::ApplyAt(at) => at <= now,
            Stage::Publishing | Stage::Applying(_) => false,
        }
    }
}

/// The next batch of a partition that has none on its way.
fn next_flight(
    config: &ProjectorConfig,
    source: TopicPartition,
    run: &mut Run,
    now: Duration,
) -> Option<Flight> {
    let is_reset = std::mem::take(&mut run.reset_due);
    let sealed = if is_reset {
        super::collected::Collected::behind(run.acknowledged)
    } else if run.collected.place == run.acknowledged && run.collected.codes.is_empty() {
        return None;
    } else {
        run.seal()
    };
    let place = sealed.place;
    let progress = Progress {
        projection: config.projection,
        source,
        next_offset: place.next_offset,
        command_offset: place.command_offset,
        revision: config.revision,
        updated_at: place.time,
    };
    let stage = if sealed.letters.is_empty() {
        Stage::ApplyAt(now)
    } else {
        Stage::PublishAt(now)
    };
    Some(Flight {
        batch: Arc::new(Batch {
            context: config.context,
            rows: sealed.rows,
            progress,
        }),
        place,
        letters: sealed.letters,
        codes: sealed.codes,
        counts: sealed.counts,
        bytes: sealed.bytes,
        stage,
        since: now,
        is_reset,
        is_void: false,
    })
}
