//! A broker in memory, and workers on it, with faults on demand.
//!
//! Everything happens inside `act` and `poll`, which never wait: a test decides who
//! is next, so the same steps give the same bytes. Transaction markers take offsets, readers of
//! committed records stop at the first open transaction, and a group rebalances cooperatively, as
//! on a real broker. A worker learns of a rebalance when it polls, and not before.

mod asks;
mod broker;
mod client;
mod faults;
mod group;
mod partition;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millrace_eventsourcing::Timestamp;
use millrace_runtime::log::{GroupOffset, LogRange};
use millrace_runtime::outbox::{NewRecord, Outbox};
use millrace_runtime::topic::{Topic, TopicPartition};

use broker::{Broker, Member};
use group::MemberId;

pub use client::MemoryLog;
pub use faults::{CommitFault, Fate, Faults};
pub use partition::StoredRecord;

/// The broker. Every clone is the same.
#[derive(Debug, Clone, Default)]
pub struct MemoryBroker(Arc<Mutex<Broker>>);

impl MemoryBroker {
    fn lock(&self) -> MutexGuard<'_, Broker> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a topic, or partitions to one that is there.
    pub fn create_topic(&self, topic: Topic, partitions: i32) {
        let count = usize::try_from(partitions).unwrap_or_default();
        self.lock()
            .topics
            .entry(topic)
            .or_default()
            .resize_with(count, Default::default);
    }

    /// Sets the time that records are appended with.
    pub fn set_now(&self, now: Timestamp) {
        self.lock().now = now;
    }

    /// Appends a record without a transaction, as any sender may; returns its offset.
    pub fn produce(&self, record: NewRecord<'_>) -> i64 {
        self.lock().append(record, None)
    }

    /// Appends a whole transaction and its markers.
    pub fn transact(&self, records: &Outbox, committed: bool) {
        let mut broker = self.lock();
        broker.begin("another producer", &[records]);
        broker.end("another producer", committed);
    }

    /// Appends records of a transaction that stays open until it is fenced or timed out.
    pub fn leave_open(&self, transactional_id: &str, records: &Outbox) {
        self.lock().begin(transactional_id, &[records]);
    }

    /// Aborts every open transaction, as brokers do after the transaction time-out.
    pub fn time_out_transactions(&self) {
        self.lock().end_all_open();
    }

    /// Whether somebody's transaction is not ended yet, markers included.
    pub fn has_open_transactions(&self) -> bool {
        self.lock().has_open()
    }

    /// Takes crashed workers out of their groups, as brokers do after the session time-out.
    pub fn expire_crashed(&self) {
        let mut broker = self.lock();
        let crashed = broker.members.iter().filter(|(_, member)| member.crashed);
        let crashed: Vec<_> = crashed.map(|(id, _)| *id).collect();
        for id in crashed {
            broker.evict(id);
            broker.members.remove(&id);
        }
    }

    /// All committed records of a partition, up to its stable end.
    pub fn committed(&self, source: TopicPartition) -> Vec<StoredRecord> {
        let broker = self.lock();
        let Some(partition) = broker.partition(source) else {
            return Vec::new();
        };
        partition
            .committed(0, i64::MAX)
            .map(|record| StoredRecord::clone(record))
            .collect()
    }

    /// All committed records of a topic, partition by partition.
    pub fn committed_in_topic(&self, topic: Topic) -> Vec<StoredRecord> {
        let count = self.lock().topics.get(&topic).map_or(0, Vec::len);
        let numbers = 0..i32::try_from(count).unwrap_or(i32::MAX);
        numbers
            .flat_map(|number| self.committed(topic.partition(number)))
            .collect()
    }

    /// How many partitions a topic has.
    pub fn partitions(&self, topic: Topic) -> usize {
        self.lock().topics.get(&topic).map_or(0, Vec::len)
    }

    /// Where a partition begins and ends.
    pub fn range(&self, source: TopicPartition) -> LogRange {
        self.lock().range(source)
    }

    /// Takes away the records before an offset, as retention does.
    pub fn delete_before(&self, source: TopicPartition, offset: i64) {
        if let Some(partition) = self.lock().partition_mut(source) {
            partition.delete_before(offset);
        }
    }

    /// Keeps only the last committed record of each key, tombstones not at all.
    pub fn compact(&self, topic: Topic) {
        for partition in self.lock().topics.entry(topic).or_default() {
            partition.compact();
        }
    }

    /// A group's stored offset.
    pub fn group_offset(&self, group: &str, source: TopicPartition) -> Option<GroupOffset> {
        self.lock().groups.get(group)?.offsets.get(&source).cloned()
    }

    /// Stores a group's offset as foreign tools do; nothing deletes it.
    pub fn reset_group(&self, group: &str, source: TopicPartition, next_offset: Option<i64>) {
        let mut broker = self.lock();
        let offsets = &mut broker.groups.entry(group.to_owned()).or_default().offsets;
        offsets.remove(&source);
        offsets.extend(next_offset.map(|next_offset| {
            (
                source,
                GroupOffset {
                    source,
                    next_offset,
                    metadata: String::new(),
                },
            )
        }));
    }

    /// A new worker that joins a group and reads these topics. Its transactional ids begin with
    /// `transactional`.
    pub fn join(&self, group: &str, topics: &[Topic], transactional: &str) -> MemoryLog {
        let mut broker = self.lock();
        let member = MemberId(broker.next_id());
        let faults = Faults::default();
        broker.members.insert(
            member,
            Member {
                group: group.to_owned(),
                topics: topics.to_vec(),
                transactional: transactional.to_owned(),
                producer: None,
                events: [].into(),
                asks: [].into(),
                positions: BTreeMap::new(),
                faults: faults.clone(),
                polls: 0,
                crashed: false,
            },
        );
        drop(broker);
        MemoryLog::new(self.clone(), member, group.to_owned(), faults)
    }
}
