//! When an action is done again, and when it is not.

use millrace_domain::bank::thank_you::ThankYou;
use millrace_eventsourcing::Reactor;
use millrace_runtime::engine::{StartAt, TaskState};
use millrace_runtime::log::CommitFailure;
use millrace_testkit::memory_log::{CommitFault, Fate};

use super::outside::{Posts, amounts, posts, put, transient};
use crate::engine::line::DRAIN_MAX;
use crate::engine::stage::unknown;

fn fail_commit(line: &mut Posts, fate: Fate, failure: CommitFailure) {
    let faults = line.worker(0).log().faults();
    faults.fail_commit(CommitFault { fate, failure });
}

#[test]
fn a_crash_between_the_yes_and_the_note_of_it_repeats_the_very_same_mail() {
    for (fate, is_repeated) in [
        (Fate::Unsent, true),
        (Fate::Aborted, true),
        (Fate::Open, true),
        (Fate::Committing, false),
        (Fate::Committed, false),
    ] {
        let (mut line, outside) = posts(1);
        line.run();
        put(&line, 0, 1);
        line.turns(5);
        fail_commit(&mut line, fate, unknown());
        let first = outside.end(0, Ok(()));
        line.turn();
        line.crash(0);
        line.run();
        line.turns(30);
        let attempts = outside.attempts();
        assert_eq!(attempts.len(), if is_repeated { 2 } else { 1 }, "{fate:?}");
        assert!(attempts.iter().all(|mail| *mail == first), "{fate:?}");
    }
}

#[test]
fn a_commit_that_fails_while_the_worker_lives_repeats_nothing() {
    for fate in [Fate::Unsent, Fate::Aborted, Fate::Open, Fate::Committed] {
        let (mut line, outside) = posts(1);
        line.run();
        put(&line, 0, 1);
        put(&line, 0, 2);
        line.turns(5);
        fail_commit(&mut line, fate, unknown());
        outside.end(0, Ok(()));
        line.turns(100);
        assert_eq!(line.task_record(0).next_offset, 1, "{fate:?}");
        assert_eq!(amounts(&outside.attempts()), [1, 2], "{fate:?}");
    }
}

#[test]
fn a_crash_before_the_end_repeats_what_was_at_work_and_nothing_before() {
    let (mut line, outside) = posts(1);
    line.run();
    put(&line, 0, 1);
    put(&line, 0, 2);
    line.turns(5);
    outside.end(0, Ok(()));
    line.turns(5);
    line.crash(0);
    outside.forget();
    line.run();
    line.turns(5);
    assert_eq!(amounts(&outside.attempts()), [1, 2, 2]);
}

#[test]
fn a_group_that_was_reset_repeats_nothing() {
    let (mut line, outside) = posts(1);
    line.run();
    for offset in [Some(0), None] {
        put(&line, 0, 1);
        line.turns(5);
        outside.end(0, Ok(()));
        line.turns(5);
        let working = line.workers.len() - 1;
        line.leave(working);
        let source = line.source(0);
        line.broker.reset_group(ThankYou::NAME, source, offset);
        line.run();
        line.turns(20);
    }
    assert_eq!(outside.attempts().len(), 2);
}

#[test]
fn the_first_start_at_the_end_leaves_out_what_was_there_and_later_ones_do_not() {
    let (mut line, outside) = posts(1);
    line.config.start = StartAt::End;
    put(&line, 0, 1);
    line.run();
    put(&line, 0, 2);
    line.turns(5);
    assert_eq!(amounts(&outside.attempts()), [2]);
    outside.end(0, Ok(()));
    line.turns(5);
    line.leave(0);
    put(&line, 0, 3);
    line.run();
    line.turns(5);
    assert_eq!(amounts(&outside.attempts()), [2, 3]);
}

#[test]
fn a_late_end_is_not_taken_for_that_of_the_attempt_that_came_after() {
    let (mut line, outside) = posts(1);
    line.run();
    put(&line, 0, 1);
    put(&line, 0, 2);
    line.turns(5);
    line.worker(0).log().evict();
    line.turns(30);
    assert_eq!(outside.underway(), [0, 0], "lost, and taken again");
    outside.end(0, Ok(()));
    line.turns(20);
    assert_eq!(line.task_record(0).next_offset, 0);
    assert_eq!(outside.underway(), [0]);
    outside.end(0, Ok(()));
    line.turns(20);
    assert_eq!(line.task_record(0).next_offset, 1);
    assert_eq!(amounts(&outside.attempts()), [1, 1, 2]);
}

#[test]
fn an_end_between_two_assignments_is_of_no_use_to_the_second() {
    let (mut line, outside) = posts(1);
    line.run();
    put(&line, 0, 1);
    line.turns(5);
    line.worker(0).log().evict();
    line.turn();
    assert!(line.states(0).is_empty() || line.states(0) == [TaskState::Restoring]);
    outside.end(0, Ok(()));
    line.turns(30);
    assert_eq!(line.task_record(0).next_offset, 0);
    assert_eq!(amounts(&outside.attempts()), [1, 1]);
}

#[test]
fn a_stop_waits_for_the_mail_that_is_on_its_way_and_notes_it() {
    let (mut line, outside) = posts(2);
    line.run();
    for partition in [0, 1] {
        put(&line, partition, 1);
        put(&line, partition, 2);
    }
    line.turns(5);
    line.worker(0).engine_mut().stop();
    line.pass(DRAIN_MAX / 2);
    line.turns(5);
    assert!(!line.is_stopped(0));
    outside.end(0, Ok(()));
    outside.end(1, transient());
    line.turns(5);
    assert!(line.is_stopped(0));
    for (partition, next_offset) in [(0, 1), (1, 0)] {
        let record = line.task_record(partition);
        assert_eq!((record.next_offset, record.owner), (next_offset, None));
    }
    assert_eq!(outside.attempts().len(), 2, "nothing more was begun");
}
