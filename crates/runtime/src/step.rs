//! What an engine does with records: the border between the engine, which owns partitions,
//! batches and transactions, and the rules that run in it.

use std::time::Duration;

use millrace_eventsourcing::{DecodeError, EncodeError, TaskRecord, Timestamp};

use crate::clock::Now;
use crate::code::cut;
use crate::log::Record;
use crate::outbox::Outbox;
use crate::topic::{Topic, TopicPartition};

/// Turns input records into output records and state, one partition apart from the other.
///
/// Deterministic: the same state, records and times give the same bytes. Nothing here waits.
pub trait Step: Send {
    /// All state of one partition; thrown away with it.
    type State: Default + Send;

    /// The compacted topic that this step restores from and seals into; an input partition's state
    /// stands in the partition with its number.
    fn state_topic(&self) -> Topic;

    /// A topic that has records when there must be a task record: a position of the group without
    /// one then means that state was lost.
    fn witness_topic(&self) -> Option<Topic>;

    /// Takes one record of the state topic in.
    ///
    /// # Errors
    /// A record that cannot be read; deciding without it would be deciding on wrong state.
    fn restore(
        &self,
        state: &mut Self::State,
        key: &[u8],
        value: Option<Box<[u8]>>,
    ) -> Result<(), Corrupt>;

    /// Appends what one input record leads to, or says when to offer it again.
    ///
    /// # Errors
    /// State that turns out to be unreadable. Nothing of this record was appended.
    fn process(
        &mut self,
        now: Now,
        state: &mut Self::State,
        record: &Record<'_>,
        out: &mut Outbox,
    ) -> Result<Taken, Corrupt>;

    /// Ends a batch: appends the state records of everything that changed since the last seal.
    ///
    /// # Errors
    /// State that does not fit its schema.
    fn seal(
        &mut self,
        now: Now,
        source: TopicPartition,
        state: &mut Self::State,
        out: &mut Outbox,
    ) -> Result<(), Corrupt>;

    /// The bytes of a task record.
    ///
    /// # Errors
    /// A record that does not fit its schema.
    fn encode_task_record(&self, record: TaskRecord, into: &mut Vec<u8>)
    -> Result<(), EncodeError>;

    /// A task record out of a state topic.
    ///
    /// # Errors
    /// Bytes that are none.
    fn decode_task_record(&self, bytes: &[u8]) -> Result<TaskRecord, DecodeError>;

    /// Told once for each batch that became visible: when its inputs were appended to the log, and
    /// how many each time.
    fn committed(&self, now: Now, appended: &[(Timestamp, u32)]);
}

/// What became of an input record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is done: all that it leads to was appended.
    Done,
    /// Nothing was appended. It is offered again, and those behind it in its partition wait.
    Later(Later),
}

/// Why a record waits, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// When it is offered again, unless the engine is told earlier.
    pub at: Duration,
    /// What is wrong; nothing when waiting is ordinary.
    pub reason: Option<String>,
    /// Whether something was begun outside whose end should be seen before the partition goes to
    /// another owner.
    pub is_underway: bool,
}

/// A record of a state topic that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("state record of key `{key}` cannot be used: {reason}")]
pub struct Corrupt {
    /// The record's key, as text as far as it is one.
    pub key: String,
    /// Why.
    pub reason: String,
}

impl Corrupt {
    /// Names the key.
    pub fn new(key: &[u8], reason: impl std::fmt::Display) -> Self {
        let key = String::from_utf8_lossy(key).into_owned();
        Self {
            key,
            reason: cut(reason.to_string(), 512),
        }
    }
}

/// The reserved key of a task record: byte 0 and `<input topic>/<partition>`. Persisted.
pub fn task_key(source: TopicPartition) -> Vec<u8> {
    let mut key = vec![0];
    key.extend_from_slice(source.to_string().as_bytes());
    key
}

/// Whether a state record's key is that of a task record: no aggregate's id begins with byte 0.
pub fn is_task_key(key: &[u8]) -> bool {
    key.first() == Some(&0)
}
