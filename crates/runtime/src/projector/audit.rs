//! Stored progress is looked at now and then: a worker that lost a partition may still have written
//! its own, later than ours, or the store may have lost what was written without rows. Readers of an
//! idle partition would wait for ever.

use super::collected::Place;
use super::task::{Beginning, Phase, Task};
use super::{AUDIT_INTERVAL, Projector, RequestId, StoreRequest};
use crate::store::{Progress, StoreError};
use crate::topic::TopicPartition;

/// A question about progress, and what the idle partitions expect as an answer.
#[derive(Debug)]
pub(super) struct Audit {
    id: RequestId,
    expected: Vec<(TopicPartition, Place)>,
}

impl Projector {
    pub(super) fn ask_audit(&mut self) {
        if self.audit.is_some() || self.now.elapsed < self.audit_at || self.is_stopping {
            return;
        }
        self.audit_at = self.now.elapsed + AUDIT_INTERVAL;
        let idle = self.tasks.iter().filter_map(|(source, task)| {
            let run = task.running().filter(|run| run.is_idle())?;
            Some((*source, run.acknowledged))
        });
        let expected: Vec<_> = idle.collect();
        if !expected.is_empty() {
            let id = self.request(StoreRequest::Progress);
            self.audit = Some(Audit { id, expected });
        }
    }

    pub(super) fn awaits_audit(&self, id: RequestId) -> bool {
        self.audit.as_ref().is_some_and(|audit| audit.id == id)
    }

    pub(super) fn on_audit(&mut self, answer: Result<Vec<Progress>, StoreError>) {
        let audit = self.audit.take();
        // Without an answer there is another look later.
        let (Some(audit), Ok(progress)) = (audit, answer) else {
            return;
        };
        if progress
            .iter()
            .any(|row| row.revision != self.config.revision)
        {
            self.yield_to_other_revision();
            return;
        }
        for (source, expected) in audit.expected {
            let run = self.tasks.get_mut(&source).and_then(Task::running_mut);
            let Some(run) = run.filter(|run| run.is_idle() && run.acknowledged == expected) else {
                continue;
            };
            let found = progress.iter().find(|row| row.source == source);
            if found.is_none_or(|row| !expected.is_told_by(row)) {
                tracing::warn!(task = self.config.group, %source, "progress is written again");
                run.reset_due = true;
            }
        }
    }

    /// Somebody rebuilt the tables: positions are looked for anew, and that says what is wrong.
    fn yield_to_other_revision(&mut self) {
        for task in self.tasks.values_mut() {
            if let Some(run) = task.running() {
                task.phase = Phase::Positioning(Beginning {
                    waits_for: Some("the tables were made by another revision".to_owned()),
                    known: Some(run.safe),
                });
            }
        }
    }
}
