//! The promises, one by one.

use millrace_runtime::log::{Answer, Ask, CommitFailure, Effect, GroupOffset, Log, LogRange};
use millrace_runtime::outbox::{NewRecord, Outbox};

use super::stage::{Bench, Fresh, Stage, add, fresh, one};

/// One worker that owns everything and may commit.
pub(super) fn alone<B: Bench>(bench: &mut B, fresh: &Fresh, partitions: usize) -> Stage<B::Log> {
    let mut stage = Stage::new();
    stage.enter(bench.open(&fresh.group, &[fresh.input]));
    stage.owns(0, partitions);
    stage.renew(0);
    stage
}

/// Records come in order, only after the start, from the offset given, headers included.
///
/// # Panics
/// When they do not.
pub fn records_come_in_order_after_the_start(bench: &mut impl Bench) {
    let fresh = fresh(bench, "order", 1);
    let at = fresh.input.partition(0);
    let mut outbox = Outbox::default();
    for number in 0..5 {
        add(&mut outbox, at, "k", &number.to_string());
    }
    outbox.push(NewRecord {
        topic: fresh.input,
        partition: 0,
        key: None,
        value: None,
        headers: &[
            ("h".to_owned(), Some(b"v".to_vec())),
            ("n".to_owned(), None),
        ],
    });
    bench.produce(&outbox);
    let mut stage = alone(bench, &fresh, 1);
    assert!(
        stage.worker(0).records.is_empty(),
        "records before the start"
    );
    stage.worker(0).log.act(Effect::Start(at, 2));
    stage.until("four records", |workers| {
        workers.iter().any(|w| w.records.len() == 4)
    });
    let records = &stage.worker(0).records;
    let offsets: Vec<_> = records.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [2, 3, 4, 5]);
    assert_eq!(stage.worker(0).values(at), [b"2", b"3", b"4"]);
    let Some(last) = stage.worker(0).records.pop() else {
        panic!("no record")
    };
    assert_eq!((last.key, last.value), (None, None));
    let headers = [
        ("h".to_owned(), Some(b"v".to_vec())),
        ("n".to_owned(), None),
    ];
    assert_eq!(last.headers, headers);
}

/// A paused partition delivers nothing until it is started again, from wherever it is told.
///
/// # Panics
/// When it does.
pub fn a_paused_partition_is_silent_and_can_be_started_anywhere(bench: &mut impl Bench) {
    let fresh = fresh(bench, "pause", 2);
    let (left, right) = (fresh.input.partition(0), fresh.input.partition(1));
    for number in 0..3 {
        bench.produce(&one(left, "k", &format!("l{number}")));
    }
    let mut stage = alone(bench, &fresh, 2);
    stage.worker(0).start_all(0);
    stage.until("three records", |workers| {
        workers.iter().any(|w| w.records.len() == 3)
    });
    stage.worker(0).log.act(Effect::Pause(left));
    bench.produce(&one(left, "k", "l3"));
    bench.produce(&one(right, "k", "r0"));
    stage.until("a record of the other", |workers| {
        workers
            .iter()
            .any(|worker| !worker.values(right).is_empty())
    });
    assert_eq!(stage.worker(0).values(left).len(), 3, "paused but read");
    stage.worker(0).log.act(Effect::Start(left, 3));
    stage.until("the next record", |workers| {
        workers.iter().any(|worker| worker.values(left).len() == 4)
    });
    // Back, while it runs.
    stage.worker(0).records.clear();
    stage.worker(0).log.act(Effect::Start(left, 1));
    stage.until("records from before", |workers| {
        workers.iter().any(|worker| worker.values(left).len() == 3)
    });
    assert_eq!(stage.worker(0).values(left), [b"l1", b"l2", b"l3"]);
}

/// Everything of a commit becomes visible, group offsets included, and again for the next one.
///
/// # Panics
/// When something is missing.
pub fn a_commit_makes_everything_visible(bench: &mut impl Bench) {
    let fresh = fresh(bench, "commit", 2);
    let mut stage = alone(bench, &fresh, 2);
    for round in 0..3_i64 {
        let mut parts = Vec::new();
        for number in 0..2 {
            let records = one(fresh.output.partition(number), "k", &round.to_string());
            parts.push(
                stage
                    .worker(0)
                    .part(fresh.input.partition(number), round + 1, records),
            );
        }
        assert_eq!(stage.commit(0, parts), Ok(()));
    }
    let inputs = vec![fresh.input.partition(0), fresh.input.partition(1)];
    let stored = |source| GroupOffset {
        source,
        next_offset: 3,
        metadata: String::new(),
    };
    let expected = inputs.iter().copied().map(stored).collect();
    assert_eq!(
        stage.ask(0, &Ask::GroupOffsets(inputs)),
        Answer::GroupOffsets(expected)
    );
    let reader = stage.enter(bench.open(&bench_group(&fresh, "reader"), &[fresh.output]));
    stage.owns(reader, 2);
    stage.worker(reader).start_all(0);
    stage.until("six records", |workers| {
        workers.iter().any(|w| w.records.len() == 6)
    });
    for number in 0..2 {
        let values = stage.worker(reader).values(fresh.output.partition(number));
        assert_eq!(values, [b"0", b"1", b"2"]);
    }
}

pub(super) fn bench_group(fresh: &Fresh, name: &str) -> String {
    format!("{}.{name}", fresh.group)
}

/// Nothing of a commit is sent when one of its parts is from an earlier assignment.
///
/// # Panics
/// When something is.
pub fn a_stale_part_stops_the_whole_commit(bench: &mut impl Bench) {
    let fresh = fresh(bench, "stale", 2);
    let mut stage = alone(bench, &fresh, 2);
    let (good, bad) = (fresh.input.partition(0), fresh.input.partition(1));
    let mut parts = Vec::new();
    for source in [good, bad] {
        let to = fresh.output.partition(source.partition);
        parts.push(stage.worker(0).part(source, 1, one(to, "k", "v")));
    }
    if let Some(part) = parts.last_mut() {
        part.epoch.0 += 1_000;
    }
    assert_eq!(stage.commit(0, parts), Err(CommitFailure::Stale(vec![bad])));
    let ranges = stage.ask(0, &Ask::Ranges(vec![fresh.output.partition(0)]));
    let empty = LogRange {
        source: fresh.output.partition(0),
        first: 0,
        end: 0,
    };
    assert_eq!(ranges, Answer::Ranges(vec![empty]));
}

/// A partition moves when its owner lets go, not before; what the former owner sends after that is
/// not sent, and what the new one sends is.
///
/// # Panics
/// When it is not so.
pub fn a_partition_moves_when_it_is_released(bench: &mut impl Bench) {
    let fresh = fresh(bench, "move", 2);
    let mut stage = alone(bench, &fresh, 2);
    let second = stage.enter(bench.open(&fresh.group, &[fresh.input]));
    stage.until("a revocation", |workers| {
        workers.iter().any(|w| !w.revoking.is_empty())
    });
    let Some(moved) = stage.worker(0).revoking.first().copied() else {
        panic!("nothing moves")
    };
    let to = fresh.output.partition(moved.partition);
    // Still ours: the group waits for us.
    let part = stage.worker(0).part(moved, 1, one(to, "k", "before"));
    let late = stage.worker(0).part(moved, 2, one(to, "k", "late"));
    assert_eq!(stage.commit(0, vec![part]), Ok(()));
    assert!(
        stage.worker(second).owned.is_empty(),
        "moved before it was released"
    );
    stage.worker(0).release();
    stage.until("the new owner", |workers| {
        workers
            .get(second)
            .is_some_and(|worker| worker.owned.contains_key(&moved))
    });
    assert_eq!(
        stage.commit(0, vec![late]),
        Err(CommitFailure::Stale(vec![moved]))
    );
    stage.renew(second);
    let part = stage.worker(second).part(moved, 2, one(to, "k", "after"));
    assert_eq!(stage.commit(second, vec![part]), Ok(()));
    let Answer::Ranges(ranges) = stage.ask(0, &Ask::Ranges(vec![to])) else {
        panic!("no ranges")
    };
    let end = 2 * bench.offsets_of(1, true);
    assert_eq!(ranges.first().map(|range| range.end), Some(end));
}

/// A worker that leaves is replaced at once.
///
/// # Panics
/// When it is not.
pub fn who_leaves_is_replaced_at_once(bench: &mut impl Bench) {
    let fresh = fresh(bench, "leave", 2);
    let mut stage = alone(bench, &fresh, 2);
    stage.enter(bench.open(&fresh.group, &[fresh.input]));
    stage.until("a revocation", |workers| {
        workers.iter().any(|w| !w.revoking.is_empty())
    });
    stage.worker(0).release();
    stage.owns(1, 1);
    drop(stage.workers.remove(0));
    stage.owns(0, 2);
}

/// A worker that keeps a partition while others come and go reads each of its records once.
///
/// # Panics
/// When it does not.
pub fn nothing_is_read_twice_or_skipped_while_others_come(bench: &mut impl Bench) {
    const RECORDS: i64 = 3_000;
    let fresh = fresh(bench, "kept", 2);
    let inputs = [fresh.input.partition(0), fresh.input.partition(1)];
    let mut stage = alone(bench, &fresh, 2);
    stage.worker(0).records_max = 10;
    for at in inputs {
        let mut outbox = Outbox::default();
        for number in 0..RECORDS {
            add(&mut outbox, at, "k", &number.to_string());
        }
        bench.produce(&outbox);
    }
    stage.worker(0).start_all(0);
    stage.until("the first records", |workers| {
        workers.iter().any(|w| !w.records.is_empty())
    });
    stage.enter(bench.open(&fresh.group, &[fresh.input]));
    stage.until("a revocation", |workers| {
        workers.iter().any(|w| !w.revoking.is_empty())
    });
    stage.worker(0).release();
    stage.owns(1, 1);
    let Some(kept) = stage.worker(0).owned.keys().next().copied() else {
        panic!("all gone")
    };
    stage.until("all records of the one that stayed", |workers| {
        workers.first().is_some_and(|worker| {
            let last = worker
                .records
                .iter()
                .rev()
                .find(|record| record.source == kept);
            last.is_some_and(|record| record.offset == RECORDS - 1)
        })
    });
    let records = &stage.worker(0).records;
    let offsets = records
        .iter()
        .filter(|r| r.source == kept)
        .map(|record| record.offset);
    assert!(offsets.eq(0..RECORDS), "twice or skipped");
}

/// A worker that has no room for records still hears that the group wants something back, and
/// loses none of the records that wait for it.
///
/// # Panics
/// When it does not.
pub fn without_room_for_records_a_revocation_still_comes(bench: &mut impl Bench) {
    const RECORDS: i64 = 500;
    let fresh = fresh(bench, "full", 2);
    let mut stage = alone(bench, &fresh, 2);
    for number in 0..2 {
        let mut outbox = Outbox::default();
        for value in 0..RECORDS {
            add(
                &mut outbox,
                fresh.input.partition(number),
                "k",
                &value.to_string(),
            );
        }
        bench.produce(&outbox);
    }
    stage.worker(0).records_max = 3;
    stage.worker(0).start_all(0);
    stage.until("the first records", |workers| {
        workers.iter().any(|w| !w.records.is_empty())
    });
    stage.worker(0).records_max = 0;
    let before = stage.worker(0).records.len();
    stage.enter(bench.open(&fresh.group, &[fresh.input]));
    stage.until("a revocation", |workers| {
        workers.iter().any(|w| !w.revoking.is_empty())
    });
    assert_eq!(
        stage.worker(0).records.len(),
        before,
        "records though there is no room"
    );
    stage.worker(0).release();
    stage.worker(0).records_max = 7;
    let Some(kept) = stage.worker(0).owned.keys().next().copied() else {
        panic!("all gone")
    };
    stage.until("all records of the one that stayed", |workers| {
        workers.first().is_some_and(|worker| {
            let last = worker
                .records
                .iter()
                .rev()
                .find(|record| record.source == kept);
            last.is_some_and(|record| record.offset == RECORDS - 1)
        })
    });
    let records = &stage.worker(0).records;
    let offsets = records
        .iter()
        .filter(|r| r.source == kept)
        .map(|record| record.offset);
    assert!(offsets.eq(0..RECORDS), "twice or skipped");
}
