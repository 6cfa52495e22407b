//! Writes of one row: what is left of them, in whatever order and however often they come.

use std::collections::BTreeSet;

use fastrand::Rng;
use millrace_eventsourcing::{Cell, Timestamp};
use millrace_runtime::store::{Batch, ReadStore, StampedRow};

use super::{SINGLE, StoreUnderTest, apply, cells_of, progress_at, single, try_apply};
use crate::MemoryStore;

/// What was applied may come again: at once, later, and beside something newer.
pub async fn redelivery_changes_nothing(under_test: &impl StoreUnderTest) {
    const NAME: &str = "redelivery";
    let write = |stamp: i64| single(NAME, stamp, [("offset", stamp.into())]);
    apply(under_test, NAME, &[write(1), write(2)]).await;
    let once = cells_of(under_test, NAME).await;
    apply(under_test, NAME, &[write(2), write(1), write(2), write(1)]).await;
    assert_eq!(cells_of(under_test, NAME).await, once);
    assert_eq!(once.get(1), Some(&Cell::Bigint(2)));
}

/// Newer cells stay, and cells that the newer write did not touch come from the older one.
pub async fn an_older_stamp_never_wins(under_test: &impl StoreUnderTest) {
    const NAME: &str = "reordering";
    let newer = single(
        NAME,
        2,
        [("offset", Cell::Bigint(20)), ("token", true.into())],
    );
    let older = [
        ("type", "older".into()),
        ("offset", Cell::Bigint(10)),
        ("token", Cell::Null),
    ];
    apply(under_test, NAME, &[newer, single(NAME, 1, older)]).await;
    let expected = [
        "older".into(),
        Cell::Bigint(20),
        Cell::Null,
        true.into(),
        Cell::Null,
    ];
    assert_eq!(cells_of(under_test, NAME).await, expected);
}

/// Unset leaves what is there, null takes it away, and only for what is older.
pub async fn an_unset_cell_stays_and_a_null_one_goes(under_test: &impl StoreUnderTest) {
    const NAME: &str = "unset and null";
    let first = [("type", "a".into()), ("offset", Cell::Bigint(1))];
    let second = [("type", Cell::Unset), ("offset", Cell::Null)];
    apply(
        under_test,
        NAME,
        &[single(NAME, 1, first), single(NAME, 3, second)],
    )
    .await;
    let late = [("offset", Cell::Bigint(2))];
    apply(under_test, NAME, &[single(NAME, 2, late)]).await;
    let cells = cells_of(under_test, NAME).await;
    assert_eq!(cells.get(..2), Some(&["a".into(), Cell::Null][..]));
    let all_gone = [("type", Cell::Null)];
    apply(under_test, NAME, &[single(NAME, 4, all_gone)]).await;
    let cells = cells_of(under_test, NAME).await;
    assert!(
        cells.iter().all(|cell| *cell == Cell::Null),
        "the row stays"
    );
}

/// What a store does with equal stamps, and why the pipeline never writes two contents with one:
/// the row left is one that nobody wrote.
pub async fn a_tie_is_won_by_null_then_by_the_larger_bytes(under_test: &impl StoreUnderTest) {
    for (name, is_swapped) in [("tie", false), ("tie, other order", true)] {
        let left = [
            ("type", "aaa".into()),
            ("offset", Cell::Bigint(5)),
            ("partition", Cell::Int(1)),
            ("token", true.into()),
        ];
        let right = [
            ("type", "bbb".into()),
            ("offset", Cell::Bigint(-1)),
            ("partition", Cell::Null),
            ("token", false.into()),
        ];
        let mut writes = [single(name, 7, left), single(name, 7, right)];
        if is_swapped {
            writes.reverse();
        }
        apply(under_test, "tie", &writes).await;
        let expected = [
            "bbb".into(),
            Cell::Bigint(-1),
            Cell::Null,
            true.into(),
            Cell::Null,
        ];
        assert_eq!(cells_of(under_test, name).await, expected, "{name}");
    }
}

/// Any writes to a few rows, with any stamps, in batches: the rows are those of [`MemoryStore`].
pub async fn any_writes_merge_as_in_the_model(under_test: &impl StoreUnderTest, seed: u64) {
    const NAME: &str = "any writes";
    let mut random = Rng::with_seed(seed);
    let model = MemoryStore::new();
    let mut ids = BTreeSet::new();
    for round in 0..40 {
        let mut rows = Vec::new();
        let mut in_batch = BTreeSet::new();
        for _ in 0..random.usize(1..6) {
            let id = format!("any-{seed}-{}", random.u8(0..6));
            // At most one row for each key.
            if in_batch.insert(id.clone()) {
                rows.push(any_row(&mut random, &id));
            }
        }
        ids.extend(in_batch);
        let batch = Batch {
            context: under_test.context(),
            rows: rows.clone(),
            progress: progress_at(NAME, 0, round),
        };
        assert_eq!(model.apply(batch).await, Ok(()));
        assert_eq!(try_apply(under_test, NAME, rows).await, Ok(()));
    }
    for id in &ids {
        let key = [Cell::from(id)];
        let expected = model.rows(under_test.context(), &SINGLE, &key);
        let found = under_test.rows(&SINGLE, &key).await;
        assert_eq!(found, expected, "seed {seed}");
    }
}

fn any_row(random: &mut Rng, id: &str) -> StampedRow {
    let text = random.choice(["", "a", "b", "ab", "é"]).unwrap_or_default();
    let number = random.i64(-2..3);
    let time = Timestamp::from_micros(random.i64(-3_000..3_000));
    let full = [
        ("type", text.into()),
        ("offset", number.into()),
        ("partition", Cell::Int(random.i32(-2..3))),
        ("token", random.bool().into()),
        ("timestamp", time.into()),
    ];
    let columns = full.map(|(name, cell)| match random.u8(0..4) {
        0 => (name, Cell::Unset),
        1 => (name, Cell::Null),
        _ => (name, cell),
    });
    single(id, random.i64(1..6), columns)
}
