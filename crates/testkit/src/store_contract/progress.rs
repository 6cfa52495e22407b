//! Progress and marks: what tells how much is there, and whether it is still there.

use millrace_eventsourcing::{Cell, Row};
use millrace_runtime::store::{Batch, Progress, ReadStore, StampedRow};

use super::{SINGLE, StoreUnderTest, progress_at, single, try_apply};

async fn store_progress(under_test: &impl StoreUnderTest, progress: &Progress) {
    let batch = Batch {
        context: under_test.context(),
        rows: Vec::new(),
        progress: progress.clone(),
    };
    assert_eq!(under_test.store().apply(batch).await, Ok(()));
}

async fn stored(under_test: &impl StoreUnderTest, projection: &'static str) -> Vec<Progress> {
    let stored = under_test
        .store()
        .progress(under_test.context(), projection);
    match stored.await {
        Ok(stored) => stored,
        Err(error) => panic!("{error}"),
    }
}

/// Each partition and each projection for itself; also without rows, without command offset.
pub async fn progress_is_kept_for_each_partition(under_test: &impl StoreUnderTest) {
    let first = progress_at("progress a", 0, 10);
    let second = Progress {
        command_offset: None,
        revision: i32::MAX,
        ..progress_at("progress a", 11, i64::MAX)
    };
    let other = progress_at("progress b", 0, 7);
    for progress in [&first, &second, &other] {
        store_progress(under_test, progress).await;
    }
    let mut found = stored(under_test, "progress a").await;
    found.sort_by_key(|progress| progress.source.partition);
    assert_eq!(found, [first, second]);
    assert_eq!(stored(under_test, "progress b").await, [other]);
    assert_eq!(stored(under_test, "progress c").await, []);
}

/// The last one told counts, also when it is behind, and also again and again within one moment.
pub async fn progress_goes_back_when_told(under_test: &impl StoreUnderTest) {
    const NAME: &str = "progress goes back";
    for next_offset in (1..50).chain([3, 2, 40, 5]) {
        store_progress(under_test, &progress_at(NAME, 0, next_offset)).await;
        let found = stored(under_test, NAME).await;
        assert_eq!(found, [progress_at(NAME, 0, next_offset)]);
    }
    let unknown = Progress {
        command_offset: None,
        ..progress_at(NAME, 0, 5)
    };
    store_progress(under_test, &unknown).await;
    assert_eq!(stored(under_test, NAME).await, [unknown]);
}

/// A batch with a row that the store refuses leaves no progress, and the error says where it was:
/// table and key, and never what the row holds.
pub async fn progress_waits_for_all_rows(under_test: &impl StoreUnderTest) {
    const NAME: &str = "progress waits";
    const SECRET: &str = "a value for nobody";
    let mut row = Row::upsert(&SINGLE, [("id", "refused".into()), ("type", SECRET.into())]);
    if let Some(cell) = SINGLE
        .position("offset")
        .and_then(|at| row.cells.get_mut(at))
    {
        *cell = Cell::from(SECRET);
    }
    let refused = StampedRow { row, stamp: 1 };
    let good = |id: i64| single(&format!("good {id}"), 1, [("offset", id.into())]);
    let mut rows: Vec<_> = (0..300).map(good).collect();
    rows.insert(150, refused);
    let Err(error) = try_apply(under_test, NAME, rows).await else {
        panic!("a text in a column of numbers was taken");
    };
    let text = error.to_string();
    let table = format!("{}.single", under_test.context());
    assert!(text.contains(&table) && text.contains("refused"), "{text}");
    assert!(!text.contains(SECRET), "{text}");
    assert_eq!(stored(under_test, NAME).await, []);
}

/// Marks tell one life of the server from the next, and nothing else changes them.
pub async fn a_mark_stays_while_the_server_runs_and_changes_with_its_start(
    under_test: &impl StoreUnderTest,
) {
    let store = under_test.store();
    let first = store.marks().await;
    assert!(
        first.as_ref().is_ok_and(|marks| !marks.is_empty()),
        "{first:?}"
    );
    store_progress(under_test, &progress_at("marks", 0, 1)).await;
    assert_eq!(store.marks().await, first);
    under_test.restart().await;
    let second = store.marks().await;
    let nodes = |marks: &[millrace_runtime::store::Mark]| -> Vec<String> {
        marks.iter().map(|mark| mark.node.clone()).collect()
    };
    let (Ok(first), Ok(second)) = (first, second) else {
        panic!("no marks");
    };
    assert_eq!(nodes(&first), nodes(&second));
    for (before, after) in first.iter().zip(&second) {
        assert!(before.generation < after.generation, "{before:?} {after:?}");
    }
}
