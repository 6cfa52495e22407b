//! A partition goes to another worker while one of its records waits.

use millrace_runtime::engine::TaskState;
use millrace_runtime::log::{Effect, LogEvent};

use super::super::line::DRAIN_MAX;
use super::super::stage::{fenced_ids, kinds, released};
use super::gate::{Door, Doors, Lane, OUTPUT, WAIT, lane};

/// A worker with one partition, where three records stand and the second one waits.
fn waiting(door: Door) -> (Lane, Doors) {
    let doors = Doors::default();
    let mut line = lane(1, &doors);
    line.run();
    doors.set("r-1", door);
    for text in ["r-0", "r-1", "r-2"] {
        line.put(0, "k", text.as_bytes());
    }
    line.turns(10);
    assert_eq!(line.texts(OUTPUT), ["r-0"]);
    line.effects(0);
    (line, doors)
}

fn revoke(line: &mut Lane) {
    let source = line.source(0);
    line.worker(0).log().tell(LogEvent::Revoking(vec![source]));
}

fn is_released(line: &mut Lane) -> bool {
    !released(&line.effects(0)).is_empty()
}

/// Position and owner.
fn stands(line: &Lane) -> (i64, Option<String>) {
    let record = line.task_record(0);
    (record.next_offset, record.owner)
}

#[test]
fn what_only_waits_is_left_to_the_next_owner_at_once() {
    let (mut line, doors) = waiting(Door::Closed);
    revoke(&mut line);
    line.turns(3);
    assert!(is_released(&mut line));
    assert_eq!(stands(&line), (1, None));
    doors.open("r-1");
    line.join();
    line.workers[0] = None;
    line.turns(20);
    assert_eq!(line.texts(OUTPUT), ["r-0", "r-1", "r-2"]);
    assert!(fenced_ids(&line.effects(1)).is_empty());
}

#[test]
fn what_is_underway_is_waited_for_and_its_end_is_committed() {
    let (mut line, doors) = waiting(Door::Underway);
    revoke(&mut line);
    line.pass(DRAIN_MAX / 2);
    line.turns(20);
    assert!(!is_released(&mut line), "it may end any time");
    assert_eq!(line.states(0), [TaskState::Revoking]);
    let (next_offset, owner) = stands(&line);
    assert_eq!((next_offset, owner.is_some()), (1, true));
    doors.open("r-1");
    let source = line.source(0);
    line.worker(0).engine_mut().wake(source);
    line.turns(5);
    let effects = line.effects(0);
    assert_eq!(released(&effects), [source]);
    assert_eq!(kinds(&effects), ["commit", "release"]);
    assert_eq!(stands(&line), (2, None));
    assert_eq!(line.texts(OUTPUT), ["r-0", "r-1"]);
    assert_eq!(doors.offers("r-2"), 0, "the next owner's");
    line.join();
    line.workers[0] = None;
    line.turns(20);
    assert_eq!(line.texts(OUTPUT), ["r-0", "r-1", "r-2"]);
}

#[test]
fn what_was_underway_and_did_not_succeed_is_left_to_the_next_owner() {
    let (mut line, doors) = waiting(Door::Underway);
    revoke(&mut line);
    line.turns(5);
    doors.set("r-1", Door::Closed);
    let source = line.source(0);
    line.worker(0).engine_mut().wake(source);
    line.turns(5);
    assert!(is_released(&mut line));
    assert_eq!(stands(&line), (1, None));
    line.pass(WAIT);
    line.turns(5);
    assert_eq!(doors.offers("r-1"), 2, "not offered any more");
}

#[test]
fn what_never_ends_is_not_waited_for_for_ever() {
    let (mut line, doors) = waiting(Door::Underway);
    revoke(&mut line);
    line.turns(5);
    assert!(!is_released(&mut line));
    line.pass(DRAIN_MAX);
    line.turns(1);
    assert!(is_released(&mut line));
    let (next_offset, owner) = stands(&line);
    assert_eq!(next_offset, 1);
    let owner = owner.unwrap();
    doors.open("r-1");
    line.join();
    line.workers[0] = None;
    line.turns(20);
    assert_eq!(
        fenced_ids(&line.effects(1)),
        [owner],
        "it did not say good-bye"
    );
    assert_eq!(line.texts(OUTPUT), ["r-0", "r-1", "r-2"]);
}

#[test]
fn what_is_lost_while_it_is_underway_is_not_committed_by_who_lost_it() {
    let (mut line, doors) = waiting(Door::Underway);
    let source = line.source(0);
    line.worker(0).log().tell(LogEvent::Lost(vec![source]));
    line.turns(2);
    assert!(line.states(0).is_empty());
    doors.open("r-1");
    line.worker(0).engine_mut().wake(source);
    line.pass(WAIT);
    line.turns(20);
    assert_eq!(line.texts(OUTPUT), ["r-0"]);
    assert!(line.effects(0).is_empty());
    line.crash(0);
    line.run();
    line.turns(5);
    assert_eq!(line.texts(OUTPUT), ["r-0", "r-1", "r-2"]);
}

#[test]
fn a_partition_that_comes_back_is_offered_its_records_anew() {
    let (mut line, doors) = waiting(Door::Underway);
    line.worker(0).log().evict();
    line.turns(30);
    assert_eq!(line.states(0), [TaskState::Running]);
    assert_eq!(doors.offers("r-1"), 2);
    doors.open("r-1");
    line.pass(WAIT);
    line.turns(5);
    assert_eq!(line.texts(OUTPUT), ["r-0", "r-1", "r-2"]);
}

#[test]
fn a_stop_waits_for_what_is_underway_and_then_says_good_bye() {
    for ends in [true, false] {
        let (mut line, doors) = waiting(Door::Underway);
        line.worker(0).engine_mut().stop();
        line.turns(5);
        assert!(!line.is_stopped(0));
        if ends {
            doors.open("r-1");
            let source = line.source(0);
            line.worker(0).engine_mut().wake(source);
        } else {
            line.pass(DRAIN_MAX);
        }
        line.turns(5);
        assert!(line.is_stopped(0));
        let effects = line.effects(0);
        assert!(!effects.iter().any(|e| matches!(e, Effect::Start(..))));
        let (next_offset, owner) = stands(&line);
        assert_eq!(
            (next_offset, owner.is_none()),
            if ends { (2, true) } else { (1, false) }
        );
    }
}

#[test]
fn a_full_partition_that_is_handed_over_is_not_started_again() {
    let doors = Doors::default();
    let mut line = lane(1, &doors);
    line.run();
    doors.set("r-0", Door::Underway);
    for n in 0..100 {
        line.put(0, "k", format!("r-{n}").as_bytes());
    }
    line.turns(10);
    revoke(&mut line);
    line.turns(2);
    doors.open("r-0");
    let source = line.source(0);
    line.worker(0).engine_mut().wake(source);
    line.effects(0);
    line.turns(5);
    assert_eq!(kinds(&line.effects(0)), ["commit", "release"]);
    assert_eq!(stands(&line), (1, None));
}
