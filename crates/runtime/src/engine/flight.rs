//! The one commit in flight: sent again from memory after an abort, settled by the task records
//! when nobody knows what became of it.

use std::sync::Arc;
use std::time::Duration;

use millrace_eventsourcing::{EncodeError, TaskRecord, Timestamp};

use crate::log::{Ask, AskId, Commit, CommitFailure, Epoch, Part, Tail};
use crate::outbox::Outbox;
use crate::retry::Backoff;
use crate::step::{Step, task_key};
use crate::topic::TopicPartition;

/// What one task contributes.
#[derive(Debug, Clone)]
pub(super) struct FlightPart {
    pub(super) source: TopicPartition,
    pub(super) epoch: Epoch,
    /// Everything but the task record, which names the owner of the attempt.
    pub(super) records: Outbox,
    pub(super) next_offset: i64,
    /// The task record that stood before.
    pub(super) before: Option<TaskRecord>,
    /// Whether the task record clears the owner.
    pub(super) releases: bool,
    pub(super) appended: Vec<(Timestamp, u32)>,
}

impl FlightPart {
    pub(super) fn task_record(&self, owner: &str) -> TaskRecord {
        let owner = (!self.releases).then(|| owner.to_owned());
        TaskRecord {
            owner,
            next_offset: self.next_offset,
        }
    }
}

/// So many failures of one commit in a row are worth telling.
const TROUBLE_FAILURES: u32 = 3;

#[derive(Debug)]
pub(super) struct Flight {
    parts: Vec<FlightPart>,
    /// What was sent last; sent again as it is while nothing changes.
    sent: Option<Arc<Commit>>,
    /// Under which transactional id.
    sender: String,
    /// The partitions whose task records were asked for last, in the ask's order.
    asked: Vec<TopicPartition>,
    pub(super) status: FlightStatus,
    backoff: Backoff,
    /// Why it did not succeed last.
    pub(super) failure: Option<String>,
    pub(super) since: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FlightStatus {
    /// With the log.
    Sent,
    /// Aborted; to be sent again at this time.
    Waiting(Duration),
    /// Its outcome is unknown and there is no new producer yet.
    Unsettled,
    /// The task records are to be asked for at this time.
    SettleAt(Duration),
    /// The task records are being asked for.
    Settling(AskId),
}

impl Flight {
    pub(super) fn new(parts: Vec<FlightPart>, backoff: Backoff, since: Duration) -> Self {
        Self {
            parts,
            sent: None,
            sender: String::new(),
            asked: Vec::new(),
            status: FlightStatus::Sent,
            backoff,
            failure: None,
            since,
        }
    }

    /// Why it does not succeed, once that has gone on for a while.
    pub(super) fn trouble(&self) -> Option<String> {
        let failure = self.failure.as_ref()?;
        let failures = self.backoff.failures();
        let text = || format!("the commit did not succeed {failures} times: {failure}");
        (failures >= TROUBLE_FAILURES).then(text)
    }

    /// The commit as it is to be sent by this owner.
    pub(super) fn commit<S: Step>(
        &mut self,
        step: &S,
        owner: &str,
    ) -> Result<Arc<Commit>, EncodeError> {
        self.status = FlightStatus::Sent;
        if let Some(commit) = &self.sent
            && self.sender == owner
        {
            return Ok(Arc::clone(commit));
        }
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &mut self.parts {
            let mark = part.records.mark();
            let topic = step.state_topic();
            let record = part.task_record(owner);
            let key = task_key(part.source);
            part.records
                .push_with(topic, part.source.partition, &key, |into| {
                    step.encode_task_record(record, into)
                })?;
            let records = part.records.clone();
            part.records.rewind(mark);
            let FlightPart {
                source,
                epoch,
                next_offset,
                ..
            } = *part;
            parts.push(Part {
                source,
                epoch,
                records,
                next_offset,
            });
        }
        let commit = Arc::new(Commit { parts });
        owner.clone_into(&mut self.sender);
        self.sent = Some(Arc::clone(&commit));
        Ok(commit)
    }

    pub(super) fn awaits(&self, id: AskId) -> bool {
        self.status == FlightStatus::Settling(id)
    }

    pub(super) fn is_due(&self, now: Duration) -> bool {
        match self.status {
            FlightStatus::Waiting(at) | FlightStatus::SettleAt(at) => at <= now,
            FlightStatus::Sent | FlightStatus::Unsettled | FlightStatus::Settling(_) => false,
        }
    }

    pub(super) fn wait(&mut self, now: Duration) {
        self.status = FlightStatus::Waiting(now + self.backoff.next());
    }

    pub(super) fn settle_later(&mut self, now: Duration) {
        self.status = FlightStatus::SettleAt(now + self.backoff.next());
    }

    pub(super) fn holds(&self, source: TopicPartition) -> bool {
        self.parts.iter().any(|part| part.source == source)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Drops parts; not while they are with the log, which settles all of them together.
    pub(super) fn drop_parts(&mut self, is_gone: impl Fn(TopicPartition) -> bool) {
        let before = self.parts.len();
        self.parts.retain(|part| !is_gone(part.source));
        if self.parts.len() < before {
            self.sent = None;
        }
    }

    /// Drops the parts whose assignment is over.
    pub(super) fn drop_stale(&mut self, epoch_of: impl Fn(TopicPartition) -> Option<Epoch>) {
        if self.status == FlightStatus::Sent {
            return;
        }
        let before = self.parts.len();
        self.parts
            .retain(|part| epoch_of(part.source) == Some(part.epoch));
        if self.parts.len() < before {
            self.sent = None;
        }
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = TopicPartition> {
        self.parts.iter().map(|part| part.source)
    }

    /// The parts, and under which transactional id they were sent.
    pub(super) fn into_parts(self) -> (Vec<FlightPart>, String) {
        (self.parts, self.sender)
    }

    /// The question whose answer tells what became of the commit.
    pub(super) fn settlement<S: Step>(&mut self, step: &S) -> Ask {
        self.asked = self.sources().collect();
        let topic = step.state_topic();
        let tails = self.parts.iter().map(|part| {
            (
                topic.partition(part.source.partition),
                task_key(part.source),
            )
        });
        Ask::Tails(tails.collect())
    }

    /// Whether the commit took effect. A transaction is whole: one task record of it that stands
    /// tells of all, if it says something new. When none stands nothing of it took effect, or all
    /// of its partitions were taken by others since; then our epochs are over, and nothing of it
    /// can be sent again.
    pub(super) fn is_committed<S: Step>(&self, step: &S, tails: &[Tail]) -> bool {
        self.asked.iter().zip(tails).any(|(source, tail)| {
            let part = self.parts.iter().find(|part| part.source == *source);
            let stored = tail.committed.as_deref();
            let stored = stored.and_then(|bytes| step.decode_task_record(bytes).ok());
            part.zip(stored).is_some_and(|(part, stored)| {
                stored == part.task_record(&self.sender) && Some(&stored) != part.before.as_ref()
            })
        })
    }
}

/// The metric's word for a failure.
pub(super) fn class(failure: &CommitFailure) -> &'static str {
    match failure {
        CommitFailure::Aborted { class, .. } => class,
        CommitFailure::Stale(_) => "stale",
        CommitFailure::Fenced(_) => "fenced",
        CommitFailure::Unknown(_) => "unknown",
    }
}
