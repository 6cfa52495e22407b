//! Whether what stands in the topics of one aggregate can be what one careful worker would have
//! written: the invariants of the design, looked at from outside.
//!
//! Works on committed records, wherever they come from. Retention or compaction may have taken
//! older state records away; of the other topics everything must be there.

mod answers;
mod events;
mod records;

use std::collections::BTreeMap;
use std::fmt;

use millrace_eventsourcing::{
    Aggregate, EventEnvelope, Snapshot, StateRecord, TaskRecord, Timestamp,
};
use millrace_runtime::decide::{AggregateTopics, Codecs};
use millrace_runtime::outcome::Outcome;
use millrace_runtime::topic::{Topic, TopicPartition};

use crate::memory_log::{MemoryBroker, StoredRecord};

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which record or aggregate.
    pub place: String,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.what)
    }
}

/// A record's partition and offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    partition: i32,
    offset: i64,
}

type ByAggregate<T> = BTreeMap<String, Vec<(Place, T)>>;

/// All committed records of one aggregate's topics, decoded.
#[derive(Debug)]
pub struct History<A: Aggregate> {
    topics: AggregateTopics,
    /// How many commands an aggregate remembers.
    window: usize,
    commands: Vec<(Place, StoredRecord)>,
    /// By aggregate id, in log order.
    events: ByAggregate<EventEnvelope<A::Event>>,
    /// By aggregate id, in log order; nothing is a tombstone.
    snapshots: ByAggregate<Option<Snapshot<A>>>,
    /// By partition, in log order.
    task_records: BTreeMap<i32, Vec<(Place, TaskRecord)>>,
    outcomes: Vec<(Place, Outcome<'static>)>,
    dead_letters: Vec<(Place, StoredRecord)>,
    /// What could not be read at all.
    unreadable: Vec<Violation>,
}

impl<A: Aggregate> History<A> {
    /// Reads everything through `read`, which tells all committed records of a partition.
    /// `window`: how many commands of an aggregate were remembered.
    pub fn read(
        topics: &AggregateTopics,
        codecs: &Codecs<A>,
        window: usize,
        mut read: impl FnMut(TopicPartition) -> Vec<StoredRecord>,
    ) -> Self {
        let mut all = |topic: Topic| -> Vec<(Place, StoredRecord)> {
            let of_partition = |partition: i32| {
                let records = read(topic.partition(partition)).into_iter();
                records.map(move |record| {
                    let offset = record.offset;
                    (Place { partition, offset }, record)
                })
            };
            (0..topics.partitions).flat_map(of_partition).collect()
        };
        let mut history = Self {
            topics: topics.clone(),
            window,
            commands: all(topics.commands),
            events: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            task_records: BTreeMap::new(),
            outcomes: Vec::new(),
            dead_letters: all(topics.dead_letters),
            unreadable: Vec::new(),
        };
        history.take_events(codecs, all(topics.events));
        history.take_states(codecs, all(topics.state));
        history.take_outcomes(all(topics.outcomes));
        history
    }

    /// What stands on a broker in memory.
    pub fn of(
        topics: &AggregateTopics,
        codecs: &Codecs<A>,
        window: usize,
        broker: &MemoryBroker,
    ) -> Self {
        Self::read(topics, codecs, window, |source| broker.committed(source))
    }

    /// Everything that is wrong.
    pub fn violations(&self) -> Vec<Violation> {
        let mut all = self.unreadable.clone();
        all.extend(self.versions_are_gapless());
        all.extend(self.state_is_the_fold_of_the_events());
        all.extend(self.every_event_was_announced());
        all.extend(self.every_command_has_one_answer());
        all.extend(self.every_record_has_an_end());
        all.extend(self.progress_never_goes_back());
        all
    }

    fn take_events(&mut self, codecs: &Codecs<A>, records: Vec<(Place, StoredRecord)>) {
        let topic = self.topics.events;
        for (place, record) in records {
            let event = codecs
                .events
                .decode(record.value.as_deref().unwrap_or_default());
            match event {
                Ok(event) => {
                    let all = self.events.entry(key_of(&record)).or_default();
                    all.push((place, event));
                }
                Err(error) => self.unreadable.push(violation(topic, place, &error)),
            }
        }
    }

    fn take_states(&mut self, codecs: &Codecs<A>, records: Vec<(Place, StoredRecord)>) {
        let topic = self.topics.state;
        for (place, record) in records {
            let key = key_of(&record);
            let Some(value) = &record.value else {
                self.snapshots.entry(key).or_default().push((place, None));
                continue;
            };
            match codecs.state.decode(value) {
                Ok(StateRecord::Snapshot(snapshot)) => {
                    let all = self.snapshots.entry(key).or_default();
                    all.push((place, Some(snapshot)));
                }
                Ok(StateRecord::TaskRecord(record)) => {
                    let all = self.task_records.entry(place.partition).or_default();
                    all.push((place, record));
                }
                Err(error) => self.unreadable.push(violation(topic, place, &error)),
            }
        }
    }

    fn take_outcomes(&mut self, records: Vec<(Place, StoredRecord)>) {
        let topic = self.topics.outcomes;
        for (place, record) in records {
            // Through a value, because the texts must outlive the record.
            let value = serde_json::from_slice(record.value.as_deref().unwrap_or_default());
            match value.and_then(serde_json::from_value::<Outcome<'static>>) {
                Ok(outcome) if outcome.aggregate_id == key_of(&record) => {
                    self.outcomes.push((place, outcome));
                }
                Ok(_) => {
                    let what = "the key is not the aggregate's id";
                    self.unreadable.push(violation(topic, place, &what));
                }
                Err(error) => self.unreadable.push(violation(topic, place, &error)),
            }
        }
    }
}

fn key_of(record: &StoredRecord) -> String {
    String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()).into_owned()
}

fn violation(topic: Topic, place: Place, what: &dyn fmt::Display) -> Violation {
    Violation {
        place: format!("{topic}/{} at {}", place.partition, place.offset),
        what: what.to_string(),
    }
}

/// A time that no aggregate lies before.
const DAWN: Timestamp = Timestamp::from_micros(i64::MIN);
