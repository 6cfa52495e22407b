//! What people and set-up ask of the log, beside the workers: blocking, and made for the moment.
//!
//! Promises of every adapter:
//! - Reads are `read_committed`: what an aborted transaction left is never shown.
//! - Every call ends: bounded ones within the adapter's time-out for each answer of the log, the
//!   endless one when its visitor says so, which is asked again and again while nothing comes.
//! - A failure says what was tried and where, and changes nothing that was not asked for.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::ControlFlow;

use millrace_eventsourcing::Timestamp;
use thiserror::Error;

use crate::log::{GroupOffset, Record};
use crate::outbox::Outbox;
use crate::topic::{Topic, TopicPartition};
use crate::topic_spec::TopicSpec;

/// A log as a command of the command line sees it. Calls block the thread.
pub trait LogAccess: Debug + Send + Sync {
    /// Which of these topics exist, and how they are set; the others are left out.
    ///
    /// # Errors
    /// When the log does not answer.
    fn describe(&self, topics: &[&str]) -> Result<Vec<FoundTopic>, AccessError>;

    /// The names of all topics, in order.
    ///
    /// # Errors
    /// When the log does not answer.
    fn names(&self) -> Result<Vec<String>, AccessError>;

    /// Makes the topics that do not exist, and says for each whether it did; those that exist stay
    /// as they are. In the order of `specs`.
    ///
    /// # Errors
    /// When a topic cannot be made; those before it may have been.
    fn create(&self, specs: &[TopicSpec]) -> Result<Vec<Created>, AccessError>;

    /// Where each partition of a topic begins and ends, in order of their numbers.
    ///
    /// # Errors
    /// When there is no such topic, or the log does not answer.
    fn bounds(&self, topic: Topic) -> Result<Vec<Bounds>, AccessError>;

    /// For each partition of a topic, the first record appended (or made, as the topic is set) at
    /// `time` or later; the stable end where there is none.
    ///
    /// # Errors
    /// When there is no such topic, or the log does not answer.
    fn offsets_at(
        &self,
        topic: Topic,
        time: Timestamp,
    ) -> Result<Vec<(TopicPartition, i64)>, AccessError>;

    /// Shows the records of the spans; those of one partition in order. Ends at the end of the
    /// last span, or when `visit` breaks.
    ///
    /// # Errors
    /// When nothing comes for the adapter's time-out although more must be there.
    fn read(
        &self,
        spans: &[Span],
        visit: &mut dyn FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<(), AccessError>;

    /// Shows the records from these places on, and those that are appended while it runs, until
    /// `visit` breaks.
    ///
    /// # Errors
    /// When the log refuses; a log that is merely away is waited for.
    fn follow(
        &self,
        from: &[(TopicPartition, i64)],
        visit: &mut dyn FnMut(Seen<'_>) -> ControlFlow<()>,
    ) -> Result<(), AccessError>;

    /// Opens the log for writing.
    ///
    /// # Errors
    /// When the settings are refused.
    fn appender(&self) -> Result<Box<dyn Appender>, AccessError>;

    /// Who is in a consumer group. A group that nobody knows has no members.
    ///
    /// # Errors
    /// When the log does not answer.
    fn group(&self, group: &str) -> Result<Group, AccessError>;

    /// The stored positions of a group; partitions without one are left out.
    ///
    /// # Errors
    /// When the log does not answer.
    fn group_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<GroupOffset>, AccessError>;

    /// Stores positions for a group that has no members.
    ///
    /// # Errors
    /// When it has members, or the log does not answer.
    fn set_group_offsets(&self, group: &str, offsets: &[GroupOffset]) -> Result<(), AccessError>;
}

/// Writes records, each once.
pub trait Appender: Debug {
    /// Writes all records and waits until every replica in sync has them. Where each went, in order.
    ///
    /// # Errors
    /// When one of them was refused or not acknowledged in time; others may have been written.
    fn append(&mut self, records: &Outbox) -> Result<Vec<(TopicPartition, i64)>, AccessError>;
}

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundTopic {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// The smallest number of replicas among them; nothing where the log has no replicas.
    pub replication_factor: Option<i32>,
    /// What is in force, set for the topic or by default.
    pub settings: BTreeMap<String, String>,
}

/// What became of a topic that was to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It was made.
    New,
    /// It was there already.
    Existing,
}

/// Where a partition begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Which one.
    pub source: TopicPartition,
    /// The first offset that can still be read.
    pub first: i64,
    /// One past the last record that `read_committed` readers can come to.
    pub stable_end: i64,
    /// One past the last record, committed or not.
    pub end: i64,
}

/// A part of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Which partition.
    pub source: TopicPartition,
    /// The first offset.
    pub from: i64,
    /// One past the last offset; not beyond the stable end.
    pub to: i64,
}

/// What following shows.
#[derive(Debug)]
pub enum Seen<'a> {
    /// The next record.
    Record(Record<'a>),
    /// Nothing came for a moment.
    Idle,
}

/// A consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The log's word for what it is doing.
    pub state: String,
    /// Who takes part.
    pub members: Vec<Member>,
}

/// One consumer in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What it calls itself.
    pub client_id: String,
    /// Where it runs.
    pub host: String,
    /// What it was given.
    pub partitions: Vec<(String, i32)>,
}

/// Why the log gave no answer.
#[derive(Debug, Error)]
pub enum AccessError {
    /// There is no such topic.
    #[error("there is no topic `{0}`")]
    NoSuchTopic(String),
    /// Something was tried and failed.
    #[error("cannot {tried}")]
    Failed {
        /// What, and where.
        tried: String,
        /// What the log said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl AccessError {
    /// `tried` goes on where "cannot" begins.
    pub fn failed(
        tried: impl Into<String>,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Failed {
            tried: tried.into(),
            cause: cause.into(),
        }
    }
}
