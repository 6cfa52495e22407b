//! Partitions go: what is on its way is finished, what is safe is stored, then they are released.

use std::time::Duration;

use super::Projector;
use super::task::{Stage, Task};
use crate::log::Effect;
use crate::topic::TopicPartition;

/// Partitions that the group wants back.
#[derive(Debug)]
pub(super) struct Revocation {
    sources: Vec<TopicPartition>,
    deadline: Duration,
}

impl Projector {
    pub(super) fn on_revoking(&mut self, sources: Vec<TopicPartition>) {
        for source in &sources {
            if let Some(task) = self.tasks.get_mut(source) {
                task.is_revoking = true;
                // What waits for another attempt is its next owner's to do.
                if let Some(run) = task.running_mut() {
                    run.flight.take_if(|flight| {
                        matches!(flight.stage, Stage::PublishAt(_) | Stage::ApplyAt(_))
                    });
                }
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
            let is_ours = |source: &TopicPartition| !sources.contains(source);
            revocation.sources.retain(is_ours);
        }
        let is_left = |revocation: &Revocation| !revocation.sources.is_empty();
        self.revocations.retain(is_left);
    }

    pub(super) fn acknowledge_revocations(&mut self) {
        let revocations = std::mem::take(&mut self.revocations);
        for revocation in revocations {
            let is_over = revocation.deadline <= self.now.elapsed;
            let are_done = || {
                revocation
                    .sources
                    .iter()
                    .all(|source| self.is_done(*source))
            };
            if !is_over && !are_done() {
                self.revocations.push(revocation);
                continue;
            }
            for source in &revocation.sources {
                tracing::debug!(task = self.config.group, %source, "partition released");
                self.forget(*source);
            }
            self.effects.log.push(Effect::Release(revocation.sources));
        }
    }

    /// Whether nothing is left to be waited for before a partition is released.
    fn is_done(&self, source: TopicPartition) -> bool {
        let run = self.tasks.get(&source).and_then(Task::running);
        run.is_none_or(|run| {
            !run.is_awaiting() && run.said_goodbye && !self.is_being_stored(source)
        })
    }

    fn forget(&mut self, source: TopicPartition) {
        self.tasks.remove(&source);
        if self.tasks.is_empty() {
            self.breaker.forget();
        }
        self.tell_task(source, 0.0);
    }
}
