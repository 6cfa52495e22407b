//! A broker, a store and projectors, one step after the other.

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use millrace_eventsourcing::{Cell, Column, Row, Stamp, Table, Timestamp};
use millrace_runtime::clock::Now;
use millrace_runtime::code::{MALFORMED_AVRO, Problem};
use millrace_runtime::engine::StartAt;
use millrace_runtime::log::{Log, Record};
use millrace_runtime::outbox::{NewRecord, Outbox};
use millrace_runtime::partitioner::partition_of;
use millrace_runtime::projector::{
    Project, ProjectError, Projected, Projector, ProjectorConfig, RequestId, Source, StoreAnswer,
    StoreRequest,
};
use millrace_runtime::store::{Progress, ReadStore, STAMP_BASE, StampedRow, StoreError};
use millrace_runtime::topic::{Topic, TopicPartition};
use millrace_testkit::MemoryStore;
use millrace_testkit::memory_log::{MemoryBroker, MemoryLog};

pub(crate) const EVENTS: Topic = Topic::new("toys.item.events");
pub(crate) const DEAD_LETTERS: Topic = Topic::new("toys.item.dead-letters");
pub(crate) const GROUP: &str = "toys.projection.items";
pub(crate) const PARTITIONS: i32 = 3;
pub(crate) const STEP: Duration = Duration::from_millis(50);
/// 2026-11-20T12:00:00Z.
const NOON: i64 = 1_795_176_000_000_000;

pub(crate) static ITEMS: Table = Table {
    name: "items",
    columns: &[
        Column::text("id"),
        Column::bigint("a"),
        Column::bigint("b"),
        Column::bigint("version"),
    ],
    partition_key: 1,
    clustering: &[],
    stamp: Stamp::Version,
};

/// Reads `<version> <command offset> <column> <number>`, and words that make trouble.
#[derive(Debug)]
pub(crate) struct Items {
    pub(crate) knows_schema: Arc<AtomicBool>,
}

impl Project for Items {
    fn project(&self, record: &Record<'_>) -> Result<Projected, ProjectError> {
        let id = std::str::from_utf8(record.key.unwrap()).unwrap();
        let text = std::str::from_utf8(record.value.unwrap()).unwrap();
        let words: Vec<&str> = text.split(' ').collect();
        let [version, command_offset, column, number] = words[..] else {
            let problem = Problem::new(MALFORMED_AVRO, format!("`{text}` is no event"));
            return Err(ProjectError::Undecodable(problem));
        };
        assert!(column != "panic", "the projection fails on purpose");
        if column == "new" && !self.knows_schema.load(Ordering::Relaxed) {
            return Err(ProjectError::UnknownSchema(7));
        }
        let version: i64 = version.parse().unwrap();
        let mut rows = Vec::new();
        if column != "skip" {
            let column = if column == "new" { "a" } else { column };
            let number: i64 = number.parse().unwrap();
            let id = if number == 666 {
                "x".repeat(100_000)
            } else {
                id.to_owned()
            };
            let cells = [
                ("id", id.into()),
                (column, number.into()),
                ("version", version.into()),
            ];
            rows.push(StampedRow {
                row: Row::upsert(&ITEMS, cells),
                stamp: STAMP_BASE + version,
            });
        }
        Ok(Projected {
            rows,
            command_offset: Some(command_offset.parse().unwrap()),
            time: record.timestamp,
        })
    }
}

pub(crate) struct World {
    pub(crate) broker: MemoryBroker,
    pub(crate) store: MemoryStore,
    pub(crate) workers: Vec<Worker>,
    pub(crate) elapsed: Duration,
    pub(crate) settings: Settings,
    pub(crate) knows_schema: Arc<AtomicBool>,
    versions: BTreeMap<String, i64>,
    commands: i64,
    /// When each batch was acknowledged.
    pub(crate) acknowledged_at: Vec<Duration>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) revision: i32,
    pub(crate) start: StartAt,
    pub(crate) accept_gap: bool,
    pub(crate) durable_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            revision: 1,
            start: StartAt::Beginning,
            accept_gap: false,
            durable_after: Duration::from_secs(30),
        }
    }
}

pub(crate) struct Worker {
    pub(crate) log: MemoryLog,
    pub(crate) projector: Projector,
    pub(crate) requests: VecDeque<(RequestId, StoreRequest)>,
    pub(crate) records_max: usize,
}

impl Worker {
    /// One turn of the loop, without the store.
    pub(crate) fn turn(&mut self, now: Now) {
        let records_max = self.projector.capacity().min(self.records_max);
        self.projector.set_now(now);
        let Self { log, projector, .. } = self;
        log.poll(Duration::ZERO, records_max, &mut |event| {
            projector.on_event(event);
        });
        let effects = projector.advance(now);
        for effect in effects.log {
            log.act(effect);
        }
        self.requests.extend(effects.store);
    }

    /// Why tasks do not run.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let status = self.projector.status();
        status
            .into_iter()
            .filter_map(|status| status.reason)
            .collect()
    }

    pub(crate) fn states(&self) -> Vec<&'static str> {
        self.projector
            .status()
            .iter()
            .map(|status| status.state.word())
            .collect()
    }
}

impl World {
    pub(crate) fn new(settings: Settings) -> Self {
        let broker = MemoryBroker::default();
        broker.create_topic(EVENTS, PARTITIONS);
        broker.create_topic(DEAD_LETTERS, PARTITIONS);
        broker.set_now(Timestamp::from_micros(NOON));
        Self {
            broker,
            store: MemoryStore::new(),
            workers: Vec::new(),
            elapsed: Duration::from_secs(100),
            settings,
            knows_schema: Arc::default(),
            versions: BTreeMap::new(),
            commands: 0,
            acknowledged_at: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> Now {
        let micros = i64::try_from(self.elapsed.as_micros()).unwrap();
        Now {
            wall: Timestamp::from_micros(NOON + micros),
            elapsed: self.elapsed,
        }
    }

    pub(crate) fn config(&self) -> ProjectorConfig {
        let project = Items {
            knows_schema: Arc::clone(&self.knows_schema),
        };
        let source = Source {
            topic: EVENTS,
            dead_letters: DEAD_LETTERS,
            project: Box::new(project),
        };
        ProjectorConfig {
            context: "toys",
            projection: "items",
            revision: self.settings.revision,
            group: GROUP.to_owned(),
            sources: vec![source],
            start: self.settings.start,
            accept_gap: self.settings.accept_gap,
            durable_after: self.settings.durable_after,
            drain_max: Duration::from_secs(3),
            seed: 7,
        }
    }

    /// Starts a worker; returns its place.
    pub(crate) fn hire(&mut self) -> usize {
        let projector = Projector::new(self.config(), self.now());
        let log = self.broker.join(GROUP, &[EVENTS], "none");
        let requests = VecDeque::new();
        self.workers.push(Worker {
            log,
            projector,
            requests,
            records_max: 1_000,
        });
        self.workers.len() - 1
    }

    /// Appends an event of this item, in the partition of its key.
    pub(crate) fn event(&mut self, id: &str, column: &str, number: i64) -> i64 {
        let (partition, text) = self.next_event(id, column, number);
        self.append(partition, id, text.as_bytes())
    }

    /// Appends an event in a transaction, with its marker.
    pub(crate) fn transacted(&mut self, id: &str, column: &str, number: i64) {
        let (partition, text) = self.next_event(id, column, number);
        let mut outbox = Outbox::default();
        outbox.push(NewRecord {
            topic: EVENTS,
            partition,
            key: Some(id.as_bytes()),
            value: Some(text.as_bytes()),
            headers: &[],
        });
        self.broker.transact(&outbox, true);
    }

    fn next_event(&mut self, id: &str, column: &str, number: i64) -> (i32, String) {
        let version = self.versions.entry(id.to_owned()).or_default();
        *version += 1;
        self.commands += 1;
        let text = format!("{version} {} {column} {number}", self.commands);
        (partition_of(id.as_bytes(), PARTITIONS), text)
    }

    pub(crate) fn append(&self, partition: i32, id: &str, value: &[u8]) -> i64 {
        self.broker.produce(NewRecord {
            topic: EVENTS,
            partition,
            key: Some(id.as_bytes()),
            value: Some(value),
            headers: &[],
        })
    }

    /// Hands a request to the store and the answer to the worker.
    pub(crate) fn answer(&mut self, worker: usize, request: usize) {
        let Some((id, request)) = self.workers[worker].requests.remove(request) else {
            return;
        };
        let answer = self.ask_store(&request);
        self.workers[worker].projector.on_store(id, answer);
    }

    pub(crate) fn ask_store(&mut self, request: &StoreRequest) -> StoreAnswer {
        let answer = match request {
            StoreRequest::Apply(batch) => {
                StoreAnswer::Applied(ready(self.store.apply(batch.as_ref().clone())))
            }
            StoreRequest::Marks => StoreAnswer::Marks(ready(self.store.marks())),
            StoreRequest::Progress => {
                StoreAnswer::Progress(ready(self.store.progress("toys", "items")))
            }
        };
        self.acknowledged_at
            .resize(self.store.acknowledged(), self.elapsed);
        answer
    }

    /// A turn of everybody, and all answers of the store.
    pub(crate) fn step(&mut self) {
        self.elapsed += STEP;
        for worker in 0..self.workers.len() {
            let now = self.now();
            self.workers[worker].projector.set_now(now);
            while !self.workers[worker].requests.is_empty() {
                self.answer(worker, 0);
            }
            self.workers[worker].turn(now);
        }
    }

    pub(crate) fn since(&self, elapsed: Duration) -> Duration {
        self.elapsed.saturating_sub(elapsed)
    }

    pub(crate) fn steps_for(&mut self, time: Duration) {
        let until = self.elapsed + time;
        while self.elapsed < until {
            self.step();
        }
    }

    /// Steps until it is true, for two minutes of the world's time at most.
    pub(crate) fn until(&mut self, what: &str, mut is_true: impl FnMut(&Self) -> bool) {
        let deadline = self.elapsed + Duration::from_mins(2);
        while !is_true(self) {
            let status: Vec<_> = self.workers.iter().map(|w| w.projector.status()).collect();
            assert!(self.elapsed < deadline, "never: {what}; {status:?}");
            self.step();
        }
    }

    pub(crate) fn rows(&self) -> Vec<Vec<Cell>> {
        self.store.rows("toys", &ITEMS, &[])
    }

    /// The rows that the events make, without any projector.
    pub(crate) fn fold(&self) -> Vec<Vec<Cell>> {
        let mut rows: BTreeMap<String, [Cell; 3]> = BTreeMap::new();
        for record in self.broker.committed_in_topic(EVENTS) {
            let id = String::from_utf8(record.key.unwrap()).unwrap();
            let text = String::from_utf8(record.value.unwrap()).unwrap();
            let words: Vec<&str> = text.split(' ').collect();
            let [version, _, column, number] = words[..] else {
                continue;
            };
            let place = match column {
                "a" | "new" => 0,
                "b" => 1,
                _ => continue,
            };
            let row = rows.entry(id).or_insert([const { Cell::Null }; 3]);
            row[place] = number.parse::<i64>().unwrap().into();
            row[2] = version.parse::<i64>().unwrap().into();
        }
        rows.into_iter()
            .map(|(id, cells)| [vec![id.into()], cells.to_vec()].concat())
            .collect()
    }

    pub(crate) fn progress(&self, partition: i32) -> Option<Progress> {
        let all = ready(self.store.progress("toys", "items")).unwrap_or_default();
        all.into_iter()
            .find(|progress| progress.source == EVENTS.partition(partition))
    }

    pub(crate) fn group_offset(&self, partition: i32) -> Option<i64> {
        let offset = self
            .broker
            .group_offset(GROUP, EVENTS.partition(partition))?;
        Some(offset.next_offset)
    }

    pub(crate) fn end(&self, partition: i32) -> i64 {
        self.broker.range(EVENTS.partition(partition)).end
    }

    pub(crate) fn is_projected(&self) -> bool {
        (0..PARTITIONS).all(|number| {
            self.progress(number)
                .is_some_and(|progress| progress.next_offset == self.end(number))
        })
    }

    pub(crate) fn is_stored(&self) -> bool {
        (0..PARTITIONS).all(|number| self.group_offset(number) == Some(self.end(number)))
    }

    /// The store crashes and loses what it acknowledged since a point in time.
    pub(crate) fn crash_store(&self, since: Duration) {
        let at = &self.acknowledged_at;
        self.store
            .crash(|number| at.get(number).is_none_or(|at| *at >= since));
    }
}

/// The value of a future that never waits.
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the store in memory never waits"),
    }
}

pub(crate) fn partition_of_id(id: &str) -> TopicPartition {
    EVENTS.partition(partition_of(id.as_bytes(), PARTITIONS))
}

pub(crate) fn down(reason: &str) -> StoreError {
    StoreError {
        action: "apply a batch".to_owned(),
        reason: reason.to_owned(),
    }
}
