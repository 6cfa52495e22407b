//! One worker driven by hand, and what it was told.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_runtime::log::{
    Answer, Ask, AskFailure, AskId, Commit, CommitFailure, Effect, Epoch, Log, LogEvent, Part,
    StateChange,
};
use millrace_runtime::outbox::{NewHeader, Outbox};
use millrace_runtime::topic::TopicPartition;

/// A record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRecord {
    /// Where it stood.
    pub source: TopicPartition,
    /// Its place.
    pub offset: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<NewHeader>,
}

/// One worker and everything it was told.
#[derive(Debug)]
pub struct Worker<L> {
    /// The log.
    pub log: L,
    /// Partitions that are ours, with their epochs.
    pub owned: BTreeMap<TopicPartition, Epoch>,
    /// How many assignments came, empty ones included.
    pub assignments: usize,
    /// What the group wants back.
    pub revoking: Vec<TopicPartition>,
    /// What was lost.
    pub lost: Vec<TopicPartition>,
    /// What was read.
    pub records: Vec<OwnRecord>,
    /// What was restored, by partition.
    pub restored: BTreeMap<TopicPartition, Vec<StateChange>>,
    /// How commits ended.
    pub settled: Vec<Result<(), CommitFailure>>,
    /// How stored offsets ended.
    pub stored: Vec<Result<(), AskFailure>>,
    /// How publishing ended.
    pub published: Vec<Result<(), AskFailure>>,
    /// Positions that the log does not have.
    pub out_of_range: Vec<TopicPartition>,
    /// Whether the log could be reached, as told.
    pub reachable: Vec<Option<String>>,
    pub(super) answers: BTreeMap<AskId, Result<Answer, AskFailure>>,
    pub(super) asked: u64,
    /// How many records one poll may bring.
    pub records_max: usize,
}

impl<L: Log> Worker<L> {
    /// Nothing was told yet.
    pub fn new(log: L) -> Self {
        Self {
            log,
            owned: BTreeMap::new(),
            assignments: 0,
            revoking: Vec::new(),
            lost: Vec::new(),
            records: Vec::new(),
            restored: BTreeMap::new(),
            settled: Vec::new(),
            stored: Vec::new(),
            published: Vec::new(),
            out_of_range: Vec::new(),
            reachable: Vec::new(),
            answers: BTreeMap::new(),
            asked: 0,
            records_max: 1_000,
        }
    }

    /// Hears what there is to hear.
    ///
    /// # Panics
    /// When the log is broken.
    pub fn poll(&mut self, wait: Duration) {
        let mut told = Vec::new();
        let records = &mut self.records;
        self.log
            .poll(wait, self.records_max, &mut |event| match event {
                LogEvent::Record(record) => records.push(OwnRecord {
                    source: record.source,
                    offset: record.offset,
                    key: record.key.map(<[u8]>::to_vec),
                    value: record.value.map(<[u8]>::to_vec),
                    headers: record
                        .headers
                        .iter()
                        .map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec)))
                        .collect(),
                }),
                LogEvent::Assigned(partitions) => told.push(Told::Assigned(partitions)),
                LogEvent::Revoking(partitions) => told.push(Told::Revoking(partitions)),
                LogEvent::Lost(partitions) => told.push(Told::Lost(partitions)),
                LogEvent::Settled(result) => told.push(Told::Settled(result)),
                LogEvent::Answer(id, answer) => told.push(Told::Answer(id, answer)),
                LogEvent::Restored(_, changes) => told.push(Told::Restored(changes)),
                LogEvent::OffsetsCommitted(result) => told.push(Told::Stored(result)),
                LogEvent::Published(result) => told.push(Told::Published(result)),
                LogEvent::OutOfRange(partition) => told.push(Told::OutOfRange(partition)),
                LogEvent::Reachable(trouble) => told.push(Told::Reachable(trouble)),
                LogEvent::Broken(reason) => panic!("the log is broken: {reason}"),
            });
        for told in told {
            self.hear(told);
        }
    }

    fn hear(&mut self, told: Told) {
        match told {
            Told::Assigned(partitions) => {
                self.assignments += 1;
                self.owned.extend(partitions);
            }
            Told::Revoking(partitions) => self.revoking.extend(partitions),
            Told::Lost(partitions) => {
                self.owned
                    .retain(|partition, _| !partitions.contains(partition));
                self.revoking
                    .retain(|partition| !partitions.contains(partition));
                self.lost.extend(partitions);
            }
            Told::Settled(result) => self.settled.push(result),
            Told::Answer(id, answer) => {
                let before = self.answers.insert(id, answer);
                assert!(before.is_none(), "{id:?} was answered twice");
            }
            Told::Restored(changes) => {
                for change in changes {
                    self.restored.entry(change.source).or_default().push(change);
                }
            }
            Told::Stored(result) => self.stored.push(result),
            Told::Published(result) => self.published.push(result),
            Told::OutOfRange(partition) => self.out_of_range.push(partition),
            Told::Reachable(trouble) => self.reachable.push(trouble),
        }
    }

    /// Lets go of everything that the group wants back.
    pub fn release(&mut self) {
        let partitions = std::mem::take(&mut self.revoking);
        for partition in &partitions {
            self.owned.remove(partition);
        }
        self.log.act(Effect::Release(partitions));
    }

    /// Starts everything that is owned at this offset.
    pub fn start_all(&mut self, offset: i64) {
        for partition in self.owned.keys() {
            self.log.act(Effect::Start(*partition, offset));
        }
    }

    /// One part of a commit, under the epoch that is current.
    ///
    /// # Panics
    /// When the partition is not owned.
    pub fn part(&self, source: TopicPartition, next_offset: i64, records: Outbox) -> Part {
        let Some(epoch) = self.owned.get(&source).copied() else {
            panic!("{source} is not ours");
        };
        Part {
            source,
            epoch,
            records,
            next_offset,
        }
    }

    /// Sends a commit on its way.
    pub fn commit(&mut self, parts: Vec<Part>) {
        self.log.act(Effect::Commit(Commit { parts }.into()));
    }

    /// Asks, to be awaited with [`Stage::answer`](super::Stage::answer).
    pub fn ask(&mut self, ask: Ask) -> AskId {
        let id = self.next_ask();
        self.log.act(Effect::Ask(id, ask));
        id
    }

    /// Asks for a new producer.
    pub fn renew(&mut self) -> AskId {
        let id = self.next_ask();
        self.log.act(Effect::Renew(id));
        id
    }

    fn next_ask(&mut self) -> AskId {
        self.asked += 1;
        AskId(self.asked)
    }

    /// Values that were read from one partition.
    pub fn values(&self, source: TopicPartition) -> Vec<&[u8]> {
        self.records
            .iter()
            .filter(|record| record.source == source)
            .filter_map(|record| record.value.as_deref())
            .collect()
    }
}

enum Told {
    Assigned(Vec<(TopicPartition, Epoch)>),
    Revoking(Vec<TopicPartition>),
    Lost(Vec<TopicPartition>),
    Settled(Result<(), CommitFailure>),
    Answer(AskId, Result<Answer, AskFailure>),
    Restored(Vec<StateChange>),
    Stored(Result<(), AskFailure>),
    Published(Result<(), AskFailure>),
    OutOfRange(TopicPartition),
    Reachable(Option<String>),
}
