//! Records taken in and not yet on their way to the store, merged row by row.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use millrace_eventsourcing::{Cell, Row, Timestamp};

use super::source::{Projected, bytes_of};
use crate::outbox::Outbox;
use crate::store::{Progress, StampedRow};

/// How far something has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The first record that is not part of it.
    pub(super) next_offset: i64,
    /// The highest command offset among the events before; nothing while that is not known.
    pub(super) command_offset: Option<i64>,
    /// Time of the last record before.
    pub(super) time: Timestamp,
}

impl Place {
    /// How the group's metadata tells the command offset that belongs to its position. Persisted.
    pub(super) fn metadata(&self) -> String {
        self.command_offset
            .map_or_else(String::new, |offset| format!("c={offset}"))
    }

    /// Whether stored progress says the same.
    pub(super) fn is_told_by(&self, progress: &Progress) -> bool {
        (progress.next_offset, progress.command_offset) == (self.next_offset, self.command_offset)
    }

    /// The reverse of [`Self::metadata`]; what others wrote there tells nothing.
    pub(super) fn command_offset_of(metadata: &str) -> Option<i64> {
        metadata.strip_prefix("c=")?.parse().ok()
    }
}

/// How many records were what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) projected: usize,
    pub(super) skipped: usize,
}

/// The next batch of one partition, in the making.
#[derive(Debug)]
pub(super) struct Collected {
    /// How far the log is taken in.
    pub(super) place: Place,
    /// At most one for each primary key.
    pub(super) rows: Vec<StampedRow>,
    /// What is set aside, and under which codes.
    pub(super) letters: Outbox,
    pub(super) codes: Vec<&'static str>,
    pub(super) counts: Counts,
    pub(super) bytes: usize,
    /// Places in `rows` by primary key.
    index: HashTable<usize>,
}

impl Collected {
    /// Nothing yet, behind this place.
    pub(super) fn behind(place: Place) -> Self {
        Self {
            place,
            rows: Vec::new(),
            letters: Outbox::default(),
            codes: Vec::new(),
            counts: Counts::default(),
            bytes: 0,
            index: HashTable::new(),
        }
    }

    /// Records taken in, those without rows included.
    pub(super) fn records(&self) -> usize {
        self.counts.projected + self.counts.skipped + self.codes.len()
    }

    /// Takes in what a record means.
    pub(super) fn take(&mut self, offset: i64, projected: Projected) {
        self.place = Place {
            next_offset: offset + 1,
            command_offset: self.place.command_offset.max(projected.command_offset),
            time: projected.time,
        };
        if projected.rows.is_empty() {
            self.counts.skipped += 1;
        } else {
            self.counts.projected += 1;
        }
        for row in projected.rows {
            self.merge(row);
        }
    }

    /// Takes note of a record that was set aside; the letter is in [`Self::letters`].
    pub(super) fn set_aside(&mut self, offset: i64, code: &'static str) {
        self.place.next_offset = offset + 1;
        self.codes.push(code);
    }

    fn merge(&mut self, new: StampedRow) {
        let hasher = FixedState::default();
        let hash_of = |row: &Row| hasher.hash_one((row.table.name, row.key()));
        let rows = &mut self.rows;
        let same = |row: &Row| row.table.name == new.row.table.name && row.key() == new.row.key();
        let hash = hash_of(&new.row);
        let found = self.index.find(hash, |place| {
            rows.get(*place).is_some_and(|old| same(&old.row))
        });
        if let Some(old) = found.and_then(|place| rows.get_mut(*place)) {
            self.bytes = self.bytes.saturating_sub(bytes_of(&old.row));
            overlay(old, new);
            self.bytes += bytes_of(&old.row);
            return;
        }
        self.bytes += bytes_of(&new.row);
        rows.push(new);
        self.index.insert_unique(hash, rows.len() - 1, |place| {
            rows.get(*place).map_or(0, |old| hash_of(&old.row))
        });
    }
}

/// Puts one write over an earlier one of the same row. Sound under one stamp, because a batch holds
/// everything between the two: no other write has a stamp in between.
fn overlay(old: &mut StampedRow, new: StampedRow) {
    let mut below = new;
    if below.stamp >= old.stamp {
        std::mem::swap(old, &mut below);
    }
    let above = &mut old.row;
    if above.is_gone {
        return;
    }
    for (cell, beneath) in above.cells.iter_mut().zip(below.row.cells) {
        if *cell == Cell::Unset {
            // Of a row that was gone in between nothing shows through.
            let is_gone = below.row.is_gone && beneath == Cell::Unset;
            *cell = if is_gone { Cell::Null } else { beneath };
        }
    }
}

#[cfg(test)]
mod tests {
    use millrace_eventsourcing::{Column, Stamp, Table};

    use super::*;

    static TABLE: Table = Table {
        name: "pages",
        columns: &[
            Column::text("id"),
            Column::bigint("size"),
            Column::text("title"),
        ],
        partition_key: 1,
        clustering: &[],
        stamp: Stamp::Version,
    };

    fn merged(writes: [StampedRow; 2]) -> Vec<StampedRow> {
        let mut collected = Collected::behind(Place {
            next_offset: 0,
            command_offset: None,
            time: Timestamp::default(),
        });
        for write in writes {
            collected.merge(write);
        }
        collected.rows
    }

    fn in_either_order(writes: [StampedRow; 2]) -> [[StampedRow; 2]; 2] {
        let mut reversed = writes.clone();
        reversed.reverse();
        [writes, reversed]
    }

    fn sized(stamp: i64, size: i64) -> StampedRow {
        let row = Row::upsert(&TABLE, [("id", "a".into()), ("size", size.into())]);
        StampedRow { row, stamp }
    }

    fn titled(stamp: i64, title: &str) -> StampedRow {
        let row = Row::upsert(&TABLE, [("id", "a".into()), ("title", title.into())]);
        StampedRow { row, stamp }
    }

    fn gone(stamp: i64) -> StampedRow {
        let row = Row::delete(&TABLE, [("id", "a".into())]);
        StampedRow { row, stamp }
    }

    #[test]
    fn later_cells_stand_over_earlier_ones_in_either_order() {
        let expected = StampedRow {
            row: Row::upsert(
                &TABLE,
                [
                    ("id", "a".into()),
                    ("size", Cell::Bigint(1)),
                    ("title", "b".into()),
                ],
            ),
            stamp: 2,
        };
        for writes in in_either_order([sized(1, 1), titled(2, "b")]) {
            assert_eq!(merged(writes), std::slice::from_ref(&expected));
        }
    }

    #[test]
    fn a_row_that_is_gone_last_is_gone() {
        for writes in in_either_order([sized(1, 1), gone(2)]) {
            assert_eq!(merged(writes), [gone(2)]);
        }
    }

    #[test]
    fn a_row_that_comes_back_holds_nothing_from_before() {
        let back = StampedRow {
            row: Row::upsert(
                &TABLE,
                [
                    ("id", "a".into()),
                    ("size", Cell::Null),
                    ("title", "b".into()),
                ],
            ),
            stamp: 3,
        };
        for writes in in_either_order([gone(2), titled(3, "b")]) {
            assert_eq!(merged(writes), std::slice::from_ref(&back));
        }
    }
}
