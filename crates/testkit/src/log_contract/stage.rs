//! Workers driven by hand, and what they were told.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::log::{
    Answer, Ask, AskFailure, AskId, Commit, CommitFailure, Effect, Epoch, Log, LogEvent, Part,
    StateChange,
};
use millrace_runtime::outbox::{NewHeader, NewRecord, Outbox};
use millrace_runtime::topic::{Topic, TopicPartition};

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

/// A record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRecord {
    /// Where it stood.
    pub source: TopicPartition,
    /// Its place.
    pub offset: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<NewHeader>,
}

/// One worker and everything it was told.
#[derive(Debug)]
pub struct Worker<L> {
    /// The log.
    pub log: L,
    /// Partitions that are ours, with their epochs.
    pub owned: BTreeMap<TopicPartition, Epoch>,
    /// How many assignments came, empty ones included.
    pub assignments: usize,
    /// What the group wants back.
    pub revoking: Vec<TopicPartition>,
    /// What was lost.
    pub lost: Vec<TopicPartition>,
    /// What was read.
    pub records: Vec<OwnRecord>,
    /// What was restored, by partition.
    pub restored: BTreeMap<TopicPartition, Vec<StateChange>>,
    /// How commits ended.
    pub settled: Vec<Result<(), CommitFailure>>,
    /// How stored offsets ended.
    pub stored: Vec<Result<(), AskFailure>>,
    /// How publishing ended.
    pub published: Vec<Result<(), AskFailure>>,
    /// Positions that the log does not have.
    pub out_of_range: Vec<TopicPartition>,
    /// Whether the log could be reached, as told.
    pub reachable: Vec<Option<String>>,
    answers: BTreeMap<AskId, Result<Answer, AskFailure>>,
    asked: u64,
    /// How many records one poll may bring.
    pub records_max: usize,
}

impl<L: Log> Worker<L> {
    /// Nothing was told yet.
    pub fn new(log: L) -> Self {
        Self {
            log,
            owned: BTreeMap::new(),
            assignments: 0,
            revoking: Vec::new(),
            lost: Vec::new(),
            records: Vec::new(),
            restored: BTreeMap::new(),
            settled: Vec::new(),
            stored: Vec::new(),
            published: Vec::new(),
            out_of_range: Vec::new(),
            reachable: Vec::new(),
            answers: BTreeMap::new(),
            asked: 0,
            records_max: 1_000,
        }
    }

    /// Hears what there is to hear.
    ///
    /// # Panics
    /// When the log is broken.
    pub fn poll(&mut self, wait: Duration) {
        let mut told = Vec::new();
        let records = &mut self.records;
        self.log
            .poll(wait, self.records_max, &mut |event| match event {
                LogEvent::Record(record) => records.push(OwnRecord {
                    source: record.source,
                    offset: record.offset,
                    key: record.key.map(<[u8]>::to_vec),
                    value: record.value.map(<[u8]>::to_vec),
                    headers: record
                        .headers
                        .iter()
                        .map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec)))
                        .collect(),
                }),
                LogEvent::Assigned(partitions) => told.push(Told::Assigned(partitions)),
                LogEvent::Revoking(partitions) => told.push(Told::Revoking(partitions)),
                LogEvent::Lost(partitions) => told.push(Told::Lost(partitions)),
                LogEvent::Settled(result) => told.push(Told::Settled(result)),
                LogEvent::Answer(id, answer) => told.push(Told::Answer(id, answer)),
                LogEvent::Restored(_, changes) => told.push(Told::Restored(changes)),
                LogEvent::OffsetsCommitted(result) => told.push(Told::Stored(result)),
                LogEvent::Published(result) => told.push(Told::Published(result)),
                LogEvent::OutOfRange(partition) => told.push(Told::OutOfRange(partition)),
                LogEvent::Reachable(trouble) => told.push(Told::Reachable(trouble)),
                LogEvent::Broken(reason) => panic!("the log is broken: {reason}"),
            });
        for told in told {
            self.hear(told);
        }
    }

    fn hear(&mut self, told: Told) {
        match told {
            Told::Assigned(partitions) => {
                self.assignments += 1;
                self.owned.extend(partitions);
            }
            Told::Revoking(partitions) => self.revoking.extend(partitions),
            Told::Lost(partitions) => {
                self.owned
                    .retain(|partition, _| !partitions.contains(partition));
                self.revoking
                    .retain(|partition| !partitions.contains(partition));
                self.lost.extend(partitions);
            }
            Told::Settled(result) => self.settled.push(result),
            Told::Answer(id, answer) => {
                let before = self.answers.insert(id, answer);
                assert!(before.is_none(), "{id:?} was answered twice");
            }
            Told::Restored(changes) => {
                for change in changes {
                    self.restored.entry(change.source).or_default().push(change);
                }
            }
            Told::Stored(result) => self.stored.push(result),
            Told::Published(result) => self.published.push(result),
            Told::OutOfRange(partition) => self.out_of_range.push(partition),
            Told::Reachable(trouble) => self.reachable.push(trouble),
        }
    }

    /// Lets go of everything that the group wants back.
    pub fn release(&mut self) {
        let partitions = std::mem::take(&mut self.revoking);
        for partition in &partitions {
            self.owned.remove(partition);
        }
        self.log.act(Effect::Release(partitions));
    }

    /// Starts everything that is owned at this offset.
    pub fn start_all(&mut self, offset: i64) {
        for partition in self.owned.keys() {
            self.log.act(Effect::Start(*partition, offset));
        }
    }

    /// One part of a commit, under the epoch that is current.
    ///
    /// # Panics
    /// When the partition is not owned.
    pub fn part(&self, source: TopicPartition, next_offset: i64, records: Outbox) -> Part {
        let Some(epoch) = self.owned.get(&source).copied() else {
            panic!("{source} is not ours");
        };
        Part {
            source,
            epoch,
            records,
            next_offset,
        }
    }

    /// Sends a commit on its way.
    pub fn commit(&mut self, parts: Vec<Part>) {
        self.log.act(Effect::Commit(Commit { parts }.into()));
    }

    /// Asks, to be awaited with [`Stage::answer`].
    pub fn ask(&mut self, ask: Ask) -> AskId {
        let id = self.next_ask();
        self.log.act(Effect::Ask(id, ask));
        id
    }

    /// Asks for a new producer.
    pub fn renew(&mut self) -> AskId {
        let id = self.next_ask();
        self.log.act(Effect::Renew(id));
        id
    }

    fn next_ask(&mut self) -> AskId {
        self.asked += 1;
        AskId(self.asked)
    }

    /// Values that were read from one partition.
    pub fn values(&self, source: TopicPartition) -> Vec<&[u8]> {
        self.records
            .iter()
            .filter(|record| record.source == source)
            .filter_map(|record| record.value.as_deref())
            .collect()
    }
}

enum Told {
    Assigned(Vec<(TopicPartition, Epoch)>),
    Revoking(Vec<TopicPartition>),
    Lost(Vec<TopicPartition>),
    Settled(Result<(), CommitFailure>),
    Answer(AskId, Result<Answer, AskFailure>),
    Restored(Vec<StateChange>),
    Stored(Result<(), AskFailure>),
    Published(Result<(), AskFailure>),
    OutOfRange(TopicPartition),
    Reachable(Option<String>),
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
