//! Consumer groups: who is in them, and how far they are.

use std::time::Duration;

use anyhow::anyhow;
use millrace_runtime::access::{Bounds, Group, LogAccess};
use millrace_runtime::store::ReadStore;
use millrace_runtime::topic::{Topic, TopicPartition};
use millrace_runtime::topic_spec::TopicKind;
use serde::Serialize;

use super::task::{self, TaskRecord};
use crate::backend::Store;
use crate::cli::{App, block_on};
use crate::registry::{AggregateEntry, ProjectionEntry, Reader, TaskReader, group_of_projection};
use crate::schemas::KnownSchemas;

/// A store that is away must not keep the rest from being shown.
const STORE_WITHIN: Duration = Duration::from_secs(5);

/// Each question takes a few clients of its own, with their threads.
const ASKED_AT_ONCE: usize = 16;

/// One group.
#[derive(Debug, Serialize)]
pub(super) struct GroupStatus {
    pub(super) group: String,
    /// Kafka's word.
    pub(super) state: String,
    /// Client ids, with hosts.
    pub(super) members: Vec<String>,
    pub(super) partitions: Vec<Place>,
    /// What could not be found out.
    pub(super) problems: Vec<String>,
}

impl GroupStatus {
    /// For people, to whom Kafka's word for a group that it does not know sounds like a failure.
    pub(super) fn state_text(&self) -> String {
        match self.state.as_str() {
            "Dead" => "not used yet".to_owned(),
            word => word.to_lowercase(),
        }
    }
}

/// One input partition.
#[derive(Debug, Serialize)]
pub(super) struct Place {
    pub(super) topic: &'static str,
    pub(super) partition: i32,
    /// The member that it is assigned to.
    pub(super) owner: Option<String>,
    /// The first record that is not worked on yet: of the task record, of the stored progress of a
    /// projection, else of the group.
    pub(super) position: Option<i64>,
    /// The group's own, from which a projector begins after a crash.
    pub(super) stored: Option<i64>,
    /// One past the last committed record.
    pub(super) end: i64,
    pub(super) lag: Option<i64>,
    pub(super) task: Option<TaskRecord>,
}

/// What is to be found out about one group.
type Question<'a> = Box<dyn FnOnce() -> anyhow::Result<GroupStatus> + Send + 'a>;

/// All groups of everything that is registered.
pub(super) fn all(app: &App) -> anyhow::Result<Vec<GroupStatus>> {
    let log = app.log()?;
    let log = log.as_ref();
    let schemas = app.catalogue()?;
    let schemas = &schemas;
    let mut questions: Vec<Question<'_>> = Vec::new();
    for aggregate in app.registry.aggregates() {
        let aggregate = aggregate.as_ref();
        questions.push(Box::new(move || of_aggregate(log, schemas, aggregate)));
    }
    for (owner, aggregate) in app.registry.task_owners() {
        let input = Topic::of(aggregate, TopicKind::Events.word());
        let state = Topic::of(owner, TopicKind::State.word());
        let reader = TaskReader::open(schemas, owner)?;
        questions.push(Box::new(move || {
            of_task(log, owner, (input, state), &reader)
        }));
    }
    for (context, projection) in app.registry.projections() {
        let (projection, store) = (projection.as_ref(), app.store()?);
        questions.push(Box::new(move || {
            of_projection((log, &store), schemas, context, projection)
        }));
    }
    ask(questions)
}

/// The answers, in order. Brokers take a second or so for each group, in which nobody works.
fn ask(questions: Vec<Question<'_>>) -> anyhow::Result<Vec<GroupStatus>> {
    let mut groups = Vec::new();
    let mut left = questions.into_iter();
    while left.len() > 0 {
        std::thread::scope(|scope| {
            let some = left.by_ref().take(ASKED_AT_ONCE);
            let asked: Vec<_> = some.map(|question| scope.spawn(question)).collect();
            for answer in asked {
                let answer = answer.join();
                groups.push(answer.map_err(|_| anyhow!("looking at a group panicked"))??);
            }
            anyhow::Ok(())
        })?;
    }
    Ok(groups)
}

fn of_aggregate(
    log: &dyn LogAccess,
    schemas: &KnownSchemas,
    aggregate: &dyn AggregateEntry,
) -> anyhow::Result<GroupStatus> {
    let topic = |kind: TopicKind| Topic::of(aggregate.name(), kind.word());
    let (input, state) = (topic(TopicKind::Commands), topic(TopicKind::State));
    let group = format!("{}.commands", aggregate.name());
    let reader = aggregate.reader(schemas)?;
    of_task(log, &group, (input, state), reader.as_ref())
}

/// A group whose progress stands in task records.
fn of_task(
    log: &dyn LogAccess,
    group: &str,
    (input, state): (Topic, Topic),
    reader: &dyn Reader,
) -> anyhow::Result<GroupStatus> {
    let mut status = of_topics(log, group, &[input])?;
    match task::records(log, reader, input, state) {
        Ok(mut tasks) => {
            for place in &mut status.partitions {
                place.task = tasks.remove(&place.partition);
                if let Some(next_offset) = place.task.as_ref().map(|task| task.next_offset) {
                    place.is_at(next_offset);
                }
            }
        }
        Err(error) => status.problems.push(format!("task records: {error:#}")),
    }
    Ok(status)
}

fn of_projection(
    (log, store): (&dyn LogAccess, &Store),
    schemas: &KnownSchemas,
    context: &'static str,
    projection: &dyn ProjectionEntry,
) -> anyhow::Result<GroupStatus> {
    let sources = projection.sources(schemas)?;
    let topics: Vec<Topic> = sources.iter().map(|source| source.topic).collect();
    let mut status = of_topics(
        log,
        &group_of_projection(context, projection.name()),
        &topics,
    )?;
    let asked = async {
        tokio::time::timeout(STORE_WITHIN, store.progress(context, projection.name())).await
    };
    match block_on(asked)? {
        Ok(Ok(progress)) => {
            for place in &mut status.partitions {
                let of_place = progress.iter().find(|row| {
                    row.source.topic.name() == place.topic
                        && row.source.partition == place.partition
                });
                if let Some(row) = of_place {
                    place.is_at(row.next_offset);
                }
            }
            let other = progress
                .iter()
                .find(|row| row.revision != projection.revision());
            status.problems.extend(other.map(|row| {
                format!(
                    "the tables were made by revision {}, this program has revision {}: \
                     `millrace rebuild {context}.{}`",
                    row.revision,
                    projection.revision(),
                    projection.name()
                )
            }));
        }
        Ok(Err(error)) => status.problems.push(format!("progress: {error:#}")),
        Err(_) => {
            let problem = format!("progress: the store does not answer within {STORE_WITHIN:?}");
            status.problems.push(problem);
        }
    }
    Ok(status)
}

fn of_topics(log: &dyn LogAccess, group: &str, topics: &[Topic]) -> anyhow::Result<GroupStatus> {
    let found = log.group(group)?;
    let mut bounds = Vec::new();
    for topic in topics {
        bounds.extend(log.bounds(*topic)?);
    }
    let sources: Vec<TopicPartition> = bounds.iter().map(|bounds| bounds.source).collect();
    let offsets = log.group_offsets(group, &sources)?;
    let partitions = bounds.iter().map(|bounds| {
        let mut place = Place::new(bounds, owner(&found, bounds.source));
        let stored = offsets.iter().find(|offset| offset.source == bounds.source);
        if let Some(stored) = stored {
            place.stored = Some(stored.next_offset);
            place.is_at(stored.next_offset);
        }
        place
    });
    Ok(GroupStatus {
        partitions: partitions.collect(),
        members: found
            .members
            .iter()
            .map(|member| format!("{}@{}", member.client_id, member.host))
            .collect(),
        group: found.name,
        state: found.state,
        problems: Vec::new(),
    })
}

fn owner(group: &Group, source: TopicPartition) -> Option<String> {
    let owns = |(topic, partition): &(String, i32)| {
        topic == source.topic.name() && *partition == source.partition
    };
    let owner = group
        .members
        .iter()
        .find(|member| member.partitions.iter().any(owns))?;
    Some(format!("{}@{}", owner.client_id, owner.host))
}

impl Place {
    fn new(bounds: &Bounds, owner: Option<String>) -> Self {
        Self {
            topic: bounds.source.topic.name(),
            partition: bounds.source.partition,
            owner,
            position: None,
            stored: None,
            end: bounds.stable_end,
            lag: None,
            task: None,
        }
    }

    /// What is known later is known better.
    fn is_at(&mut self, position: i64) {
        self.position = Some(position);
        // The position was read after the end.
        self.lag = Some((self.end - position).max(0));
    }
}
