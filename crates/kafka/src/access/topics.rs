//! Topics: how they are set, making them, where their partitions begin and end.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use millrace_eventsourcing::Timestamp;
use millrace_runtime::access::{AccessError, Bounds, Created, FoundTopic};
use millrace_runtime::topic::{Topic, TopicPartition};
use millrace_runtime::topic_spec::TopicSpec;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{ANSWER_WITHIN, KafkaAccess, READERS_GROUP, failed};
use crate::client::Isolation;

/// Between two looks at whether a new topic has leaders.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(50);
/// So that all looks together take about [`ANSWER_WITHIN`].
const LOOKS_MAX: u32 = 200;

impl KafkaAccess {
    pub(super) fn topic_names(&self) -> Result<Vec<String>, AccessError> {
        let consumer = self.reader(READERS_GROUP, Isolation::Committed)?;
        let metadata = self.metadata(&consumer)?;
        let mut names: Vec<String> = metadata
            .topics()
            .iter()
            .map(|topic| topic.name().to_owned())
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    pub(super) fn found_topics(&self, wanted: &[&str]) -> Result<Vec<FoundTopic>, AccessError> {
        let consumer = self.reader(READERS_GROUP, Isolation::Committed)?;
        let metadata = self.metadata(&consumer)?;
        let present: Vec<&MetadataTopic> = metadata
            .topics()
            .iter()
            .filter(|topic| wanted.contains(&topic.name()))
            .collect();
        if present.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<&str> = present.iter().map(|topic| topic.name()).collect();
        let mut settings = self.topic_settings(&names)?;
        Ok(present
            .into_iter()
            .map(|topic| FoundTopic {
                name: topic.name().to_owned(),
                partitions: count(topic.partitions().len()),
                replication_factor: topic
                    .partitions()
                    .iter()
                    .map(|partition| count(partition.replicas().len()))
                    .min(),
                settings: settings.remove(topic.name()).unwrap_or_default(),
            })
            .collect())
    }

    /// All topics are asked for, not one by name: to ask for one can make it.
    fn metadata(&self, consumer: &BaseConsumer) -> Result<Metadata, AccessError> {
        consumer
            .fetch_metadata(None, ANSWER_WITHIN)
            .map_err(failed(|| {
                format!("list the topics of `{}`", self.config.brokers)
            }))
    }

    fn topic_settings(
        &self,
        names: &[&str],
    ) -> Result<BTreeMap<String, BTreeMap<String, String>>, AccessError> {
        let tried = || format!("read the settings of topics `{}`", names.join("`, `"));
        let resources: Vec<_> = names
            .iter()
            .map(|name| ResourceSpecifier::Topic(name))
            .collect();
        let admin = self.admin()?;
        let answers =
            block_on(admin.describe_configs(&resources, &options())).map_err(failed(tried))?;
        let mut settings = BTreeMap::new();
        // The answers are in the order of the questions.
        for (name, answer) in names.iter().zip(answers) {
            let answer = answer.map_err(|code| {
                AccessError::failed(format!("read the settings of topic `{name}`"), code)
            })?;
            let entries = answer
                .entries
                .into_iter()
                .filter_map(|entry| Some((entry.name, entry.value?)))
                .collect();
            settings.insert((*name).to_owned(), entries);
        }
        Ok(settings)
    }

    pub(super) fn create_topics(&self, specs: &[TopicSpec]) -> Result<Vec<Created>, AccessError> {
        let new: Vec<NewTopic<'_>> = specs.iter().map(new_topic).collect();
        let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
        let admin = self.admin()?;
        let answers = block_on(admin.create_topics(&new, &options()))
            .map_err(failed(|| format!("make topics `{}`", names.join("`, `"))))?;
        let mut created = Vec::with_capacity(specs.len());
        for (spec, answer) in specs.iter().zip(answers) {
            created.push(match answer {
                Ok(_) => Created::New,
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => Created::Existing,
                Err((_, code)) => {
                    let tried = format!(
                        "make topic `{}` with {} partitions and {} replicas of each",
                        spec.name, spec.partitions, spec.replication_factor
                    );
                    return Err(AccessError::failed(tried, code));
                }
            });
        }
        self.await_leaders(&names)?;
        Ok(created)
    }

    /// The controller answers before all brokers know the topic; whoever comes next would fail.
    fn await_leaders(&self, names: &[&str]) -> Result<(), AccessError> {
        let consumer = self.reader(READERS_GROUP, Isolation::Committed)?;
        for _ in 0..LOOKS_MAX {
            let metadata = self.metadata(&consumer)?;
            let ready = |name: &&str| {
                let topic = metadata.topics().iter().find(|topic| topic.name() == *name);
                topic.is_some_and(has_leaders)
            };
            if names.iter().all(ready) {
                return Ok(());
            }
            thread::sleep(LOOK_AGAIN_AFTER);
        }
        Err(AccessError::failed(
            format!("find leaders for topics `{}`", names.join("`, `")),
            "they were made, but not all partitions have a leader yet",
        ))
    }

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>, AccessError> {
        KafkaAccess::create(self, &self.config.common())
    }

    /// The numbers of a topic's partitions.
    fn partitions_of(
        &self,
        consumer: &BaseConsumer,
        topic: Topic,
    ) -> Result<Vec<TopicPartition>, AccessError> {
        let metadata = self.metadata(consumer)?;
        let found = metadata
            .topics()
            .iter()
            .find(|found| found.name() == topic.name())
            .ok_or_else(|| AccessError::NoSuchTopic(topic.name().to_owned()))?;
        let partitions = 0..count(found.partitions().len());
        Ok(partitions.map(|number| topic.partition(number)).collect())
    }

    pub(super) fn partition_bounds(&self, topic: Topic) -> Result<Vec<Bounds>, AccessError> {
        // The stable end first: it never passes the end that is asked for afterwards.
        let committed = self.reader(READERS_GROUP, Isolation::Committed)?;
        let partitions = self.partitions_of(&committed, topic)?;
        let stable = partitions
            .iter()
            .map(|source| watermarks(&committed, *source))
            .collect::<Result<Vec<_>, _>>()?;
        let uncommitted = self.reader(READERS_GROUP, Isolation::Uncommitted)?;
        let mut bounds = Vec::with_capacity(partitions.len());
        for (source, (first, stable_end)) in partitions.into_iter().zip(stable) {
            let (_, end) = watermarks(&uncommitted, source)?;
            bounds.push(Bounds {
                source,
                first,
                stable_end,
                end,
            });
        }
        Ok(bounds)
    }

    pub(super) fn partition_offsets_at(
        &self,
        topic: Topic,
        time: Timestamp,
    ) -> Result<Vec<(TopicPartition, i64)>, AccessError> {
        let tried = || format!("find offsets of topic `{topic}` by time");
        let consumer = self.reader(READERS_GROUP, Isolation::Committed)?;
        let partitions = self.partitions_of(&consumer, topic)?;
        let mut times = TopicPartitionList::new();
        for source in &partitions {
            let millis = Offset::Offset(time.as_millis().max(0));
            times
                .add_partition_offset(topic.name(), source.partition, millis)
                .map_err(failed(tried))?;
        }
        let found = consumer
            .offsets_for_times(times, ANSWER_WITHIN)
            .map_err(failed(tried))?;
        let mut offsets = Vec::with_capacity(partitions.len());
        for source in partitions {
            let element = found.find_partition(topic.name(), source.partition);
            let offset = match element.map(|element| element.offset()) {
                Some(Offset::Offset(offset)) => offset,
                _ => watermarks(&consumer, source)?.1,
            };
            offsets.push((source, offset));
        }
        Ok(offsets)
    }
}

fn watermarks(consumer: &BaseConsumer, source: TopicPartition) -> Result<(i64, i64), AccessError> {
    consumer
        .fetch_watermarks(source.topic.name(), source.partition, ANSWER_WITHIN)
        .map_err(failed(|| {
            format!("find first and last offset of `{source}`")
        }))
}

fn new_topic(spec: &TopicSpec) -> NewTopic<'_> {
    let replicas = TopicReplication::Fixed(spec.replication_factor);
    let mut topic = NewTopic::new(&spec.name, spec.partitions, replicas);
    for (setting, value) in &spec.settings {
        topic = topic.set(setting, value);
    }
    topic
}

fn has_leaders(topic: &MetadataTopic) -> bool {
    let partitions = topic.partitions();
    !partitions.is_empty() && partitions.iter().all(|partition| partition.leader() >= 0)
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(ANSWER_WITHIN))
        .operation_timeout(Some(ANSWER_WITHIN))
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
