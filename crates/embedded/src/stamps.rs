//! The stamps of a row's cells, which order the writes of a row cell by cell.
//!
//! They stand beside the read tables, so that these look as they are declared. Most rows need few
//! bytes of them: a row that was written once, whole, with the stamp that all constant rows have,
//! has no entry at all, and one whose cells all have one stamp has that one. A column that was added
//! later counts as written with the rest, until the rebuild that a changed projection needs anyway.
//!
//! The entry of a row that is gone stays, with the stamp of its deletion, so that nothing older
//! brings the row back.

use millrace_runtime::store::STAMP_BASE;

/// Of the columns behind the key; nothing for a cell that nobody wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamps(pub(crate) Vec<Option<i64>>);

/// Stands for none: no write has it. Persisted.
const NONE: i64 = i64::MIN;

impl Stamps {
    /// From an entry, or from there being none. Nothing when we did not write it.
    pub(crate) fn decode(entry: Option<&[u8]>, columns: usize) -> Option<Self> {
        let Some(entry) = entry else {
            return Some(Self(vec![Some(STAMP_BASE); columns]));
        };
        let (numbers, rest) = entry.as_chunks::<8>();
        if !rest.is_empty() {
            return None;
        }
        let stamps = numbers.iter().map(|bytes| i64::from_le_bytes(*bytes));
        let mut stamps: Vec<_> = stamps.map(|it| (it != NONE).then_some(it)).collect();
        let of_new_columns = match stamps.as_slice() {
            [all] => *all,
            _ => None,
        };
        stamps.resize(columns, of_new_columns);
        Some(Self(stamps))
    }

    /// The entry of a row that is gone. Persisted.
    pub(crate) fn buried(deleted: i64) -> [u8; 8] {
        deleted.to_le_bytes()
    }

    /// The reverse. Nothing when we did not write it.
    pub(crate) fn deletion(entry: &[u8]) -> Option<i64> {
        Some(i64::from_le_bytes(entry.try_into().ok()?))
    }

    /// The entry; nothing when none is needed. Persisted.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let stamps = self.0.as_slice();
        let first = stamps.first().copied().unwrap_or(Some(STAMP_BASE));
        let is_uniform = first.is_some() && stamps.iter().all(|stamp| *stamp == first);
        if is_uniform && first == Some(STAMP_BASE) {
            return None;
        }
        let kept = if is_uniform { &[first][..] } else { stamps };
        let numbers = kept.iter().map(|stamp| stamp.unwrap_or(NONE));
        Some(numbers.flat_map(i64::to_le_bytes).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_come_back_and_take_little_room() {
        let all = [
            (vec![Some(STAMP_BASE); 3], None),
            (vec![Some(7); 3], Some(8)),
            (vec![Some(7), None, Some(8)], Some(24)),
            (vec![None, None, None], Some(24)),
            (vec![], None),
            (vec![Some(1)], Some(8)),
            (vec![None], Some(8)),
        ];
        for (stamps, length) in all {
            let stamps = Stamps(stamps);
            let entry = stamps.encode();
            assert_eq!(entry.as_ref().map(Vec::len), length, "{stamps:?}");
            let found = Stamps::decode(entry.as_deref(), stamps.0.len());
            assert_eq!(found, Some(stamps));
        }
        assert_eq!(Stamps::decode(Some(&[1, 2, 3]), 1), None);
    }
}
