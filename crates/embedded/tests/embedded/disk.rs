//! A disk that is full, for a while.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use futures::executor::block_on;
use millrace_embedded::{Database, EmbeddedAccess, EmbeddedStore, FILE_NAME};
use millrace_eventsourcing::{Row, Timestamp};
use millrace_runtime::access::LogAccess;
use millrace_runtime::log::CommitFailure;
use millrace_runtime::store::{Batch, ContextTables, Progress, ReadStore, StampedRow};
use millrace_runtime::tables::TableAccess;
use millrace_testkit::log_contract::Stage;
use millrace_testkit::store_contract::{SINGLE, TABLES};
use rusqlite::Connection;

use crate::bench::{File, content, record};
use crate::store_promises::CONTEXT;

fn is_whole(file: &File) {
    let path = file.path().join(FILE_NAME);
    let connection = Connection::open(path).unwrap();
    let check = "PRAGMA integrity_check";
    let result: String = connection.query_row(check, [], |row| row.get(0)).unwrap();
    assert_eq!(result, "ok");
}

#[test]
fn a_full_disk_refuses_what_is_written_and_work_goes_on_when_there_is_room() {
    let file = File::new();
    let input = file.topic("t.in", 1, &[]);
    let output = file.topic("t.out", 1, &[("max.message.bytes", "100000000")]);
    let (from, to) = (input.partition(0), output.partition(0));
    let store = EmbeddedStore::new(&file.database);
    let tables = [ContextTables {
        context: CONTEXT,
        tables: TABLES.to_vec(),
    }];
    block_on(store.migrate(&tables, Duration::ZERO, &mut |_| {})).unwrap();
    let mut stage = Stage::new();
    stage.enter(file.worker("g", &[input]));
    stage.owns(0, 1);
    stage.renew(0);
    let part = stage
        .worker(0)
        .part(from, 1, record(to, "k", Some("before")));
    assert_eq!(stage.commit(0, vec![part]), Ok(()));

    file.database.limit_pages(Some(60)).unwrap();
    let large = "x".repeat(1_000_000);
    let part = stage.worker(0).part(from, 2, record(to, "k", Some(&large)));
    let Err(CommitFailure::Aborted { class, reason }) = stage.commit(0, vec![part.clone()]) else {
        panic!("a full disk took it");
    };
    assert_eq!(class, "disk");
    assert!(reason.contains("full"), "{reason}");
    let batch = Batch {
        context: CONTEXT,
        rows: vec![StampedRow {
            row: Row::upsert(
                &SINGLE,
                [("id", "a".into()), ("type", large.as_str().into())],
            ),
            stamp: 1,
        }],
        progress: Progress {
            projection: "p",
            source: from,
            next_offset: 1,
            command_offset: None,
            revision: 1,
            updated_at: Timestamp::default(),
        },
    };
    let refused = block_on(store.apply(batch.clone()))
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("full") && !refused.contains("xxx"),
        "{refused}"
    );
    assert_eq!(block_on(store.progress(CONTEXT, "p")), Ok(vec![]));
    // What is small still finds room.
    let small = stage
        .worker(0)
        .part(from, 2, record(to, "k", Some("small")));
    assert_eq!(stage.commit(0, vec![small]), Ok(()));
    assert_eq!(content(file.path(), to).len(), 2);
    is_whole(&file);

    file.database.limit_pages(None).unwrap();
    assert_eq!(stage.commit(0, vec![part]), Ok(()));
    block_on(store.apply(batch)).unwrap();
    let values: Vec<_> = content(file.path(), to)
        .into_iter()
        .map(|(offset, _, value)| (offset, value.unwrap().len()))
        .collect();
    assert_eq!(values, [(0, 6), (1, 5), (2, large.len())]);
    is_whole(&file);
}

#[test]
fn what_is_too_large_for_the_room_left_does_not_keep_out_what_waits_with_it() {
    let file = File::new();
    let topic = file.topic("t.out", 1, &[("max.message.bytes", "100000000")]);
    file.database.limit_pages(Some(60)).unwrap();
    let holding = Connection::open(file.path().join(FILE_NAME)).unwrap();
    holding.execute_batch("BEGIN IMMEDIATE").unwrap();
    // The first is on its way alone; the others wait behind it and go together.
    let senders = [10, 1_000_000, 10, 10].map(|length| {
        let log = file.access();
        let sender = std::thread::spawn(move || {
            let value = "x".repeat(length);
            let records = record(topic.partition(0), "k", Some(&value));
            log.appender().unwrap().append(&records).is_ok()
        });
        std::thread::sleep(Duration::from_millis(20));
        sender
    });
    drop(holding);
    let results = senders.map(|sender| sender.join().unwrap());
    assert_eq!(results, [true, false, true, true]);
    assert_eq!(content(file.path(), topic.partition(0)).len(), 3);
}

/// Runs where a small file system can be mounted, and says so where not.
#[test]
fn a_file_system_without_room_damages_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
        .arg(dir.path())
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        println!("skipped: no file system can be mounted here");
        return;
    }
    let mounted = Mounted(dir.path());
    let database = Database::open(dir.path()).unwrap();
    let log = EmbeddedAccess::new(&database);
    let at = crate::bench::make_topic(&log, "t", 1, &[]).partition(0);
    let mut appender = log.appender().unwrap();
    let value = "x".repeat(50_000);
    let mut written = 0;
    let error = loop {
        match appender.append(&record(at, "k", Some(&value))) {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 100, "never full");
    };
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("full") || cause.contains("I/O"), "{cause}");
    assert_eq!(content(dir.path(), at).len(), written);
    let more = Command::new("mount")
        .args(["-o", "remount,size=20m"])
        .arg(dir.path())
        .status();
    assert!(more.unwrap().success());
    appender.append(&record(at, "k", Some(&value))).unwrap();
    assert_eq!(content(dir.path(), at).len(), written + 1);
    drop(appender);
    drop(log);
    drop(database);
    drop(mounted);
}

/// Unmounts, also when the test fails.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        // Lazily: the database may still be open.
        let unmounting = Command::new("umount").arg("--lazy").arg(self.0).status();
        println!("unmounted: {unmounting:?}");
    }
}
