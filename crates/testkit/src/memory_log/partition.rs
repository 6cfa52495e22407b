//! One partition: records, transaction markers, and who may see what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millrace_eventsourcing::Timestamp;
use millrace_runtime::outbox::NewHeader;

/// A record as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its place in the partition.
    pub offset: i64,
    /// When it was appended.
    pub timestamp: Timestamp,
    /// The key's bytes.
    pub key: Option<Vec<u8>>,
    /// The value's bytes; nothing is a tombstone.
    pub value: Option<Vec<u8>>,
    /// In order.
    pub headers: Vec<NewHeader>,
}

/// Tells one transaction from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TransactionId(pub(super) u64);

#[derive(Debug)]
struct Entry {
    record: Arc<StoredRecord>,
    transaction: Option<TransactionId>,
}

/// Offsets without an entry hold a marker, or what compaction took away.
#[derive(Debug, Default)]
pub(super) struct Partition {
    entries: BTreeMap<i64, Entry>,
    open: BTreeSet<TransactionId>,
    aborted: BTreeSet<TransactionId>,
    first: i64,
    end: i64,
}

impl Partition {
    pub(super) const fn first(&self) -> i64 {
        self.first
    }

    /// One past everything, committed or not.
    pub(super) const fn end(&self) -> i64 {
        self.end
    }

    /// Where the first open transaction begins; readers of committed records see nothing from
    /// there on.
    pub(super) fn stable_end(&self) -> i64 {
        if self.open.is_empty() {
            return self.end;
        }
        let open = |entry: &Entry| entry.transaction.is_some_and(|id| self.open.contains(&id));
        let begin = self.entries.iter().find(|(_, entry)| open(entry));
        begin.map_or(self.end, |(offset, _)| *offset)
    }

    pub(super) fn append(
        &mut self,
        mut record: StoredRecord,
        transaction: Option<TransactionId>,
    ) -> i64 {
        let offset = self.end;
        record.offset = offset;
        self.open.extend(transaction);
        let record = Arc::new(record);
        self.entries.insert(
            offset,
            Entry {
                record,
                transaction,
            },
        );
        self.end += 1;
        offset
    }

    /// Writes the marker that ends a transaction here.
    pub(super) fn end_transaction(&mut self, id: TransactionId, committed: bool) {
        if !self.open.remove(&id) {
            return;
        }
        if !committed {
            self.aborted.insert(id);
        }
        self.end += 1;
    }

    /// Committed records of `[from, to)`.
    pub(super) fn committed(&self, from: i64, to: i64) -> impl Iterator<Item = &Arc<StoredRecord>> {
        let to = to.min(self.stable_end());
        let visible = |entry: &&Entry| {
            entry
                .transaction
                .is_none_or(|id| !self.aborted.contains(&id))
        };
        self.entries
            .range(from.min(to)..to)
            .map(|(_, entry)| entry)
            .filter(visible)
            .map(|entry| &entry.record)
    }

    /// Records behind the stable end, whatever becomes of them.
    pub(super) fn unstable(&self) -> impl Iterator<Item = &Arc<StoredRecord>> {
        self.entries
            .range(self.stable_end()..)
            .map(|(_, entry)| &entry.record)
    }

    /// The next position from which on a committed record may be read.
    pub(super) fn advance(&self, from: i64) -> i64 {
        let next = self.committed(from, i64::MAX).next();
        next.map_or_else(|| self.stable_end().max(from), |record| record.offset)
    }

    /// Takes away what retention would.
    pub(super) fn delete_before(&mut self, offset: i64) {
        self.first = offset.clamp(self.first, self.end);
        self.entries = self.entries.split_off(&self.first);
    }

    /// Keeps of every key only its last committed record, and of that not even a tombstone.
    pub(super) fn compact(&mut self) {
        let stable_end = self.stable_end();
        let mut last = BTreeMap::new();
        for record in self.committed(self.first, stable_end) {
            last.insert(record.key.clone(), (record.offset, record.value.is_some()));
        }
        let kept: BTreeSet<i64> = last
            .into_values()
            .filter(|kept| kept.1)
            .map(|k| k.0)
            .collect();
        self.entries
            .retain(|offset, _| *offset >= stable_end || kept.contains(offset));
    }
}
