//! The broker keeps the promises of the log port.

use super::*;
use millrace_runtime::log::{
    Answer, Ask, AskId, Commit, CommitFailure, Effect, Epoch, Log, LogEvent, Part,
};
use std::time::Duration;

const IN: Topic = Topic::new("in");
const OUT: Topic = Topic::new("out");

fn broker() -> MemoryBroker {
    let broker = MemoryBroker::default();
    broker.create_topic(IN, 4);
    broker.create_topic(OUT, 1);
    broker
}

fn record(topic: Topic, partition: i32, value: &[u8]) -> NewRecord<'_> {
    NewRecord {
        topic,
        partition,
        key: Some(value),
        value: Some(value),
        headers: &[],
    }
}

fn outbox(value: &[u8]) -> Outbox {
    let mut outbox = Outbox::default();
    outbox.push(record(OUT, 0, value));
    outbox
}

/// What one worker heard.
#[derive(Debug, Default)]
struct Heard {
    assigned: Vec<(TopicPartition, Epoch)>,
    revoking: Vec<TopicPartition>,
    lost: Vec<TopicPartition>,
    values: Vec<Vec<u8>>,
    settled: Vec<Result<(), CommitFailure>>,
    answers: Vec<Answer>,
    others: usize,
}

fn poll(log: &mut MemoryLog) -> Heard {
    let mut heard = Heard::default();
    log.poll(Duration::ZERO, 100, &mut |event| match event {
        LogEvent::Assigned(sources) => heard.assigned.extend(sources),
        LogEvent::Revoking(sources) => heard.revoking.extend(sources),
        LogEvent::Lost(sources) => heard.lost.extend(sources),
        LogEvent::Record(record) => heard.values.push(record.value.unwrap().to_vec()),
        LogEvent::Settled(settled) => heard.settled.push(settled),
        LogEvent::Answer(_, answer) => heard.answers.extend(answer),
        LogEvent::Restored(..)
        | LogEvent::OffsetsCommitted(_)
        | LogEvent::Published(_)
        | LogEvent::OutOfRange(_)
        | LogEvent::Reachable(_)
        | LogEvent::Broken(_) => heard.others += 1,
    });
    heard
}

fn ask(log: &mut MemoryLog, ask: Ask) -> Vec<Answer> {
    log.act(Effect::Ask(AskId(0), ask));
    poll(log).answers
}

fn commit(epochs: &[(TopicPartition, Epoch)], next_offset: i64, value: &[u8]) -> Effect {
    let (source, epoch) = epochs[0];
    let part = Part {
        source,
        epoch,
        records: outbox(value),
        next_offset,
    };
    Effect::Commit(Arc::new(Commit { parts: vec![part] }))
}

#[test]
fn open_transactions_hide_what_stands_behind_them_and_markers_take_offsets() {
    let broker = broker();
    broker.transact(&outbox(b"a"), true);
    broker.leave_open("t", &outbox(b"b"));
    broker.transact(&outbox(b"c"), true);
    broker.transact(&outbox(b"d"), false);
    let values = || -> Vec<_> {
        broker
            .committed(OUT.partition(0))
            .into_iter()
            .map(|r| r.value.unwrap())
            .collect()
    };
    assert_eq!(values(), [b"a"]);
    assert_eq!(broker.range(OUT.partition(0)).end, 7);

    let mut log = broker.join("g", &[IN], "w");
    poll(&mut log);
    let advance = |from| Ask::Advance(vec![(OUT.partition(0), from)]);
    let to = |offset| [Answer::Advanced(vec![(OUT.partition(0), offset)])];
    assert_eq!(
        ask(&mut log, advance(1)),
        to(2),
        "not beyond the open transaction"
    );
    log.act(Effect::Ask(AskId(1), Ask::Fence(vec!["t".to_owned()])));
    poll(&mut log);
    assert_eq!(values(), [b"a", b"c"]);
    assert_eq!(ask(&mut log, advance(1)), to(3));
    assert_eq!(
        ask(&mut log, advance(4)),
        to(8),
        "only markers and an aborted record follow"
    );
}

#[test]
fn a_partition_has_a_new_owner_only_after_the_old_one_released_it() {
    let broker = broker();
    let mut first = broker.join("g", &[IN], "w");
    assert_eq!(poll(&mut first).assigned.len(), 4);
    let mut second = broker.join("g", &[IN], "w");
    assert_eq!(poll(&mut second).assigned, []);
    let revoking = poll(&mut first).revoking;
    assert_eq!(revoking.len(), 2);
    assert_eq!(poll(&mut second).assigned, []);
    first.act(Effect::Release(revoking.clone()));
    let assigned = poll(&mut second).assigned;
    assert_eq!(
        assigned
            .iter()
            .map(|(source, _)| *source)
            .collect::<Vec<_>>(),
        revoking
    );

    drop(first);
    assert_eq!(poll(&mut second).assigned.len(), 2);
}

#[test]
fn a_worker_that_lags_behind_its_group_commits_nothing() {
    let broker = broker();
    let mut zombie = broker.join("g", &[IN], "w");
    zombie.act(Effect::Renew(AskId(0)));
    let assigned = poll(&mut zombie).assigned;
    zombie.evict();
    let mut heir = broker.join("g", &[IN], "w");
    assert_eq!(poll(&mut heir).assigned.len(), 4);
    zombie.act(commit(&assigned, 1, b"late"));
    let heard = poll(&mut zombie);
    assert_eq!(heard.lost.len(), 4);
    assert!(matches!(
        heard.settled[0],
        Err(CommitFailure::Aborted { .. })
    ));
    zombie.act(commit(&assigned, 1, b"late"));
    let heard = poll(&mut zombie);
    assert!(matches!(heard.settled[0], Err(CommitFailure::Stale(_))));
    assert_eq!(broker.committed(OUT.partition(0)), []);
}

#[test]
fn a_commit_is_visible_whole_or_not_at_all_whatever_the_worker_is_told() {
    let unknown = || CommitFailure::Unknown("no answer".to_owned());
    let fates = [
        (Fate::Unsent, 0),
        (Fate::Aborted, 0),
        (Fate::Open, 0),
        (Fate::Committed, 1),
    ];
    for (fate, visible) in fates {
        let broker = broker();
        let mut log = broker.join("g", &[IN], "w");
        log.act(Effect::Renew(AskId(0)));
        let assigned = poll(&mut log).assigned;
        log.faults().fail_commit(CommitFault {
            fate,
            failure: unknown(),
        });
        log.act(commit(&assigned, 5, b"x"));
        assert_eq!(poll(&mut log).settled, [Err(unknown())]);
        let stored = broker.group_offset("g", assigned[0].0);
        assert_eq!(
            broker.committed(OUT.partition(0)).len(),
            visible,
            "{fate:?}"
        );
        assert_eq!(
            stored.map(|offset| offset.next_offset),
            (visible == 1).then_some(5)
        );

        let sources = vec![assigned[0].0];
        let answers = ask(&mut log, Ask::GroupOffsets(sources)).len();
        assert_eq!(
            answers,
            usize::from(fate != Fate::Open),
            "waits for the open one"
        );
        log.act(Effect::Renew(AskId(2)));
        assert_eq!(poll(&mut log).answers.len(), 2 - answers);
        log.act(commit(&assigned, 5, b"x"));
        assert_eq!(poll(&mut log).settled, [Ok(())]);
        assert_eq!(broker.committed(OUT.partition(0)).len(), visible + 1);
    }
}

#[test]
fn partitions_of_a_crashed_worker_move_when_its_session_expires() {
    let broker = broker();
    let mut first = broker.join("g", &[IN], "w");
    let mut second = broker.join("g", &[IN], "w");
    poll(&mut first);
    first.crash();
    assert_eq!(poll(&mut second).assigned, []);
    broker.expire_crashed();
    assert_eq!(poll(&mut second).assigned.len(), 4);
}

#[test]
fn records_come_in_order_and_only_from_started_partitions() {
    let broker = broker();
    for value in [b"a", b"b", b"c"] {
        broker.produce(record(IN, 0, value));
        broker.produce(record(IN, 1, value));
    }
    let mut log = broker.join("g", &[IN], "w");
    assert!(poll(&mut log).values.is_empty());
    log.act(Effect::Start(IN.partition(0), 1));
    assert_eq!(poll(&mut log).values, [b"b", b"c"]);
    log.act(Effect::Pause(IN.partition(0)));
    broker.produce(record(IN, 0, b"d"));
    assert!(poll(&mut log).values.is_empty());
    log.act(Effect::Start(IN.partition(0), 3));
    assert_eq!(poll(&mut log).values, [b"d"]);

    broker.delete_before(IN.partition(1), 2);
    log.act(Effect::Start(IN.partition(1), 1));
    poll(&mut log);
    assert_eq!(poll(&mut log).others, 1, "said to be out of range, once");
    assert_eq!(poll(&mut log).others, 0);
}

#[test]
fn a_compacted_topic_keeps_the_last_committed_value_of_each_key_and_its_end() {
    let broker = broker();
    let state = |key: &[u8], value: Option<&[u8]>| {
        let key = Some(key);
        let record = NewRecord {
            topic: OUT,
            partition: 0,
            key,
            value,
            headers: &[],
        };
        broker.produce(record);
    };
    state(b"a", Some(b"1"));
    state(b"b", Some(b"1"));
    state(b"a", Some(b"2"));
    state(b"b", None);
    let end = broker.range(OUT.partition(0)).end;
    broker.compact(OUT);
    let left = broker.committed(OUT.partition(0));
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].value.as_deref(), Some(&b"2"[..]));
    assert_eq!(broker.range(OUT.partition(0)).end, end);
}
