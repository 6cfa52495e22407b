//! All workers of one test.

use std::time::Duration;

use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::log::{Answer, Ask, AskFailure, AskId, CommitFailure, Log, Part};
use millrace_runtime::outbox::{NewRecord, Outbox};
use millrace_runtime::topic::{Topic, TopicPartition};

use super::worker::Worker;

/// A condition that has not come about after this long never will.
pub const WAIT_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// What is special about one kind of log.
pub trait Bench {
    /// Its workers.
    type Log: Log;

    /// A name that no other test uses.
    fn fresh(&mut self, name: &str) -> String;
    /// Makes a topic.
    fn create_topic(&mut self, topic: Topic, partitions: i32);
    /// A member of a group that may commit; no producer was asked for yet.
    fn open(&mut self, group: &str, topics: &[Topic]) -> Self::Log;
    /// Writes without a transaction.
    fn produce(&mut self, records: &Outbox);
    /// Writes a whole transaction of some other producer.
    fn transact(&mut self, records: &Outbox, committed: bool);
    /// Begins one that stays open until its producer is fenced by this transactional id.
    fn leave_open(&mut self, transactional_id: &str, records: &Outbox);
    /// Takes away the records before an offset, as retention does.
    fn delete_before(&mut self, at: TopicPartition, offset: i64);

    /// How many offsets of a partition a transaction with so many records takes there: brokers put
    /// a marker behind them, also behind those that were aborted.
    fn offsets_of(&self, records: i64, _committed: bool) -> i64 {
        records + 1
    }
    /// Whether what an open transaction wrote stands in the log. Not so where a transaction is one
    /// write, so that none is ever open.
    fn shows_open(&self) -> bool {
        true
    }
}

/// Names of one test.
#[derive(Debug)]
pub struct Fresh {
    /// The group.
    pub group: String,
    /// What the workers read.
    pub input: Topic,
    /// What they write.
    pub output: Topic,
}

/// All workers of a test. They are polled in turn, whoever is waited for.
#[derive(Debug)]
pub struct Stage<L> {
    /// The workers, in the order in which they came.
    pub workers: Vec<Worker<L>>,
    clock: SystemClock,
}

impl<L: Log> Stage<L> {
    /// Nobody is there yet.
    pub fn new() -> Self {
        Self {
            workers: Vec::new(),
            clock: SystemClock::new(),
        }
    }

    /// Adds a worker; returns its number.
    pub fn enter(&mut self, log: L) -> usize {
        self.workers.push(Worker::new(log));
        self.workers.len() - 1
    }

    /// One worker.
    ///
    /// # Panics
    /// When there is none of this number.
    pub fn worker(&mut self, number: usize) -> &mut Worker<L> {
        self.workers
            .get_mut(number)
            .unwrap_or_else(|| panic!("no worker {number}"))
    }

    /// Polls everybody until it is so.
    ///
    /// # Panics
    /// When it does not come about.
    pub fn until(&mut self, what: &str, is_so: impl Fn(&[Worker<L>]) -> bool) {
        let start = self.clock.now().elapsed;
        while !is_so(&self.workers) {
            let waited = self.clock.now().elapsed.saturating_sub(start);
            assert!(waited < WAIT_MAX, "not within {WAIT_MAX:?}: {what}");
            for worker in &mut self.workers {
                worker.poll(POLL);
            }
        }
    }

    /// Waits for an answer and takes a failure as such.
    ///
    /// # Errors
    /// That failure.
    ///
    /// # Panics
    /// When none comes.
    pub fn answer(&mut self, number: usize, id: AskId) -> Result<Answer, AskFailure> {
        self.until("an answer", |workers| {
            workers
                .get(number)
                .is_some_and(|worker| worker.answers.contains_key(&id))
        });
        let answer = self.worker(number).answers.remove(&id);
        answer.unwrap_or_else(|| panic!("no answer to {id:?}"))
    }

    /// Asks again while the log fails, as a machine does.
    ///
    /// # Panics
    /// When no answer comes.
    pub fn ask(&mut self, number: usize, ask: &Ask) -> Answer {
        let start = self.clock.now().elapsed;
        loop {
            let id = self.worker(number).ask(ask.clone());
            match self.answer(number, id) {
                Ok(answer) => return answer,
                Err(failure) => {
                    let waited = self.clock.now().elapsed.saturating_sub(start);
                    assert!(waited < WAIT_MAX, "{ask:?} fails: {failure}");
                }
            }
        }
    }

    /// Gives a worker a producer; returns its transactional id.
    ///
    /// # Panics
    /// When it gets none.
    pub fn renew(&mut self, number: usize) -> String {
        let id = self.worker(number).renew();
        match self.answer(number, id) {
            Ok(Answer::Renewed(id)) => id,
            other => panic!("no producer: {other:?}"),
        }
    }

    /// Commits and waits for the end.
    ///
    /// # Errors
    /// Why it did not succeed.
    ///
    /// # Panics
    /// When it never ends.
    pub fn commit(&mut self, number: usize, parts: Vec<Part>) -> Result<(), CommitFailure> {
        let before = self.worker(number).settled.len();
        self.worker(number).commit(parts);
        self.until("a settled commit", |workers| {
            workers
                .get(number)
                .is_some_and(|worker| worker.settled.len() > before)
        });
        let worker = self.worker(number);
        worker
            .settled
            .last()
            .cloned()
            .unwrap_or_else(|| panic!("not settled"))
    }

    /// Waits until this worker owns so many partitions.
    pub fn owns(&mut self, number: usize, count: usize) {
        self.until("an assignment", |workers| {
            workers
                .get(number)
                .is_some_and(|worker| worker.owned.len() == count)
        });
    }
}

impl<L: Log> Default for Stage<L> {
    fn default() -> Self {
        Self::new()
    }
}

/// Fresh topics of so many partitions.
pub fn fresh(bench: &mut impl Bench, name: &str, partitions: i32) -> Fresh {
    let base = bench.fresh(name);
    let input = Topic::intern(format!("{base}.in"));
    let output = Topic::intern(format!("{base}.out"));
    bench.create_topic(input, partitions);
    bench.create_topic(output, partitions);
    Fresh {
        group: format!("{base}.group"),
        input,
        output,
    }
}

/// One record of this key and value.
pub fn one(to: TopicPartition, key: &str, value: &str) -> Outbox {
    let mut outbox = Outbox::default();
    add(&mut outbox, to, key, value);
    outbox
}

/// One record more.
pub fn add(outbox: &mut Outbox, to: TopicPartition, key: &str, value: &str) {
    outbox.push(NewRecord {
        topic: to.topic,
        partition: to.partition,
        key: Some(key.as_bytes()),
        value: Some(value.as_bytes()),
        headers: &[],
    });
}
