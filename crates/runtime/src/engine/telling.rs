//! How the tasks stand, for people, probes and metrics.

use std::time::Duration;

use metrics::gauge;

use super::{Engine, Restoring, TaskState, TaskStatus};
use crate::metrics as names;
use crate::step::Step;
use crate::topic::TopicPartition;

impl<S: Step> Engine<S> {
    /// How every task stands.
    pub fn status(&self) -> Vec<TaskStatus> {
        let statuses = self.tasks.iter().map(|(source, task)| {
            let (state, reason) = match (task.state_and_reason(), self.trouble(*source)) {
                ((_, None), Some(trouble)) => (TaskState::Paused, Some(trouble)),
                ((state, reason), _) => (state, reason.or_else(|| self.waits_for(state))),
            };
            TaskStatus {
                task: self.config.group.clone(),
                source: *source,
                state,
                reason,
            }
        });
        statuses.collect()
    }

    /// How far restoring is, of all partitions that are being restored; nothing when none is.
    pub fn restoring(&self) -> Option<Restoring> {
        let parts = self.take_overs.iter();
        let parts = parts.filter_map(|part| part.restoring(self.now.elapsed));
        parts.reduce(|one, other| Restoring {
            done: one.done + other.done,
            all: one.all + other.all,
            elapsed: one.elapsed.max(other.elapsed),
        })
    }

    /// Why the log cannot be worked with at the moment.
    pub fn unreachable(&self) -> Option<&str> {
        self.unreachable.as_deref()
    }

    fn waits_for(&self, state: TaskState) -> Option<String> {
        match (state, &self.unreachable) {
            (TaskState::Running, _) => None,
            (_, Some(reason)) => Some(format!("the log is not reachable: {reason}")),
            (TaskState::Restoring, None) => Some("restoring".to_owned()),
            (other, None) => Some(other.word().to_owned()),
        }
    }

    /// Tells the metrics how every task stands.
    pub fn record_metrics(&self) {
        for status in self.status() {
            self.task_gauge(status.source, f64::from(status.state as u8));
        }
        let age = self.flight.as_ref().map_or(Duration::ZERO, |flight| {
            self.now.elapsed.saturating_sub(flight.since)
        });
        gauge!(names::TRANSACTION_AGE_SECONDS, "task" => self.config.group.clone())
            .set(age.as_secs_f64());
    }

    pub(super) fn task_gauge(&self, source: TopicPartition, state: f64) {
        gauge!(names::TASK_STATE, "task" => self.config.group.clone(),
            "partition" => source.partition.to_string())
        .set(state);
    }
}
