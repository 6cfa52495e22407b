//! Workers that decide commands of accounts on a broker in memory, moved step by step.

use std::time::Duration;

use millrace_domain::bank::account::{Account, AccountEvent};
use millrace_eventsourcing::{EventEnvelope, StateRecord, TaskRecord, Timestamp};
use millrace_runtime::addresses::Addresses;
use millrace_runtime::clock::Now;
use millrace_runtime::decide::{AggregateTopics, Codecs, CommandStep, RateLimit};
use millrace_runtime::engine::{Engine, EngineConfig, StartAt, TaskState, TaskStatus};
use millrace_runtime::log::{Ask, Commit, CommitFailure, Effect};
use millrace_runtime::outbox::{NewHeader, NewRecord, Outbox};
use millrace_runtime::partitioner::partition_of;
use millrace_runtime::step::task_key;
use millrace_runtime::topic::TopicPartition;
use millrace_testkit::memory_log::{CommitFault, Fate, MemoryBroker};
use millrace_testkit::simulation::Worker;
use serde_json::Value;

use super::decide::desk::{NOON, WINDOW, codecs};

pub(crate) const GROUP: &str = "bank.account.commands";
/// So many turns are enough for everything; more mean that it never happens.
const TURNS_MAX: usize = 2_000;
const TURN: Duration = Duration::from_millis(10);

pub(crate) type AccountWorker = Worker<CommandStep<Account>>;

/// See the module. Workers that crashed or left are `None`.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) broker: MemoryBroker,
    pub(crate) topics: AggregateTopics,
    pub(crate) codecs: Codecs<Account>,
    pub(crate) workers: Vec<Option<AccountWorker>>,
    pub(crate) config: EngineConfig,
    /// Of workers that join from now on.
    pub(crate) limits: Vec<(&'static str, RateLimit)>,
    elapsed: Duration,
}

impl Stage {
    pub(crate) fn new(partitions: i32) -> Self {
        let topics = AggregateTopics::of("bank.account", partitions);
        let broker = MemoryBroker::default();
        for topic in [
            topics.commands,
            topics.events,
            topics.state,
            topics.outcomes,
            topics.dead_letters,
        ] {
            broker.create_topic(topic, partitions);
        }
        let config = EngineConfig {
            group: GROUP.to_owned(),
            start: StartAt::Beginning,
            accept_gap: false,
            drain_max: Duration::from_secs(5),
            seed: 7,
        };
        let mut stage = Self {
            broker,
            topics,
            codecs: codecs(),
            workers: Vec::new(),
            config,
            limits: Vec::new(),
            elapsed: Duration::ZERO,
        };
        stage.pass(Duration::ZERO);
        stage
    }

    pub(crate) fn now(&self) -> Now {
        let micros = i64::try_from(self.elapsed.as_micros()).unwrap();
        Now {
            wall: Timestamp::from_micros(NOON + micros),
            elapsed: self.elapsed,
        }
    }

    /// Lets time go by.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.elapsed += time;
        self.broker.set_now(self.now().wall);
    }

    pub(crate) fn partition(&self, key: &str) -> i32 {
        partition_of(key.as_bytes(), self.topics.partitions)
    }

    pub(crate) fn source(&self, partition: i32) -> TopicPartition {
        self.topics.commands.partition(partition)
    }

    /// A key that belongs to this partition.
    pub(crate) fn key_in(&self, partition: i32) -> String {
        let mut keys = (0..).map(|n| format!("acc-{n}"));
        keys.find(|key| self.partition(key) == partition).unwrap()
    }

    pub(crate) fn send(&self, key: &str, value: &str) -> i64 {
        self.send_on(self.partition(key), key, value, &[])
    }

    pub(crate) fn send_on(
        &self,
        partition: i32,
        key: &str,
        value: &str,
        headers: &[NewHeader],
    ) -> i64 {
        self.broker.produce(NewRecord {
            topic: self.topics.commands,
            partition,
            key: Some(key.as_bytes()),
            value: Some(value.as_bytes()),
            headers,
        })
    }

    /// Appends a record to the state topic as nobody should.
    pub(crate) fn put_state(&self, partition: i32, key: &[u8], value: Option<&[u8]>) {
        self.broker.produce(NewRecord {
            topic: self.topics.state,
            partition,
            key: Some(key),
            value,
            headers: &[],
        });
    }

    /// A task record as another worker would have written it.
    pub(crate) fn task_record_of(&self, owner: Option<&str>, partition: i32, next: i64) -> Outbox {
        let record = TaskRecord {
            owner: owner.map(str::to_owned),
            next_offset: next,
        };
        let key = task_key(self.source(partition));
        let mut out = Outbox::default();
        out.push_with(self.topics.state, partition, &key, |into| {
            self.codecs
                .state
                .encode(&StateRecord::TaskRecord(record), into)
        })
        .unwrap();
        out
    }

    /// One more worker; its transactional ids begin with `worker-<number>`.
    pub(crate) fn join(&mut self) -> usize {
        let name = format!("worker-{}", self.workers.len());
        let log = self.broker.join(GROUP, &[self.topics.commands], &name);
        let step = CommandStep::new(
            self.codecs.clone(),
            Addresses::default(),
            self.topics.partitions,
            WINDOW,
        );
        let limits = self.limits.iter();
        let step = limits.fold(step, |step, (kind, limit)| step.limited(kind, *limit));
        let engine = Engine::new(step, self.config.clone(), self.now());
        self.workers.push(Some(Worker::new(engine, log)));
        self.workers.len() - 1
    }

    pub(crate) fn worker(&mut self, index: usize) -> &mut AccountWorker {
        self.workers[index].as_mut().unwrap()
    }

    /// A worker that has joined and runs all partitions.
    pub(crate) fn running(partitions: i32) -> Self {
        let mut stage = Self::new(partitions);
        stage.join();
        stage.until_running(0, usize::try_from(partitions).unwrap());
        stage.worker(0).take_effects();
        stage
    }

    pub(crate) fn crash(&mut self, index: usize) {
        let now = self.now();
        self.workers[index].take().unwrap().crash(now, 0);
        self.broker.expire_crashed();
    }

    /// One turn of one worker.
    pub(crate) fn turn_of(&mut self, index: usize) {
        self.pass(TURN);
        let now = self.now();
        self.worker(index).turn(now, 100);
    }

    /// One turn of every worker.
    pub(crate) fn turn(&mut self) {
        self.pass(TURN);
        let now = self.now();
        for worker in self.workers.iter_mut().flatten() {
            worker.turn(now, 100);
        }
    }

    pub(crate) fn turns(&mut self, count: usize) {
        for _ in 0..count {
            self.turn();
        }
    }

    pub(crate) fn until(&mut self, what: &str, is_done: impl Fn(&Self) -> bool) {
        for _ in 0..TURNS_MAX {
            if is_done(self) {
                return;
            }
            self.turn();
        }
        let workers = self.workers.iter().flatten();
        let statuses: Vec<_> = workers.map(|worker| worker.engine().status()).collect();
        panic!("never: {what}; {statuses:#?}");
    }

    pub(crate) fn statuses(&self, index: usize) -> Vec<TaskStatus> {
        self.workers[index].as_ref().unwrap().engine().status()
    }

    pub(crate) fn states(&self, index: usize) -> Vec<TaskState> {
        let statuses = self.statuses(index);
        statuses.into_iter().map(|status| status.state).collect()
    }

    pub(crate) fn until_running(&mut self, index: usize, tasks: usize) {
        self.until("tasks run", |stage| {
            stage.states(index) == vec![TaskState::Running; tasks]
        });
    }

    pub(crate) fn reason(&self, index: usize, partition: i32) -> Option<String> {
        let statuses = self.workers[index].as_ref().unwrap().engine().status();
        let mut of_partition = statuses
            .into_iter()
            .filter(|s| s.source.partition == partition);
        let status = of_partition.next()?;
        (status.state == TaskState::Failed)
            .then_some(status.reason)
            .flatten()
    }

    pub(crate) fn outcomes(&self) -> Vec<Value> {
        let records = self.broker.committed_in_topic(self.topics.outcomes);
        let values = records.into_iter().map(|record| record.value.unwrap());
        values
            .map(|value| serde_json::from_slice(&value).unwrap())
            .collect()
    }

    pub(crate) fn until_outcomes(&mut self, count: usize) {
        self.until("outcomes", |stage| stage.outcomes().len() >= count);
        assert_eq!(self.outcomes().len(), count);
    }

    pub(crate) fn events(&self, key: &str) -> Vec<EventEnvelope<AccountEvent>> {
        let source = self.topics.events.partition(self.partition(key));
        let records = self.broker.committed(source).into_iter();
        records
            .filter(|record| record.key.as_deref() == Some(key.as_bytes()))
            .map(|record| self.codecs.events.decode(&record.value.unwrap()).unwrap())
            .collect()
    }

    /// The versions of an aggregate's events, in log order.
    pub(crate) fn versions(&self, key: &str) -> Vec<i64> {
        self.events(key)
            .iter()
            .map(|event| event.version.get())
            .collect()
    }

    pub(crate) fn task_record(&self, partition: i32) -> Option<TaskRecord> {
        let key = task_key(self.source(partition));
        let records = self
            .broker
            .committed(self.topics.state.partition(partition));
        let last = records
            .into_iter()
            .rfind(|record| record.key.as_deref() == Some(&key[..]))?;
        match self.codecs.state.decode(&last.value?).unwrap() {
            StateRecord::TaskRecord(record) => Some(record),
            StateRecord::Snapshot(_) => panic!("a snapshot under a task's key"),
        }
    }

    pub(crate) fn fail_commit(&mut self, index: usize, fate: Fate, failure: CommitFailure) {
        let faults = self.worker(index).log().faults();
        faults.fail_commit(CommitFault { fate, failure });
    }
}

pub(crate) fn unknown() -> CommitFailure {
    CommitFailure::Unknown("no answer".to_owned())
}

pub(crate) fn fenced() -> CommitFailure {
    CommitFailure::Fenced("somebody was faster".to_owned())
}

pub(crate) fn aborted() -> CommitFailure {
    CommitFailure::Aborted {
        class: "timed_out",
        reason: "later".to_owned(),
    }
}

/// The kinds of effects, in order.
pub(crate) fn kinds(effects: &[Effect]) -> Vec<&'static str> {
    let kind = |effect: &Effect| match effect {
        Effect::Start(..) => "start",
        Effect::Pause(_) => "pause",
        Effect::Release(_) => "release",
        Effect::Commit(_) => "commit",
        Effect::Ask(_, Ask::Tails(_)) => "tails",
        Effect::Ask(_, Ask::Fence(_)) => "fence",
        Effect::Ask(_, Ask::GroupOffsets(_)) => "group offsets",
        Effect::Ask(_, Ask::Ranges(_)) => "ranges",
        Effect::Ask(_, Ask::Restore(_)) => "restore",
        Effect::Ask(_, Ask::Advance(_)) => "advance",
        Effect::Renew(_) => "renew",
        Effect::CommitOffsets(_) | Effect::Publish(_) => "not an engine's",
    };
    effects.iter().map(kind).collect()
}

pub(crate) fn commits(effects: &[Effect]) -> Vec<&Commit> {
    let mut commits = Vec::new();
    for effect in effects {
        if let Effect::Commit(commit) = effect {
            commits.push(&**commit);
        }
    }
    commits
}

pub(crate) fn fenced_ids(effects: &[Effect]) -> Vec<&str> {
    let mut all = Vec::new();
    for effect in effects {
        if let Effect::Ask(_, Ask::Fence(ids)) = effect {
            all.extend(ids.iter().map(String::as_str));
        }
    }
    all
}

/// All partitions that were released, each time.
pub(crate) fn released(effects: &[Effect]) -> Vec<TopicPartition> {
    let mut all = Vec::new();
    for effect in effects {
        if let Effect::Release(sources) = effect {
            all.extend(sources);
        }
    }
    all
}
