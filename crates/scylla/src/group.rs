//! Which rows go to the server together.
//!
//! Rows of one partition in one statement are one mutation there: three to four times as many rows
//! per second. Rows of different partitions in one statement would be slower than apart.

use std::collections::HashMap;

use millrace_eventsourcing::{Cell, Table};
use millrace_runtime::store::StampedRow;

use crate::cell;

/// More rows bring no more speed, only longer waits.
pub(crate) const GROUP_ROWS_MAX: usize = 20;
/// Below what either server warns about.
pub(crate) const GROUP_BYTES_MAX: usize = 32 * 1024;

/// Rows of one partition of one table; at least one.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    pub(crate) table: &'static Table,
    pub(crate) rows: Vec<&'a StampedRow>,
    bytes: usize,
}

impl<'a> Group<'a> {
    fn new(row: &'a StampedRow, bytes: usize) -> Self {
        Self {
            table: row.row.table,
            rows: vec![row],
            bytes,
        }
    }

    /// The cells of the key that all rows share: of one row alone, the whole key.
    pub(crate) fn key(&self) -> &'a [Cell] {
        match self.rows.as_slice() {
            [one] => one.row.key(),
            [first, ..] => partition_key(first),
            [] => &[],
        }
    }
}

/// All rows, grouped; groups in the order of their first row.
pub(crate) fn groups(rows: &[StampedRow]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    // Where the last group of each partition is, which may have room.
    let mut open: HashMap<(&str, &[Cell]), usize> = HashMap::new();
    for row in rows {
        let bytes: usize = row.row.cells.iter().map(cell::size).sum();
        if row.row.table.clustering.is_empty() {
            groups.push(Group::new(row, bytes));
            continue;
        }
        let partition = (row.row.table.name, partition_key(row));
        let group = open
            .get(&partition)
            .and_then(|place| groups.get_mut(*place));
        match group {
            Some(group)
                if group.rows.len() < GROUP_ROWS_MAX && group.bytes + bytes <= GROUP_BYTES_MAX =>
            {
                group.rows.push(row);
                group.bytes += bytes;
            }
            Some(_) | None => {
                open.insert(partition, groups.len());
                groups.push(Group::new(row, bytes));
            }
        }
    }
    groups
}

fn partition_key(row: &StampedRow) -> &[Cell] {
    let key = row.row.table.partition_key;
    row.row.cells.get(..key).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use millrace_eventsourcing::{Column, Order, Row, Stamp};

    use super::*;

    static SINGLE: Table = Table {
        name: "single",
        columns: &[Column::text("id"), Column::bigint("n")],
        partition_key: 1,
        clustering: &[],
        stamp: Stamp::Version,
    };
    static WIDE: Table = Table {
        name: "wide",
        columns: &[Column::text("id"), Column::bigint("n"), Column::text("x")],
        partition_key: 1,
        clustering: &[Order::Ascending],
        stamp: Stamp::Version,
    };

    fn wide(id: &str, number: i64, content: &str) -> StampedRow {
        let columns = [
            ("id", id.into()),
            ("n", number.into()),
            ("x", content.into()),
        ];
        StampedRow {
            row: Row::upsert(&WIDE, columns),
            stamp: number,
        }
    }

    fn shape(rows: &[StampedRow]) -> Vec<Vec<i64>> {
        let stamps = |group: Group<'_>| group.rows.iter().map(|row| row.stamp).collect();
        groups(rows).into_iter().map(stamps).collect()
    }

    #[test]
    fn rows_of_one_partition_go_together() {
        let rows = [wide("a", 1, ""), wide("b", 2, ""), wide("a", 3, "")];
        assert_eq!(shape(&rows), [vec![1, 3], vec![2]]);
    }

    #[test]
    fn a_group_is_bounded_in_rows() {
        let rows: Vec<_> = (0..45).map(|number| wide("a", number, "")).collect();
        let sizes: Vec<_> = shape(&rows).iter().map(Vec::len).collect();
        assert_eq!(sizes, [20, 20, 5]);
    }

    #[test]
    fn a_group_is_bounded_in_bytes_and_a_large_row_goes_alone() {
        let half = "x".repeat(GROUP_BYTES_MAX / 2);
        let whole = "x".repeat(GROUP_BYTES_MAX);
        let rows = [
            wide("a", 1, ""),
            wide("a", 2, &half),
            wide("a", 3, &half),
            wide("a", 4, &whole),
        ];
        assert_eq!(shape(&rows), [vec![1, 2], vec![3], vec![4]]);
    }

    #[test]
    fn rows_without_clustering_key_go_alone() {
        let row = |number: i64| StampedRow {
            row: Row::upsert(&SINGLE, [("id", "a".into()), ("n", number.into())]),
            stamp: number,
        };
        assert_eq!(shape(&[row(1), row(2)]), [vec![1], vec![2]]);
    }

    #[test]
    fn the_key_of_a_group_is_what_its_rows_share() {
        let rows = [wide("a", 1, ""), wide("a", 2, ""), wide("b", 3, "")];
        let groups = groups(&rows);
        assert_eq!(groups[0].key(), [Cell::from("a")]);
        assert_eq!(groups[1].key(), [Cell::from("b"), Cell::Bigint(3)]);
    }
}
