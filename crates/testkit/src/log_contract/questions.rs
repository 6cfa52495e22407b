//! The promises about questions, fences and what is written without a transaction.

use millrace_runtime::log::{Answer, Ask, CommitFailure, Effect, GroupOffset, Log, Tail};

use super::cases::{alone, bench_group};
use super::stage::{Bench, Stage, add, fresh, one};

/// Fencing a producer ends what it left open, so that readers go on.
///
/// # Panics
/// When they do not.
pub fn fencing_ends_an_open_transaction(bench: &mut impl Bench) {
    let fresh = fresh(bench, "fence", 1);
    let at = fresh.input.partition(0);
    let foreign = bench.fresh("foreign");
    bench.leave_open(&foreign, &one(at, "k", "never"));
    bench.produce(&one(at, "k", "behind"));
    let mut stage = alone(bench, &fresh, 1);
    stage.worker(0).start_all(0);
    let fenced = stage.ask(0, &Ask::Fence(vec![foreign]));
    assert_eq!(fenced, Answer::Fenced);
    stage.until("the record behind", |workers| {
        workers.iter().any(|w| !w.records.is_empty())
    });
    assert_eq!(stage.worker(0).values(at), [b"behind"]);
}

/// Tails name the last committed value under the key and the open ones, whatever else is there.
///
/// # Panics
/// When they do not.
pub fn tails_tell_committed_from_open(bench: &mut impl Bench) {
    let fresh = fresh(bench, "tails", 3);
    let [empty, plain, held] = [0, 1, 2].map(|number| fresh.output.partition(number));
    for at in [plain, held] {
        bench.transact(&one(at, "task", "old"), true);
        bench.transact(&one(at, "task", "last"), true);
        bench.transact(&one(at, "task", "aborted"), false);
        bench.transact(&one(at, "other", "other"), true);
    }
    let foreign = bench.fresh("foreign");
    let mut open = one(held, "other", "other");
    add(&mut open, held, "task", "open");
    bench.leave_open(&foreign, &open);
    let mut stage = alone(bench, &fresh, 3);
    let key = b"task".to_vec();
    let asked = [held, empty, plain].map(|at| (at, key.clone())).to_vec();
    let tail = |source, committed: Option<&str>, open: &[&str]| Tail {
        source,
        committed: committed.map(|value| value.as_bytes().to_vec()),
        open: open.iter().map(|value| value.as_bytes().to_vec()).collect(),
    };
    let open = if bench.shows_open() {
        &["open"][..]
    } else {
        &[]
    };
    let expected = vec![
        tail(held, Some("last"), open),
        tail(empty, None, &[]),
        tail(plain, Some("last"), &[]),
    ];
    assert_eq!(stage.ask(0, &Ask::Tails(asked)), Answer::Tails(expected));
    stage.ask(0, &Ask::Fence(vec![foreign]));
}

/// A restore delivers what is committed below the target, in order, and nothing else; markers at
/// the end and empty partitions do not keep it waiting.
///
/// # Panics
/// When it does not.
pub fn a_restore_ends_at_its_target_over_markers(bench: &mut impl Bench) {
    let fresh = fresh(bench, "restore", 3);
    let [empty, full, aborted] = [0, 1, 2].map(|number| fresh.output.partition(number));
    for number in 0..3 {
        bench.transact(&one(full, &format!("k{number}"), "v"), true);
    }
    bench.transact(&one(full, "k1", "aborted"), false);
    bench.transact(&one(aborted, "k", "aborted"), false);
    let mut stage = alone(bench, &fresh, 3);
    let asked = Ask::Ranges(vec![empty, full, aborted]);
    let Answer::Ranges(ranges) = stage.ask(0, &asked) else {
        panic!("no ranges")
    };
    let targets: Vec<_> = ranges
        .iter()
        .map(|range| (range.source, range.end))
        .collect();
    let (kept, gone) = (bench.offsets_of(1, true), bench.offsets_of(1, false));
    let ends = [(empty, 0), (full, 3 * kept + gone), (aborted, gone)];
    assert_eq!(targets, ends);
    // What comes later is not below the target.
    bench.transact(&one(full, "k9", "later"), true);
    assert_eq!(stage.ask(0, &Ask::Restore(targets)), Answer::RestoreDone);
    let restored = &stage.worker(0).restored;
    let keys = |at| -> Vec<_> {
        let changes = restored.get(&at).map(Vec::as_slice).unwrap_or_default();
        changes
            .iter()
            .map(|change| String::from_utf8_lossy(&change.key).into_owned())
            .collect()
    };
    assert_eq!(keys(full), ["k0", "k1", "k2"]);
    assert!(keys(empty).is_empty() && keys(aborted).is_empty());
}

/// A restore does not end before its target is stable: what is committed behind an open
/// transaction is not left out.
///
/// # Panics
/// When it is.
pub fn a_restore_waits_for_what_stands_behind_an_open_transaction(bench: &mut impl Bench) {
    let fresh = fresh(bench, "unstable", 1);
    let at = fresh.output.partition(0);
    let foreign = bench.fresh("foreign");
    bench.transact(&one(at, "before", "v"), true);
    bench.leave_open(&foreign, &one(at, "open", "v"));
    bench.transact(&one(at, "behind", "v"), true);
    let mut stage = alone(bench, &fresh, 1);
    let asked = Ask::Ranges(vec![at]);
    let Answer::Ranges(ranges) = stage.ask(0, &asked) else {
        panic!("no ranges")
    };
    let targets: Vec<_> = ranges
        .iter()
        .map(|range| (range.source, range.end))
        .collect();
    let restore = stage.worker(0).ask(Ask::Restore(targets.clone()));
    for _ in 0..50 {
        // Time enough for one that does not wait.
        stage.ask(0, &asked);
    }
    stage.ask(0, &Ask::Fence(vec![foreign]));
    if stage.answer(0, restore).is_err() {
        stage.worker(0).restored.clear();
        assert_eq!(stage.ask(0, &Ask::Restore(targets)), Answer::RestoreDone);
    }
    let restored = stage.worker(0).restored.remove(&at).unwrap_or_default();
    let keys: Vec<_> = restored.iter().map(|change| &*change.key).collect();
    assert_eq!(keys, [&b"before"[..], b"behind"]);
}

/// Positions move over markers and what was aborted, up to the first committed record or the
/// stable end.
///
/// # Panics
/// When they do not.
pub fn positions_advance_over_markers_only(bench: &mut impl Bench) {
    let fresh = fresh(bench, "advance", 3);
    let [empty, marked, followed] = [0, 1, 2].map(|number| fresh.input.partition(number));
    bench.transact(&one(marked, "k", "v"), true);
    bench.transact(&one(marked, "k", "v"), false);
    bench.transact(&one(followed, "k", "v"), true);
    bench.transact(&one(followed, "k", "v"), true);
    let mut stage = alone(bench, &fresh, 3);
    let asked = vec![(followed, 1), (marked, 1), (empty, 0)];
    let (kept, gone) = (bench.offsets_of(1, true), bench.offsets_of(1, false));
    let advanced = vec![(followed, kept), (marked, kept + gone), (empty, 0)];
    assert_eq!(
        stage.ask(0, &Ask::Advance(asked)),
        Answer::Advanced(advanced)
    );
}

/// Offsets stored without a transaction come back with what was kept beside them.
///
/// # Panics
/// When they do not.
pub fn stored_offsets_keep_their_metadata(bench: &mut impl Bench) {
    let fresh = fresh(bench, "offsets", 2);
    let mut stage = Stage::new();
    stage.enter(bench.open(&fresh.group, &[fresh.input]));
    stage.owns(0, 2);
    let offset = GroupOffset {
        source: fresh.input.partition(1),
        next_offset: 7,
        metadata: "42 é".to_owned(),
    };
    stage
        .worker(0)
        .log
        .act(Effect::CommitOffsets(vec![offset.clone()]));
    stage.until("stored offsets", |workers| {
        workers.iter().any(|w| !w.stored.is_empty())
    });
    assert_eq!(stage.worker(0).stored, [Ok(())]);
    let asked = vec![fresh.input.partition(0), fresh.input.partition(1)];
    let answer = stage.ask(0, &Ask::GroupOffsets(asked));
    assert_eq!(answer, Answer::GroupOffsets(vec![offset]));
}

/// What is published is there when it is said to be.
///
/// # Panics
/// When it is not.
pub fn published_records_are_there(bench: &mut impl Bench) {
    let fresh = fresh(bench, "publish", 1);
    let mut stage = Stage::new();
    stage.enter(bench.open(&fresh.group, &[fresh.input]));
    stage.owns(0, 1);
    let at = fresh.input.partition(0);
    for round in 1..3 {
        stage
            .worker(0)
            .log
            .act(Effect::Publish(one(at, "k", &round.to_string())));
        stage.until("published", |workers| {
            workers.iter().any(|w| w.published.len() == round)
        });
    }
    assert_eq!(stage.worker(0).published, [Ok(()), Ok(())]);
    stage.worker(0).start_all(0);
    stage.until("both records", |workers| {
        workers.iter().any(|w| w.records.len() == 2)
    });
    assert_eq!(stage.worker(0).values(at), [b"1", b"2"]);
}

/// A new producer takes the place of the old one, under another id, and commits go on.
///
/// # Panics
/// When they do not.
pub fn commits_go_on_after_a_renewal(bench: &mut impl Bench) {
    let fresh = fresh(bench, "renew", 1);
    let at = fresh.input.partition(0);
    let to = fresh.output.partition(0);
    let mut stage = Stage::new();
    stage.enter(bench.open(&fresh.group, &[fresh.input]));
    stage.owns(0, 1);
    let first = stage.renew(0);
    let part = stage.worker(0).part(at, 1, one(to, "k", "1"));
    assert_eq!(stage.commit(0, vec![part]), Ok(()));
    let second = stage.renew(0);
    assert_ne!(first, second);
    let part = stage.worker(0).part(at, 2, one(to, "k", "2"));
    assert_eq!(stage.commit(0, vec![part]), Ok(()));
}

/// A worker whose producer was fenced is told so, and can go on with a new one.
///
/// # Panics
/// When it is not.
pub fn a_fenced_producer_says_so_and_a_new_one_goes_on(bench: &mut impl Bench) {
    let fresh = fresh(bench, "fenced", 1);
    let at = fresh.input.partition(0);
    let to = fresh.output.partition(0);
    let mut stage = Stage::new();
    stage.enter(bench.open(&fresh.group, &[fresh.input]));
    stage.owns(0, 1);
    let id = stage.renew(0);
    assert_eq!(stage.ask(0, &Ask::Fence(vec![id])), Answer::Fenced);
    let part = stage.worker(0).part(at, 1, one(to, "k", "fenced"));
    let ended = stage.commit(0, vec![part]);
    assert!(matches!(ended, Err(CommitFailure::Fenced(_))), "{ended:?}");
    stage.renew(0);
    let part = stage.worker(0).part(at, 1, one(to, "k", "new"));
    assert_eq!(stage.commit(0, vec![part]), Ok(()));
    let reader = stage.enter(bench.open(&bench_group(&fresh, "reader"), &[fresh.output]));
    stage.owns(reader, 1);
    stage.worker(reader).start_all(0);
    stage.until("a record", |workers| {
        workers.iter().any(|w| !w.records.is_empty())
    });
    assert_eq!(stage.worker(reader).values(to), [b"new"]);
}

/// A start before the first record or behind the end is told, and the other partitions go on.
///
/// # Panics
/// When it is not.
pub fn a_position_that_the_log_lacks_is_named(bench: &mut impl Bench) {
    let fresh = fresh(bench, "range", 3);
    let [before, behind, good] = [0, 1, 2].map(|number| fresh.input.partition(number));
    for at in [before, behind, good] {
        for value in ["0", "1", "2"] {
            bench.produce(&one(at, "k", value));
        }
    }
    bench.delete_before(before, 2);
    let mut stage = alone(bench, &fresh, 3);
    stage.worker(0).log.act(Effect::Start(before, 1));
    stage.worker(0).log.act(Effect::Start(behind, 9));
    stage.worker(0).log.act(Effect::Start(good, 0));
    stage.until("both are named", |workers| {
        workers
            .iter()
            .any(|w| w.out_of_range.contains(&before) && w.out_of_range.contains(&behind))
    });
    stage.until("the good one's records", |workers| {
        workers.iter().any(|worker| worker.values(good).len() == 3)
    });
    // From the first record that is still there.
    stage.worker(0).log.act(Effect::Start(before, 2));
    stage.until("the record that is left", |workers| {
        workers
            .iter()
            .any(|worker| worker.values(before).len() == 1)
    });
    assert!(stage.worker(0).values(behind).is_empty());
}
