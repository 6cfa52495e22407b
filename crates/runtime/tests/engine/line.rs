//! Workers with any step on a broker in memory, moved step by step.

use std::time::Duration;

use millrace_avro::{AvroCodec, Catalogue};
use millrace_eventsourcing::{TaskRecord, Timestamp};
use millrace_runtime::clock::Now;
use millrace_runtime::engine::{Engine, EngineConfig, StartAt, TaskState, TaskStatus};
use millrace_runtime::log::Effect;
use millrace_runtime::outbox::{NewRecord, Outbox};
use millrace_runtime::step::{Step, task_key};
use millrace_runtime::topic::{Topic, TopicPartition};
use millrace_testkit::memory_log::{MemoryBroker, StoredRecord};
use millrace_testkit::simulation::Worker;

use super::decide::desk::NOON;

/// So many turns are enough for everything; more mean that it never happens.
const TURNS_MAX: usize = 4_000;
const TURN: Duration = Duration::from_millis(10);
pub(crate) const DRAIN_MAX: Duration = Duration::from_secs(5);

/// The codec of the task records of a policy or a reactor.
pub(crate) fn task_codec(owner: &str) -> AvroCodec<TaskRecord> {
    let mut catalogue = Catalogue::new();
    catalogue.publish_tasks(owner).unwrap();
    let subject = Catalogue::subject(&format!("{owner}.state"));
    AvroCodec::new(&subject, &catalogue).unwrap()
}

/// What is called with every turn of a worker, between its two halves.
type Beside<S> = Box<dyn FnMut(Now, &mut Engine<S>)>;

/// See the module. Workers that crashed or left are `None`.
pub(crate) struct Line<S: Step> {
    pub(crate) broker: MemoryBroker,
    pub(crate) input: Topic,
    pub(crate) config: EngineConfig,
    pub(crate) workers: Vec<Option<Worker<S>>>,
    pub(crate) beside: Beside<S>,
    make_step: Box<dyn Fn() -> S>,
    state: Topic,
    elapsed: Duration,
}

impl<S: Step> Line<S> {
    /// Nobody works yet. The group has the name of whoever owns the state topic, `owner`.
    pub(crate) fn new(
        owner: &str,
        input: Topic,
        partitions: i32,
        make_step: impl Fn() -> S + 'static,
    ) -> Self {
        let state = make_step().state_topic();
        let broker = MemoryBroker::default();
        for topic in [input, state] {
            broker.create_topic(topic, partitions);
        }
        let config = EngineConfig {
            group: owner.to_owned(),
            start: StartAt::Beginning,
            accept_gap: false,
            drain_max: DRAIN_MAX,
            seed: 7,
        };
        let mut line = Self {
            broker,
            input,
            config,
            workers: Vec::new(),
            beside: Box::new(|_, _| {}),
            make_step: Box::new(make_step),
            state,
            elapsed: Duration::ZERO,
        };
        line.pass(Duration::ZERO);
        line
    }

    pub(crate) fn now(&self) -> Now {
        let micros = i64::try_from(self.elapsed.as_micros()).unwrap();
        Now {
            wall: Timestamp::from_micros(NOON + micros),
            elapsed: self.elapsed,
        }
    }

    /// How long it is since then.
    pub(crate) fn since(&self, then: Now) -> Duration {
        self.elapsed.saturating_sub(then.elapsed)
    }

    /// Lets time go by.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.elapsed += time;
        self.broker.set_now(self.now().wall);
    }

    pub(crate) fn source(&self, partition: i32) -> TopicPartition {
        self.input.partition(partition)
    }

    /// Appends a record to the input.
    pub(crate) fn put(&self, partition: i32, key: &str, value: &[u8]) -> i64 {
        self.broker.produce(NewRecord {
            topic: self.input,
            partition,
            key: Some(key.as_bytes()),
            value: Some(value),
            headers: &[],
        })
    }

    /// Appends a task record as somebody else would have written it.
    pub(crate) fn put_task_record(&self, partition: i32, record: &TaskRecord) {
        let key = task_key(self.source(partition));
        let mut out = Outbox::default();
        out.push_with(self.state, partition, &key, |into| {
            (self.make_step)().encode_task_record(record.clone(), into)
        })
        .unwrap();
        self.broker.transact(&out, true);
    }

    /// One more worker; its transactional ids begin with `worker-<number>`.
    pub(crate) fn join(&mut self) -> usize {
        let name = format!("worker-{}", self.workers.len());
        let log = self.broker.join(&self.config.group, &[self.input], &name);
        let engine = Engine::new((self.make_step)(), self.config.clone(), self.now());
        self.workers.push(Some(Worker::new(engine, log)));
        self.workers.len() - 1
    }

    pub(crate) fn worker(&mut self, index: usize) -> &mut Worker<S> {
        self.workers[index].as_mut().unwrap()
    }

    pub(crate) fn effects(&mut self, index: usize) -> Vec<Effect> {
        self.worker(index).take_effects()
    }

    pub(crate) fn crash(&mut self, index: usize) {
        let now = self.now();
        self.workers[index].take().unwrap().crash(now, 0);
        self.broker.expire_crashed();
    }

    /// Hands everything over, and goes.
    pub(crate) fn leave(&mut self, index: usize) {
        self.worker(index).engine_mut().stop();
        self.until("stopped", |line| line.is_stopped(index));
        self.workers[index] = None;
    }

    pub(crate) fn is_stopped(&self, index: usize) -> bool {
        self.workers[index].as_ref().unwrap().engine().is_stopped()
    }

    /// One turn of every worker.
    pub(crate) fn turn(&mut self) {
        self.pass(TURN);
        let now = self.now();
        for worker in self.workers.iter_mut().flatten() {
            worker.poll(now, 100);
            (self.beside)(now, worker.engine_mut());
            worker.advance(now);
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

    /// How the task of a partition stands, and why.
    pub(crate) fn status(&self, index: usize, partition: i32) -> (TaskState, String) {
        let mut all = self.statuses(index).into_iter();
        let status = all.find(|status| status.source.partition == partition);
        let status = status.unwrap();
        (status.state, status.reason.unwrap_or_default())
    }

    pub(crate) fn until_running(&mut self, index: usize, tasks: usize) {
        self.until("tasks run", |line| {
            line.states(index) == vec![TaskState::Running; tasks]
        });
    }

    /// One worker that has joined and runs all partitions.
    pub(crate) fn run(&mut self) {
        let index = self.join();
        let tasks = self.broker.partitions(self.input);
        self.until_running(index, tasks);
        self.effects(index);
    }

    /// The task record that stands.
    pub(crate) fn task_record(&self, partition: i32) -> TaskRecord {
        let key = task_key(self.source(partition));
        let state = self.state.partition(partition);
        let mut records = self.broker.committed(state).into_iter();
        let last = records.rfind(|record| record.key.as_deref() == Some(&key[..]));
        let bytes = last.unwrap().value.unwrap();
        (self.make_step)().decode_task_record(&bytes).unwrap()
    }

    /// The committed records of a topic, as text.
    pub(crate) fn texts(&self, topic: Topic) -> Vec<String> {
        let text = |record: StoredRecord| String::from_utf8(record.value.unwrap()).unwrap();
        let records = self.broker.committed_in_topic(topic).into_iter();
        records.map(text).collect()
    }
}
