//! The engine: from records of the assigned partitions to records of other topics, each with new
//! state, progress and the consumed offset in one transaction. A machine without I/O.
//!
//! One engine is one worker: one place in a consumer group and one transactional producer for all
//! of its partitions. A batch is what arrived while the last commit ran.

mod assignment;
mod commits;
mod flight;
mod held;
mod offering;
mod takeover;
mod task;
mod telling;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Now;
use crate::log::{Answer, Ask, AskFailure, AskId, Effect, LogEvent, Record};
use crate::retry::Backoff;
use crate::step::{Step, Taken};
use crate::topic::TopicPartition;

use flight::Flight;
use takeover::TakeOver;
use task::{Phase, Task};

/// What an engine needs to know besides its step.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The consumer group; it names the task in records, logs and metrics.
    pub group: String,
    /// Where a task begins that never ran.
    pub start: StartAt,
    /// Whether a task may go on from the first record still there when its position is out of the
    /// log's range or its state was lost; for one start, on an operator's word.
    pub accept_gap: bool,
    /// How long a revocation may wait for the commit in flight before it is acknowledged anyway.
    pub drain_max: Duration,
    /// Seed of the jitter between attempts.
    pub seed: u64,
}

/// Where a task begins that never ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAt {
    /// At the first record still there.
    Beginning,
    /// Behind the last record.
    End,
}

/// Records of one batch at most: a commit's cost is spread thin by then, and more would only make
/// an abort dearer.
pub const BATCH_RECORDS_MAX: usize = 10_000;
/// Bytes of one batch at most, well below what the client's queue holds.
pub const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How often idle positions are brought up to date past markers; the contract allows 30 s.
const ADVANCE_INTERVAL: Duration = Duration::from_secs(10);

/// How a task stands, for people and probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStatus {
    /// The consumer group.
    pub task: String,
    /// The input partition.
    pub source: TopicPartition,
    /// One word.
    pub state: TaskState,
    /// Why it does not run.
    pub reason: Option<String>,
}

/// How far restoring is. Compaction leaves gaps, so these are offsets and not records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restoring {
    /// Offsets passed.
    pub done: i64,
    /// All of them.
    pub all: i64,
    /// Since when.
    pub elapsed: Duration,
}

/// The states of a task; the numbers are those of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// Taking over from the last owner, or restoring.
    Restoring = 1,
    /// Writing its first task record.
    Claiming = 2,
    /// At work.
    Running = 3,
    /// Waiting for something outside, then going on by itself.
    Paused = 4,
    /// Handing over.
    Revoking = 5,
    /// Stopped until a person acts.
    Failed = 6,
}

impl TaskState {
    /// The state in one word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Restoring => "restoring",
            Self::Claiming => "claiming",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Revoking => "revoking",
            Self::Failed => "failed",
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Engine<S: Step> {
    step: S,
    config: EngineConfig,
    now: Now,
    /// Our transactional id; nothing until the log has made a producer.
    owner: Option<String>,
    renewing: Renewal,
    renew_backoff: Backoff,
    tasks: BTreeMap<TopicPartition, Task<S::State>>,
    take_overs: Vec<TakeOver>,
    revocations: Vec<Revocation>,
    flight: Option<Flight>,
    next_ask: u64,
    advance: Option<AskId>,
    advance_at: Duration,
    effects: Vec<Effect>,
    unreachable: Option<String>,
    stopping: bool,
    staged_records: usize,
}

#[derive(Debug)]
enum Renewal {
    Asked(AskId),
    At(Duration),
    Done,
}

#[derive(Debug)]
struct Revocation {
    sources: Vec<TopicPartition>,
    deadline: Duration,
}

impl<S: Step> Engine<S> {
    /// An engine that owns nothing yet. `now` is the first reading of the clock.
    pub fn new(step: S, config: EngineConfig, now: Now) -> Self {
        let renew_backoff = Backoff::new(config.seed);
        Self {
            step,
            config,
            now,
            owner: None,
            renewing: Renewal::At(now.elapsed),
            renew_backoff,
            tasks: BTreeMap::new(),
            take_overs: Vec::new(),
            revocations: Vec::new(),
            flight: None,
            next_ask: 0,
            advance: None,
            advance_at: now.elapsed + ADVANCE_INTERVAL,
            effects: Vec::new(),
            unreachable: None,
            stopping: false,
            staged_records: 0,
        }
    }

    /// How many more records the batch in the making can take; 0: the log should fetch none.
    pub fn capacity(&self) -> usize {
        let bytes: usize = self
            .tasks
            .values()
            .map(|task| task.staged.outbox.bytes())
            .sum();
        if self.stopping || bytes >= BATCH_BYTES_MAX {
            return 0;
        }
        BATCH_RECORDS_MAX.saturating_sub(self.staged_records)
    }

    /// Whether a commit runs while another batch waits for its end.
    pub fn is_waiting(&self) -> bool {
        self.flight.is_some() && self.staged_records > 0
    }

    /// Whether anything is under way whose answer should be looked for soon.
    pub fn is_busy(&self) -> bool {
        self.flight.is_some()
            || !self.take_overs.is_empty()
            || !self.revocations.is_empty()
            || self.tasks.values().any(|task| !task.held.is_empty())
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
            LogEvent::Settled(result) => self.on_settled(result),
            LogEvent::Answer(id, answer) => self.on_answer(id, answer),
            LogEvent::Restored(id, changes) => self.on_restored(id, changes),
            LogEvent::OutOfRange(source) => {
                let reason = "the next record to read is no longer in the log".to_owned();
                self.fail(source, reason);
            }
            LogEvent::Reachable(reason) => self.unreachable = reason,
            LogEvent::OffsetsCommitted(_) | LogEvent::Published(_) | LogEvent::Broken(_) => {
                // The first two are never asked for; the shell ends a broken log with its engine.
            }
        }
    }

    /// Goes on with whatever time or the last events allow, and hands over what the log should do.
    pub fn advance(&mut self, now: Now) -> Vec<Effect> {
        self.now = now;
        self.renew_if_due();
        self.offer_again();
        self.drive_take_overs();
        self.retry_flight();
        self.dispatch();
        self.acknowledge_revocations();
        self.ask_advance();
        std::mem::take(&mut self.effects)
    }

    /// Begins to hand everything over; [`Self::is_stopped`] tells when that is done.
    pub fn stop(&mut self) {
        self.stopping = true;
        let sources: Vec<_> = self.tasks.keys().copied().collect();
        self.on_revoking(sources);
    }

    /// Whether nothing is owned any more after [`Self::stop`].
    pub fn is_stopped(&self) -> bool {
        self.stopping && self.flight.is_none() && self.revocations.is_empty()
    }

    fn on_record(&mut self, record: &Record<'_>) {
        let Some(task) = self.tasks.get_mut(&record.source) else {
            return;
        };
        if !task.takes(record.offset) {
            return;
        }
        if !task.held.is_empty() {
            if task.held.keep(record) {
                self.effects.push(Effect::Pause(record.source));
            }
            return;
        }
        let Task { state, staged, .. } = task;
        match self
            .step
            .process(self.now, state, record, &mut staged.outbox)
        {
            Ok(Taken::Done) => {
                staged.took(record.offset, record.timestamp);
                self.staged_records += 1;
            }
            Ok(Taken::Later(later)) => {
                task.held.keep(record);
                task.held.put_off(later);
            }
            Err(corrupt) => self.fail(record.source, corrupt.to_string()),
        }
    }

    /// Stops one task until a person acts. What it had decided before still goes out.
    fn fail(&mut self, source: TopicPartition, reason: String) {
        let Some(task) = self.tasks.get_mut(&source) else {
            return;
        };
        tracing::error!(task = self.config.group, %source, reason, "task stopped");
        task.phase = Phase::Failed(reason);
        task.held.clear();
        self.effects.push(Effect::Pause(source));
    }

    fn ask(&mut self, ask: Ask) -> AskId {
        self.next_ask += 1;
        let id = AskId(self.next_ask);
        self.effects.push(Effect::Ask(id, ask));
        id
    }

    fn renew_if_due(&mut self) {
        if let Renewal::At(at) = self.renewing
            && at <= self.now.elapsed
        {
            self.next_ask += 1;
            let id = AskId(self.next_ask);
            self.renewing = Renewal::Asked(id);
            self.effects.push(Effect::Renew(id));
        }
    }

    fn on_answer(&mut self, id: AskId, answer: Result<Answer, AskFailure>) {
        if matches!(self.renewing, Renewal::Asked(asked) if asked == id) {
            self.on_renewed(answer);
        } else if self.advance == Some(id) {
            self.advance = None;
            if let Ok(Answer::Advanced(positions)) = answer {
                self.on_advanced(&positions);
            }
        } else if self.flight.as_ref().is_some_and(|flight| flight.awaits(id)) {
            self.on_settlement(answer);
        } else if let Some(take_over) = self.take_overs.iter_mut().find(|one| one.awaits(id)) {
            if let Err(failure) = &answer {
                tracing::warn!(task = self.config.group, reason = %failure, "take-over waits");
            }
            take_over.on_answer(self.now.elapsed, &self.step, answer);
        }
    }

    fn on_renewed(&mut self, answer: Result<Answer, AskFailure>) {
        match answer {
            Ok(Answer::Renewed(owner)) => {
                self.renew_backoff.reset();
                self.renewing = Renewal::Done;
                self.owner = Some(owner);
                self.begin_settlement();
            }
            Ok(_) => self.renewing = Renewal::At(self.now.elapsed),
            Err(failure) => {
                tracing::warn!(task = self.config.group, reason = %failure, "no producer yet");
                self.renewing = Renewal::At(self.now.elapsed + self.renew_backoff.next());
            }
        }
    }

    fn ask_advance(&mut self) {
        if self.advance.is_some() || self.now.elapsed < self.advance_at || self.stopping {
            return;
        }
        self.advance_at = self.now.elapsed + ADVANCE_INTERVAL;
        let idle: Vec<_> = self
            .tasks
            .iter()
            .filter(|(_, task)| task.is_idle())
            .map(|(source, task)| (*source, task.staged.next_offset))
            .collect();
        if !idle.is_empty() {
            self.advance = Some(self.ask(Ask::Advance(idle)));
        }
    }

    fn on_advanced(&mut self, positions: &[(TopicPartition, i64)]) {
        for (source, position) in positions {
            let Some(task) = self.tasks.get_mut(source) else {
                continue;
            };
            // Records that came meanwhile have moved the position further already.
            if task.is_idle() && task.staged.next_offset < *position {
                task.staged.next_offset = *position;
            }
        }
    }
}
