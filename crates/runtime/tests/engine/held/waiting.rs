//! One record waits, and those behind it keep their order; other partitions go on.

use std::time::Duration;

use millrace_eventsourcing::Timestamp;
use millrace_runtime::engine::TaskState;
use millrace_runtime::log::{Effect, LogEvent, Record};

use super::super::stage::{aborted, kinds};
use super::gate::{Door, Doors, Lane, OUTPUT, WAIT, lane};
use millrace_testkit::memory_log::{CommitFault, Fate};

/// Kept behind the first, it included: `held.rs`.
const KEPT_MAX: i64 = 64;

fn put_all(line: &Lane, count: i64) -> Vec<String> {
    let texts: Vec<_> = (0..count).map(|n| format!("r-{n}")).collect();
    for text in &texts {
        line.put(0, "k", text.as_bytes());
    }
    texts
}

fn running(partitions: i32) -> (Lane, Doors) {
    let doors = Doors::default();
    let mut line = lane(partitions, &doors);
    line.run();
    (line, doors)
}

#[test]
fn those_behind_it_keep_their_order_and_others_go_on() {
    let (mut line, doors) = running(2);
    doors.set("r-1", Door::Closed);
    let texts = put_all(&line, 5);
    line.put(1, "k", b"other");
    line.turns(20);
    assert_eq!(line.texts(OUTPUT), ["r-0", "other"]);
    assert_eq!(line.task_record(0).next_offset, 1);
    let paused = (TaskState::Paused, "the door is closed".to_owned());
    assert_eq!(line.status(0, 0), paused);
    assert_eq!(line.status(0, 1), (TaskState::Running, String::new()));
    assert_eq!(doors.offers("r-2"), 0, "nobody overtakes");
    doors.open("r-1");
    line.pass(WAIT);
    line.turns(5);
    assert_eq!(line.texts(OUTPUT)[..5], texts);
    assert_eq!(line.task_record(0).next_offset, 5);
    assert_eq!(line.status(0, 0), (TaskState::Running, String::new()));
    let effects = line.effects(0);
    assert!(!kinds(&effects).contains(&"pause"), "{effects:?}");
}

#[test]
fn it_is_offered_at_its_time_or_when_somebody_wakes_it_and_not_before() {
    let (mut line, doors) = running(1);
    doors.set("r-0", Door::Closed);
    put_all(&line, 1);
    line.turns(50);
    assert_eq!(doors.offers("r-0"), 1);
    line.pass(WAIT);
    line.turns(50);
    assert_eq!(doors.offers("r-0"), 2);
    let source = line.source(0);
    line.worker(0).engine_mut().wake(source);
    line.turns(50);
    assert_eq!(doors.offers("r-0"), 3);
    let unknown = line.source(7);
    line.worker(0).engine_mut().wake(unknown);
    line.turn();
}

#[test]
fn beyond_the_bound_of_records_the_partition_is_read_again_from_behind_the_kept_ones() {
    for count in [KEPT_MAX, KEPT_MAX + 1, KEPT_MAX * 3 + 7] {
        let (mut line, doors) = running(1);
        doors.set("r-0", Door::Closed);
        let texts = put_all(&line, count);
        line.turns(20);
        let source = line.source(0);
        let is_full = count > KEPT_MAX;
        let effects = line.effects(0);
        let pauses = kinds(&effects).into_iter();
        let pauses = pauses.filter(|kind| *kind == "pause").count();
        assert_eq!(pauses, usize::from(is_full), "{count}");
        doors.open("r-0");
        line.pass(WAIT);
        line.turns(20);
        assert_eq!(line.texts(OUTPUT), texts);
        assert!(texts.iter().skip(1).all(|text| doors.offers(text) == 1));
        let mut starts = line.effects(0);
        starts.retain(|effect| matches!(effect, Effect::Start(..)));
        let expected = is_full.then_some(Effect::Start(source, KEPT_MAX));
        assert_eq!(starts, Vec::from_iter(expected), "{count}");
    }
}

#[test]
fn beyond_the_bound_of_bytes_too_and_the_first_is_kept_however_large() {
    let (mut line, doors) = running(1);
    let large = "x".repeat(2 * 1024 * 1024);
    doors.set(&large, Door::Closed);
    line.put(0, "k", large.as_bytes());
    let texts = put_all(&line, 3);
    line.turns(20);
    let effects = line.effects(0);
    assert!(kinds(&effects).contains(&"pause"), "one is enough");
    doors.open(&large);
    line.pass(WAIT);
    line.turns(20);
    assert_eq!(line.texts(OUTPUT)[1..], texts);
    let source = line.source(0);
    assert!(line.effects(0).contains(&Effect::Start(source, 1)));
}

#[test]
fn several_may_wait_one_after_the_other() {
    let (mut line, doors) = running(1);
    let texts = put_all(&line, 100);
    for waiting in [0, 3, 4, 63, 64, 99] {
        doors.set(&texts[waiting], Door::Closed);
    }
    for waiting in [0, 3, 4, 63, 64, 99] {
        line.turns(5);
        assert_eq!(line.texts(OUTPUT), texts[..waiting]);
        doors.open(&texts[waiting]);
        line.pass(WAIT);
    }
    line.turns(5);
    assert_eq!(line.texts(OUTPUT), texts);
}

#[test]
fn a_record_that_is_delivered_again_is_not_processed_twice() {
    let (mut line, doors) = running(1);
    doors.set("r-1", Door::Closed);
    let texts = put_all(&line, 4);
    line.turns(5);
    let source = line.source(0);
    for (offset, text) in (0..).zip(&texts) {
        let again = Record {
            source,
            offset,
            timestamp: Timestamp::from_micros(0),
            key: Some(b"k"),
            value: Some(text.as_bytes()),
            headers: [].into_iter().collect(),
        };
        let engine = line.worker(0).engine_mut();
        engine.on_event(LogEvent::Record(again));
    }
    doors.open("r-1");
    line.pass(WAIT);
    line.turns(5);
    assert_eq!(line.texts(OUTPUT), texts);
}

#[test]
fn one_that_cannot_be_processed_stops_the_task_and_what_was_done_goes_out() {
    let (mut line, doors) = running(2);
    doors.set("r-1", Door::Closed);
    doors.set("r-3", Door::Broken);
    put_all(&line, 100);
    line.turns(5);
    doors.open("r-1");
    line.pass(WAIT);
    line.turns(5);
    assert_eq!(line.texts(OUTPUT), ["r-0", "r-1", "r-2"]);
    let (state, reason) = line.status(0, 0);
    assert_eq!(state, TaskState::Failed);
    assert!(reason.contains("door is broken"), "{reason}");
    assert_eq!(line.task_record(0).next_offset, 3);
    line.pass(WAIT);
    line.put(1, "k", b"other");
    line.turns(20);
    assert_eq!((doors.offers("r-3"), doors.offers("r-4")), (1, 0));
    assert_eq!(line.texts(OUTPUT).last().unwrap(), "other");
    let effects = line.effects(0);
    let source = line.source(0);
    let restarted = |effect: &Effect| matches!(effect, Effect::Start(one, _) if *one == source);
    assert!(!effects.iter().any(restarted), "{effects:?}");
}

#[test]
fn a_commit_that_fails_meanwhile_is_sent_again_with_the_same_bytes() {
    let (mut line, doors) = running(1);
    for _ in 0..3 {
        let (fate, failure) = (Fate::Aborted, aborted());
        let faults = line.worker(0).log().faults();
        faults.fail_commit(CommitFault { fate, failure });
    }
    doors.set("r-1", Door::Closed);
    let texts = put_all(&line, 3);
    line.turns(3);
    doors.open("r-1");
    line.pass(WAIT);
    line.turns(200);
    assert_eq!(line.texts(OUTPUT), texts);
}

#[test]
fn a_position_that_waits_is_not_brought_forward() {
    let (mut line, doors) = running(1);
    doors.set("r-0", Door::Closed);
    put_all(&line, 1);
    for _ in 0..10 {
        line.pass(Duration::from_secs(10));
        line.turns(5);
    }
    assert_eq!(line.task_record(0).next_offset, 0);
    assert!(!kinds(&line.effects(0)).contains(&"advance"));
    line.crash(0);
    doors.open("r-0");
    line.run();
    line.turns(5);
    assert_eq!(line.texts(OUTPUT), ["r-0"]);
}
