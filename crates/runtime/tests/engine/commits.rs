//! What becomes of a batch when its commit does not end well.

use millrace_runtime::engine::TaskState;
use millrace_runtime::log::{CommitFailure, Epoch, LogEvent};
use millrace_testkit::memory_log::Fate;

use super::decide::desk::{deposit, open};
use super::stage::{Stage, aborted, commits, fenced, kinds, unknown};

const FATES: [Fate; 5] = [
    Fate::Unsent,
    Fate::Aborted,
    Fate::Open,
    Fate::Committing,
    Fate::Committed,
];

#[test]
fn an_aborted_batch_is_sent_again_with_the_same_bytes() {
    for fate in [Fate::Unsent, Fate::Aborted] {
        let mut stage = Stage::running(1);
        for _ in 0..3 {
            stage.fail_commit(0, fate, aborted());
        }
        stage.send("a", &open("c-1", 5));
        stage.turns(2);
        stage.send("a", &deposit("c-2", 1));
        stage.until_outcomes(2);
        let effects = stage.worker(0).take_effects();
        let sent = commits(&effects);
        assert_eq!(sent.len(), 5);
        assert!(sent[..4].iter().all(|commit| *commit == sent[0]));
        assert!(!kinds(&effects).contains(&"renew"));
        assert_eq!(stage.versions("a"), [1, 2]);
    }
}

#[test]
fn a_commit_that_keeps_failing_says_why_until_it_succeeds() {
    let mut stage = Stage::running(1);
    for _ in 0..5 {
        stage.fail_commit(0, Fate::Aborted, aborted());
    }
    stage.send("a", &open("c-1", 5));
    stage.until("the reason is told", |stage| {
        let statuses = stage.statuses(0);
        let reason = statuses[0].reason.as_deref().unwrap_or_default();
        statuses[0].state == TaskState::Paused && reason.contains("did not succeed")
    });
    stage.until_outcomes(1);
    stage.turns(2);
    assert_eq!(stage.states(0), [TaskState::Running]);
    assert_eq!(stage.statuses(0)[0].reason, None);
}

#[test]
fn a_batch_of_unknown_fate_takes_effect_once() {
    for failure in [unknown(), fenced()] {
        for fate in FATES {
            let mut stage = Stage::running(2);
            let keys = [stage.key_in(0), stage.key_in(1)];
            stage.fail_commit(0, fate, failure.clone());
            for key in &keys {
                stage.send(key, &open("c-1", 5));
            }
            stage.turns(3);
            for key in &keys {
                stage.send(key, &deposit("c-2", 1));
            }
            stage.until_outcomes(4);
            stage.turns(50);
            assert_eq!(stage.outcomes().len(), 4, "{fate:?}");
            for key in &keys {
                assert_eq!(stage.versions(key), [1, 2], "{fate:?}");
            }
            assert!(kinds(&stage.worker(0).take_effects()).contains(&"renew"));
        }
    }
}

#[test]
fn a_batch_of_unknown_fate_takes_effect_once_though_it_happens_again_and_asks_fail() {
    for first in FATES {
        for second in FATES {
            let mut stage = Stage::running(1);
            let faults = stage.worker(0).log().faults();
            faults.fail_asks(2);
            stage.fail_commit(0, first, unknown());
            stage.fail_commit(0, second, unknown());
            stage.send("a", &open("c-1", 5));
            stage.turns(2);
            stage.send("a", &deposit("c-2", 1));
            stage.until_outcomes(2);
            stage.turns(100);
            assert_eq!(stage.outcomes().len(), 2, "{first:?} {second:?}");
            assert_eq!(stage.versions("a"), [1, 2], "{first:?} {second:?}");
        }
    }
}

#[test]
fn a_claim_of_unknown_fate_is_settled_whoever_owned_the_partition_before() {
    for fate in FATES {
        let mut stage = Stage::running(2);
        let key = stage.key_in(0);
        stage.send(&key, &open("c-1", 5));
        stage.until_outcomes(1);
        stage.crash(0);
        stage.join();
        stage.fail_commit(1, fate, unknown());
        stage.send(&key, &deposit("c-2", 1));
        stage.until_outcomes(2);
        stage.until_running(1, 2);
        assert_eq!(stage.versions(&key), [1, 2], "{fate:?}");
    }
}

#[test]
fn a_part_that_is_lost_meanwhile_does_not_hide_that_the_rest_was_committed() {
    for lost in 0..2 {
        for fate in FATES {
            let mut stage = Stage::running(2);
            let keys = [stage.key_in(0), stage.key_in(1)];
            stage.fail_commit(0, fate, unknown());
            for key in &keys {
                stage.send(key, &open("c-1", 5));
            }
            stage.turns(1);
            let source = stage.source(lost);
            stage.worker(0).log().faults().delay_answers(3);
            stage.worker(0).log().tell(LogEvent::Lost(vec![source]));
            stage.turns(60);
            let kept = usize::try_from(1 - lost).unwrap();
            assert_eq!(stage.versions(&keys[kept]), [1], "{fate:?}, lost {lost}");
            stage.send(&keys[kept], &deposit("c-2", 1));
            stage.turns(60);
            assert_eq!(stage.versions(&keys[kept]), [1, 2], "{fate:?}, lost {lost}");
        }
    }
}

#[test]
fn a_claim_that_changes_nothing_is_no_proof_that_work_beside_it_was_committed() {
    for fate in FATES {
        let mut stage = Stage::running(2);
        let key = stage.key_in(1);
        // A batch of partition 1 is on its way for a while; partition 0 is lost and comes back to
        // us before anybody else has claimed it, and is claimed together with more work.
        for _ in 0..3 {
            stage.fail_commit(0, Fate::Aborted, aborted());
        }
        stage.worker(0).log().faults().pass_commit();
        stage.fail_commit(0, fate, unknown());
        stage.send(&key, &open("c-1", 5));
        stage.turns(2);
        let source = stage.source(0);
        stage.worker(0).log().tell(LogEvent::Lost(vec![source]));
        let again = vec![(source, Epoch(99))];
        stage.worker(0).log().tell(LogEvent::Assigned(again));
        stage.send(&key, &deposit("c-2", 1));
        stage.until_running(0, 2);
        stage.until_outcomes(2);
        let effects = stage.worker(0).take_effects();
        let both = commits(&effects)
            .into_iter()
            .find(|commit| commit.parts.len() == 2);
        assert!(both.is_some(), "the claim and the work are one commit");
        stage.send(&key, &deposit("c-3", 1));
        stage.until_outcomes(3);
        assert_eq!(stage.versions(&key), [1, 2, 3], "{fate:?}");
    }
}

#[test]
fn parts_with_stale_epochs_are_dropped_and_the_rest_is_sent() {
    let mut stage = Stage::running(2);
    let keys = [stage.key_in(0), stage.key_in(1)];
    let source = stage.source(0);
    stage.fail_commit(0, Fate::Unsent, CommitFailure::Stale(vec![source]));
    for key in &keys {
        stage.send(key, &open("c-1", 5));
    }
    stage.turns(1);
    stage.worker(0).log().tell(LogEvent::Lost(vec![source]));
    stage.until_outcomes(1);
    let effects = stage.worker(0).take_effects();
    let sent = commits(&effects);
    assert_eq!((sent[0].parts.len(), sent[1].parts.len()), (2, 1));
    assert_eq!(sent[0].parts[1], sent[1].parts[0]);
    assert_eq!(stage.versions(&keys[1]), [1]);
}

#[test]
fn a_worker_that_lags_behind_its_group_commits_nothing_and_goes_on() {
    let mut stage = Stage::running(2);
    let key = stage.key_in(0);
    stage.send(&key, &open("c-1", 5));
    stage.worker(0).log().evict();
    stage.until_outcomes(1);
    stage.send(&key, &deposit("c-2", 1));
    stage.until_outcomes(2);
    assert_eq!(stage.versions(&key), [1, 2]);
}
