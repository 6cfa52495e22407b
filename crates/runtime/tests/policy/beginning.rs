//! Where a policy begins, and when it must not.

use std::sync::Arc;

use millrace_domain::bank::account::Account;
use millrace_domain::bank::bonus::Bonus;
use millrace_eventsourcing::{Policy, TaskRecord};
use millrace_runtime::engine::{StartAt, TaskState};
use millrace_runtime::outbox::NewRecord;
use millrace_runtime::react::ReactStep;
use millrace_runtime::topic::Topic;

use super::desk::{ACCOUNTS, addresses, bytes_of, deposited, envelope};
use crate::engine::decide::desk::codecs;
use crate::engine::line::{Line, task_codec};

const EVENTS: Topic = Topic::new("bank.account.events");
const COMMANDS: Topic = Topic::new("bank.account.commands");
const STATE: Topic = Topic::new("bank.policy.bonus.state");

type Clerks = Line<ReactStep<Bonus>>;

/// Nobody works yet.
fn clerks() -> Clerks {
    let line = Line::new(Bonus::NAME, EVENTS, 1, || {
        let bonus = Bonus {
            account: "CEO".to_owned(),
            divisor: 1,
            cap: 1_000,
        };
        let tasks = Arc::new(task_codec(Bonus::NAME));
        ReactStep::new(bonus, codecs::<Account>().events, tasks, addresses())
    });
    line.broker.create_topic(COMMANDS, ACCOUNTS);
    line
}

fn put(line: &Clerks, versions: std::ops::RangeInclusive<i64>) {
    for version in versions {
        let event = bytes_of::<Account>(&envelope(version, deposited(version, None)));
        line.put(0, "a", &event);
    }
}

/// Everything was reacted to once, in order.
fn reacted(line: &Clerks) -> Vec<i64> {
    let amount = |text: String| {
        let body: serde_json::Value = serde_json::from_str(&text).unwrap();
        body["data"]["amount"].as_i64().unwrap()
    };
    line.texts(COMMANDS).into_iter().map(amount).collect()
}

fn reset(line: &Clerks, offset: Option<i64>) {
    let source = line.source(0);
    line.broker.reset_group(Bonus::NAME, source, offset);
}

/// Why the task has failed.
fn failure(line: &mut Clerks) -> String {
    let index = line.join();
    line.until("failed", |line| line.states(index) == [TaskState::Failed]);
    line.turns(20);
    line.status(index, 0).1
}

#[test]
fn it_begins_with_the_first_event_or_behind_the_last_as_the_setting_says() {
    for start in [StartAt::Beginning, StartAt::End] {
        let mut line = clerks();
        line.config.start = start;
        put(&line, 1..=2);
        line.run();
        put(&line, 3..=3);
        line.turns(10);
        let expected: &[i64] = match start {
            StartAt::Beginning => &[1, 2, 3],
            StartAt::End => &[3],
        };
        assert_eq!(reacted(&line), expected);
    }
}

#[test]
fn a_group_that_was_reset_repeats_nothing() {
    let mut line = clerks();
    put(&line, 1..=3);
    line.run();
    line.turns(10);
    for (last, offset) in [(4, Some(0)), (5, None), (6, Some(1))] {
        let working = line.workers.len() - 1;
        if last % 2 == 0 {
            line.crash(working);
        } else {
            line.leave(working);
        }
        reset(&line, offset);
        put(&line, last..=last);
        line.run();
        line.turns(10);
        assert_eq!(reacted(&line), (1..=last).collect::<Vec<_>>());
    }
}

#[test]
fn a_position_of_the_group_without_task_record_means_that_state_was_lost() {
    let mut line = clerks();
    put(&line, 1..=2);
    line.run();
    line.turns(10);
    line.crash(0);
    line.broker.compact(STATE);
    let state = STATE.partition(0);
    line.broker
        .delete_before(state, line.broker.range(state).end);
    put(&line, 3..=3);
    let reason = failure(&mut line);
    assert!(reason.contains("state was lost"), "{reason}");
    assert_eq!(reacted(&line), [1, 2]);
}

#[test]
fn so_it_does_when_nothing_at_all_is_left_of_the_state() {
    let mut line = clerks();
    put(&line, 1..=3);
    reset(&line, Some(2));
    let reason = failure(&mut line);
    assert!(reason.contains("state was lost"), "{reason}");
    assert!(reason.contains('2'), "{reason}");
    assert!(reacted(&line).is_empty());
}

#[test]
fn a_position_where_no_event_has_ever_been_is_no_lost_state() {
    let mut line = clerks();
    reset(&line, Some(0));
    line.run();
    put(&line, 1..=1);
    line.turns(10);
    assert_eq!(reacted(&line), [1]);
}

#[test]
fn a_group_ahead_of_the_task_record_stops_the_task_naming_both() {
    let mut line = clerks();
    put(&line, 1..=20);
    line.run();
    line.turns(10);
    line.crash(0);
    put(&line, 21..=22);
    reset(&line, Some(21));
    let reason = failure(&mut line);
    assert!(reason.contains("21") && reason.contains("20"), "{reason}");
    assert_eq!(reacted(&line).len(), 20);
}

#[test]
fn an_accepted_gap_goes_on_from_the_first_event_still_there() {
    let mut line = clerks();
    put(&line, 1..=3);
    reset(&line, Some(2));
    line.broker.delete_before(line.source(0), 1);
    line.config.accept_gap = true;
    line.run();
    line.turns(10);
    assert_eq!(reacted(&line), [2, 3]);
}

#[test]
fn a_state_record_that_is_none_stops_the_task_naming_its_key() {
    let owned = TaskRecord {
        owner: Some("stranger".to_owned()),
        next_offset: 0,
    };
    for key in [&b"a snapshot"[..], b"\0bank.account.events/0"] {
        let mut line = clerks();
        put(&line, 1..=1);
        line.put_task_record(0, &owned);
        line.broker.produce(NewRecord {
            topic: STATE,
            partition: 0,
            key: Some(key),
            value: Some(b"nonsense"),
            headers: &[],
        });
        let reason = failure(&mut line);
        let name = String::from_utf8_lossy(key);
        assert!(reason.contains(&*name), "{reason}");
        assert!(reacted(&line).is_empty());
    }
}
