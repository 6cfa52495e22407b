//! Answers to the questions of the log port.

use millrace_runtime::log::{Answer, Ask, AskId, LogEvent, LogRange, StateChange, Tail};
use millrace_runtime::topic::TopicPartition;

use super::broker::{Broker, Member};
use super::group::MemberId;

/// So few that a restore comes in several pieces in every test.
const RESTORED_RECORDS_MAX: usize = 3;

impl Broker {
    /// Answers what can be answered now; the rest waits for open transactions to end.
    pub(super) fn answer_asks(&mut self, id: MemberId) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let (asks, group) = (std::mem::take(&mut member.asks), member.group.clone());
        for (ask_id, ask) in asks {
            let answered = self.answer(&group, &ask);
            if let (Some(_), Ask::Restore(targets)) = (&answered, &ask) {
                self.restore(id, ask_id, targets);
            }
            let Some(member) = self.members.get_mut(&id) else {
                return;
            };
            match answered {
                Some(answer) => member.answer(LogEvent::Answer(ask_id, Ok(answer))),
                None => member.asks.push_back((ask_id, ask)),
            }
        }
    }

    fn answer(&mut self, group: &str, ask: &Ask) -> Option<Answer> {
        match ask {
            Ask::Tails(keys) => Some(Answer::Tails(
                keys.iter()
                    .map(|(source, key)| self.tail(*source, key))
                    .collect(),
            )),
            Ask::Fence(ids) if ids.iter().any(|id| self.is_committing(id)) => None,
            Ask::Fence(ids) => {
                for id in ids {
                    self.fence(id);
                }
                Some(Answer::Fenced)
            }
            Ask::GroupOffsets(sources) => {
                if self.has_pending(group, sources) {
                    return None;
                }
                let stored = self.groups.get(group).map(|group| &group.offsets);
                let find = |source| stored.and_then(|offsets| offsets.get(source)).cloned();
                Some(Answer::GroupOffsets(
                    sources.iter().filter_map(find).collect(),
                ))
            }
            Ask::Ranges(sources) => Some(Answer::Ranges(
                sources.iter().map(|source| self.range(*source)).collect(),
            )),
            Ask::Restore(targets) => {
                let reached = |(source, target): &(TopicPartition, i64)| {
                    self.partition(*source)
                        .is_none_or(|found| found.stable_end() >= *target)
                };
                targets.iter().all(reached).then_some(Answer::RestoreDone)
            }
            Ask::Advance(positions) => {
                let advance = |(source, from): &(TopicPartition, i64)| {
                    let to = self
                        .partition(*source)
                        .map_or(*from, |found| found.advance(*from));
                    (*source, to)
                };
                Some(Answer::Advanced(positions.iter().map(advance).collect()))
            }
        }
    }

    pub(super) fn range(&self, source: TopicPartition) -> LogRange {
        let partition = self.partition(source);
        LogRange {
            source,
            first: partition.map_or(0, super::partition::Partition::first),
            end: partition.map_or(0, super::partition::Partition::end),
        }
    }

    fn tail(&self, source: TopicPartition, key: &[u8]) -> Tail {
        let Some(partition) = self.partition(source) else {
            return Tail {
                source,
                committed: None,
                open: Vec::new(),
            };
        };
        let has_key = |found: &Option<Vec<u8>>| found.as_deref() == Some(key);
        let committed = partition.committed(partition.first(), i64::MAX);
        let last = committed.filter(|record| has_key(&record.key)).last();
        let open = partition.unstable().filter(|record| has_key(&record.key));
        Tail {
            source,
            committed: last.and_then(|record| record.value.clone()),
            open: open.filter_map(|record| record.value.clone()).collect(),
        }
    }

    fn restore(&mut self, id: MemberId, ask: AskId, targets: &[(TopicPartition, i64)]) {
        let mut changes = Vec::new();
        for (source, target) in targets {
            let Some(partition) = self.partition(*source) else {
                continue;
            };
            changes.extend(
                partition
                    .committed(partition.first(), *target)
                    .map(|record| StateChange {
                        source: *source,
                        offset: record.offset,
                        key: record.key.clone().unwrap_or_default().into(),
                        value: record.value.clone().map(Into::into),
                    }),
            );
        }
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        for piece in changes.chunks(RESTORED_RECORDS_MAX) {
            Member::answer(member, LogEvent::Restored(ask, piece.to_vec()));
        }
    }
}
