//! Read tables as a store keeps them.

use std::collections::{BTreeMap, BTreeSet};

use millrace_eventsourcing::{
    Cell, ColumnType, EventEnvelope, Order, Projection, Row, Stamp, Table,
};
use proptest::prelude::*;

use crate::topics::envelopes;

type Key = (&'static str, Vec<Cell>);
type Facts<P> =
    EventEnvelope<<<P as Projection>::Aggregate as millrace_eventsourcing::Aggregate>::Event>;

/// In every cell the write with the highest stamp; a deletion takes what has its stamp or a lower
/// one, whenever it comes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tables(BTreeMap<Key, Kept>);

#[derive(Debug, Default, PartialEq)]
struct Kept {
    cells: BTreeMap<&'static str, (i64, Cell)>,
    upserted: i64,
    deleted: i64,
}

impl Tables {
    /// What a projection leaves after these events of one aggregate, applied in this order.
    pub(crate) fn of<'a, P: Projection>(
        id: &str,
        events: impl IntoIterator<Item = &'a Facts<P>>,
    ) -> Self
    where
        Facts<P>: 'a,
    {
        let mut tables = Self::default();
        for event in events {
            for row in P::project(id, event) {
                assert!(P::TABLES.contains(&row.table), "`{}`", row.table.name);
                tables.apply(row, event.version.get());
            }
        }
        tables
    }

    fn apply(&mut self, row: Row, stamp: i64) {
        let key = (row.table.name, row.key().to_vec());
        let kept = self.0.entry(key).or_default();
        if row.is_gone {
            kept.deleted = kept.deleted.max(stamp);
            return;
        }
        kept.upserted = kept.upserted.max(stamp);
        for (column, cell) in row.table.columns.iter().zip(row.cells) {
            let last = kept.cells.get(column.name).map_or(0, |(stamp, _)| *stamp);
            if cell != Cell::Unset && last < stamp {
                kept.cells.insert(column.name, (stamp, cell));
            }
        }
    }

    /// The rows of a table as a reader sees them: in every row each column with its cell.
    fn shown(&self, table: &Table) -> Vec<Vec<(&'static str, Cell)>> {
        let rows = self.0.iter().filter(|((name, _), _)| *name == table.name);
        let alive = rows.filter(|(_, kept)| kept.upserted > kept.deleted);
        let cell = |kept: &Kept, name| match kept.cells.get(name) {
            Some((stamp, cell)) if *stamp > kept.deleted => cell.clone(),
            Some(_) | None => Cell::Null,
        };
        alive
            .map(|(_, kept)| {
                let columns = table.columns.iter();
                columns
                    .map(|column| (column.name, cell(kept, column.name)))
                    .collect()
            })
            .collect()
    }

    /// The table has one row, with these columns in this order.
    #[track_caller]
    pub(crate) fn assert_row<const N: usize>(
        &self,
        table: &Table,
        expected: &[(&'static str, Cell); N],
    ) {
        assert_eq!(self.shown(table), [expected.to_vec()], "`{}`", table.name);
    }

    /// The table has no row.
    #[track_caller]
    pub(crate) fn assert_empty(&self, table: &Table) {
        assert_eq!(self.shown(table), Vec::<Vec<_>>::new(), "`{}`", table.name);
    }
}

/// The rows end the same in whatever order and however often the events are applied, whatever
/// happened last; and each event alone tells the keys of all rows that it changes.
pub(crate) fn assert_any_order_ends_the_same<P: Projection>(
    id: &str,
    history: &[<P::Aggregate as millrace_eventsourcing::Aggregate>::Event],
) {
    let keys = |events: &[Facts<P>]| -> BTreeSet<Key> {
        Tables::of::<P>(id, events).0.into_keys().collect()
    };
    for length in 1..=history.len() {
        let events = envelopes(&history[..length]);
        let straight = Tables::of::<P>(id, &events);
        for event in &events {
            let alone = keys(std::slice::from_ref(event));
            assert!(alone.is_subset(&keys(&events[..1])), "{event:?}");
        }
        let twice: Vec<_> = events.iter().chain(&events).collect();
        proptest!(ProptestConfig::with_cases(64), |(
            shuffled in Just(twice).prop_shuffle(),
        )| {
            let shuffled = Tables::of::<P>(id, shuffled);
            prop_assert_eq!(&shuffled, &straight);
            for table in P::TABLES {
                prop_assert_eq!(shuffled.shown(table), straight.shown(table));
            }
        });
    }
}

/// The declaration of a table in words: its name, its columns with their types, how many of them
/// make the partition key, and the order of those that follow.
#[track_caller]
pub(crate) fn assert_published(
    table: &Table,
    name: &str,
    columns: &[(&str, ColumnType)],
    (partition_key, clustering): (usize, &[Order]),
) {
    assert_eq!(table.name, name);
    let declared = table.columns.iter();
    let declared: Vec<_> = declared.map(|column| (column.name, column.kind)).collect();
    assert_eq!(declared, columns);
    assert_eq!(table.partition_key, partition_key);
    assert_eq!(table.clustering, clustering);
    assert_eq!(table.stamp, Stamp::Version);
}
