//! The write-ahead log stays short, whoever reads.

use std::path::Path;

use millrace_embedded::FILE_NAME;
use rusqlite::Connection;

use crate::bench::{File, append, record, until};

/// What the writer aims at.
const BOUND: u64 = 16 << 20;
/// In which records are written.
const PIECE: usize = 500_000;
/// As many read between two records, one after the other.
const READERS: usize = 500;

fn log_bytes(path: &Path) -> u64 {
    let log = path.join(format!("{FILE_NAME}-wal"));
    std::fs::metadata(log).map_or(0, |log| log.len())
}

/// Begins to read, and reads something: only then the log is held.
fn begin(connection: &Connection) {
    connection.execute_batch("BEGIN").unwrap();
    let count = "SELECT COUNT(*) FROM topics";
    let count: i64 = connection.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
}

#[test]
fn a_log_that_a_reader_made_long_is_cut_when_it_has_ended() {
    let file = File::new();
    let at = file.topic("t", 1, &[]).partition(0);
    let log = file.access();
    let value = "x".repeat(PIECE);
    let reader = Connection::open(file.path().join(FILE_NAME)).unwrap();
    begin(&reader);
    while log_bytes(file.path()) < 3 * BOUND {
        append(&log, &record(at, "k", Some(&value)));
    }
    reader.execute_batch("COMMIT").unwrap();
    // The reader stays, and reads nothing any more.
    until("a log that is short", || {
        append(&log, &record(at, "k", Some("v")));
        log_bytes(file.path()) <= BOUND
    });
    begin(&reader);
}

#[test]
fn readers_that_overlap_do_not_keep_the_log_long() {
    let file = File::new();
    let at = file.topic("t", 1, &[]).partition(0);
    let log = file.access();
    let value = "x".repeat(PIECE);
    let open = || Connection::open(file.path().join(FILE_NAME)).unwrap();
    let mut readers = (open(), open());
    // At any time one of them reads, and while something is written one that began before.
    begin(&readers.0);
    let mut longest = 0;
    until("a log that is short", || {
        // Small ones when the point is made, or the disk would be filled.
        let length = if longest < 3 * BOUND { PIECE } else { 1 };
        append(&log, &record(at, "k", Some(&value[..length])));
        longest = longest.max(log_bytes(file.path()));
        let is_short = || log_bytes(file.path()) <= BOUND;
        for _ in 0..READERS {
            if longest > BOUND && is_short() {
                return true;
            }
            begin(&readers.1);
            readers.0.execute_batch("COMMIT").unwrap();
            std::mem::swap(&mut readers.0, &mut readers.1);
        }
        false
    });
}
