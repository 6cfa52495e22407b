//! The reactor step: event → one action in the outside world.
//!
//! A machine without I/O like the others: it begins attempts, is told how they ended, and says
//! which events are done. One event a partition is at work at a time, so that what is done is always
//! a beginning of the log, as the task record says it. An action is done at least once: it is
//! repeated only when the process ends between the world's yes and the commit.

mod perform;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use millrace_eventsourcing::{
    Aggregate, Codec, DecodeError, EncodeError, EventEnvelope, Reactor, TaskRecord, Timestamp,
};

use crate::breaker::Breaker;
use crate::clock::Now;
use crate::code::{self, Problem};
use crate::dead_letter::DeadLetter;
use crate::log::Record;
use crate::metrics as names;
use crate::outbox::Outbox;
use crate::projector::{EventCodec, ProjectError, read_event};
use crate::react::Counters;
use crate::retry::Backoff;
use crate::step::{Corrupt, Later, Step, Taken};
use crate::task_records::TaskRecords;
use crate::topic::{Topic, TopicPartition};

pub use perform::{ActionError, Outside, Performer};

/// An attempt is looked at this often at least, should its end not be told.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Has done what a reactor says.
pub struct ReactorStep<R: Reactor> {
    reactor: R,
    events: EventCodec<R::Aggregate>,
    events_topic: Topic,
    /// Beside the topic of the events.
    dead_letters: Topic,
    tasks: TaskRecords,
    counters: Counters,
    breaker: Breaker,
    last_attempt: u64,
    /// Not carried out yet.
    begun: Vec<Begun<R::Action>>,
    /// The attempt at work in each partition, and its end once that is known.
    underway: BTreeMap<TopicPartition, (AttemptId, Option<End>)>,
}

type End = Result<(), ActionError>;
type EventOf<R> = EventEnvelope<<<R as Reactor>::Aggregate as Aggregate>::Event>;

/// Tells one attempt from a later one of the same partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptId(u64);

/// An attempt that somebody has to carry out.
#[derive(Debug)]
pub struct Begun<A> {
    /// Whose event it is about.
    pub source: TopicPartition,
    /// Which attempt.
    pub attempt: AttemptId,
    /// What to do.
    pub action: A,
}

/// What has become of an attempt.
enum Attempt {
    None,
    AtWork,
    Ended(End),
}

/// The event of one partition that is at work.
#[derive(Debug)]
pub struct Progress {
    offset: i64,
    attempts: u32,
    retry_at: Duration,
    backoff: Backoff,
    reason: Option<String>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            offset: -1,
            attempts: 0,
            retry_at: Duration::ZERO,
            backoff: Backoff::new(0),
            reason: None,
        }
    }
}

impl Progress {
    /// Of the event at this offset.
    fn at(&mut self, offset: i64) -> &mut Self {
        if self.offset != offset {
            *self = Self {
                offset,
                backoff: Backoff::new(offset.unsigned_abs()),
                ..Self::default()
            };
        }
        self
    }

    fn try_again(&mut self, now: Duration, reason: String) {
        self.retry_at = now + self.backoff.next();
        self.reason = Some(reason);
    }

    fn waits(&self) -> Taken {
        Taken::Later(Later {
            at: self.retry_at,
            reason: self.reason.clone(),
            is_underway: false,
        })
    }
}

impl<R: Reactor> ReactorStep<R> {
    /// A step for the events of the reactor's aggregate.
    pub fn new(
        reactor: R,
        events: EventCodec<R::Aggregate>,
        tasks: Arc<dyn Codec<TaskRecord>>,
    ) -> Self {
        Self {
            reactor,
            events,
            events_topic: Topic::of(R::Aggregate::NAME, "events"),
            dead_letters: Topic::of(R::Aggregate::NAME, "dead-letters"),
            tasks: TaskRecords::new(R::NAME, tasks),
            counters: Counters::new(R::NAME),
            breaker: Breaker::new(R::DEPENDENCY),
            last_attempt: 0,
            begun: Vec::new(),
            underway: BTreeMap::new(),
        }
    }

    /// What it reads.
    pub const fn input(&self) -> Topic {
        self.events_topic
    }

    /// The attempts that are to be carried out now.
    pub fn take_begun(&mut self) -> Vec<Begun<R::Action>> {
        std::mem::take(&mut self.begun)
    }

    /// How an attempt ended. The engine then offers its event again.
    pub fn on_end(&mut self, now: Now, (source, attempt): (TopicPartition, AttemptId), end: End) {
        match &end {
            Ok(()) | Err(ActionError::Refused { .. }) => self.breaker.succeed(),
            Err(ActionError::Transient(reason)) => {
                counter!(names::ATTEMPTS_FAILED_TOTAL, "task" => R::NAME).increment(1);
                tracing::warn!(task = R::NAME, %source, reason, "attempt failed");
                self.breaker.fail(now.elapsed);
            }
        }
        // One of a partition that was lost meanwhile, or taken again, is nobody's.
        if let Some((id, known)) = self.underway.get_mut(&source)
            && *id == attempt
        {
            *known = Some(end);
        }
    }

    /// What has become of the attempt at the partition's event; an end is told once.
    fn look(&mut self, source: TopicPartition, progress: &Progress) -> Attempt {
        if progress.attempts == 0 {
            // Left behind by an assignment that is over.
            self.underway.remove(&source);
        }
        match self.underway.remove(&source) {
            None => Attempt::None,
            Some((_, Some(end))) => Attempt::Ended(end),
            Some(at_work) => {
                self.underway.insert(source, at_work);
                Attempt::AtWork
            }
        }
    }

    fn begin(
        &mut self,
        now: Now,
        source: TopicPartition,
        progress: &mut Progress,
        action: R::Action,
    ) -> Taken {
        if let Err(at) = self.breaker.begin(now.elapsed) {
            let dependency = self.breaker.dependency();
            let why = progress.reason.as_deref().unwrap_or("failed for others");
            return Taken::Later(Later {
                at,
                reason: Some(format!("{dependency}, left alone for a while: {why}")),
                is_underway: false,
            });
        }
        progress.attempts += 1;
        self.last_attempt += 1;
        let attempt = AttemptId(self.last_attempt);
        self.underway.insert(source, (attempt, None));
        self.begun.push(Begun {
            source,
            attempt,
            action,
        });
        at_work(now, progress)
    }

    fn park(
        &self,
        now: Now,
        record: &Record<'_>,
        (problem, attempts): (&Problem, u32),
        out: &mut Outbox,
    ) {
        let letter = DeadLetter {
            code: problem.code,
            message: &problem.message,
            task: R::NAME,
            attempts,
            time: now.wall,
        };
        letter.push(out, self.dead_letters, record, record.value);
        self.counters.dead_letter(problem.code);
    }

    /// What is to be done about an event.
    fn action(&self, record: &Record<'_>) -> Result<Option<R::Action>, ProjectError> {
        let (id, event): (_, EventOf<R>) = read_event(self.events.as_ref(), record)?;
        catch_unwind(AssertUnwindSafe(|| self.reactor.react(id, &event))).map_err(|_| {
            let text = format!("the reactor panicked on {}", record.source);
            ProjectError::Undecodable(Problem::new(code::HANDLER_PANICKED, text))
        })
    }
}

/// The attempt goes on; what was wrong with the one before is still worth telling.
fn at_work(now: Now, progress: &Progress) -> Taken {
    Taken::Later(Later {
        at: now.elapsed + LOOK_INTERVAL,
        reason: progress.reason.clone(),
        is_underway: true,
    })
}

impl<R: Reactor> Step for ReactorStep<R> {
    type State = Progress;

    fn state_topic(&self) -> Topic {
        self.tasks.topic
    }

    /// See the react step.
    fn witness_topic(&self) -> Option<Topic> {
        Some(self.events_topic)
    }

    fn restore(
        &self,
        _: &mut Progress,
        key: &[u8],
        value: Option<Box<[u8]>>,
    ) -> Result<(), Corrupt> {
        self.tasks.restore(key, value.as_deref())
    }

    fn process(
        &mut self,
        now: Now,
        progress: &mut Progress,
        record: &Record<'_>,
        out: &mut Outbox,
    ) -> Result<Taken, Corrupt> {
        let progress = progress.at(record.offset);
        match self.look(record.source, progress) {
            Attempt::None => {}
            Attempt::AtWork => return Ok(at_work(now, progress)),
            Attempt::Ended(Ok(())) => {
                self.counters.reacted();
                return Ok(Taken::Done);
            }
            Attempt::Ended(Err(ActionError::Refused { code, reason })) => {
                let problem = Problem::new(code, reason);
                self.park(now, record, (&problem, progress.attempts), out);
                return Ok(Taken::Done);
            }
            Attempt::Ended(Err(ActionError::Transient(reason))) => {
                progress.try_again(now.elapsed, reason);
            }
        }
        // An open breaker says itself when it probes.
        if now.elapsed < progress.retry_at && !self.breaker.is_open() {
            return Ok(progress.waits());
        }
        match self.action(record) {
            Ok(None) => {
                self.counters.ignored();
                Ok(Taken::Done)
            }
            Ok(Some(action)) => Ok(self.begin(now, record.source, progress, action)),
            Err(ProjectError::UnknownSchema(schema)) => {
                let reason = format!("nobody here knows the schema {schema} of an event yet");
                progress.try_again(now.elapsed, reason);
                Ok(progress.waits())
            }
            Err(ProjectError::Undecodable(problem)) => {
                self.park(now, record, (&problem, 1), out);
                Ok(Taken::Done)
            }
        }
    }

    fn seal(
        &mut self,
        _: Now,
        _: TopicPartition,
        _: &mut Progress,
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

impl<R: Reactor> std::fmt::Debug for ReactorStep<R> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ReactorStep")
            .field("reactor", &R::NAME)
            .field("breaker", &self.breaker)
            .finish_non_exhaustive()
    }
}
