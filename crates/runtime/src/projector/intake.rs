//! Records come in.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::source::{ProjectError, Projected, fault_of_row};
use super::task::{Blocked, Delivery, Run, Task};
use super::{Projector, Source};
use crate::code::{self, Problem};
use crate::command::mentions_password;
use crate::dead_letter::DeadLetter;
use crate::log::{Effect, Record};
use crate::topic::TopicPartition;

impl Projector {
    pub(super) fn on_record(&mut self, record: &Record<'_>) {
        let Some(task) = self.tasks.get_mut(&record.source) else {
            return;
        };
        let source = self.config.sources.get(task.source_index);
        let (Some(source), false) = (source, task.is_revoking) else {
            return;
        };
        let Some(run) = task.running_mut() else {
            return;
        };
        if !run.takes(record.offset) {
            return;
        }
        match project(source, record) {
            Ok(projected) => {
                run.unblock();
                run.collected.take(record.offset, projected);
            }
            Err(ProjectError::Undecodable(problem)) => {
                run.unblock();
                tracing::warn!(task = self.config.group, source = %record.source,
                    offset = record.offset, code = problem.code, "record set aside");
                let value = record.value.filter(|value| !mentions_password(value));
                let letter = DeadLetter {
                    code: problem.code,
                    message: &problem.message,
                    task: &self.config.group,
                    attempts: 1,
                    time: self.now.wall,
                };
                let letters = &mut run.collected.letters;
                let kept = value.or_else(|| record.value.map(|_| &[][..]));
                letter.push(letters, source.dead_letters, record, kept);
                run.collected.set_aside(record.offset, problem.code);
            }
            Err(ProjectError::UnknownSchema(id)) => {
                let wait = run.schema_backoff.next();
                let reason = format!(
                    "the record at offset {} has the unknown schema id {id}",
                    record.offset
                );
                tracing::warn!(task = self.config.group, source = %record.source, reason, "paused");
                run.blocked = Some(Blocked {
                    offset: record.offset,
                    reason,
                    retry_at: Some(self.now.elapsed + wait),
                });
                run.delivery = Delivery::Paused;
                self.effects.log.push(Effect::Pause(record.source));
            }
        }
    }

    /// Reads again what could not be read.
    pub(super) fn retry_blocked(&mut self) {
        let now = self.now.elapsed;
        for run in self.tasks.values_mut().filter_map(Task::running_mut) {
            if let Some(blocked) = &mut run.blocked
                && blocked.retry_at.is_some_and(|at| at <= now)
            {
                blocked.retry_at = None;
                run.delivery = Delivery::StartDue;
            }
        }
    }

    /// Tells the log where to go on. What it delivered meanwhile from elsewhere was not taken.
    pub(super) fn start_due(&mut self) {
        for (source, task) in &mut self.tasks {
            let is_revoking = task.is_revoking;
            let run = task.running_mut().filter(|_| !is_revoking);
            if let Some(run) = run.filter(|run| run.delivery == Delivery::StartDue) {
                run.delivery = Delivery::Flowing;
                let next_offset = run.collected.place.next_offset;
                self.effects.log.push(Effect::Start(*source, next_offset));
            }
        }
    }

    /// Stops the log from delivering more of a partition that cannot get rid of what it has.
    pub(super) fn pause(&mut self, source: TopicPartition) {
        if let Some(run) = self.tasks.get_mut(&source).and_then(Task::running_mut)
            && run.delivery != Delivery::Paused
        {
            run.delivery = Delivery::Paused;
            self.effects.log.push(Effect::Pause(source));
        }
    }

    /// Lets the log deliver again, behind what was taken in.
    pub(super) fn resume(&mut self, source: TopicPartition) {
        if let Some(run) = self.tasks.get_mut(&source).and_then(Task::running_mut)
            && run.delivery == Delivery::Paused
            && run
                .blocked
                .as_ref()
                .is_none_or(|blocked| blocked.retry_at.is_none())
        {
            run.delivery = Delivery::StartDue;
        }
    }
}

impl Run {
    /// Whether the record at this offset is the next to be taken in. What was on its way when the
    /// log was told to pause comes again.
    fn takes(&self, offset: i64) -> bool {
        let is_awaited = |blocked: &Blocked| blocked.offset == offset;
        self.delivery == Delivery::Flowing
            && self.blocked.as_ref().is_none_or(is_awaited)
            && offset >= self.collected.place.next_offset
    }

    fn unblock(&mut self) {
        if self.blocked.take().is_some() {
            self.schema_backoff.reset();
        }
    }
}

/// What a record means, whatever the projection does.
fn project(source: &Source, record: &Record<'_>) -> Result<Projected, ProjectError> {
    let meant = catch_unwind(AssertUnwindSafe(|| source.project.project(record)));
    let projected = meant.unwrap_or_else(|_| {
        let text = "the projection panicked on this record";
        let problem = Problem::new(code::HANDLER_PANICKED, text);
        Err(ProjectError::Undecodable(problem))
    })?;
    let fault = projected.rows.iter().find_map(|row| fault_of_row(&row.row));
    fault.map_or(Ok(projected), |problem| {
        Err(ProjectError::Undecodable(problem))
    })
}
