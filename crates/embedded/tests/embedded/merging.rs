//! Many who write at one moment share one transaction, and nobody pays for another.

use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use millrace_embedded::{EmbeddedAccess, EmbeddedStore};
use millrace_eventsourcing::Row;
use millrace_runtime::access::{Created, LogAccess};
use millrace_runtime::log::{CommitFailure, Effect, Epoch};
use millrace_runtime::store::{Batch, ContextTables, Progress, ReadStore, StampedRow};
use millrace_runtime::tables::TableAccess;
use millrace_runtime::topic_spec::{Layout, aggregate_topics};
use millrace_testkit::log_contract::Stage;
use millrace_testkit::store_contract::{SINGLE, TABLES};

use crate::bench::{File, append, content, make_topic, record, until};
use crate::store_promises::CONTEXT;

/// Keeps the database to itself, so that everything waits; returns how to let go.
fn hold(file: &File) -> rusqlite::Connection {
    let connection =
        rusqlite::Connection::open(file.path().join(millrace_embedded::FILE_NAME)).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

fn commits_of(file: &File) -> i64 {
    // The write-ahead log counts a commit by the frame that ends it: bytes 4..8 of its header tell
    // the size of the database then, and are zero in all other frames.
    let bytes = std::fs::read(file.path().join("millrace.db-wal")).unwrap();
    let frames = bytes[32..].chunks_exact(24 + 4096);
    let commits = frames.filter(|frame| frame[4..8] != [0; 4]).count();
    i64::try_from(commits).unwrap()
}

#[test]
fn what_waits_together_is_written_together_and_one_that_is_stale_hurts_nobody() {
    let file = File::new();
    let input = file.topic("t.in", 4, &[]);
    let output = file.topic("t.out", 4, &[]);
    let mut stage = Stage::new();
    for number in 0..4 {
        stage.enter(file.worker(&format!("g{number}"), &[input]));
        stage.owns(number, 4);
        stage.renew(number);
    }
    let store = EmbeddedStore::new(&file.database);
    let tables = [ContextTables {
        context: CONTEXT,
        tables: TABLES.to_vec(),
    }];
    block_on(store.migrate(&tables, Duration::ZERO, &mut |_| {})).unwrap();

    let holding = hold(&file);
    for number in 0..4 {
        let partition = i32::try_from(number).unwrap();
        let records = record(output.partition(partition), "k", Some("v"));
        let source = input.partition(partition);
        let mut part = stage.worker(number).part(source, 1, records);
        if number == 1 {
            part.epoch = Epoch(9_999);
        }
        stage.worker(number).commit(vec![part]);
    }
    let batch = Batch {
        context: CONTEXT,
        rows: vec![StampedRow {
            row: Row::upsert(&SINGLE, [("id", "a".into())]),
            stamp: 1,
        }],
        progress: Progress {
            projection: "p",
            source: input.partition(0),
            next_offset: 1,
            command_offset: None,
            revision: 1,
            updated_at: millrace_eventsourcing::Timestamp::default(),
        },
    };
    let rows = thread::spawn(move || block_on(store.apply(batch)));
    let before = commits_of(&file);
    drop(holding);
    stage.until("all settled", |workers| {
        workers.iter().all(|worker| !worker.settled.is_empty())
    });
    rows.join().unwrap().unwrap();
    let refused = CommitFailure::Stale(vec![input.partition(1)]);
    for number in 0..4 {
        let expected = if number == 1 {
            Err(refused.clone())
        } else {
            Ok(())
        };
        assert_eq!(stage.worker(number).settled, [expected], "{number}");
    }
    for number in 0..4 {
        let count = usize::from(number != 1);
        assert_eq!(content(file.path(), output.partition(number)).len(), count);
    }
    // The first may have gone alone: it was on its way when the others came.
    let commits = commits_of(&file) - before;
    assert!(commits <= 3, "{commits} commits for five pieces of work");
}

#[test]
fn a_record_that_is_refused_takes_nothing_of_the_others_with_it() {
    let file = File::new();
    let topic = file.topic("t.out", 1, &[("max.message.bytes", "100")]);
    let holding = hold(&file);
    let workers: Vec<_> = (0..8)
        .map(|number| {
            let log = file.access();
            let value = "x".repeat(if number % 2 == 0 { 10 } else { 200 });
            thread::spawn(move || {
                let records = record(topic.partition(0), &number.to_string(), Some(&value));
                log.appender().unwrap().append(&records).is_ok()
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(50));
    drop(holding);
    let results: Vec<_> = workers.into_iter().map(|it| it.join().unwrap()).collect();
    assert_eq!(
        results,
        [true, false, true, false, true, false, true, false]
    );
    let offsets: Vec<_> = content(file.path(), topic.partition(0))
        .into_iter()
        .map(|(offset, ..)| offset)
        .collect();
    assert_eq!(
        offsets,
        [0, 1, 2, 3],
        "no offset is lost with what was refused"
    );
}

#[test]
fn a_worker_that_another_process_replaced_commits_nothing() {
    let file = File::new();
    let input = file.topic("t.in", 1, &[]);
    let mut stage = Stage::new();
    stage.enter(file.worker("g", &[input]));
    stage.owns(0, 1);
    stage.renew(0);
    // As when the lock's file was deleted: two believe that they work.
    std::fs::remove_file(file.path().join("millrace.lock")).unwrap();
    let other = millrace_embedded::Database::open_with(file.path(), crate::bench::quick()).unwrap();
    other.claim().unwrap();
    let records = record(input.partition(0), "k", Some("zombie"));
    let part = stage.worker(0).part(input.partition(0), 1, records);
    let ended = stage.commit(0, vec![part]);
    assert!(matches!(ended, Err(CommitFailure::Fenced(_))), "{ended:?}");
    assert_eq!(content(file.path(), input.partition(0)), []);
    let failed = stage.worker(0).renew();
    assert!(stage.answer(0, failed).is_err(), "it may begin again");
    let log = EmbeddedAccess::new(&other);
    append(&log, &record(input.partition(0), "k", Some("heir")));
}

#[test]
fn a_worker_hears_of_records_at_once_though_it_waits_for_long() {
    let file = File::new();
    let input = make_topic(&file.access(), "t.in", 1, &[]);
    let mut stage = Stage::new();
    stage.enter(file.worker("g", &[input]));
    stage.owns(0, 1);
    stage.worker(0).start_all(0);
    let log = file.access();
    let sender = thread::spawn(move || {
        thread::sleep(Duration::from_millis(30));
        append(&log, &record(input.partition(0), "k", Some("v")));
    });
    let clock = millrace_runtime::clock::SystemClock::new();
    let mut is_there = false;
    until("the record", || {
        stage.worker(0).poll(Duration::from_secs(20));
        is_there |= !stage.worker(0).records.is_empty();
        is_there
    });
    sender.join().unwrap();
    let waited = millrace_runtime::clock::Clock::now(&clock).elapsed;
    assert!(waited < Duration::from_secs(10), "{waited:?}");
    stage.worker(0).release();
    millrace_runtime::log::Log::act(&mut stage.worker(0).log, Effect::Pause(input.partition(0)));
    assert!(file.access().names().unwrap().contains(&"t.in".to_owned()));
}

/// Every program begins by making topics, also one that only sends a command.
#[test]
fn topics_that_are_there_are_found_while_somebody_else_writes() {
    let file = File::new();
    let layout = Layout {
        partitions: 3,
        replication_factor: 1,
    };
    let specs = aggregate_topics("t.known", layout);
    let access = EmbeddedAccess::new(&file.database);
    access.create(&specs).unwrap();
    let holding = hold(&file);
    let again = access.create(&specs).unwrap();
    assert_eq!(again, vec![Created::Existing; specs.len()]);
    drop(holding);
    let more = aggregate_topics("t.more", layout);
    let all = [specs, more].concat();
    let made = access.create(&all).unwrap();
    let is_new = |made: &Created| *made == Created::New;
    assert_eq!(
        made.iter().filter(|made| is_new(made)).count(),
        all.len() / 2
    );
}
