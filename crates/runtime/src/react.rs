//! The react step: event → commands to other aggregates.
//!
//! Without state of its own: what was reacted to stands in the task record, which is committed
//! together with the commands.

mod counters;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use millrace_eventsourcing::{
    Aggregate, Codec, DecodeError, EncodeError, EventEnvelope, FollowUp, Policy, TaskRecord,
    Timestamp, event_id, follow_up_id,
};

use crate::addresses::Addresses;
use crate::clock::Now;
use crate::code::{self, Problem};
use crate::command::{COMMAND_BYTES_MAX, FollowingCommand};
use crate::dead_letter::DeadLetter;
use crate::log::Record;
use crate::outbox::{NewHeader, Outbox};
use crate::projector::{EventCodec, ProjectError, read_event};
use crate::retry::Backoff;
use crate::step::{Corrupt, Later, Step, Taken};
use crate::task_records::TaskRecords;
use crate::topic::{Topic, TopicPartition};
use crate::trace::trace_of;

pub(crate) use counters::Counters;

/// Sends what a policy says.
pub struct ReactStep<P: Policy> {
    policy: P,
    events: EventCodec<P::Aggregate>,
    events_topic: Topic,
    /// Beside the topic of the events.
    dead_letters: Topic,
    tasks: TaskRecords,
    addresses: Addresses,
    counters: Counters,
}

/// What is remembered of one partition between two looks at it.
#[derive(Debug)]
pub struct Waiting(Backoff);

impl Default for Waiting {
    fn default() -> Self {
        Self(Backoff::new(0))
    }
}

/// An event as the policy's commands refer to it.
struct Cause<'a, E> {
    event_id: &'a str,
    event: &'a EventEnvelope<E>,
    trace: &'a [NewHeader],
}

impl<P: Policy> ReactStep<P> {
    /// A step for the events of the policy's aggregate. `addresses`: those it sends to.
    pub fn new(
        policy: P,
        events: EventCodec<P::Aggregate>,
        tasks: Arc<dyn Codec<TaskRecord>>,
        addresses: Addresses,
    ) -> Self {
        Self {
            policy,
            events,
            events_topic: Topic::of(P::Aggregate::NAME, "events"),
            dead_letters: Topic::of(P::Aggregate::NAME, "dead-letters"),
            tasks: TaskRecords::new(P::NAME, tasks),
            addresses,
            counters: Counters::new(P::NAME),
        }
    }

    /// What it reads.
    pub const fn input(&self) -> Topic {
        self.events_topic
    }

    /// Sends the commands, or says why one of them cannot be; nothing is sent then.
    fn send(
        &self,
        cause: &Cause<'_, <P::Aggregate as Aggregate>::Event>,
        commands: &[FollowUp],
        out: &mut Outbox,
    ) -> Result<(), Problem> {
        let mark = out.mark();
        for (ordinal, command) in commands.iter().enumerate() {
            if let Err(reason) = self.send_one(cause, (ordinal, command), out) {
                out.rewind(mark);
                let (kind, to) = (command.kind, command.aggregate);
                let text = format!("follow-up {ordinal}, `{kind}` to `{to}`, {reason}");
                return Err(Problem::new(code::INVALID_COMMAND, text));
            }
        }
        for command in commands {
            self.counters.sent(command.kind);
        }
        Ok(())
    }

    fn send_one(
        &self,
        cause: &Cause<'_, <P::Aggregate as Aggregate>::Event>,
        (ordinal, command): (usize, &FollowUp),
        out: &mut Outbox,
    ) -> Result<(), String> {
        if !P::TARGETS.contains(&command.aggregate) {
            return Err("is for none of the policy's targets".to_owned());
        }
        let to = self
            .addresses
            .find(command.aggregate, &command.aggregate_id)?;
        let before = out.bytes();
        let event = cause.event;
        FollowingCommand {
            kind: command.kind,
            command_id: &follow_up_id(P::NAME, cause.event_id, ordinal),
            correlation_id: &event.correlation_id,
            causation_id: cause.event_id,
            actor: Some(P::NAME),
            on_behalf_of: event.on_behalf_of.as_deref().or(event.actor.as_deref()),
            reply_to: command.reply_to.as_deref(),
            data: &command.data,
        }
        .push(&to, cause.trace, out);
        let bytes = out.bytes() - before;
        if bytes > COMMAND_BYTES_MAX {
            return Err(format!(
                "has {bytes} bytes, at most {COMMAND_BYTES_MAX} may be"
            ));
        }
        Ok(())
    }

    fn react(&self, id: &str, record: &Record<'_>, event: &EventOf<P>) -> Reaction {
        catch_unwind(AssertUnwindSafe(|| self.policy.react(id, event))).map_err(|_| {
            let text = format!("the policy panicked on {}", record.source);
            Problem::new(code::HANDLER_PANICKED, text)
        })
    }

    fn park(&self, now: Now, record: &Record<'_>, problem: &Problem, out: &mut Outbox) {
        let letter = DeadLetter {
            code: problem.code,
            message: &problem.message,
            task: P::NAME,
            attempts: 1,
            time: now.wall,
        };
        letter.push(out, self.dead_letters, record, record.value);
        self.counters.dead_letter(problem.code);
    }
}

type EventOf<P> = EventEnvelope<<<P as Policy>::Aggregate as Aggregate>::Event>;
type Reaction = Result<Vec<FollowUp>, Problem>;

impl<P: Policy> Step for ReactStep<P> {
    type State = Waiting;

    fn state_topic(&self) -> Topic {
        self.tasks.topic
    }

    /// A policy that has a position has written a task record with it; events and a position
    /// without one mean that the record was lost.
    fn witness_topic(&self) -> Option<Topic> {
        Some(self.events_topic)
    }

    fn restore(
        &self,
        _: &mut Waiting,
        key: &[u8],
        value: Option<Box<[u8]>>,
    ) -> Result<(), Corrupt> {
        self.tasks.restore(key, value.as_deref())
    }

    fn process(
        &mut self,
        now: Now,
        waiting: &mut Waiting,
        record: &Record<'_>,
        out: &mut Outbox,
    ) -> Result<Taken, Corrupt> {
        let (id, event) = match read_event(self.events.as_ref(), record) {
            Ok(read) => read,
            Err(ProjectError::UnknownSchema(schema)) => {
                let reason = format!("nobody here knows the schema {schema} of an event yet");
                return Ok(Taken::Later(Later {
                    at: now.elapsed + waiting.0.next(),
                    reason: Some(reason),
                    is_underway: false,
                }));
            }
            Err(ProjectError::Undecodable(problem)) => {
                self.park(now, record, &problem, out);
                return Ok(Taken::Done);
            }
        };
        waiting.0.reset();
        let done = self.react(id, record, &event).and_then(|commands| {
            let cause = Cause {
                event_id: &event_id(P::Aggregate::NAME, id, event.version),
                event: &event,
                trace: &trace_of(record),
            };
            self.send(&cause, &commands, out)?;
            Ok(commands.len())
        });
        match done {
            Ok(0) => self.counters.ignored(),
            Ok(_) => self.counters.reacted(),
            Err(problem) => self.park(now, record, &problem, out),
        }
        Ok(Taken::Done)
    }

    fn seal(
        &mut self,
        _: Now,
        _: TopicPartition,
        _: &mut Waiting,
        _: &mut Outbox,
    ) -> Result<(), Corrupt> {
        Ok(())
    }

    fn encode_task_record(
        &self,
        record: TaskRecord,
        into: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.tasks.encode(&record, into)
    }

    fn decode_task_record(&self, bytes: &[u8]) -> Result<TaskRecord, DecodeError> {
        self.tasks.decode(bytes)
    }

    fn committed(&self, now: Now, appended: &[(Timestamp, u32)]) {
        self.counters.latency(now.wall, appended);
    }
}

impl<P: Policy> std::fmt::Debug for ReactStep<P> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("ReactStep").field(&P::NAME).finish()
    }
}
