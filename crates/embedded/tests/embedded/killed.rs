//! A process that is killed at any moment: what it acknowledged is there, and what is there fits
//! together.

use std::path::Path;
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use millrace_embedded::{Database, EmbeddedAccess, EmbeddedStore, FILE_NAME, Role};
use millrace_eventsourcing::{Cell, Row, Timestamp};
use millrace_runtime::access::LogAccess;
use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::outbox::Outbox;
use millrace_runtime::store::{Batch, ContextTables, Progress, ReadStore, STAMP_BASE, StampedRow};
use millrace_runtime::tables::TableAccess;
use millrace_runtime::topic::Topic;
use millrace_testkit::log_contract::{Stage, add};
use millrace_testkit::store_contract::{SINGLE, TABLES};
use rusqlite::Connection;

use crate::bench::{make_topic, quick};
use crate::child::Other;

const IN: Topic = Topic::new("k.in");
const LEFT: Topic = Topic::new("k.left");
const RIGHT: Topic = Topic::new("k.right");
const STATE: Topic = Topic::new("k.state");
const GROUP: &str = "k.group";
const CONTEXT: &str = "k";

const ROUNDS: usize = 200;
/// A machine that is too slow for all rounds says how many it had time for.
const LIMIT: Duration = Duration::from_mins(2);
/// With fewer it proves nothing.
const ROUNDS_MIN: usize = 20;

/// Commits and applies as fast as it can, and says what was acknowledged.
pub(crate) fn commit_for_ever(dir: &Path) {
    let database = Database::open_with(dir, quick()).unwrap();
    database.claim().unwrap();
    let role = Role::Worker {
        producers: "k".to_owned(),
    };
    let log = millrace_embedded::EmbeddedLog::open(&database, GROUP, &[IN], role).unwrap();
    let mut stage = Stage::new();
    stage.enter(log);
    stage.owns(0, 1);
    stage.renew(0);
    let store = EmbeddedStore::new(&database);
    let mut number = next_offset(dir);
    println!("> begins {number}");
    loop {
        number += 1;
        let text = number.to_string();
        let mut records = Outbox::default();
        for topic in [LEFT, RIGHT] {
            add(&mut records, topic.partition(0), "k", &text);
        }
        // One key among many and the counter, so that compaction has something to do.
        add(
            &mut records,
            STATE.partition(0),
            &format!("k{}", number % 7),
            &text,
        );
        add(&mut records, STATE.partition(0), "counter", &text);
        let part = stage.worker(0).part(IN.partition(0), number, records);
        stage.commit(0, vec![part]).unwrap();
        println!("> committed {number}");
        block_on(store.apply(rows(number))).unwrap();
        println!("> applied {number}");
    }
}

/// Two rows that must agree, and the progress.
fn rows(number: i64) -> Batch {
    let row = |id: &str| StampedRow {
        row: Row::upsert(&SINGLE, [("id", id.into()), ("offset", number.into())]),
        stamp: STAMP_BASE + number,
    };
    Batch {
        context: CONTEXT,
        rows: vec![row("left"), row("right")],
        progress: Progress {
            projection: "p",
            source: LEFT.partition(0),
            next_offset: number,
            command_offset: None,
            revision: 1,
            updated_at: Timestamp::default(),
        },
    }
}

fn next_offset(dir: &Path) -> i64 {
    let connection = Connection::open(dir.join(FILE_NAME)).unwrap();
    let select = "SELECT COALESCE(MAX(next_offset), 0) FROM group_offsets";
    connection.query_row(select, [], |row| row.get(0)).unwrap()
}

fn set_up(dir: &Path) {
    let database = Database::open_with(dir, quick()).unwrap();
    let log = EmbeddedAccess::new(&database);
    for topic in [IN, LEFT, RIGHT] {
        make_topic(&log, topic.name(), 1, &[]);
    }
    make_topic(&log, STATE.name(), 1, &[("cleanup.policy", "compact")]);
    let tables = [ContextTables {
        context: CONTEXT,
        tables: TABLES.to_vec(),
    }];
    let store = EmbeddedStore::new(&database);
    block_on(store.migrate(&tables, Duration::ZERO, &mut |_| {})).unwrap();
}

/// What was acknowledged last, by its word.
fn last(said: &[String], word: &str) -> i64 {
    let numbers = said.iter().filter_map(|line| line.strip_prefix(word));
    // The last line may have been cut off.
    numbers
        .filter_map(|it| it.trim().parse().ok())
        .max()
        .unwrap_or(0)
}

#[test]
fn whenever_it_is_killed_what_is_there_fits_together_and_nothing_acknowledged_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    let mut random = fastrand::Rng::new();
    let clock = SystemClock::new();
    let (mut rounds, mut committed, mut applied) = (0, 0, 0);
    while rounds < ROUNDS && clock.now().elapsed < LIMIT {
        let mut child = Other::start("commit", dir.path());
        let mut said = Vec::new();
        // One in ten dies while it starts.
        if random.u8(0..10) > 0 {
            said.extend(child.hear());
            thread::sleep(Duration::from_micros(random.u64(0..40_000)));
        } else {
            thread::sleep(Duration::from_micros(random.u64(0..30_000)));
        }
        said.extend(child.kill());
        committed = committed.max(last(&said, "committed"));
        applied = applied.max(last(&said, "applied"));
        check(dir.path(), committed, applied);
        rounds += 1;
    }
    println!("killed {rounds} times, at {committed} commits");
    assert!(
        rounds >= ROUNDS_MIN && committed > 0,
        "{rounds} rounds, {committed} commits"
    );
}

fn check(dir: &Path, committed: i64, applied: i64) {
    let connection = Connection::open(dir.join(FILE_NAME)).unwrap();
    let text =
        |query: &str| -> String { connection.query_row(query, [], |row| row.get(0)).unwrap() };
    assert_eq!(text("PRAGMA integrity_check"), "ok");
    drop(connection);
    let stored = next_offset(dir);
    assert!(stored >= committed, "commit {committed} is gone: {stored}");
    let database = Database::open_with(dir, quick()).unwrap();
    let log = EmbeddedAccess::new(&database);
    for topic in [LEFT, RIGHT] {
        assert_eq!(log.bounds(topic).unwrap()[0].end, stored, "{topic}");
    }
    let connection = Connection::open(dir.join(FILE_NAME)).unwrap();
    let differing = "SELECT COUNT(*) FROM \
        (SELECT offset, CAST(value AS INTEGER) AS value FROM log WHERE topic = 'k.left') AS a \
        FULL JOIN (SELECT offset, CAST(value AS INTEGER) AS value FROM log WHERE topic = 'k.right') AS b \
        USING (offset) \
        WHERE a.value IS NOT b.value OR a.value IS NOT offset + 1";
    let differing: i64 = connection
        .query_row(differing, [], |row| row.get(0))
        .unwrap();
    assert_eq!(differing, 0, "two topics disagree");
    if stored > 0 {
        let counter = "SELECT group_concat(CAST(value AS INTEGER)) FROM log \
                       WHERE topic = 'k.state' AND key = 'counter'";
        let counter: String = connection.query_row(counter, [], |row| row.get(0)).unwrap();
        assert_eq!(counter, stored.to_string());
    }
    let store = EmbeddedStore::new(&database);
    let progress = block_on(store.progress(CONTEXT, "p")).unwrap();
    let shown = progress.first().map_or(0, |progress| progress.next_offset);
    assert!(
        shown >= applied && shown <= stored,
        "{applied} {shown} {stored}"
    );
    let rows = block_on(store.select(CONTEXT, &SINGLE, &[], 9)).unwrap();
    assert!(
        rows.iter().all(|row| row[2] == Cell::Bigint(shown)),
        "{rows:?}"
    );
}
