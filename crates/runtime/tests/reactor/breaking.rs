//! A mail server that is down is left alone, and comes back by itself.

use std::time::Duration;

use millrace_runtime::breaker::PROBE_INTERVAL;
use millrace_runtime::engine::TaskState;
use millrace_runtime::log::LogEvent;

use super::outside::{Outside, Posts, posts, put, refused, transient};

/// The failure was told a turn or two before the clock was looked at.
const SLACK: Duration = Duration::from_millis(20);

/// A worker with a deposit in each of its partitions, all of them at work.
fn at_work(partitions: i32) -> (Posts, Outside) {
    let (mut line, outside) = posts(partitions);
    line.run();
    for partition in 0..partitions {
        put(&line, partition, 1);
    }
    line.turns(5);
    assert_eq!(
        outside.underway().len(),
        usize::try_from(partitions).unwrap()
    );
    (line, outside)
}

/// Five attempts have failed in a row.
fn broken(partitions: i32) -> (Posts, Outside) {
    let (mut line, outside) = at_work(partitions);
    for partition in 0..partitions {
        outside.end(partition, transient());
    }
    line.turn();
    (line, outside)
}

#[test]
fn five_failures_in_a_row_over_all_partitions_give_it_a_rest_and_then_one_probes() {
    let (mut line, outside) = broken(5);
    let then = line.now();
    line.until("probed", |_| !outside.underway().is_empty());
    assert!(line.since(then) + SLACK >= PROBE_INTERVAL);
    line.turns(50);
    assert_eq!(outside.underway().len(), 1, "one is enough to know");
    assert_eq!(outside.attempts().len(), 6);
    let probing = outside.underway()[0];
    for partition in 0..5 {
        let (state, reason) = line.status(0, partition);
        assert_eq!(state, TaskState::Paused, "{partition}");
        assert!(reason.contains("451"), "{reason}");
        let is_left_alone = reason.contains("mail server, left alone");
        assert_eq!(is_left_alone, partition != probing, "{reason}");
    }
    outside.end(probing, Ok(()));
    line.pass(Duration::from_secs(5));
    line.turns(20);
    assert_eq!(outside.underway().len(), 4, "all others come back");
    assert_eq!(line.task_record(probing).next_offset, 1);
}

#[test]
fn a_probe_that_fails_is_followed_by_another_rest() {
    let (mut line, outside) = broken(5);
    for probes in 1..=3 {
        line.until("probed", |_| !outside.underway().is_empty());
        assert_eq!(outside.attempts().len(), 5 + probes);
        let probing = outside.underway()[0];
        outside.end(probing, transient());
        line.turn();
        let then = line.now();
        line.turns(50);
        assert!(outside.underway().is_empty());
        line.until("probed", |_| !outside.underway().is_empty());
        assert!(line.since(then) + SLACK >= PROBE_INTERVAL);
    }
}

#[test]
fn probes_come_at_their_interval_however_long_one_has_failed() {
    let (mut line, outside) = at_work(1);
    for _ in 0..12 {
        line.until("tried again", |_| !outside.underway().is_empty());
        outside.end(0, transient());
        line.turn();
    }
    let then = line.now();
    line.until("probed", |_| !outside.underway().is_empty());
    let waited = line.since(then);
    assert!(waited + SLACK >= PROBE_INTERVAL, "{waited:?}");
    assert!(waited <= PROBE_INTERVAL + SLACK, "{waited:?}");
}

#[test]
fn those_who_never_failed_say_what_they_wait_for() {
    let (mut line, outside) = at_work(6);
    outside.end(5, Ok(()));
    line.turn();
    for partition in 0..5 {
        outside.end(partition, transient());
    }
    line.turn();
    put(&line, 5, 2);
    line.turns(3);
    let (state, reason) = line.status(0, 5);
    assert_eq!(state, TaskState::Paused);
    assert!(reason.contains("mail server"), "{reason}");
    assert!(reason.contains("failed for others"), "{reason}");
}

#[test]
fn what_is_refused_does_not_count_it_is_an_answer() {
    let (mut line, outside) = at_work(9);
    for partition in 0..4 {
        outside.end(partition, transient());
    }
    line.turn();
    outside.end(8, refused());
    line.turn();
    for partition in 4..8 {
        outside.end(partition, transient());
    }
    line.turn();
    put(&line, 8, 2);
    line.turns(3);
    assert!(outside.underway().contains(&8), "never five in a row");
}

/// Six attempts; four have failed, and the partition of the fifth was lost before its end.
fn lost() -> (Posts, Outside) {
    let (mut line, outside) = at_work(6);
    for partition in 0..4 {
        outside.end(partition, transient());
    }
    line.turn();
    let lost = line.source(4);
    line.worker(0).log().tell(LogEvent::Lost(vec![lost]));
    line.turn();
    (line, outside)
}

#[test]
fn the_late_end_of_a_lost_partition_still_tells_how_the_server_is() {
    let (mut line, outside) = lost();
    outside.end(4, transient());
    line.turns(100);
    assert_eq!(outside.underway(), [5], "the fifth in a row was nobody's");

    let (mut line, outside) = lost();
    outside.end(4, refused());
    line.turn();
    outside.end(5, transient());
    line.turns(100);
    assert_eq!(outside.underway(), [0, 1, 2, 3, 5], "it has answered");
}
