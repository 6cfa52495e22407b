//! A command type with a rate limit: no faster than it says, in order, and nobody else waits.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::time::Duration;

use millrace_runtime::decide::RateLimit;
use millrace_runtime::engine::TaskState;
use proptest::prelude::*;
use serde_json::Value;

use super::decide::desk::{deposit, open, withdraw};
use super::stage::Stage;

const WINDOW: Duration = Duration::from_millis(200);

fn limit(decisions: u16, window: Duration) -> RateLimit {
    RateLimit {
        decisions: NonZeroU16::new(decisions).unwrap(),
        window,
    }
}

/// A worker with an account in each partition, and these limits.
fn bank(partitions: i32, limits: &[(&'static str, RateLimit)]) -> Stage {
    let mut stage = Stage::new(partitions);
    stage.limits = limits.to_vec();
    stage.join();
    stage.until_running(0, usize::try_from(partitions).unwrap());
    for partition in 0..partitions {
        stage.send(&stage.key_in(partition), &open("open", 1_000));
    }
    stage.until_outcomes(usize::try_from(partitions).unwrap());
    stage
}

/// Outcomes of one partition but those of the opening, as they stand there.
fn outcomes_in(stage: &Stage, partition: i32) -> Vec<Value> {
    let records = stage
        .broker
        .committed(stage.topics.outcomes.partition(partition));
    let outcome = |value: Option<Vec<u8>>| serde_json::from_slice(&value.unwrap()).unwrap();
    let all = records.into_iter().map(|record| outcome(record.value));
    all.skip(1).collect()
}

fn ids(outcomes: &[Value]) -> Vec<&str> {
    let ids = outcomes.iter().map(|outcome| &outcome["command_id"]);
    ids.map(|id| id.as_str().unwrap()).collect()
}

/// When it was decided, from the full hour on.
fn millis(outcome: &Value) -> i64 {
    let time = outcome["decided_at"].as_str().unwrap();
    let part = |range| -> i64 { time.get(range).map_or(Ok(0), str::parse).unwrap() };
    let (minutes, seconds) = (part(14..16), part(17..19));
    (minutes * 60 + seconds) * 1_000 + time.get(20..23).map_or(0, |ms| ms.parse().unwrap())
}

fn is_of(kind: &str) -> impl Fn(&Value) -> bool {
    move |outcome| outcome["type"] == kind && outcome["duplicate"] == false
}

/// The most decisions of a type that any window has.
fn most_in_a_window(stage: &Stage, kind: &str, window: Duration) -> usize {
    let mut times: Vec<_> = stage.outcomes();
    times.retain(is_of(kind));
    let mut times: Vec<_> = times.iter().map(millis).collect();
    times.sort_unstable();
    let window = i64::try_from(window.as_millis()).unwrap();
    let in_window = |from: &i64| {
        let within = times
            .iter()
            .filter(|time| (*from..from + window).contains(time));
        within.count()
    };
    times.iter().map(in_window).max().unwrap_or(0)
}

#[test]
fn a_burst_is_decided_no_faster_than_the_limit_and_other_partitions_are_not_slowed() {
    let mut stage = bank(2, &[("DepositMoney", limit(2, WINDOW))]);
    let (slow, other) = (stage.key_in(0), stage.key_in(1));
    for n in 0..6 {
        stage.send(&slow, &deposit(&format!("d-{n}"), 1));
    }
    stage.send(&slow, &withdraw("behind", 1));
    let sent_at = stage.now().elapsed;
    for n in 0..20 {
        stage.send(&other, &withdraw(&format!("w-{n}"), 1));
    }
    stage.until("the other partition", |stage| {
        outcomes_in(stage, 1).len() == 20
    });
    assert!(stage.now().elapsed < sent_at + WINDOW, "not slowed");
    assert_eq!(outcomes_in(&stage, 0).len(), 2);
    assert_eq!(stage.states(0), [TaskState::Running; 2], "nothing is wrong");
    stage.until("everything", |stage| outcomes_in(stage, 0).len() == 7);
    let decided = outcomes_in(&stage, 0);
    let expected = ["d-0", "d-1", "d-2", "d-3", "d-4", "d-5", "behind"];
    assert_eq!(ids(&decided), expected);
    assert_eq!(most_in_a_window(&stage, "DepositMoney", WINDOW), 2);
    let took = millis(&decided[6]) - millis(&decided[0]);
    assert!((400..500).contains(&took), "and no slower: {took} ms");
}

#[test]
fn only_what_is_decided_counts_under_whatever_name_and_however_it_ends() {
    let mut stage = bank(1, &[("DepositMoney", limit(2, Duration::from_secs(1)))]);
    let key = stage.key_in(0);
    stage.send(&key, &deposit("d-0", 1));
    for _ in 0..5 {
        stage.send(&key, &deposit("d-0", 1));
        let unread = r#"{"type":"DepositMoney","data":{"amount":"much"}}"#;
        stage.send(&key, unread);
    }
    stage.send(&key, &deposit("refused", -1));
    let alias = deposit("alias", 1).replace("DepositMoney", "CreditAccount");
    stage.send(&key, &alias);
    stage.send(&key, &deposit("d-0", 1));
    stage.until("the first two", |stage| outcomes_in(stage, 0).len() == 12);
    stage.turns(50);
    let decided = outcomes_in(&stage, 0);
    assert_eq!(decided.len(), 12, "the third has to wait");
    assert_eq!(decided[11]["command_id"], "refused");
    stage.until("everything", |stage| outcomes_in(stage, 0).len() == 14);
    let decided = outcomes_in(&stage, 0);
    assert_eq!(decided[12]["command_id"], "alias");
    let waited = millis(&decided[12]) - millis(&decided[0]);
    assert!((1_000..1_100).contains(&waited), "{waited} ms");
}

#[test]
fn partitions_take_turns_however_much_waits_in_the_first() {
    let mut stage = bank(3, &[("DepositMoney", limit(1, WINDOW))]);
    for n in 0..30 {
        stage.send(&stage.key_in(0), &deposit(&format!("d-{n}"), 1));
    }
    stage.turns(5);
    stage.send(&stage.key_in(1), &deposit("one", 1));
    stage.send(&stage.key_in(2), &deposit("two", 1));
    stage.until("both", |stage| {
        let decided = |partition| !outcomes_in(stage, partition).is_empty();
        decided(1) && decided(2)
    });
    let ahead = outcomes_in(&stage, 0).len();
    assert!(ahead <= 3, "{ahead} of the first partition went before");
}

#[test]
fn what_waits_is_decided_by_the_next_owner() {
    let mut stage = bank(1, &[("DepositMoney", limit(1, Duration::from_hours(1)))]);
    let key = stage.key_in(0);
    for n in 0..100 {
        stage.send(&key, &deposit(&format!("d-{n}"), 1));
    }
    stage.turns(20);
    assert_eq!(outcomes_in(&stage, 0).len(), 1);
    stage.worker(0).engine_mut().stop();
    stage.until("stopped", |stage| {
        let worker = stage.workers[0].as_ref().unwrap();
        worker.engine().is_stopped()
    });
    stage.workers[0] = None;
    stage.limits.clear();
    stage.join();
    stage.until("the rest", |stage| outcomes_in(stage, 0).len() == 100);
    let expected: Vec<_> = (0..100).map(|n| format!("d-{n}")).collect();
    assert_eq!(ids(&outcomes_in(&stage, 0)), expected);
}

/// A pause in turns, then a command: partition and what it asks.
fn any_arrival() -> impl Strategy<Value = (usize, i32, u8)> {
    (0..30_usize, 0..3_i32, 0..4_u8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_window_has_more_and_nothing_is_lost_or_overtaken(
        arrivals in prop::collection::vec(any_arrival(), 1..60),
        deposits in 1..4_u16,
        withdrawals in 1..3_u16,
        window in 1..40_u64,
    ) {
        let (long, short) = (Duration::from_millis(window * 10), Duration::from_millis(window * 4));
        let mut stage = bank(3, &[
            ("DepositMoney", limit(deposits, long)),
            ("WithdrawMoney", limit(withdrawals, short)),
        ]);
        let mut sent: BTreeMap<i32, Vec<String>> = BTreeMap::new();
        for (n, (pause, partition, kind)) in arrivals.into_iter().enumerate() {
            // Most come in bursts.
            stage.turns(pause.saturating_sub(24));
            let id = format!("c-{n}");
            let command = match kind {
                0 => withdraw(&id, 1),
                1 => r#"{"type":"ChangeEmailAddress","data":{"email":"a@b"},"command_id":"ID"}"#
                    .replace("ID", &id),
                _ => deposit(&id, 1),
            };
            stage.send(&stage.key_in(partition), &command);
            sent.entry(partition).or_default().push(id);
        }
        let count = sent.values().map(Vec::len).sum::<usize>() + 3;
        stage.until("everything", |stage| stage.outcomes().len() == count);
        for (partition, expected) in &sent {
            let decided = outcomes_in(&stage, *partition);
            prop_assert_eq!(&ids(&decided), expected);
        }
        prop_assert!(most_in_a_window(&stage, "DepositMoney", long) <= usize::from(deposits));
        prop_assert!(most_in_a_window(&stage, "WithdrawMoney", short) <= usize::from(withdrawals));
    }
}
