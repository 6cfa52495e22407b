//! The topics of one aggregate.

use crate::topic::Topic;

/// Names of the topics and of the group that decides; contract §1.
#[derive(Debug, Clone)]
pub struct AggregateTopics {
    /// `<context>.<aggregate>.commands`, the consumer group and the task's name.
    pub group: String,
    /// What is asked.
    pub commands: Topic,
    /// What happened.
    pub events: Topic,
    /// Snapshots and task records.
    pub state: Topic,
    /// Answers.
    pub outcomes: Topic,
    /// What could not be decided.
    pub dead_letters: Topic,
    /// All of them have this many.
    pub partitions: i32,
}

impl AggregateTopics {
    /// The topics of the aggregate called `<context>.<aggregate>`.
    pub fn of(aggregate: &str, partitions: i32) -> Self {
        Self {
            group: format!("{aggregate}.commands"),
            commands: Topic::of(aggregate, "commands"),
            events: Topic::of(aggregate, "events"),
            state: Topic::of(aggregate, "state"),
            outcomes: Topic::of(aggregate, "outcomes"),
            dead_letters: Topic::of(aggregate, "dead-letters"),
            partitions,
        }
    }
}
