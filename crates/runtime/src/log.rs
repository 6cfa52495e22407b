//! The log port: what a worker asks of a log such as Kafka, and what it is told.
//!
//! An adapter is a device: it carries out [`Effect`]s without blocking its caller (blocking calls
//! run on its own threads, under a watchdog) and reports through [`LogEvent`]s. It branches on
//! nothing but errors of its client; every decision is the machine's.
//!
//! Promises of every adapter:
//! - *Order*: records of one partition come in offset order, `read_committed`, and only after
//!   [`Effect::Start`]; after [`Effect::Release`] or [`LogEvent::Lost`] none of that assignment
//!   comes any more.
//! - *Atomicity*: of a [`Commit`] everything becomes visible to `read_committed` readers, group
//!   offsets included, or nothing ever does.
//! - *Fence*: a commit carries the group generation that was read before the epochs of its parts
//!   were checked; a part whose epoch is not current is never sent.
//! - *One answer*: each commit is settled once, each ask is answered once, in any order.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::outbox::Outbox;
use crate::topic::TopicPartition;
use millrace_eventsourcing::Timestamp;

/// One worker's place in a consumer group, and its right to answer.
///
/// Used by one thread. A worker that only reads (a projector) uses [`Effect::CommitOffsets`] and
/// [`Effect::Publish`] instead of [`Effect::Commit`].
pub trait Log: Send {
    /// Hands over what has happened, at most `records_max` records among it, and returns when
    /// there is nothing left to hand over; waits up to `wait` for the first thing. With
    /// `records_max` 0 it fetches no records but serves everything else, rebalances included.
    fn poll(&mut self, wait: Duration, records_max: usize, on_event: &mut dyn FnMut(LogEvent<'_>));

    /// Begins to carry out one effect. Never blocks for long.
    fn act(&mut self, effect: Effect);
}

/// Tells one assignment of a partition from a later one of the same partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// A record as it was read; borrowed from the client's buffer.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    /// Where it stands.
    pub source: TopicPartition,
    /// Its place in the partition.
    pub offset: i64,
    /// When the broker appended it, or when the producer made it, as the topic is set.
    pub timestamp: Timestamp,
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// The value's bytes; nothing is a tombstone.
    pub value: Option<&'a [u8]>,
    /// All headers, in order.
    pub headers: Headers<'a>,
}

impl Record<'_> {
    /// Bytes of key, value and headers.
    pub fn bytes(&self) -> usize {
        let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let headers = self.headers.iter();
        let headers: usize = headers.map(|h| h.name.len() + length(h.value)).sum();
        length(self.key) + length(self.value) + headers
    }
}

/// Headers of a record that was read; most have none, which costs nothing.
pub type Headers<'a> = SmallVec<[Header<'a>; 2]>;

/// One header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its name; not unique.
    pub name: &'a str,
    /// Its value.
    pub value: Option<&'a [u8]>,
}

/// What an adapter tells a machine.
#[derive(Debug)]
pub enum LogEvent<'a> {
    /// These partitions are ours from now on; nothing of them comes before [`Effect::Start`].
    Assigned(Vec<(TopicPartition, Epoch)>),
    /// The group wants these back. They stay ours until [`Effect::Release`]; the whole group waits.
    Revoking(Vec<TopicPartition>),
    /// These are ours no longer; somebody else may own them already.
    Lost(Vec<TopicPartition>),
    /// The next record of a started partition.
    Record(Record<'a>),
    /// How the one commit in flight ended.
    Settled(Result<(), CommitFailure>),
    /// The answer to an ask. A failure is transient: ask again after a while.
    Answer(AskId, Result<Answer, AskFailure>),
    /// Records of the state partition that is being restored, in offset order; more may follow
    /// before the answer.
    Restored(AskId, Vec<StateChange>),
    /// How [`Effect::CommitOffsets`] ended.
    OffsetsCommitted(Result<(), AskFailure>),
    /// How [`Effect::Publish`] ended.
    Published(Result<(), AskFailure>),
    /// A started partition's next record cannot be read: its position is out of the log's range.
    OutOfRange(TopicPartition),
    /// The log is not reachable at the moment (`Some` says why), or is again.
    Reachable(Option<String>),
    /// The client is beyond repair: close this log and open another.
    Broken(String),
}

/// A record of a compacted topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// The state partition.
    pub source: TopicPartition,
    /// Where it stands there.
    pub offset: i64,
    /// The key's bytes.
    pub key: Box<[u8]>,
    /// Nothing is a tombstone.
    pub value: Option<Box<[u8]>>,
}

/// What a machine wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Begin to deliver records of an assigned partition, from this offset on.
    Start(TopicPartition, i64),
    /// Stop delivering records of a partition until the next `Start`; it stays assigned.
    Pause(TopicPartition),
    /// Acknowledge a revocation: these partitions are no longer used.
    Release(Vec<TopicPartition>),
    /// Make all of it true at once. At most one commit is in flight. Shared, because the machine
    /// sends the very same again after an abort.
    Commit(Arc<Commit>),
    /// Ask something of the log.
    Ask(AskId, Ask),
    /// Give up the producer, if there is one: end whatever it left open, and make one with a new
    /// transactional id. Asked first of all, before any commit. Answered by [`Answer::Renewed`].
    Renew(AskId),
    /// Store these positions for the group, without a transaction. At most one is in flight.
    CommitOffsets(Vec<GroupOffset>),
    /// Write these records, without a transaction, acknowledged by all replicas. At most one is in
    /// flight.
    Publish(Outbox),
}

/// Outputs and progress of some tasks, visible together or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Commit {
    /// One for each input partition.
    pub parts: Vec<Part>,
}

/// What one task contributes to a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The input partition.
    pub source: TopicPartition,
    /// The assignment under which it was made.
    pub epoch: Epoch,
    /// Everything to be written, the task record included.
    pub records: Outbox,
    /// The first input record that is not yet consumed.
    pub next_offset: i64,
}

/// Why a commit did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitFailure {
    /// Nothing was written: send the same again, later.
    #[error("aborted: {reason}")]
    Aborted {
        /// A word from a small fixed set; it labels a metric.
        class: &'static str,
        /// What the client said.
        reason: String,
    },
    /// Nothing was sent: the epochs of these partitions are not current.
    #[error("stale epochs of {0:?}")]
    Stale(Vec<TopicPartition>),
    /// This producer was fenced or is beyond repair. Whether the commit took effect is not known.
    #[error("fenced: {0}")]
    Fenced(String),
    /// The commit was sent and no answer came. Whether it took effect is not known.
    #[error("unknown outcome: {0}")]
    Unknown(String),
}

/// Tells one ask from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// An ask that found no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AskFailure(pub String);

/// Questions to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// For each state partition: the last committed record under `key`, and the values under `key`
    /// between the stable end and the high watermark (which are not committed yet, or never).
    Tails(Vec<(TopicPartition, Vec<u8>)>),
    /// End whatever producers with these transactional ids left open, and fence them.
    Fence(Vec<String>),
    /// The group's stable offsets: waits for pending commits.
    GroupOffsets(Vec<TopicPartition>),
    /// First offset and high watermark (`read_uncommitted`) of each.
    Ranges(Vec<TopicPartition>),
    /// All committed records of each state partition below its offset, as
    /// [`LogEvent::Restored`]; compaction may have left holes, and markers stand between.
    Restore(Vec<(TopicPartition, i64)>),
    /// How far each position can be brought forward because no committed record, only markers or
    /// holes, stands between it and the answer.
    Advance(Vec<(TopicPartition, i64)>),
}

/// What the log answers; the variants are those of [`Ask`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To [`Ask::Tails`], in its order.
    Tails(Vec<Tail>),
    /// To [`Ask::Fence`].
    Fenced,
    /// To [`Ask::GroupOffsets`]; partitions without a stored offset are left out.
    GroupOffsets(Vec<GroupOffset>),
    /// To [`Ask::Ranges`], in its order.
    Ranges(Vec<LogRange>),
    /// To [`Ask::Restore`]: everything was delivered.
    RestoreDone,
    /// To [`Ask::Advance`], in its order.
    Advanced(Vec<(TopicPartition, i64)>),
    /// To [`Effect::Renew`]: the new transactional id.
    Renewed(String),
}

/// The last records under one key of one state partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// The state partition.
    pub source: TopicPartition,
    /// The last committed value; a tombstone counts as none.
    pub committed: Option<Vec<u8>>,
    /// Values that stand behind the stable end.
    pub open: Vec<Vec<u8>>,
}

/// A position of the consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOffset {
    /// The input partition.
    pub source: TopicPartition,
    /// The first record not yet consumed.
    pub next_offset: i64,
    /// Kept beside it; empty when somebody else's tool stored it.
    pub metadata: String,
}

/// Where a partition begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRange {
    /// Which partition.
    pub source: TopicPartition,
    /// The first offset that can still be read.
    pub first: i64,
    /// One past the last record, committed or not.
    pub end: i64,
}
