//! A database of a test's own.

use std::path::Path;
use std::time::Duration;

use millrace_embedded::{Database, Durability, EmbeddedAccess, EmbeddedLog, Options, Role};
use millrace_runtime::access::{Created, LogAccess};
use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::outbox::{NewRecord, Outbox};
use millrace_runtime::topic::{Topic, TopicPartition};
use millrace_runtime::topic_spec::TopicSpec;
use millrace_testkit::log_contract::{Bench, WAIT_MAX};
use tempfile::TempDir;

/// Waits until it is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let clock = SystemClock::new();
    while !is_so() {
        assert!(
            clock.now().elapsed < WAIT_MAX,
            "not within {WAIT_MAX:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Options that do not wait for the disk: most tests are not about the loss of power.
pub(crate) fn quick() -> Options {
    Options {
        durability: Durability::Crash,
        ..Options::default()
    }
}

/// A database that works.
pub(crate) struct File {
    pub(crate) dir: TempDir,
    pub(crate) database: Database,
}

impl File {
    pub(crate) fn new() -> Self {
        Self::with(quick())
    }

    pub(crate) fn with(options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::open_with(dir.path(), options).unwrap();
        database.claim().unwrap();
        Self { dir, database }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn access(&self) -> EmbeddedAccess {
        EmbeddedAccess::new(&self.database)
    }

    /// A new topic.
    pub(crate) fn topic(
        &self,
        name: &str,
        partitions: i32,
        settings: &[(&'static str, &str)],
    ) -> Topic {
        make_topic(&self.access(), name, partitions, settings)
    }

    pub(crate) fn worker(&self, group: &str, topics: &[Topic]) -> EmbeddedLog {
        let producers = format!("{group}.worker");
        let role = Role::Worker { producers };
        EmbeddedLog::open(&self.database, group, topics, role).unwrap()
    }
}

pub(crate) fn make_topic(
    access: &EmbeddedAccess,
    name: &str,
    partitions: i32,
    settings: &[(&'static str, &str)],
) -> Topic {
    let settings = settings
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    let spec = TopicSpec {
        name: name.to_owned(),
        partitions,
        replication_factor: 1,
        settings: settings.collect(),
    };
    assert_eq!(access.create(&[spec]).unwrap(), [Created::New]);
    Topic::intern(name.to_owned())
}

/// One record of this key and value.
pub(crate) fn record(to: TopicPartition, key: &str, value: Option<&str>) -> Outbox {
    let mut outbox = Outbox::default();
    outbox.push(NewRecord {
        topic: to.topic,
        partition: to.partition,
        key: Some(key.as_bytes()),
        value: value.map(str::as_bytes),
        headers: &[],
    });
    outbox
}

pub(crate) fn append(access: &EmbeddedAccess, records: &Outbox) -> Vec<(TopicPartition, i64)> {
    access.appender().unwrap().append(records).unwrap()
}

/// What stands in a partition: offset, key and value.
pub(crate) fn content(path: &Path, at: TopicPartition) -> Vec<(i64, String, Option<String>)> {
    let connection = rusqlite::Connection::open(path.join(millrace_embedded::FILE_NAME)).unwrap();
    let select = "SELECT offset, key, CAST(value AS TEXT) FROM log \
                  WHERE topic = ?1 AND partition = ?2 ORDER BY offset";
    let mut select = connection.prepare(select).unwrap();
    let rows = select
        .query_map((at.topic.name(), at.partition), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    rows.map(Result::unwrap).collect()
}

impl Bench for File {
    type Log = EmbeddedLog;

    fn fresh(&mut self, name: &str) -> String {
        format!("test.{name}.{:016x}", fastrand::u64(..))
    }

    fn create_topic(&mut self, topic: Topic, partitions: i32) {
        self.topic(topic.name(), partitions, &[]);
    }

    fn open(&mut self, group: &str, topics: &[Topic]) -> EmbeddedLog {
        self.worker(group, topics)
    }

    fn produce(&mut self, records: &Outbox) {
        append(&self.access(), records);
    }

    /// One that is aborted writes nothing at all.
    fn transact(&mut self, records: &Outbox, committed: bool) {
        if committed {
            append(&self.access(), records);
        }
    }

    /// Records that were never committed stand nowhere.
    fn leave_open(&mut self, _: &str, _: &Outbox) {}

    fn delete_before(&mut self, at: TopicPartition, offset: i64) {
        self.database.delete_before(at, offset).unwrap();
    }

    fn offsets_of(&self, records: i64, committed: bool) -> i64 {
        if committed { records } else { 0 }
    }

    fn shows_open(&self) -> bool {
        false
    }
}
