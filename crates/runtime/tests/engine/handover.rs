//! Partitions that go to another worker, are lost, and come back.

use std::time::Duration;

use millrace_domain::bank::account::Account;
use millrace_runtime::addresses::Addresses;
use millrace_runtime::clock::SystemClock;
use millrace_runtime::decide::CommandStep;
use millrace_runtime::engine::{Engine, TaskState};
use millrace_runtime::log::{Effect, Epoch, LogEvent};
use millrace_runtime::stop::StopToken;
use millrace_runtime::worker::{Ended, Shell, run};
use millrace_testkit::memory_log::Fate;

use super::decide::desk::{WINDOW, codecs, deposit, open};
use super::stage::{GROUP, Stage, aborted, fenced_ids, kinds, released, unknown};

#[test]
fn a_revoked_partition_is_released_when_its_batch_is_committed_and_its_owner_cleared() {
    let mut stage = Stage::running(2);
    let keys = [stage.key_in(0), stage.key_in(1)];
    for key in &keys {
        stage.send(key, &open("c-1", 5));
    }
    stage.join();
    stage.until("shared", |stage| {
        stage.states(0) == [TaskState::Running] && stage.states(1) == [TaskState::Running]
    });
    assert_eq!(stage.outcomes().len(), 2);
    let effects = stage.worker(0).take_effects();
    let released = effects
        .iter()
        .position(|effect| matches!(effect, Effect::Release(_)))
        .unwrap();
    let last_commit = effects[..released]
        .iter()
        .rposition(|e| matches!(e, Effect::Commit(_)));
    assert!(last_commit.is_some());
    let heir = stage.worker(1).take_effects();
    assert!(fenced_ids(&heir).is_empty(), "{heir:?}");
    for key in &keys {
        stage.send(key, &deposit("c-2", 1));
    }
    stage.until_outcomes(4);
    for key in &keys {
        assert_eq!(stage.versions(key), [1, 2]);
    }
    let owner = |partition| stage.task_record(partition).unwrap().owner.unwrap();
    assert_ne!(owner(0)[..8], owner(1)[..8]);
}

#[test]
fn a_revocation_waits_for_the_batch_in_flight_but_not_for_ever() {
    for waits in [true, false] {
        let mut stage = Stage::running(1);
        stage.send("a", &open("c-1", 5));
        for _ in 0..(if waits { 3 } else { 100 }) {
            stage.fail_commit(0, Fate::Aborted, aborted());
        }
        stage.turns(2);
        stage.join();
        stage.join();
        stage.workers[0]
            .as_ref()
            .unwrap()
            .log()
            .tell(LogEvent::Revoking(vec![stage.source(0)]));
        stage.pass(Duration::from_millis(1));
        stage.turns(5);
        assert!(!kinds(&stage.worker(0).take_effects()).contains(&"release"));
        stage.until("released", |stage| stage.states(0).is_empty());
        assert_eq!(stage.outcomes().len(), usize::from(waits));
        if waits {
            assert_eq!(stage.task_record(0).unwrap().owner, None);
        }
    }
}

#[test]
fn a_partition_that_is_lost_while_its_batch_is_in_flight_is_decided_once() {
    for fate in [Fate::Unsent, Fate::Aborted, Fate::Open, Fate::Committed] {
        for delay in 0..6 {
            let mut stage = Stage::running(2);
            let keys = [stage.key_in(0), stage.key_in(1)];
            stage.worker(0).log().faults().delay_answers(delay);
            if fate != Fate::Committed || delay > 3 {
                stage.fail_commit(0, fate, unknown());
            }
            for key in &keys {
                stage.send(key, &open("c-1", 5));
            }
            stage.turns(2);
            stage.worker(0).log().evict();
            stage.join();
            stage.until_outcomes(2);
            for key in &keys {
                stage.send(key, &deposit("c-2", 1));
            }
            stage.until_outcomes(4);
            stage.turns(100);
            for key in &keys {
                assert_eq!(stage.versions(key), [1, 2], "{fate:?} {delay}");
            }
        }
    }
}

#[test]
fn a_worker_that_goes_and_comes_back_decides_on_what_others_did_meanwhile() {
    let mut stage = Stage::running(1);
    stage.send("a", &open("c-1", 5));
    stage.until_outcomes(1);
    stage.worker(0).log().evict();
    stage.join();
    // The first has not polled since, so it believes that it still owns the partition.
    for _ in 0..200 {
        stage.turn_of(1);
    }
    stage.send("a", &deposit("c-2", 7));
    for _ in 0..20 {
        stage.turn_of(1);
    }
    assert_eq!(stage.outcomes().len(), 2);
    stage.crash(1);
    stage.send("a", &deposit("c-3", 1));
    stage.until_outcomes(3);
    assert_eq!(stage.versions("a"), [1, 2, 3]);
}

#[test]
fn a_start_of_one_assignment_never_reaches_the_next() {
    let mut stage = Stage::new(1);
    for n in 0..20 {
        stage.send("a", &deposit(&format!("c-{n}"), 1));
    }
    stage.join();
    stage.until("claiming", |stage| stage.states(0) == [TaskState::Claiming]);
    let source = stage.source(0);
    // Both come right behind the end of the claim, before anything else can be done about it.
    stage.worker(0).log().tell(LogEvent::Lost(vec![source]));
    let again = vec![(source, Epoch(99))];
    stage.worker(0).log().tell(LogEvent::Assigned(again));
    stage.worker(0).take_effects();
    stage.until_outcomes(20);
    let effects = kinds(&stage.worker(0).take_effects());
    let claim = effects.iter().position(|kind| *kind == "commit");
    let start = effects.iter().position(|kind| *kind == "start");
    assert!(claim < start, "{effects:?}");
}

#[test]
fn a_stop_commits_the_batch_and_clears_the_owners() {
    let mut stage = Stage::running(2);
    let keys = [stage.key_in(0), stage.key_in(1)];
    for key in &keys {
        stage.send(key, &open("c-1", 5));
    }
    stage.turn();
    stage.worker(0).engine_mut().stop();
    stage.worker(0).take_effects();
    stage.until("stopped", |stage| {
        stage.workers[0].as_ref().unwrap().engine().is_stopped()
    });
    assert_eq!(stage.outcomes().len(), 2);
    for partition in 0..2 {
        let record = stage.task_record(partition).unwrap();
        assert_eq!((record.owner, record.next_offset), (None, 1));
    }
    let effects = stage.worker(0).take_effects();
    assert_eq!(
        kinds(&effects)
            .iter()
            .filter(|kind| **kind == "release")
            .count(),
        1
    );
    assert_eq!(released(&effects), [stage.source(0), stage.source(1)]);
}

#[test]
fn a_stop_before_anything_is_owned_ends_at_once() {
    let mut stage = Stage::new(1);
    stage.join();
    stage.worker(0).engine_mut().stop();
    let now = stage.now();
    stage.worker(0).advance(now);
    assert!(stage.worker(0).engine().is_stopped());
    assert!(
        !kinds(&stage.worker(0).take_effects()).contains(&"release"),
        "nothing to release"
    );
}

#[test]
fn a_stop_while_partitions_are_being_revoked_releases_each_once() {
    let mut stage = Stage::running(2);
    stage.worker(0).log().faults().delay_answers(3);
    let key = stage.key_in(1);
    stage.send(&key, &open("c-1", 5));
    stage.turns(1);
    let source = stage.source(1);
    stage.worker(0).log().tell(LogEvent::Revoking(vec![source]));
    stage.turns(1);
    stage.worker(0).engine_mut().stop();
    stage.until("stopped", |stage| {
        stage.workers[0].as_ref().unwrap().engine().is_stopped()
    });
    let effects = stage.worker(0).take_effects();
    let mut released = released(&effects);
    released.sort();
    assert_eq!(released, [stage.source(0), stage.source(1)]);
}

#[test]
fn a_thread_works_until_it_is_stopped() {
    let stage = Stage::new(3);
    let stop = StopToken::default();
    let mut log = stage
        .broker
        .join(GROUP, &[stage.topics.commands], "threaded");
    let worker = {
        let (config, stop) = (stage.config.clone(), stop.clone());
        std::thread::spawn(move || {
            let clock = SystemClock::new();
            let now = millrace_runtime::clock::Clock::now(&clock);
            let engine = Engine::new(
                CommandStep::new(codecs::<Account>(), Addresses::default(), 3, WINDOW),
                config,
                now,
            );
            let mut told = 0;
            let shell = Shell {
                clock: &clock,
                stop: &stop,
            };
            let ended = run(&mut log, engine, shell, &mut |_, _| {}, &mut |_| told += 1);
            (ended, told)
        })
    };
    for n in 0..30 {
        stage.send(&format!("acc-{n}"), &open("c-1", 5));
    }
    let deadline = SystemClock::new();
    let elapsed = || millrace_runtime::clock::Clock::now(&deadline).elapsed;
    while stage.outcomes().len() < 30 {
        assert!(
            elapsed() < Duration::from_secs(30),
            "{:?}",
            stage.outcomes().len()
        );
        std::thread::yield_now();
    }
    stop.stop();
    let (ended, told) = worker.join().unwrap();
    assert_eq!(ended, Ended::Stopped);
    assert!(told > 0);
    for partition in 0..3 {
        assert_eq!(stage.task_record(partition).unwrap().owner, None);
    }
}
