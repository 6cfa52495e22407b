//! Writes of one row: what is left of them, in whatever order and however often they come.

use std::collections::BTreeSet;

use fastrand::Rng;
use millrace_eventsourcing::{Cell, Row, Timestamp};
use millrace_runtime::store::{Batch, ReadStore, StampedRow};

use super::{SINGLE, StoreUnderTest, WIDE, apply, cells_of, progress_at, single, try_apply, wide};
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

/// A deletion takes what is older, however late it comes, and only a newer write brings a row back,
/// with nothing of what it held before.
pub async fn a_row_that_is_gone_stays_gone(under_test: &impl StoreUnderTest) {
    const NAME: &str = "gone";
    let write = |stamp: i64| {
        single(
            NAME,
            stamp,
            [("type", "a".into()), ("offset", stamp.into())],
        )
    };
    let is_there = async || !under_test.rows(&SINGLE, &[NAME.into()]).await.is_empty();
    apply(under_test, NAME, &[write(1), gone(NAME, 4), write(2)]).await;
    assert!(!is_there().await, "an older write brought it back");
    apply(under_test, NAME, &[gone(NAME, 4), write(4), gone(NAME, 3)]).await;
    assert!(!is_there().await, "a deletion wins a tie");
    let back = single(NAME, 6, [("offset", Cell::Bigint(6))]);
    apply(under_test, NAME, &[back, write(3), gone(NAME, 5)]).await;
    let cells = cells_of(under_test, NAME).await;
    assert_eq!(cells.get(..2), Some(&[Cell::Null, Cell::Bigint(6)][..]));
    apply(under_test, NAME, &[write(5)]).await;
    let cells = cells_of(under_test, NAME).await;
    assert_eq!(cells.get(..2), Some(&[Cell::Null, Cell::Bigint(6)][..]));
    apply(under_test, NAME, &[gone("never there", 1), gone(NAME, 7)]).await;
    assert!(!is_there().await);
    let many = [("a", 1), ("b", 2), ("c", 3)].map(|(key, order)| wide(NAME, (order, key), key));
    assert_eq!(try_apply(under_test, NAME, many.to_vec()).await, Ok(()));
    let [first, second, third] = many;
    let mixed = vec![gone_like(&first), second.clone(), gone_like(&third)];
    assert_eq!(try_apply(under_test, NAME, mixed).await, Ok(()));
    let left = under_test.rows(&WIDE, &[NAME.into(), 0.into()]).await;
    assert_eq!(left, [second.row.cells]);
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

fn gone(id: &str, stamp: i64) -> StampedRow {
    let row = Row::delete(&SINGLE, [("id", id.into())]);
    StampedRow { row, stamp }
}

/// The deletion of a row of [`WIDE`], with the row's own stamp.
fn gone_like(written: &StampedRow) -> StampedRow {
    let mut gone = written.clone();
    gone.row.is_gone = true;
    for cell in gone.row.cells.iter_mut().skip(WIDE.key_len()) {
        *cell = Cell::Unset;
    }
    gone
}

/// A write that touches something, or a deletion.
fn any_row(random: &mut Rng, id: &str) -> StampedRow {
    if random.u8(0..5) == 0 {
        return gone(id, random.i64(1..6));
    }
    let text = random.choice(["", "a", "b", "ab", "é"]).unwrap_or_default();
    let number = random.i64(-2..3);
    let time = Timestamp::from_micros(random.i64(-3_000..3_000));
    let full = [
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
    let mut row = single(id, random.i64(1..6), columns);
    if let Some(touched) = row.row.cells.get_mut(1) {
        *touched = text.into();
    }
    row
}
