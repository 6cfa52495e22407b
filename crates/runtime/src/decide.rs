//! The decide step: command + state → events, outcome, state.
//!
//! The order of checks is the contract's: a password in plain text; size; key; right partition,
//! else moved unread; then can it be read; duplicate; expected version; the rules. A type with a
//! rate limit waits between duplicate and expected version, so only what is decided counts.

mod address;
mod aggregates;
mod answer;
mod limit;
mod refuse;
mod rules;
mod topics;

use std::sync::Arc;

use millrace_eventsourcing::{
    Aggregate, Codec, CommandRecord, DecodeError, EncodeError, EventEnvelope, StateHead,
    StateRecord, TaskRecord, Timestamp, variant_names,
};

use crate::addresses::Addresses;
use crate::clock::Now;
use crate::code::{self, Problem};
use crate::command::COMMAND_BYTES_MAX;
use crate::log::Record;
use crate::outbox::Outbox;
use crate::partitioner::partition_of;
use crate::step::{Corrupt, Step, Taken, is_task_key};
use crate::topic::{Topic, TopicPartition};

pub use aggregates::Aggregates;
pub use limit::{LIMIT_MAX, RateLimit};
pub use topics::AggregateTopics;

/// How the records of one aggregate are read and written.
#[derive(Clone)]
pub struct Codecs<A: Aggregate> {
    /// Commands of Avro senders.
    pub commands: Arc<dyn Codec<CommandRecord<A::Command>>>,
    /// Events.
    pub events: Arc<dyn Codec<EventEnvelope<A::Event>>>,
    /// State records, whole.
    pub state: Arc<dyn Codec<StateRecord<A>>>,
    /// State records as a restore looks at them.
    pub state_head: Arc<dyn Codec<StateHead>>,
}

impl<A: Aggregate> std::fmt::Debug for Codecs<A> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Codecs<{}>", A::NAME)
    }
}

/// Decides the commands of one aggregate.
#[derive(Debug)]
pub struct CommandStep<A: Aggregate> {
    topics: AggregateTopics,
    codecs: Codecs<A>,
    /// Where answers go.
    addresses: Addresses,
    /// How many recent commands of an aggregate are remembered.
    window: usize,
    limits: limit::Limits,
    metrics: answer::Counters,
}

impl<A: Aggregate> CommandStep<A> {
    /// A step for the aggregate's topics, all with `partitions` partitions. `addresses`: whoever may
    /// await an answer. `window`: how many recent commands of an aggregate are remembered.
    pub fn new(codecs: Codecs<A>, addresses: Addresses, partitions: i32, window: usize) -> Self {
        Self {
            topics: AggregateTopics::of(A::NAME, partitions),
            codecs,
            addresses,
            window,
            limits: limit::Limits::default(),
            metrics: answer::Counters::new(A::NAME, variant_names::<A::Command>()),
        }
    }

    /// Decides no more commands of this canonical type than the limit says: those beyond it wait,
    /// with those behind them in their partitions.
    #[must_use]
    pub fn limited(mut self, kind: &str, limit: RateLimit) -> Self {
        self.limits.add(A::NAME, kind, limit);
        self
    }

    /// The aggregate's topics.
    pub fn topics(&self) -> &AggregateTopics {
        &self.topics
    }
}

/// One record whose aggregate is known.
#[derive(Debug, Clone, Copy)]
struct Request<'r, 'b> {
    now: Now,
    record: &'r Record<'b>,
    /// The aggregate's id, normalised.
    id: &'r str,
    /// The partition that the id belongs to.
    partition: i32,
}

impl<A: Aggregate> Step for CommandStep<A> {
    type State = Aggregates<A>;

    fn state_topic(&self) -> Topic {
        self.topics.state
    }

    fn witness_topic(&self) -> Option<Topic> {
        Some(self.topics.events)
    }

    fn restore(
        &self,
        state: &mut Aggregates<A>,
        key: &[u8],
        value: Option<Box<[u8]>>,
    ) -> Result<(), Corrupt> {
        let head = match &value {
            Some(bytes) => Some(
                self.codecs
                    .state_head
                    .decode(bytes)
                    .map_err(|error| Corrupt::new(key, error))?,
            ),
            None => None,
        };
        match (head, is_task_key(key)) {
            (Some(StateHead::Snapshot(head)), false) => state.put(key, value, Some(&head)),
            (None, false) => state.put(key, None, None),
            (Some(StateHead::TaskRecord(_)) | None, true) => {}
            (Some(StateHead::Snapshot(_)), true) | (Some(StateHead::TaskRecord(_)), false) => {
                return Err(Corrupt::new(
                    key,
                    "a snapshot and a task record changed places",
                ));
            }
        }
        Ok(())
    }

    fn process(
        &mut self,
        now: Now,
        state: &mut Aggregates<A>,
        record: &Record<'_>,
        out: &mut Outbox,
    ) -> Result<Taken, Corrupt> {
        let has_password = refuse::has_password(record);
        let size = record.bytes();
        if size > COMMAND_BYTES_MAX && !has_password {
            let text = format!("the record has {size} bytes, at most {COMMAND_BYTES_MAX} may be");
            self.park(now, record, &Problem::new(code::TOO_LARGE, text), out);
            return Ok(Taken::Done);
        }
        let id = match self.addressee(record) {
            Ok(id) => id,
            Err(problem) => {
                let problem = if has_password {
                    refuse::plaintext_password()
                } else {
                    problem
                };
                self.park(now, record, &problem, out);
                return Ok(Taken::Done);
            }
        };
        let partition = partition_of(id.as_bytes(), self.topics.partitions);
        let request = Request {
            now,
            record,
            id: &id,
            partition,
        };
        if has_password {
            self.refuse_password(request, state, out)?;
        } else if partition == record.source.partition {
            return self.answer(request, state, out);
        } else {
            self.relocate(request, state, out)?;
        }
        Ok(Taken::Done)
    }

    fn seal(
        &mut self,
        now: Now,
        source: TopicPartition,
        state: &mut Aggregates<A>,
        out: &mut Outbox,
    ) -> Result<(), Corrupt> {
        let to = self.topics.state.partition(source.partition);
        let forgotten = state.seal(now.wall, to, self.codecs.state.as_ref(), out)?;
        self.metrics.forgotten(forgotten);
        Ok(())
    }

    fn encode_task_record(
        &self,
        record: TaskRecord,
        into: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.codecs
            .state
            .encode(&StateRecord::TaskRecord(record), into)
    }

    fn decode_task_record(&self, bytes: &[u8]) -> Result<TaskRecord, DecodeError> {
        match self.codecs.state_head.decode(bytes)? {
            StateHead::TaskRecord(record) => Ok(record),
            StateHead::Snapshot(_) => Err(DecodeError::Malformed("not a task record".to_owned())),
        }
    }

    fn committed(&self, now: Now, appended: &[(Timestamp, u32)]) {
        self.metrics.latency(now.wall, appended);
    }
}
