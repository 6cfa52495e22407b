//! The work on one assigned partition.

use std::time::Duration;

use millrace_eventsourcing::{TaskRecord, Timestamp};

use super::TaskState;
use super::flight::FlightPart;
use super::held::Held;
use crate::clock::Now;
use crate::log::Epoch;
use crate::outbox::Outbox;
use crate::step::{Corrupt, Step};
use crate::topic::TopicPartition;

/// A partition that is ours, from assignment to release.
#[derive(Debug)]
pub(super) struct Task<St> {
    pub(super) epoch: Epoch,
    pub(super) phase: Phase,
    pub(super) state: St,
    pub(super) staged: Staged,
    /// Records behind one that is not done.
    pub(super) held: Held,
    /// The task record that stands, as far as we know.
    pub(super) record: Option<TaskRecord>,
    /// The position that the last commit of ours stored.
    pub(super) committed: i64,
    pub(super) is_revoking: bool,
    /// Whether the task record says that nobody owns it.
    pub(super) is_released: bool,
    /// When it was assigned.
    pub(super) since: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// Taking over and restoring.
    Restoring,
    /// Restored; the first task record is on its way.
    Claiming,
    /// At work.
    Running,
    /// Stopped until a person acts.
    Failed(String),
}

/// What was made since the last commit was sent.
#[derive(Debug, Default)]
pub(super) struct Staged {
    pub(super) outbox: Outbox,
    pub(super) next_offset: i64,
    records: usize,
    /// When the inputs were appended to the log, and how many each time.
    appended: Vec<(Timestamp, u32)>,
}

impl Staged {
    /// One more input record is part of the outputs.
    pub(super) fn took(&mut self, offset: i64, appended: Timestamp) {
        self.next_offset = offset + 1;
        self.records += 1;
        match self.appended.last_mut() {
            Some((time, count)) if *time == appended => *count += 1,
            _ => self.appended.push((appended, 1)),
        }
    }

    pub(super) fn records(&self) -> usize {
        self.records
    }
}

impl<St: Default> Task<St> {
    pub(super) fn new(epoch: Epoch, since: Duration) -> Self {
        Self {
            epoch,
            phase: Phase::Restoring,
            state: St::default(),
            staged: Staged::default(),
            held: Held::default(),
            record: None,
            committed: -1,
            is_revoking: false,
            is_released: false,
            since,
        }
    }

    /// Whether the record at this offset is the next to be processed, or behind a hole. A client
    /// that delivers a record twice must not make us decide it twice.
    pub(super) fn takes(&self, offset: i64) -> bool {
        matches!(self.phase, Phase::Running)
            && !self.is_revoking
            && offset >= self.held.next_offset().unwrap_or(self.staged.next_offset)
    }

    /// Whether something was begun outside for the record that comes next.
    fn is_underway(&self) -> bool {
        self.held.later().is_some_and(|later| later.is_underway)
    }

    /// Whether the record that waits is to be offered again. A partition that goes to another owner
    /// only waits for the end of what was begun.
    pub(super) fn offers_again(&self, now: Duration) -> bool {
        matches!(self.phase, Phase::Running)
            && !self.held.is_empty()
            && (!self.is_revoking || self.is_underway())
            && self.held.later().is_none_or(|later| later.at <= now)
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Running)
            && !self.is_revoking
            && self.held.is_empty()
            && self.staged.next_offset == self.committed
    }

    pub(super) fn has_something_to_commit(&self) -> bool {
        match self.phase {
            Phase::Restoring => false,
            Phase::Claiming => !self.is_revoking,
            Phase::Running => {
                let hands_over = self.is_revoking && !self.is_released && !self.is_underway();
                self.staged.next_offset > self.committed || hands_over
            }
            Phase::Failed(_) => self.staged.records > 0,
        }
    }

    /// Whether nothing is left to be written before a revocation is acknowledged.
    pub(super) fn may_be_released(&self) -> bool {
        !self.has_something_to_commit() && !self.is_underway()
    }

    /// Ends the batch in the making and starts the next.
    pub(super) fn seal<S: Step<State = St>>(
        &mut self,
        step: &mut S,
        now: Now,
        source: TopicPartition,
    ) -> Result<FlightPart, Corrupt> {
        let next_offset = self.staged.next_offset;
        let mut staged = std::mem::replace(
            &mut self.staged,
            Staged {
                next_offset,
                ..Staged::default()
            },
        );
        step.seal(now, source, &mut self.state, &mut staged.outbox)?;
        Ok(FlightPart {
            source,
            epoch: self.epoch,
            records: staged.outbox,
            next_offset,
            before: self.record.clone(),
            releases: self.is_revoking
                && matches!(self.phase, Phase::Running)
                && !self.is_underway(),
            appended: staged.appended,
        })
    }

    pub(super) fn state_and_reason(&self) -> (TaskState, Option<String>) {
        match &self.phase {
            Phase::Failed(reason) => (TaskState::Failed, Some(reason.clone())),
            Phase::Restoring | Phase::Claiming | Phase::Running if self.is_revoking => {
                (TaskState::Revoking, None)
            }
            Phase::Restoring => (TaskState::Restoring, None),
            Phase::Claiming => (TaskState::Claiming, None),
            Phase::Running => match self.held.later().and_then(|later| later.reason.clone()) {
                Some(reason) => (TaskState::Paused, Some(reason)),
                None => (TaskState::Running, None),
            },
        }
    }
}
