//! Compaction and retention.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use millrace_embedded::{Database, Options};
use millrace_eventsourcing::Timestamp;
use millrace_runtime::access::LogAccess;
use millrace_runtime::clock::{Clock, Now, SystemClock};
use millrace_runtime::log::{Answer, Ask, AskId, Effect, Log, LogEvent};
use millrace_testkit::log_contract::Stage;

use crate::bench::{File, append, content, quick, record};

const COMPACTED: &[(&str, &str)] = &[
    ("cleanup.policy", "compact"),
    ("delete.retention.ms", "1000"),
];
const SHORT: &[(&str, &str)] = &[("cleanup.policy", "delete"), ("retention.ms", "1000")];
const FOR_EVER: &[(&str, &str)] = &[("cleanup.policy", "delete"), ("retention.ms", "-1")];

/// A clock that is moved by hand.
#[derive(Debug)]
struct Hand {
    millis: AtomicI64,
    system: SystemClock,
}

impl Clock for Hand {
    fn now(&self) -> Now {
        Now {
            wall: Timestamp::from_millis(self.millis.load(Ordering::Relaxed)),
            elapsed: self.system.now().elapsed,
        }
    }
}

fn with_hand() -> (File, Arc<Hand>) {
    let hand = Arc::new(Hand {
        millis: AtomicI64::new(1_000_000),
        system: SystemClock::new(),
    });
    let clock = Arc::<Hand>::clone(&hand);
    let options = Options { clock, ..quick() };
    (File::with(options), hand)
}

fn kept(offset: i64, key: &str, value: Option<&str>) -> (i64, String, Option<String>) {
    (offset, key.to_owned(), value.map(str::to_owned))
}

#[test]
fn a_compacted_topic_keeps_the_last_record_of_each_key_and_a_tombstone_for_a_while() {
    let (file, hand) = with_hand();
    let at = file.topic("t.state", 2, COMPACTED).partition(1);
    let log = file.access();
    for (key, value) in [("a", "1"), ("b", "1"), ("a", "2"), ("c", "1")] {
        append(&log, &record(at, key, Some(value)));
    }
    append(&log, &record(at, "b", None));
    append(&log, &record(at.topic.partition(0), "a", Some("elsewhere")));
    let with_tombstone = [
        kept(2, "a", Some("2")),
        kept(3, "c", Some("1")),
        kept(4, "b", None),
    ];
    assert_eq!(content(file.path(), at), with_tombstone);
    assert_eq!(file.database.keep().unwrap(), 0, "too early for tombstones");
    hand.millis.fetch_add(2_000, Ordering::Relaxed);
    assert_eq!(file.database.keep().unwrap(), 1);
    assert_eq!(content(file.path(), at), with_tombstone[..2]);
    let bounds = log.bounds(at.topic).unwrap();
    assert_eq!((bounds[1].first, bounds[1].end), (0, 5));
    assert_eq!(append(&log, &record(at, "b", Some("3"))), [(at, 5)]);
    assert_eq!(content(file.path(), at.topic.partition(0)).len(), 1);
}

#[test]
fn a_record_without_a_key_is_refused_where_keys_decide() {
    let file = File::new();
    let at = file.topic("t.state", 1, COMPACTED).partition(0);
    let mut without = millrace_runtime::outbox::Outbox::default();
    without.push(millrace_runtime::outbox::NewRecord {
        topic: at.topic,
        partition: 0,
        key: None,
        value: Some(b"v"),
        headers: &[],
    });
    let refused = file.access().appender().unwrap().append(&without);
    assert!(refused.unwrap_err().to_string().contains("t.state/0"));
}

#[test]
fn a_restore_sees_what_compaction_takes_away_while_it_runs() {
    const KEYS: usize = 5_000;
    let file = File::new();
    let at = file.topic("t.state", 1, COMPACTED).partition(0);
    let log = file.access();
    for chunk in 0..5 {
        let mut outbox = millrace_runtime::outbox::Outbox::default();
        for number in 0..KEYS / 5 {
            let key = format!("k{}", chunk * (KEYS / 5) + number);
            millrace_testkit::log_contract::add(&mut outbox, at, &key, "old");
        }
        append(&log, &outbox);
    }
    let mut worker = file.worker("g", &[at.topic]);
    worker.act(Effect::Ask(AskId(1), Ask::Restore(vec![(at, 5_000)])));
    let mut restored = 0;
    let mut is_done = false;
    let mut is_changed = false;
    while !is_done {
        worker.poll(Duration::from_secs(1), 0, &mut |event| {
            if let LogEvent::Restored(_, changes) = event {
                restored += changes.len();
            } else if let LogEvent::Answer(_, answer) = event {
                assert_eq!(answer, Ok(Answer::RestoreDone));
                is_done = true;
            }
        });
        if restored > 0 && !is_changed {
            is_changed = true;
            assert!(restored < KEYS, "came at once");
            append(&log, &record(at, "k4999", Some("new")));
            append(&log, &record(at, "k4998", None));
        }
    }
    assert_eq!(restored, KEYS);
}

#[test]
fn retention_takes_the_old_records_and_no_offset_is_given_out_twice() {
    let (file, hand) = with_hand();
    let at = file.topic("t.outcomes", 1, SHORT).partition(0);
    let events = file.topic("t.events", 1, FOR_EVER).partition(0);
    let log = file.access();
    for value in ["1", "2"] {
        append(&log, &record(at, "k", Some(value)));
        append(&log, &record(events, "k", Some(value)));
    }
    hand.millis.fetch_add(900, Ordering::Relaxed);
    append(&log, &record(at, "k", Some("3")));
    hand.millis.fetch_add(900, Ordering::Relaxed);
    assert_eq!(file.database.keep().unwrap(), 2);
    assert_eq!(content(file.path(), at), [kept(2, "k", Some("3"))]);
    hand.millis.fetch_add(100_000, Ordering::Relaxed);
    assert_eq!(file.database.keep().unwrap(), 1);
    assert_eq!(content(file.path(), at), []);
    assert_eq!(content(file.path(), events).len(), 2);
    // Also not after the file was opened again.
    let dir = file.dir;
    drop(file.database);
    let database = Database::open_with(dir.path(), quick()).unwrap();
    let log = millrace_embedded::EmbeddedAccess::new(&database);
    assert_eq!(append(&log, &record(at, "k", Some("4"))), [(at, 3)]);
    let bounds = log.bounds(at.topic).unwrap();
    assert_eq!((bounds[0].first, bounds[0].stable_end), (3, 4));
}

#[test]
fn a_reader_that_retention_overtakes_is_told_so() {
    let file = File::new();
    let at = file.topic("t.in", 1, FOR_EVER).partition(0);
    let log = file.access();
    for _ in 0..3 {
        append(&log, &record(at, "k", Some("v")));
    }
    let mut stage = Stage::new();
    stage.enter(file.worker("g", &[at.topic]));
    stage.owns(0, 1);
    stage.worker(0).records_max = 1;
    stage.worker(0).start_all(0);
    stage.until("one record", |workers| !workers[0].records.is_empty());
    stage.worker(0).records_max = 0;
    file.database.delete_before(at, 3).unwrap();
    append(&log, &record(at, "k", Some("later")));
    stage.worker(0).records_max = 9;
    stage.until("word of it", |workers| workers[0].out_of_range == [at]);
    assert_eq!(stage.worker(0).records.len(), 1, "passed in silence");
}
