//! Topics, transactions, groups and members behind one lock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use millrace_eventsourcing::Timestamp;
use millrace_runtime::log::{Ask, AskId, GroupOffset, LogEvent};
use millrace_runtime::outbox::{NewRecord, Outbox};
use millrace_runtime::topic::{Topic, TopicPartition};

use super::faults::Faults;
use super::group::{Change, Group, MemberId};
use super::partition::{Partition, StoredRecord, TransactionId};

#[derive(Debug, Default)]
pub(super) struct Broker {
    pub(super) now: Timestamp,
    pub(super) topics: BTreeMap<Topic, Vec<Partition>>,
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) members: BTreeMap<MemberId, Member>,
    producers: BTreeMap<String, Producer>,
    last_id: u64,
    last_epoch: u64,
    marker_turns: u64,
}

/// The slowest transactions write a marker every so many polls.
const MARKER_TURNS_MAX: u64 = 16;

/// What the broker keeps of one worker.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) group: String,
    pub(super) topics: Vec<Topic>,
    pub(super) transactional: String,
    pub(super) producer: Option<String>,
    pub(super) events: VecDeque<Queued>,
    pub(super) asks: VecDeque<(AskId, Ask)>,
    pub(super) positions: BTreeMap<TopicPartition, Position>,
    pub(super) faults: Faults,
    pub(super) polls: u64,
    pub(super) crashed: bool,
}

#[derive(Debug)]
pub(super) struct Queued {
    pub(super) due: u64,
    pub(super) event: LogEvent<'static>,
}

/// Where a started partition is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Position {
    At(i64),
    /// Said so already.
    OutOfRange,
}

#[derive(Debug, Default)]
struct Producer {
    fenced: bool,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    id: TransactionId,
    partitions: BTreeSet<TopicPartition>,
    group: String,
    offsets: Vec<GroupOffset>,
    /// Whether it will be committed, come what may; its markers are still being written.
    prepared: bool,
}

impl Broker {
    pub(super) fn partition(&self, source: TopicPartition) -> Option<&Partition> {
        let index = usize::try_from(source.partition).ok()?;
        self.topics.get(&source.topic)?.get(index)
    }

    pub(super) fn partition_mut(&mut self, source: TopicPartition) -> Option<&mut Partition> {
        let index = usize::try_from(source.partition).ok()?;
        self.topics.get_mut(&source.topic)?.get_mut(index)
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// # Panics
    /// When there is no such partition: a slip of the test.
    pub(super) fn append(
        &mut self,
        record: NewRecord<'_>,
        transaction: Option<TransactionId>,
    ) -> i64 {
        let stored = StoredRecord {
            offset: 0,
            timestamp: self.now,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record.headers.to_vec(),
        };
        let source = record.topic.partition(record.partition);
        let partition = self.partition_mut(source);
        assert!(partition.is_some(), "there is no partition `{source}`");
        partition.map_or(-1, |partition| partition.append(stored, transaction))
    }

    /// Tells the members of a group what a new generation changes for them.
    pub(super) fn rebalance(&mut self, name: &str) {
        let Some(group) = self.groups.get_mut(name) else {
            return;
        };
        let subscribed = self.members.values().filter(|member| member.group == name);
        let topics: BTreeSet<Topic> = subscribed.flat_map(|m| m.topics.iter().copied()).collect();
        let mut partitions = Vec::new();
        for topic in topics {
            let count = self.topics.get(&topic).map_or(0, Vec::len);
            let numbers = 0..i32::try_from(count).unwrap_or(i32::MAX);
            partitions.extend(numbers.map(|number| topic.partition(number)));
        }
        for (id, changes) in group.rebalance(&partitions, &mut self.last_epoch) {
            let Some(member) = self.members.get_mut(&id) else {
                continue;
            };
            for change in changes {
                member.push(match change {
                    Change::Assigned(sources) => LogEvent::Assigned(sources),
                    Change::Revoking(sources) => LogEvent::Revoking(sources),
                });
            }
        }
    }

    /// Takes a member out of its group, as a session time-out does.
    pub(super) fn evict(&mut self, id: MemberId) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let name = member.group.clone();
        let Some(group) = self
            .groups
            .get_mut(&name)
            .filter(|group| group.is_member(id))
        else {
            return;
        };
        let lost = group.owned_by(id);
        group.remove(id);
        member.positions.clear();
        member
            .events
            .retain(|queued| !matches!(queued.event, LogEvent::Assigned(_)));
        if !lost.is_empty() {
            member.push(LogEvent::Lost(lost));
        }
        self.rebalance(&name);
    }

    /// Begins a transaction with these records. What the producer has not ended yet is ended first,
    /// as its client would wait for it.
    pub(super) fn begin(&mut self, transactional_id: &str, parts: &[&Outbox]) {
        self.end(transactional_id, false);
        let id = TransactionId(self.next_id());
        let mut partitions = BTreeSet::new();
        for record in parts.iter().flat_map(|outbox| outbox.iter()) {
            self.append(record, Some(id));
            partitions.insert(record.topic.partition(record.partition));
        }
        let open = Open {
            id,
            partitions,
            group: String::new(),
            offsets: Vec::new(),
            prepared: false,
        };
        self.producers
            .entry(transactional_id.to_owned())
            .or_default()
            .open = Some(open);
    }

    /// Adds the group's offsets to an open transaction.
    pub(super) fn add_offsets(&mut self, transactional_id: &str, group: &str, o: Vec<GroupOffset>) {
        let producer = self.producers.get_mut(transactional_id);
        if let Some(open) = producer.and_then(|producer| producer.open.as_mut()) {
            group.clone_into(&mut open.group);
            open.offsets = o;
        }
    }

    /// Decides that an open transaction will be committed, and writes nothing yet.
    pub(super) fn prepare(&mut self, transactional_id: &str) {
        let producer = self.producers.get_mut(transactional_id);
        if let Some(open) = producer.and_then(|producer| producer.open.as_mut()) {
            open.prepared = true;
        }
    }

    /// Writes one more marker of the transactions that are being committed and whose turn it is:
    /// some are slower than others. The group's offsets are visible first or last: nobody promises
    /// an order.
    pub(super) fn write_markers(&mut self) {
        self.marker_turns += 1;
        let turn = self.marker_turns;
        let prepared = self.producers.iter_mut().filter_map(|(id, producer)| {
            let open = producer.open.as_mut().filter(|open| open.prepared)?;
            if !turn.is_multiple_of(1 + open.id.0 % MARKER_TURNS_MAX) {
                return None;
            }
            let offsets_first = open.id.0 % 2 == 0;
            let is_offsets_turn = offsets_first || open.partitions.is_empty();
            if is_offsets_turn && !open.offsets.is_empty() {
                let offsets = std::mem::take(&mut open.offsets);
                return Some((
                    id.clone(),
                    open.id,
                    None,
                    Some((open.group.clone(), offsets)),
                ));
            }
            Some((id.clone(), open.id, open.partitions.pop_first(), None))
        });
        let due: Vec<_> = prepared.collect();
        for (producer, transaction, source, offsets) in due {
            if let Some((group, offsets)) = offsets {
                self.store_offsets(&group, offsets);
            } else if let Some(source) = source {
                if let Some(partition) = self.partition_mut(source) {
                    partition.end_transaction(transaction, true);
                }
            } else {
                self.end(&producer, true);
            }
        }
    }

    /// Whether a transaction of this producer is being committed, so that others must wait.
    pub(super) fn is_committing(&self, transactional_id: &str) -> bool {
        let producer = self.producers.get(transactional_id);
        let open = producer.and_then(|producer| producer.open.as_ref());
        open.is_some_and(|open| open.prepared)
    }

    /// What was decided stays: a transaction that is being committed is not aborted any more.
    pub(super) fn end(&mut self, transactional_id: &str, committed: bool) {
        let producer = self.producers.get_mut(transactional_id);
        let Some(open) = producer.and_then(|producer| producer.open.take()) else {
            return;
        };
        let committed = committed || open.prepared;
        for source in open.partitions {
            if let Some(partition) = self.partition_mut(source) {
                partition.end_transaction(open.id, committed);
            }
        }
        if committed {
            self.store_offsets(&open.group, open.offsets);
        }
    }

    pub(super) fn store_offsets(&mut self, group: &str, offsets: Vec<GroupOffset>) {
        let group = self.groups.entry(group.to_owned()).or_default();
        group
            .offsets
            .extend(offsets.into_iter().map(|offset| (offset.source, offset)));
    }

    /// Whether somebody's open transaction may still change one of these offsets.
    pub(super) fn has_pending(&self, group: &str, sources: &[TopicPartition]) -> bool {
        let open = self
            .producers
            .values()
            .filter_map(|producer| producer.open.as_ref());
        open.filter(|open| open.group == group).any(|open| {
            open.offsets
                .iter()
                .any(|offset| sources.contains(&offset.source))
        })
    }

    pub(super) fn fence(&mut self, transactional_id: &str) {
        self.end(transactional_id, false);
        self.producers
            .entry(transactional_id.to_owned())
            .or_default()
            .fenced = true;
    }

    pub(super) fn is_fenced(&self, transactional_id: &str) -> bool {
        self.producers
            .get(transactional_id)
            .is_some_and(|producer| producer.fenced)
    }

    pub(super) fn has_open(&self) -> bool {
        self.producers
            .values()
            .any(|producer| producer.open.is_some())
    }

    pub(super) fn end_all_open(&mut self) {
        let ids: Vec<_> = self.producers.keys().cloned().collect();
        for id in ids {
            if self.is_committing(&id) {
                continue;
            }
            self.end(&id, false);
        }
    }
}

impl Member {
    /// Tells the member at its next poll.
    pub(super) fn push(&mut self, event: LogEvent<'static>) {
        self.events.push_back(Queued {
            due: self.polls + 1,
            event,
        });
    }

    /// Tells the member when answers are due.
    pub(super) fn answer(&mut self, event: LogEvent<'static>) {
        let due = self.polls + 1 + self.faults.delay();
        self.events.push_back(Queued { due, event });
    }
}
