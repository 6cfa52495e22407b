//! Taking partitions over from whoever had them, in the one order that cannot decide on stale
//! state: the tails of the state partitions → fence the owners they name → the group's stable
//! offsets → only now the high watermarks → restore up to them → check → claim.

mod restoring;

use std::ops::Range;
use std::time::Duration;

use millrace_eventsourcing::TaskRecord;

use super::StartAt;
use crate::log::{Answer, Ask, AskFailure, AskId, Epoch, GroupOffset, LogRange, StateChange, Tail};
use crate::retry::Backoff;
use crate::step::{Step, task_key};
use crate::topic::{Topic, TopicPartition};

/// Partitions that were assigned together.
#[derive(Debug)]
pub(super) struct TakeOver {
    members: Vec<Member>,
    state_topic: Topic,
    stage: Stage,
    pending: Option<AskId>,
    not_before: Duration,
    backoff: Backoff,
    /// Why the last question found no answer.
    failure: Option<String>,
    /// The transactional ids that the tails name, each once.
    owners: Vec<String>,
    restoring_since: Option<Duration>,
}

#[derive(Debug)]
struct Member {
    source: TopicPartition,
    key: Vec<u8>,
    beginning: Beginning,
    /// What is to be restored.
    offsets: Range<i64>,
    /// The first offset that is not restored yet.
    next_offset: i64,
}

/// What is known of a task's position when everything is restored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Beginning {
    record: Option<TaskRecord>,
    unreadable: Option<String>,
    group_offset: Option<i64>,
    first: i64,
    end: i64,
    has_state: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Tails,
    Fence,
    GroupOffsets,
    Ranges,
    Restore,
    Done,
}

/// What a take-over wants next.
#[derive(Debug)]
pub(super) enum Turn {
    /// An answer, or the time of the next attempt.
    Wait,
    /// This question.
    Ask(Ask),
    /// Everything is restored.
    Restored(Vec<(TopicPartition, Beginning)>),
    /// Nothing: all its partitions are gone.
    Done,
}

impl TakeOver {
    pub(super) fn new(assigned: &[(TopicPartition, Epoch)], state_topic: Topic, seed: u64) -> Self {
        let members = assigned.iter().map(|(source, _)| Member {
            source: *source,
            key: task_key(*source),
            beginning: Beginning::default(),
            offsets: 0..0,
            next_offset: 0,
        });
        Self {
            members: members.collect(),
            state_topic,
            stage: Stage::Tails,
            pending: None,
            not_before: Duration::ZERO,
            backoff: Backoff::new(seed),
            failure: None,
            owners: Vec::new(),
            restoring_since: None,
        }
    }

    /// Why this partition waits, if it takes part and the last question found no answer.
    pub(super) fn trouble(&self, source: TopicPartition) -> Option<String> {
        let takes_part = self.members.iter().any(|member| member.source == source);
        self.failure.clone().filter(|_| takes_part)
    }

    pub(super) fn awaits(&self, id: AskId) -> bool {
        self.pending == Some(id)
    }

    pub(super) fn asked(&mut self, id: AskId) {
        self.pending = Some(id);
    }

    pub(super) fn remove(&mut self, source: TopicPartition) {
        self.members.retain(|member| member.source != source);
    }

    pub(super) fn sources(&self) -> Vec<TopicPartition> {
        self.members.iter().map(|member| member.source).collect()
    }

    /// What to do now. `own` is our transactional id, which is never fenced; without one nothing
    /// is fenced yet.
    pub(super) fn turn(
        &mut self,
        now: Duration,
        own: Option<&str>,
        witness: Option<Topic>,
    ) -> Turn {
        if self.members.is_empty() {
            return Turn::Done;
        }
        if self.pending.is_some() || now < self.not_before {
            return Turn::Wait;
        }
        match self.stage {
            Stage::Tails => Turn::Ask(Ask::Tails(
                self.members
                    .iter()
                    .map(|member| (self.state_of(member), member.key.clone()))
                    .collect(),
            )),
            Stage::Fence => match own {
                None => Turn::Wait,
                Some(own) => self.fence(own),
            },
            Stage::GroupOffsets => Turn::Ask(Ask::GroupOffsets(self.sources())),
            Stage::Ranges => Turn::Ask(Ask::Ranges(self.ranges(witness))),
            Stage::Restore => Turn::Ask(self.restore(now)),
            Stage::Done => Turn::Restored(
                self.members
                    .drain(..)
                    .map(|member| (member.source, member.beginning))
                    .collect(),
            ),
        }
    }

    fn fence(&mut self, own: &str) -> Turn {
        let owners: Vec<String> = self
            .owners
            .iter()
            .filter(|owner| *owner != own)
            .cloned()
            .collect();
        if owners.is_empty() {
            self.stage = Stage::GroupOffsets;
            return Turn::Ask(Ask::GroupOffsets(self.sources()));
        }
        tracing::info!(?owners, "fencing the last owners");
        Turn::Ask(Ask::Fence(owners))
    }

    fn ranges(&self, witness: Option<Topic>) -> Vec<TopicPartition> {
        let mut all = Vec::with_capacity(self.members.len() * 3);
        for member in &self.members {
            all.push(self.state_of(member));
            all.push(member.source);
            let witness = witness.filter(|topic| *topic != member.source.topic);
            all.extend(witness.map(|topic| topic.partition(member.source.partition)));
        }
        all
    }

    fn state_of(&self, member: &Member) -> TopicPartition {
        self.state_topic.partition(member.source.partition)
    }

    /// Takes the answer to the pending ask, or plans the next attempt of the same stage.
    pub(super) fn on_answer<S: Step>(
        &mut self,
        now: Duration,
        step: &S,
        answer: Result<Answer, AskFailure>,
    ) {
        self.pending = None;
        self.failure = answer.as_ref().err().map(ToString::to_string);
        let next = match (self.stage, answer) {
            (Stage::Tails, Ok(Answer::Tails(tails))) => {
                // Who owns what we have lost meanwhile is none of our business.
                let members = &self.members;
                let is_ours = |tail: &&Tail| {
                    let partition = tail.source.partition;
                    members.iter().any(|m| m.source.partition == partition)
                };
                self.owners = owners_in(step, tails.iter().filter(is_ours));
                Some(Stage::Fence)
            }
            (Stage::Fence, Ok(Answer::Fenced)) => Some(Stage::GroupOffsets),
            (Stage::GroupOffsets, Ok(Answer::GroupOffsets(offsets))) => {
                self.take_group_offsets(&offsets);
                Some(Stage::Ranges)
            }
            (Stage::Ranges, Ok(Answer::Ranges(ranges))) => {
                self.take_ranges(&ranges, step.witness_topic());
                Some(Stage::Restore)
            }
            (Stage::Restore, Ok(Answer::RestoreDone)) => Some(Stage::Done),
            _ => None,
        };
        match next {
            Some(stage) => {
                self.backoff.reset();
                self.stage = stage;
            }
            None => self.not_before = now + self.backoff.next(),
        }
    }

    fn take_group_offsets(&mut self, offsets: &[GroupOffset]) {
        for member in &mut self.members {
            let stored = offsets.iter().find(|stored| stored.source == member.source);
            member.beginning.group_offset = stored.map(|stored| stored.next_offset);
        }
    }

    fn take_ranges(&mut self, ranges: &[LogRange], witness: Option<Topic>) {
        for member in &mut self.members {
            let state = self.state_topic.partition(member.source.partition);
            for range in ranges
                .iter()
                .filter(|r| r.source.partition == member.source.partition)
            {
                if range.source == member.source {
                    member.beginning.first = range.first;
                    member.beginning.end = range.end;
                    let is_witness = witness == Some(range.source.topic);
                    member.beginning.has_state |= is_witness && range.end > 0;
                } else if range.source == state {
                    // Claims that were aborted leave something behind too: its end tells nothing.
                    member.beginning.has_state |= range.first > 0;
                    member.offsets = range.first..range.end;
                } else {
                    // Nothing is written there before a claim stands.
                    member.beginning.has_state |= range.end > 0;
                }
            }
            member.beginning.record = None;
            member.beginning.unreadable = None;
        }
    }

    /// Notes how far it is, and a task record; tells which input partition the record belongs to.
    pub(super) fn on_restored<S: Step>(
        &mut self,
        step: &S,
        change: &StateChange,
    ) -> Option<TopicPartition> {
        let partition = change.source.partition;
        let member = self
            .members
            .iter_mut()
            .find(|m| m.source.partition == partition)?;
        member.beginning.has_state = true;
        member.next_offset = change.offset + 1;
        if *change.key == *member.key {
            let record = change
                .value
                .as_deref()
                .map(|bytes| step.decode_task_record(bytes));
            member.beginning.unreadable = None;
            match record.transpose() {
                Ok(record) => member.beginning.record = record,
                Err(error) => member.beginning.unreadable = Some(error.to_string()),
            }
        }
        Some(member.source)
    }
}

/// The owners that task records name, each once. A record that cannot be read names nobody here;
/// the restore reads it again and stops there.
fn owners_in<'t, S: Step>(step: &S, tails: impl Iterator<Item = &'t Tail>) -> Vec<String> {
    let mut owners = Vec::new();
    for bytes in tails.flat_map(|tail| tail.committed.iter().chain(&tail.open)) {
        let record = step.decode_task_record(bytes).ok();
        if let Some(owner) = record.and_then(|record| record.owner)
            && !owners.contains(&owner)
        {
            owners.push(owner);
        }
    }
    owners
}

impl Beginning {
    /// The task record that stands.
    pub(super) const fn record(&self) -> Option<&TaskRecord> {
        self.record.as_ref()
    }

    /// Where the task goes on, or why it must not.
    pub(super) fn next_offset(
        &self,
        source: TopicPartition,
        start: StartAt,
        accept_gap: bool,
    ) -> Result<i64, String> {
        if let Some(reason) = &self.unreadable {
            return Err(format!(
                "the task record of {source} cannot be read: {reason}"
            ));
        }
        let start_offset = match start {
            StartAt::Beginning => self.first,
            StartAt::End => self.end,
        };
        let stored = match (&self.record, self.group_offset) {
            (Some(record), Some(group)) if group > record.next_offset => Err(format!(
                "the group's offset of {source} is {group}, ahead of the task record's {}: state \
                 was lost or the group was moved by hand",
                record.next_offset
            )),
            (Some(record), _) => Ok(record.next_offset),
            (None, Some(group)) if self.has_state => Err(format!(
                "the group's offset of {source} is {group} and there are events, but there is no \
                 task record: state was lost"
            )),
            (None, Some(group)) => Ok(group),
            (None, None) => Ok(start_offset),
        };
        let in_range = stored.and_then(|offset| {
            if offset < self.first || offset > self.end {
                return Err(format!(
                    "the stored position of {source} is {offset}, but the log has {} to {}",
                    self.first, self.end
                ));
            }
            Ok(offset)
        });
        match in_range {
            Err(reason) if accept_gap => {
                let next_offset = match &self.record {
                    Some(record)
                        if record.next_offset >= self.first && record.next_offset <= self.end =>
                    {
                        record.next_offset
                    }
                    _ => self.first,
                };
                tracing::warn!(%source, reason, next_offset, "gap accepted");
                metrics::counter!(crate::metrics::GAPS_ACCEPTED_TOTAL,
                    "topic" => source.topic.name())
                .increment(1);
                Ok(next_offset)
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: TopicPartition = TopicPartition {
        topic: Topic::new("c"),
        partition: 0,
    };

    fn beginning(record: Option<i64>, group_offset: Option<i64>) -> Beginning {
        Beginning {
            record: record.map(|next_offset| TaskRecord {
                owner: None,
                next_offset,
            }),
            unreadable: None,
            group_offset,
            first: 10,
            end: 100,
            has_state: true,
        }
    }

    fn offset(beginning: &Beginning) -> Result<i64, String> {
        beginning.next_offset(SOURCE, StartAt::Beginning, false)
    }

    #[test]
    fn the_task_record_is_the_truth_and_a_group_behind_it_is_ignored() {
        assert_eq!(offset(&beginning(Some(50), None)), Ok(50));
        assert_eq!(offset(&beginning(Some(50), Some(20))), Ok(50));
        assert_eq!(offset(&beginning(Some(50), Some(50))), Ok(50));
    }

    #[test]
    fn a_group_ahead_of_the_task_record_stops_the_task_naming_both() {
        let reason = offset(&beginning(Some(50), Some(51))).unwrap_err();
        assert!(reason.contains("51") && reason.contains("50"), "{reason}");
    }

    #[test]
    fn a_group_offset_without_task_record_is_lost_state_if_there_are_events() {
        assert!(offset(&beginning(None, Some(20))).is_err());
        let fresh = Beginning {
            has_state: false,
            ..beginning(None, Some(20))
        };
        assert_eq!(offset(&fresh), Ok(20));
    }

    #[test]
    fn nothing_stored_begins_as_the_setting_says() {
        let fresh = beginning(None, None);
        assert_eq!(offset(&fresh), Ok(10));
        assert_eq!(fresh.next_offset(SOURCE, StartAt::End, false), Ok(100));
    }

    #[test]
    fn a_position_outside_the_log_stops_the_task_unless_the_gap_is_accepted() {
        for stored in [9, 101] {
            let outside = beginning(Some(stored), None);
            let reason = offset(&outside).unwrap_err();
            assert!(reason.contains(&stored.to_string()), "{reason}");
            assert_eq!(
                outside.next_offset(SOURCE, StartAt::Beginning, true),
                Ok(10)
            );
        }
    }
}
