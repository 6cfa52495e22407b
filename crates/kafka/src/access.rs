//! What people and set-up ask of Kafka, through clients that live for one call.
//!
//! No client outlives its call, an [`Appender`] apart: an admin client that lived through a restart
//! of its broker has been seen to abort the process.

mod append;
mod group;
mod read;
mod topics;

use std::ops::ControlFlow;
use std::time::Duration;

use millrace_eventsourcing::Timestamp;
use millrace_runtime::access::{
    AccessError, Appender, Bounds, Created, FoundTopic, Group, LogAccess, Seen, Span,
};
use millrace_runtime::log::{GroupOffset, Record};
use millrace_runtime::topic::{Topic, TopicPartition};
use millrace_runtime::topic_spec::TopicSpec;
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::client::Isolation;
use crate::config::Config;

/// For one answer of the brokers: longer than a leader's election, shorter than patience.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Readers never join a group, but the client insists on a name.
const READERS_GROUP: &str = "millrace.reader";

/// Kafka as the command line sees it. Holds settings only.
#[derive(Debug, Clone)]
pub struct KafkaAccess {
    config: Config,
}

impl KafkaAccess {
    /// Access to the cluster of this configuration.
    pub const fn new(config: Config) -> Self {
        Self { config }
    }

    /// A consumer without a group's membership.
    fn reader(&self, group: &str, isolation: Isolation) -> Result<BaseConsumer, AccessError> {
        let mut config = self.config.common();
        config
            .set("group.id", group)
            .set("isolation.level", word(isolation))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            // A position that is gone is an error, never a leap.
            .set("auto.offset.reset", "error")
            .set("allow.auto.create.topics", "false")
            // The default of 500 ms is what a read of an empty partition would take.
            .set("fetch.wait.max.ms", "50");
        self.create(&config)
    }

    fn create<T: FromClientConfig>(&self, config: &ClientConfig) -> Result<T, AccessError> {
        config.create().map_err(failed(|| {
            format!("make a client for `{}`", self.config.brokers)
        }))
    }
}

const fn word(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::Committed => "read_committed",
        Isolation::Uncommitted => "read_uncommitted",
    }
}

/// The client's errors repeat themselves in their sources, so the text alone is kept.
fn failed(tried: impl FnOnce() -> String) -> impl FnOnce(KafkaError) -> AccessError {
    |error| AccessError::failed(tried(), error.to_string())
}

/// The client's form of some partitions, without offsets.
fn partition_list<'a>(
    partitions: impl IntoIterator<Item = &'a TopicPartition>,
) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for source in partitions {
        list.add_partition(source.topic.name(), source.partition);
    }
    list
}

impl LogAccess for KafkaAccess {
    fn describe(&self, topics: &[&str]) -> Result<Vec<FoundTopic>, AccessError> {
        self.found_topics(topics)
    }

    fn names(&self) -> Result<Vec<String>, AccessError> {
        self.topic_names()
    }

    fn create(&self, specs: &[TopicSpec]) -> Result<Vec<Created>, AccessError> {
        self.create_topics(specs)
    }

    fn bounds(&self, topic: Topic) -> Result<Vec<Bounds>, AccessError> {
        self.partition_bounds(topic)
    }

    fn offsets_at(
        &self,
        topic: Topic,
        time: Timestamp,
    ) -> Result<Vec<(TopicPartition, i64)>, AccessError> {
        self.partition_offsets_at(topic, time)
    }

    fn read(
        &self,
        spans: &[Span],
        visit: &mut dyn FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<(), AccessError> {
        self.read_spans(spans, visit)
    }

    fn follow(
        &self,
        from: &[(TopicPartition, i64)],
        visit: &mut dyn FnMut(Seen<'_>) -> ControlFlow<()>,
    ) -> Result<(), AccessError> {
        self.follow_from(from, visit)
    }

    fn appender(&self) -> Result<Box<dyn Appender>, AccessError> {
        Ok(Box::new(self.new_appender()?))
    }

    fn group(&self, group: &str) -> Result<Group, AccessError> {
        self.group_members(group)
    }

    fn group_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<GroupOffset>, AccessError> {
        self.stored_offsets(group, partitions)
    }

    fn set_group_offsets(&self, group: &str, offsets: &[GroupOffset]) -> Result<(), AccessError> {
        self.store_offsets(group, offsets)
    }
}
