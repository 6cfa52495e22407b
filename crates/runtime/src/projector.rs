//! The projector: from records of the assigned partitions to rows of read tables. A machine
//! without I/O.
//!
//! A transaction of the log does not reach the store, so three things hold instead:
//! - *Rows are idempotent*: absolute images with stamps of their own.
//! - *The group's offset is the only starting point*, and it covers nothing that a crash of the
//!   store could take back: rows acknowledged at least `durable_after` ago, with every node's start
//!   mark read unchanged since before they were sent. A changed mark sends every partition back to
//!   its last safe place.
//! - *Progress is for readers*: written behind the rows it speaks of, set back when work goes back.
//!
//! One batch at most is on its way for each partition; what arrives meanwhile is merged into the
//! next one.

mod audit;
mod collected;
mod delivery;
mod intake;
mod journal;
mod leaving;
mod marks;
mod positioning;
mod safety;
mod shell;
mod source;
mod task;
mod telling;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::breaker::Breaker;
use crate::clock::Now;
use crate::engine::{StartAt, TaskStatus};
use crate::log::{Answer, Ask, AskFailure, AskId, Effect, GroupOffset, LogEvent};
use crate::retry::Backoff;
use crate::store::{Batch, Mark, Progress, StoreError};
use crate::topic::{Topic, TopicPartition};

use audit::Audit;
use collected::Place;
use leaving::Revocation;
use marks::Marks;
use positioning::Positioning;
use task::{Delivery, Task};

pub use journal::{
    ACTIVITY_BY_CORRELATION, EVENTS_BY_AGGREGATE, EventJournal, JOURNAL, JOURNAL_REVISION,
    JOURNAL_TABLES, OUTCOMES, OutcomeJournal,
};
pub use shell::{Shell, run};
pub(crate) use source::read_event;
pub use source::{EventCodec, Project, ProjectError, Projected, Typed};

/// What a projector needs to know.
#[derive(Debug)]
pub struct ProjectorConfig {
    /// The keyspace.
    pub context: &'static str,
    /// The projection's name without its context.
    pub projection: &'static str,
    /// Stored progress of another revision means that the tables have to be rebuilt.
    pub revision: i32,
    /// The consumer group; it names the task in dead letters, logs and metrics.
    pub group: String,
    /// The topics it follows.
    pub sources: Vec<Source>,
    /// Where a partition begins that never ran.
    pub start: StartAt,
    /// Whether a partition may go on from the first record still there when its position is out of
    /// the log's range; for one start, on an operator's word.
    pub accept_gap: bool,
    /// How long the store may take to make durable what it acknowledged; zero when it never
    /// acknowledges earlier.
    pub durable_after: Duration,
    /// How long a revocation may wait for batches on their way before it is acknowledged anyway.
    pub drain_max: Duration,
    /// Seed of the jitter between attempts.
    pub seed: u64,
}

/// One topic that a projection follows.
pub struct Source {
    /// The topic.
    pub topic: Topic,
    /// Where records go that cannot be used; it has as many partitions.
    pub dead_letters: Topic,
    /// What records mean.
    pub project: Box<dyn Project>,
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Source").field(&self.topic).finish()
    }
}

/// Tells one request to the store from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What a projector wants of the read store. Each is answered once, in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreRequest {
    /// Write rows and progress. Shared, because the same is sent again after a failure.
    Apply(Arc<Batch>),
    /// Read the start marks of all nodes.
    Marks,
    /// Read the stored progress of the projection.
    Progress,
}

/// What the store answers; the variants are those of [`StoreRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreAnswer {
    /// How writing ended.
    Applied(Result<(), StoreError>),
    /// The marks.
    Marks(Result<Vec<Mark>, StoreError>),
    /// The progress of every partition that has one.
    Progress(Result<Vec<Progress>, StoreError>),
}

/// What is to be done, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// For the log.
    pub log: Vec<Effect>,
    /// For the read store.
    pub store: Vec<(RequestId, StoreRequest)>,
}

/// Records held in memory at most, on their way or not; more would only make batches longer.
const RECORDS_MAX: usize = 20_000;
/// Bytes of rows and letters held in memory at most.
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// How often idle positions are brought past markers; the contract allows 30 s.
const ADVANCE_INTERVAL: Duration = Duration::from_secs(5);
/// How often stored progress is compared with what it should be; the contract allows 30 s.
const AUDIT_INTERVAL: Duration = Duration::from_secs(20);
/// How often the ends of the partitions are asked for, to tell the lag.
const LAG_INTERVAL: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub struct Projector {
    config: ProjectorConfig,
    now: Now,
    tasks: BTreeMap<TopicPartition, Task>,
    positioning: Option<Positioning>,
    /// Positions are looked for again from then on, after a failure.
    position_at: Duration,
    position_backoff: Backoff,
    /// Of the read tables.
    breaker: Breaker,
    revocations: Vec<Revocation>,
    marks: Marks,
    /// Whose letters are being written; one publication at a time.
    publishing: Option<TopicPartition>,
    /// Positions on their way to the group; one commit at a time.
    storing: Option<Vec<(TopicPartition, Place)>>,
    store_at: Duration,
    advance: Option<(AskId, Vec<(TopicPartition, i64)>)>,
    advance_at: Duration,
    audit: Option<Audit>,
    audit_at: Duration,
    lag: Option<AskId>,
    lag_at: Duration,
    last_id: u64,
    effects: Effects,
    unreachable: Option<String>,
    is_stopping: bool,
}

impl Projector {
    /// A projector that owns nothing yet. `now` is the first reading of the clock.
    pub fn new(config: ProjectorConfig, now: Now) -> Self {
        let position_backoff = Backoff::new(config.seed);
        let breaker = Breaker::new(dependency(&config.group));
        Self {
            config,
            now,
            tasks: BTreeMap::new(),
            positioning: None,
            position_at: now.elapsed,
            position_backoff,
            breaker,
            revocations: Vec::new(),
            marks: Marks::default(),
            publishing: None,
            storing: None,
            store_at: now.elapsed,
            advance: None,
            advance_at: now.elapsed + ADVANCE_INTERVAL,
            audit: None,
            audit_at: now.elapsed + AUDIT_INTERVAL,
            lag: None,
            lag_at: now.elapsed,
            last_id: 0,
            effects: Effects::default(),
            unreachable: None,
            is_stopping: false,
        }
    }

    /// How many more records can be taken in; 0: the log should fetch none. A partition whose
    /// batch the store refuses is paused and leaves the others their room.
    pub fn capacity(&self) -> usize {
        let runs = self.tasks.values().filter_map(Task::running);
        let healthy = runs.filter(|run| run.delivery != Delivery::Paused);
        let (records, bytes) = healthy
            .map(task::Run::held)
            .fold((0, 0), |(records, bytes), held| {
                (records + held.0, bytes + held.1)
            });
        if self.is_stopping || bytes >= BYTES_MAX {
            return 0;
        }
        RECORDS_MAX.saturating_sub(records)
    }

    /// Whether anything is under way whose answer should be looked for soon.
    pub fn is_busy(&self) -> bool {
        let mut runs = self.tasks.values().filter_map(Task::running);
        self.positioning.is_some()
            || !self.revocations.is_empty()
            || runs.any(task::Run::is_awaiting)
    }

    /// Sets the time for what follows.
    pub fn set_now(&mut self, now: Now) {
        self.now = now;
    }

    /// Takes in one thing that the log told.
    pub fn on_event(&mut self, event: LogEvent<'_>) {
        match event {
            LogEvent::Record(record) => self.on_record(&record),
            LogEvent::Assigned(assigned) => self.on_assigned(&assigned),
            LogEvent::Revoking(sources) => self.on_revoking(sources),
            LogEvent::Lost(sources) => self.on_lost(&sources),
            LogEvent::Answer(id, answer) => self.on_log_answer(id, answer),
            LogEvent::OffsetsCommitted(result) => self.on_offsets_stored(result),
            LogEvent::Published(result) => self.on_published(result),
            LogEvent::OutOfRange(source) => self.on_out_of_range(source),
            LogEvent::Reachable(reason) => self.unreachable = reason,
            LogEvent::Settled(_) | LogEvent::Restored(..) | LogEvent::Broken(_) => {
                // The first two are never asked for; the shell ends a broken log with its machine.
            }
        }
    }

    /// Takes in one answer of the store.
    pub fn on_store(&mut self, id: RequestId, answer: StoreAnswer) {
        match answer {
            StoreAnswer::Applied(result) => self.on_applied(id, result),
            StoreAnswer::Marks(result) => self.on_marks(id, result),
            StoreAnswer::Progress(result) if self.awaits_audit(id) => self.on_audit(result),
            StoreAnswer::Progress(result) => self.on_progress(id, result),
        }
    }

    /// Goes on with whatever time, the last events and answers allow, and hands over what is to be
    /// done.
    pub fn advance(&mut self, now: Now) -> Effects {
        self.now = now;
        self.drive_positioning();
        self.look_at_marks();
        self.dispatch();
        self.retry_blocked();
        self.start_due();
        self.store_offsets();
        self.acknowledge_revocations();
        self.ask_advance();
        self.ask_audit();
        self.ask_lag();
        std::mem::take(&mut self.effects)
    }

    /// Begins to hand everything over; [`Self::is_stopped`] tells when that is done.
    pub fn stop(&mut self) {
        self.is_stopping = true;
        let sources: Vec<_> = self.tasks.keys().copied().collect();
        if !sources.is_empty() {
            self.on_revoking(sources);
        }
    }

    /// Whether nothing is owned any more after [`Self::stop`].
    pub fn is_stopped(&self) -> bool {
        self.is_stopping && self.revocations.is_empty()
    }

    /// How every task stands.
    pub fn status(&self) -> Vec<TaskStatus> {
        let statuses = self.tasks.iter().map(|(source, task)| {
            let (state, reason) = task.state_and_reason();
            TaskStatus {
                task: self.config.group.clone(),
                source: *source,
                state,
                reason,
            }
        });
        statuses.collect()
    }

    /// Why the log cannot be worked with at the moment.
    pub fn unreachable(&self) -> Option<&str> {
        self.unreachable.as_deref()
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn ask(&mut self, ask: Ask) -> AskId {
        let id = AskId(self.next_id());
        self.effects.log.push(Effect::Ask(id, ask));
        id
    }

    fn request(&mut self, request: StoreRequest) -> RequestId {
        let id = RequestId(self.next_id());
        self.effects.store.push((id, request));
        id
    }

    fn on_log_answer(&mut self, id: AskId, answer: Result<Answer, AskFailure>) {
        if self.lag == Some(id) {
            self.lag = None;
            if let Ok(Answer::Ranges(ranges)) = answer {
                self.on_lag(&ranges);
            }
        } else if let Some((_, asked)) = self.advance.take_if(|(asked, _)| *asked == id) {
            if let Ok(Answer::Advanced(positions)) = answer {
                self.on_advanced(&asked, &positions);
            }
        } else {
            self.on_position_answer(id, answer);
        }
    }
}

/// What a projection needs outside: the read tables, as its group is bound to them. Labels metrics.
pub fn dependency(group: &str) -> String {
    format!("tables/{group}")
}

/// Positions as the group stores them.
fn group_offsets(places: &[(TopicPartition, Place)]) -> Vec<GroupOffset> {
    let offset = |(source, place): &(TopicPartition, Place)| GroupOffset {
        source: *source,
        next_offset: place.next_offset,
        metadata: place.metadata(),
    };
    places.iter().map(offset).collect()
}
