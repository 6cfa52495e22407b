//! Where a record stands in the file: the number of its partition and its offset, in one integer,
//! so that the records of a partition lie side by side in offset order.

use std::ops::Range;

/// A trillion records a partition, and eight million partitions.
const OFFSET_BITS: u32 = 40;
const OFFSETS: i64 = 1 << OFFSET_BITS;

/// The number that the file gives a partition; from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot(pub(crate) i64);

impl Slot {
    /// The place of an offset; one that no partition can have is cut to the nearest that can be.
    pub(crate) fn place(self, offset: i64) -> i64 {
        (self.0 << OFFSET_BITS) | offset.clamp(0, OFFSETS - 1)
    }

    /// The places of `[from, to)`.
    pub(crate) fn places(self, offsets: Range<i64>) -> Range<i64> {
        self.place(offsets.start)..self.place(offsets.end)
    }
}

/// The offset that stands at a place.
pub(crate) const fn offset_of(place: i64) -> i64 {
    place & (OFFSETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_tells_its_offset_and_places_are_in_order_of_partitions() {
        for offset in [0, 1, OFFSETS - 1] {
            assert_eq!(offset_of(Slot(7).place(offset)), offset);
        }
        assert!(Slot(1).place(OFFSETS - 1) < Slot(2).place(0));
        assert!(Slot((1 << 23) - 1).place(OFFSETS - 1) > 0);
    }

    #[test]
    fn offsets_that_cannot_be_stay_within_their_partition() {
        assert_eq!(Slot(3).place(-5), Slot(3).place(0));
        assert_eq!(Slot(3).place(i64::MAX), Slot(3).place(OFFSETS - 1));
    }
}
