//! Partitions come and go: taking over, restoring, claiming, handing over.

use super::takeover::{Beginning, TakeOver, Turn};
use super::task::{Phase, Task};
use super::{Engine, Revocation};
use crate::log::{Ask, AskId, Effect, Epoch, StateChange};
use crate::step::Step;
use crate::topic::TopicPartition;

impl<S: Step> Engine<S> {
    pub(super) fn on_assigned(&mut self, assigned: &[(TopicPartition, Epoch)]) {
        if assigned.is_empty() {
            return;
        }
        for (source, epoch) in assigned {
            tracing::debug!(task = self.config.group, %source, "partition assigned");
            self.forget(*source);
            self.tasks
                .insert(*source, Task::new(*epoch, self.now.elapsed));
        }
        let state_topic = self.step.state_topic();
        let seed = self.config.seed ^ self.next_ask;
        self.take_overs
            .push(TakeOver::new(assigned, state_topic, seed));
        if self.stopping {
            self.on_revoking(assigned.iter().map(|(source, _)| *source).collect());
        }
    }

    pub(super) fn on_revoking(&mut self, mut sources: Vec<TopicPartition>) {
        // A stop and the group may both want the same; it is released once.
        let pending = &self.revocations;
        sources.retain(|source| !pending.iter().any(|one| one.sources.contains(source)));
        if sources.is_empty() {
            return;
        }
        for source in &sources {
            if let Some(task) = self.tasks.get_mut(source) {
                task.is_revoking = true;
            }
        }
        let deadline = self.now.elapsed + self.config.drain_max;
        self.revocations.push(Revocation { sources, deadline });
    }

    pub(super) fn on_lost(&mut self, sources: &[TopicPartition]) {
        for source in sources {
            tracing::warn!(task = self.config.group, %source, "partition lost");
            self.forget(*source);
        }
        for revocation in &mut self.revocations {
            revocation
                .sources
                .retain(|source| !sources.contains(source));
        }
        self.revocations
            .retain(|revocation| !revocation.sources.is_empty());
    }

    /// Drops a task with its state and what it had not committed.
    pub(super) fn forget(&mut self, source: TopicPartition) {
        if let Some(task) = self.tasks.remove(&source) {
            self.staged_records = self.staged_records.saturating_sub(task.staged.records());
        }
        for take_over in &mut self.take_overs {
            take_over.remove(source);
        }
        // What was wanted under this assignment must not reach the next one: a start would bring
        // records in that are not asked for, and those before them would be skipped.
        self.effects.retain(|effect| match effect {
            Effect::Start(started, _) => *started != source,
            Effect::Pause(paused) => *paused != source,
            Effect::Release(_)
            | Effect::Commit(_)
            | Effect::Ask(..)
            | Effect::Renew(_)
            | Effect::CommitOffsets(_)
            | Effect::Publish(_) => true,
        });
        self.task_gauge(source, 0.0);
    }

    pub(super) fn on_restored(&mut self, id: AskId, changes: Vec<StateChange>) {
        let Some(take_over) = self.take_overs.iter_mut().find(|one| one.awaits(id)) else {
            return;
        };
        for change in changes {
            let Some(source) = take_over.on_restored(&self.step, &change) else {
                continue;
            };
            let Some(task) = self.tasks.get_mut(&source) else {
                continue;
            };
            if matches!(task.phase, Phase::Failed(_)) {
                continue;
            }
            let StateChange { key, value, .. } = change;
            if let Err(corrupt) = self.step.restore(&mut task.state, &key, value) {
                let reason = corrupt.to_string();
                tracing::error!(task = self.config.group, %source, reason, "task stopped");
                task.phase = Phase::Failed(reason);
            }
        }
    }

    pub(super) fn drive_take_overs(&mut self) {
        let mut take_overs = std::mem::take(&mut self.take_overs);
        take_overs.retain_mut(|take_over| self.drive(take_over));
        self.take_overs.append(&mut take_overs);
    }

    /// One turn of a take-over; false once it has come to its end.
    fn drive(&mut self, take_over: &mut TakeOver) -> bool {
        match take_over.turn(
            self.now.elapsed,
            self.owner.as_deref(),
            self.step.witness_topic(),
        ) {
            Turn::Wait => true,
            Turn::Done => false,
            Turn::Ask(ask) => {
                if matches!(ask, Ask::Restore(_)) {
                    // An attempt that failed half-way has left records behind.
                    for source in take_over.sources() {
                        if let Some(task) = self.tasks.get_mut(&source) {
                            task.state = S::State::default();
                        }
                    }
                }
                let id = self.ask(ask);
                take_over.asked(id);
                true
            }
            Turn::Restored(beginnings) => {
                for (source, beginning) in beginnings {
                    self.claim(source, &beginning);
                }
                false
            }
        }
    }

    /// A restored task gets ready to write its first task record, or stops.
    fn claim(&mut self, source: TopicPartition, beginning: &Beginning) {
        let config = &self.config;
        let Some(task) = self.tasks.get_mut(&source) else {
            return;
        };
        if matches!(task.phase, Phase::Failed(_)) {
            return;
        }
        match beginning.next_offset(source, config.start, config.accept_gap) {
            Ok(next_offset) => {
                task.phase = Phase::Claiming;
                task.record = beginning.record().cloned();
                task.staged.next_offset = next_offset;
                task.committed = next_offset;
            }
            Err(reason) => self.fail(source, reason),
        }
    }

    pub(super) fn acknowledge_revocations(&mut self) {
        let now = self.now.elapsed;
        let mut waiting = Vec::new();
        for revocation in std::mem::take(&mut self.revocations) {
            let is_done = revocation.sources.iter().all(|source| {
                let is_flying = self
                    .flight
                    .as_ref()
                    .is_some_and(|flight| flight.holds(*source));
                !is_flying && self.tasks.get(source).is_none_or(Task::may_be_released)
            });
            if !is_done && now < revocation.deadline {
                waiting.push(revocation);
                continue;
            }
            for source in &revocation.sources {
                tracing::debug!(task = self.config.group, %source, "partition released");
                self.forget(*source);
            }
            self.effects.push(Effect::Release(revocation.sources));
        }
        self.revocations.append(&mut waiting);
    }
}
