//! Commits: what waits is sent as one, what was aborted is sent again, what is unknown is settled.

use metrics::{counter, gauge, histogram};

use super::flight::{self, Flight, FlightStatus};
use super::task::Phase;
use super::{Engine, Renewal};
use crate::log::{Answer, AskFailure, CommitFailure, Effect};
use crate::metrics as names;
use crate::retry::Backoff;
use crate::step::Step;
use crate::topic::TopicPartition;

impl<S: Step> Engine<S> {
    /// Sends everything that waits, if no commit is in flight.
    pub(super) fn dispatch(&mut self) {
        if self.flight.is_some() || !matches!(self.renewing, Renewal::Done) {
            return;
        }
        let Some(owner) = self.owner.clone() else {
            return;
        };
        let mut parts = Vec::new();
        let mut broken = Vec::new();
        for (source, task) in &mut self.tasks {
            if !task.has_something_to_commit() {
                continue;
            }
            self.staged_records = self.staged_records.saturating_sub(task.staged.records());
            match task.seal(&mut self.step, self.now, *source) {
                Ok(part) => parts.push(part),
                Err(corrupt) => broken.push((*source, corrupt.to_string())),
            }
        }
        for (source, reason) in broken {
            self.fail(source, reason);
        }
        if parts.is_empty() {
            return;
        }
        let backoff = Backoff::new(self.config.seed ^ self.next_ask);
        let mut flight = Flight::new(parts, backoff, self.now.elapsed);
        if self.send(&mut flight, &owner) {
            self.flight = Some(flight);
        }
    }

    /// Whether the commit is on its way.
    fn send(&mut self, flight: &mut Flight, owner: &str) -> bool {
        match flight.commit(&self.step, owner) {
            Ok(commit) => {
                let records: usize = commit.parts.iter().map(|part| part.records.len()).sum();
                tracing::debug!(task = self.config.group, records, "commit begins");
                self.effects.push(Effect::Commit(commit));
                true
            }
            Err(error) => {
                // A task record is two fields of ours: if it does not fit, the schema is wrong.
                for source in flight.sources() {
                    self.fail(source, error.to_string());
                }
                false
            }
        }
    }

    pub(super) fn on_settled(&mut self, result: Result<(), CommitFailure>) {
        let Some(mut flight) = self.flight.take() else {
            return;
        };
        match result {
            Ok(()) => return self.land(flight),
            Err(failure) => {
                let (class, reason) = (flight::class(&failure), failure.to_string());
                counter!(names::ABORTS_TOTAL, "task" => self.config.group.clone(),
                    "reason" => class)
                .increment(1);
                tracing::warn!(
                    task = self.config.group,
                    class,
                    %reason,
                    "commit did not succeed"
                );
                flight.failure = Some(reason);
                if let CommitFailure::Stale(sources) = &failure {
                    flight.drop_parts(|source| sources.contains(&source));
                }
                match failure {
                    CommitFailure::Aborted { .. } | CommitFailure::Stale(_) => {
                        flight.wait(self.now.elapsed);
                    }
                    CommitFailure::Fenced(_) | CommitFailure::Unknown(_) => {
                        flight.status = FlightStatus::Unsettled;
                        self.renewing = Renewal::At(self.now.elapsed);
                    }
                }
            }
        }
        self.flight = Some(flight);
        self.drop_lost_parts();
    }

    /// What keeps this partition from going on, and is tried again and again.
    pub(super) fn trouble(&self, source: TopicPartition) -> Option<String> {
        let flight = self.flight.as_ref().filter(|flight| flight.holds(source));
        let taking_over = || self.take_overs.iter().find_map(|one| one.trouble(source));
        flight.and_then(Flight::trouble).or_else(taking_over)
    }

    /// Parts of partitions that are no longer ours go; they are their new owner's to do again.
    fn drop_lost_parts(&mut self) {
        let tasks = &self.tasks;
        if let Some(flight) = &mut self.flight {
            flight.drop_stale(|source| tasks.get(&source).map(|task| task.epoch));
            if flight.is_empty() {
                self.flight = None;
            }
        }
    }

    /// The commit became visible.
    fn land(&mut self, flight: Flight) {
        let took = self.now.elapsed.saturating_sub(flight.since);
        let group = self.config.group.clone();
        histogram!(names::BATCH_SECONDS, "task" => group).record(took.as_secs_f64());
        let (parts, sender) = flight.into_parts();
        for part in parts {
            self.step.committed(self.now, &part.appended);
            let Some(task) = self.tasks.get_mut(&part.source) else {
                continue;
            };
            if task.epoch != part.epoch {
                continue;
            }
            task.committed = part.next_offset;
            task.record = Some(part.task_record(&sender));
            if part.releases {
                task.is_released = true;
            } else if matches!(task.phase, Phase::Claiming) {
                task.phase = Phase::Running;
                let took = self.now.elapsed.saturating_sub(task.since);
                gauge!(names::RESTORE_SECONDS, "task" => self.config.group.clone())
                    .set(took.as_secs_f64());
                tracing::debug!(task = self.config.group, source = %part.source,
                    next_offset = part.next_offset, seconds = took.as_secs_f64(), "task ready");
                if !task.is_revoking {
                    self.effects
                        .push(Effect::Start(part.source, part.next_offset));
                }
            }
        }
    }

    pub(super) fn retry_flight(&mut self) {
        self.drop_lost_parts();
        let now = self.now.elapsed;
        let Some(owner) = self.owner.clone() else {
            return;
        };
        let Some(mut flight) = self.flight.take() else {
            return;
        };
        if flight.is_due(now) && matches!(self.renewing, Renewal::Done) {
            match flight.status {
                FlightStatus::Waiting(_) => {
                    if !self.send(&mut flight, &owner) {
                        return;
                    }
                }
                FlightStatus::SettleAt(_) => {
                    let ask = flight.settlement(&self.step);
                    let id = self.ask(ask);
                    flight.status = FlightStatus::Settling(id);
                }
                FlightStatus::Sent | FlightStatus::Unsettled | FlightStatus::Settling(_) => {}
            }
        }
        self.flight = Some(flight);
    }

    /// A new producer is there, and the old one's transaction is ended: what became of the batch
    /// now stands in the task records.
    pub(super) fn begin_settlement(&mut self) {
        if let Some(flight) = &mut self.flight
            && matches!(flight.status, FlightStatus::Unsettled)
        {
            flight.status = FlightStatus::SettleAt(self.now.elapsed);
        }
    }

    pub(super) fn on_settlement(&mut self, answer: Result<Answer, AskFailure>) {
        let Some(mut flight) = self.flight.take() else {
            return;
        };
        let Ok(Answer::Tails(tails)) = answer else {
            flight.settle_later(self.now.elapsed);
            self.flight = Some(flight);
            return;
        };
        if flight.is_committed(&self.step, &tails) {
            return self.land(flight);
        }
        flight.status = FlightStatus::Waiting(self.now.elapsed);
        self.flight = Some(flight);
    }
}
