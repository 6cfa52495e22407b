//! Where a task begins, and in which order it takes over.

use std::time::Duration;

use millrace_runtime::engine::{Restoring, StartAt, TaskState};
use millrace_runtime::log::{Ask, Effect, LogEvent, StateChange};
use millrace_runtime::outbox::Outbox;

use super::decide::desk::{deposit, open, withdraw};
use super::stage::{GROUP, Stage, fenced_ids, kinds};

#[test]
fn the_first_start_claims_before_it_decides() {
    let mut stage = Stage::new(2);
    let key = stage.key_in(1);
    stage.send(&key, &open("c-1", 5));
    stage.join();
    stage.until_outcomes(1);
    let effects = stage.worker(0).take_effects();
    assert_eq!(
        kinds(&effects),
        [
            "renew",
            "tails",
            "group offsets",
            "ranges",
            "restore",
            "commit",
            "start",
            "start",
            "commit"
        ]
    );
    for partition in 0..2 {
        let record = stage.task_record(partition).unwrap();
        assert!(record.owner.unwrap().starts_with("worker-0."));
        assert_eq!(record.next_offset, i64::from(partition));
        let stored = stage
            .broker
            .group_offset(GROUP, stage.source(partition))
            .unwrap();
        assert_eq!(stored.next_offset, i64::from(partition));
    }
    assert_eq!(stage.versions(&key), [1]);
}

#[test]
fn a_first_start_at_the_end_leaves_out_what_was_there() {
    let mut stage = Stage::new(1);
    stage.send("a", &open("c-1", 5));
    stage.config.start = StartAt::End;
    stage.join();
    stage.until_running(0, 1);
    stage.send("a", &deposit("c-2", 1));
    stage.until_outcomes(1);
    assert_eq!(stage.outcomes()[0]["command_id"], "c-2");
}

#[test]
fn an_heir_fences_the_last_owner_and_decides_on_all_of_its_state() {
    let mut stage = Stage::running(1);
    stage.send("a", &open("c-1", 5));
    stage.until_outcomes(1);
    let owner = stage.task_record(0).unwrap().owner.unwrap();
    stage.crash(0);
    stage.send("a", &withdraw("c-2", 6));
    stage.send("a", &withdraw("c-3", 5));
    stage.join();
    stage.until_outcomes(3);
    let effects = stage.worker(1).take_effects();
    assert_eq!(
        kinds(&effects)[..8],
        [
            "renew",
            "tails",
            "fence",
            "group offsets",
            "ranges",
            "restore",
            "commit",
            "start"
        ]
    );
    assert_eq!(fenced_ids(&effects), [owner]);
    assert_eq!(stage.outcomes()[1]["code"], "insufficient_funds");
    assert_eq!(stage.versions("a"), [1, 2]);
}

#[test]
fn what_a_foreign_owner_left_open_is_ended_and_decided_again_once() {
    let mut stage = Stage::running(1);
    stage.send("a", &open("c-1", 5));
    stage.until_outcomes(1);
    stage.crash(0);
    let mut left: Outbox = stage.task_record_of(Some("stranger.1"), 0, 9);
    let key = b"a";
    left.push_with(stage.topics.events, 0, key, |into| {
        into.push(0);
        Ok::<_, ()>(())
    })
    .unwrap();
    stage.broker.leave_open("stranger.1", &left);
    stage.send("a", &deposit("c-2", 1));
    stage.join();
    stage.until_outcomes(2);
    let effects = stage.worker(1).take_effects();
    assert!(
        fenced_ids(&effects).contains(&"stranger.1"),
        "named between stable end and end"
    );
    assert_eq!(stage.versions("a"), [1, 2]);
}

#[test]
fn an_owner_that_left_gracefully_is_not_fenced_and_neither_are_we() {
    let mut stage = Stage::running(2);
    let now = stage.now();
    stage.worker(0).engine_mut().stop();
    stage.worker(0).advance(now);
    stage.until("stopped", |stage| {
        stage.workers[0].as_ref().unwrap().engine().is_stopped()
    });
    assert_eq!(stage.task_record(0).unwrap().owner, None);
    stage.workers[0] = None;
    stage.join();
    stage.until_running(1, 2);
    assert!(fenced_ids(&stage.worker(1).take_effects()).is_empty());

    stage.worker(1).log().evict();
    stage.turns(3);
    stage.until_running(1, 2);
    let effects = stage.worker(1).take_effects();
    assert!(kinds(&effects).contains(&"restore"));
    assert!(fenced_ids(&effects).is_empty(), "our own id");
}

#[test]
fn a_group_behind_the_task_record_repeats_nothing() {
    let mut stage = Stage::running(1);
    stage.send("a", &open("c-1", 5));
    stage.until_outcomes(1);
    for offset in [Some(0), None] {
        let last = stage.workers.len() - 1;
        stage.crash(last);
        stage.broker.reset_group(GROUP, stage.source(0), offset);
        let index = stage.join();
        stage.until_running(index, 1);
        stage.turns(20);
    }
    assert_eq!(stage.outcomes().len(), 1);
}

#[test]
fn a_group_ahead_of_the_task_record_stops_the_task_naming_both() {
    let mut stage = Stage::running(2);
    let key = stage.key_in(0);
    for n in 0..20 {
        stage.send(&key, &open(&format!("c-{n}"), 5));
    }
    stage.until_outcomes(20);
    stage.send(&key, &open("c-20", 5));
    stage.crash(0);
    stage.broker.reset_group(GROUP, stage.source(0), Some(21));
    stage.join();
    stage.until("failed", |stage| stage.reason(1, 0).is_some());
    let reason = stage.reason(1, 0).unwrap();
    assert!(reason.contains("20") && reason.contains("21"), "{reason}");
    let other = stage.key_in(1);
    stage.send(&other, &open("x", 5));
    stage.until_outcomes(21);
    assert_eq!(stage.states(1), [TaskState::Failed, TaskState::Running]);
}

#[test]
fn lost_state_stops_the_task_unless_the_gap_is_accepted() {
    for accept_gap in [false, true] {
        let mut stage = Stage::running(1);
        stage.send("a", &open("c-1", 5));
        stage.until_outcomes(1);
        stage.crash(0);
        let changelog = stage.topics.state.partition(0);
        let end = stage.broker.range(changelog).end;
        stage.broker.delete_before(changelog, end);
        stage.config.accept_gap = accept_gap;
        stage.join();
        if accept_gap {
            stage.until_running(1, 1);
        } else {
            stage.until("failed", |stage| stage.reason(1, 0).is_some());
            assert!(stage.reason(1, 0).unwrap().contains("lost"));
            assert_eq!(stage.outcomes().len(), 1);
        }
    }
}

#[test]
fn claims_that_were_aborted_are_no_lost_state() {
    let mut stage = Stage::new(1);
    stage.send("a", &open("c-1", 5));
    let left = stage.task_record_of(Some("stranger.1"), 0, 0);
    stage.broker.transact(&left, false);
    stage.broker.reset_group(GROUP, stage.source(0), Some(0));
    stage.join();
    stage.until_outcomes(1);
}

#[test]
fn a_position_that_retention_has_overtaken_stops_the_task_unless_the_gap_is_accepted() {
    for accept_gap in [false, true] {
        let mut stage = Stage::running(1);
        stage.send("a", &open("c-1", 5));
        stage.until_outcomes(1);
        stage.crash(0);
        for n in 0..3 {
            stage.send("a", &deposit(&format!("d-{n}"), 1));
        }
        stage.broker.delete_before(stage.source(0), 2);
        stage.config.accept_gap = accept_gap;
        stage.join();
        if accept_gap {
            stage.until_outcomes(3);
            assert_eq!(stage.versions("a"), [1, 2, 3]);
        } else {
            stage.until("failed", |stage| stage.reason(1, 0).is_some());
            let reason = stage.reason(1, 0).unwrap();
            assert!(reason.contains("is 1") && reason.contains('2'), "{reason}");
        }
    }
}

#[test]
fn a_running_task_whose_next_record_is_gone_stops() {
    let mut stage = Stage::running(1);
    for n in 0..3 {
        stage.send("a", &deposit(&format!("d-{n}"), 1));
    }
    stage.broker.delete_before(stage.source(0), 2);
    stage.until("failed", |stage| stage.reason(0, 0).is_some());
}

#[test]
fn a_corrupt_state_record_stops_its_task_naming_the_key_and_no_other() {
    let snapshot_under_task_key = b"\0bank.account.commands/0";
    for key in [&b"acc-broken"[..], snapshot_under_task_key] {
        let mut stage = Stage::running(2);
        let sound = [stage.key_in(0), stage.key_in(1)];
        for key in &sound {
            stage.send(key, &open("c-1", 5));
        }
        stage.until_outcomes(2);
        stage.crash(0);
        let records = stage.broker.committed(stage.topics.state.partition(0));
        let snapshot = records
            .into_iter()
            .find(|r| r.key.as_deref() == Some(sound[0].as_bytes()));
        let value = if key == b"acc-broken" {
            vec![0, 1, 2, 3]
        } else {
            snapshot.unwrap().value.unwrap()
        };
        stage.put_state(0, key, Some(&value));
        stage.join();
        stage.send(&sound[0], &deposit("c-2", 1));
        stage.send(&sound[1], &deposit("c-2", 1));
        stage.until_outcomes(3);
        stage.turns(50);
        let reason = stage.reason(1, 0).unwrap();
        let name = String::from_utf8_lossy(key);
        assert!(
            reason.contains(&*name) || reason.contains("task record"),
            "{reason}"
        );
        assert_eq!(
            stage.outcomes().len(),
            3,
            "nothing is decided on broken state"
        );
        assert_eq!(stage.versions(&sound[1]), [1, 2]);
    }
}

#[test]
fn a_take_over_that_finds_no_answer_says_why_until_it_does() {
    let mut stage = Stage::new(1);
    stage.join();
    stage.until("the partition is assigned", |stage| {
        !stage.statuses(0).is_empty()
    });
    stage.worker(0).log().faults().fail_asks(3);
    stage.until("the reason is told", |stage| {
        let statuses = stage.statuses(0);
        statuses[0]
            .reason
            .as_deref()
            .is_some_and(|reason| reason.contains("injected"))
    });
    stage.until_running(0, 1);
    assert_eq!(stage.statuses(0)[0].reason, None);
}

#[test]
fn asks_that_fail_are_asked_again() {
    for delay in [0, 3] {
        for failing in 1..8 {
            let mut stage = Stage::new(2);
            let key = stage.key_in(1);
            stage.send(&key, &open("c-1", 5));
            stage.join();
            let faults = stage.worker(0).log().faults();
            faults.delay_answers(delay);
            faults.fail_asks(failing);
            stage.until_outcomes(1);
            stage.turns(20);
            assert_eq!(stage.versions(&key), [1]);
        }
    }
}

#[test]
fn a_restore_waits_for_open_transactions_below_its_end() {
    let mut stage = Stage::running(1);
    stage.send("a", &open("c-1", 5));
    stage.until_outcomes(1);
    stage.crash(0);
    let mut left = Outbox::default();
    left.push_with(stage.topics.state, 0, b"somebody", |_| Ok::<_, ()>(()))
        .unwrap();
    stage.broker.leave_open("nobody-knows", &left);
    stage.send("a", &deposit("c-2", 1));
    stage.join();
    stage.turns(100);
    assert_eq!(stage.outcomes().len(), 1, "state is not complete yet");
    stage.broker.time_out_transactions();
    stage.until_outcomes(2);
    assert_eq!(stage.versions("a"), [1, 2]);
}

#[test]
fn idle_positions_follow_the_log_past_markers() {
    let mut stage = Stage::running(1);
    stage.send("a", &open("c-1", 5));
    stage.until_outcomes(1);
    let mut moved = Outbox::default();
    moved
        .push_with(stage.topics.commands, 0, b"a", |into| {
            into.extend_from_slice(deposit("c-2", 1).as_bytes());
            Ok::<_, ()>(())
        })
        .unwrap();
    stage.broker.transact(&moved, true);
    stage.broker.transact(&moved, false);
    stage.until_outcomes(2);
    let source = stage.source(0);
    let end = stage.broker.range(source).end;
    assert_eq!(end, 5);
    stage.pass(Duration::from_secs(10));
    stage.turns(10);
    assert_eq!(stage.task_record(0).unwrap().next_offset, end);
    assert_eq!(
        stage
            .broker
            .group_offset(GROUP, source)
            .unwrap()
            .next_offset,
        end
    );
    stage.worker(0).take_effects();
    stage.pass(Duration::from_secs(10));
    stage.turns(10);
    assert_eq!(
        kinds(&stage.worker(0).take_effects()),
        ["advance"],
        "once is enough"
    );
}

#[test]
fn a_restore_tells_how_far_it_is_of_all_partitions() {
    let mut stage = Stage::new(2);
    for partition in 0..2 {
        for _ in 0..=partition {
            stage.put_state(partition, b"gone", None);
        }
    }
    stage.join();
    let mut asked = None;
    while asked.is_none() {
        stage.turn();
        let effects = stage.worker(0).take_effects();
        asked = effects.into_iter().find_map(|effect| {
            if let Effect::Ask(id, Ask::Restore(targets)) = effect {
                Some((id, targets))
            } else {
                None
            }
        });
    }
    let (id, targets) = asked.unwrap();
    let restoring = |done, elapsed| {
        let all = 3;
        Some(Restoring { done, all, elapsed })
    };
    let begun = Duration::ZERO;
    assert_eq!(stage.worker(0).engine().restoring(), restoring(0, begun));
    let change = StateChange {
        source: targets[1].0,
        offset: 1,
        key: b"gone".as_slice().into(),
        value: None,
    };
    stage.pass(Duration::from_secs(2));
    let now = stage.now();
    let engine = stage.worker(0).engine_mut();
    engine.set_now(now);
    engine.on_event(LogEvent::Restored(id, vec![change]));
    assert_eq!(engine.restoring().map(|it| (it.done, it.all)), Some((2, 3)));
    assert!(engine.restoring().unwrap().elapsed >= Duration::from_secs(2));
    stage.until_running(0, 2);
    assert_eq!(stage.worker(0).engine().restoring(), None);
}
