//! Records that wait behind one that is not done yet, in memory and bounded.
//!
//! Going back to a record in the log costs a fetch, and stalls other partitions of the same
//! consumer; so what was delivered already is kept, up to a bound. Beyond it the partition is
//! paused, and read again from behind the last kept record when they are done.

use std::collections::VecDeque;

use millrace_eventsourcing::Timestamp;

use crate::log::{Header, Record};
use crate::outbox::NewHeader;
use crate::step::Later;
use crate::topic::TopicPartition;

/// Records of one partition that are kept; reading them again costs a fetch for so many.
const RECORDS_MAX: usize = 64;
/// Bytes of one partition that are kept, so that twelve of them stay small.
const BYTES_MAX: usize = 1024 * 1024;

/// See the module. Empty while nothing waits.
#[derive(Debug, Default)]
pub(super) struct Held {
    records: VecDeque<OwnRecord>,
    bytes: usize,
    /// Why the first one waits; nothing before it was offered.
    later: Option<Later>,
    /// Whether records behind the kept ones were turned away.
    is_full: bool,
}

/// A record kept beyond its delivery.
#[derive(Debug)]
struct OwnRecord {
    offset: i64,
    timestamp: Timestamp,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<NewHeader>,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Why the first record waits.
    pub(super) const fn later(&self) -> Option<&Later> {
        self.later.as_ref()
    }

    /// The next record that could be kept.
    pub(super) fn next_offset(&self) -> Option<i64> {
        self.records.back().map(|last| last.offset + 1)
    }

    /// Whether the partition must be read again once all kept records are done.
    pub(super) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// Keeps a record, or turns it away; says whether this is the first that is turned away.
    pub(super) fn keep(&mut self, record: &Record<'_>) -> bool {
        if self.is_full {
            return false;
        }
        if self.records.len() >= RECORDS_MAX || self.bytes >= BYTES_MAX {
            self.is_full = true;
            return true;
        }
        self.bytes += record.bytes();
        self.records.push_back(OwnRecord {
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: owned(&record.headers),
        });
        false
    }

    /// The first record is not done.
    pub(super) fn put_off(&mut self, later: Later) {
        self.later = Some(later);
    }

    /// It may be offered again at once.
    pub(super) fn wake(&mut self) {
        if let Some(later) = &mut self.later {
            later.at = std::time::Duration::ZERO;
        }
    }

    /// The first record.
    pub(super) fn first(&self, source: TopicPartition) -> Option<Record<'_>> {
        self.records.front().map(|record| record.borrowed(source))
    }

    /// The first record is done.
    pub(super) fn drop_first(&mut self) {
        if let Some(done) = self.records.pop_front() {
            self.bytes -= done.bytes();
        }
        self.later = None;
    }

    /// Everything is done or belongs to somebody else.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl OwnRecord {
    fn borrowed(&self, source: TopicPartition) -> Record<'_> {
        Record {
            source,
            offset: self.offset,
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: self
                .headers
                .iter()
                .map(|(name, value)| Header {
                    name,
                    value: value.as_deref(),
                })
                .collect(),
        }
    }

    fn bytes(&self) -> usize {
        self.borrowed(TopicPartition {
            topic: crate::topic::Topic::new(""),
            partition: 0,
        })
        .bytes()
    }
}

fn owned(headers: &[Header<'_>]) -> Vec<NewHeader> {
    let owned = |header: &Header<'_>| (header.name.to_owned(), header.value.map(<[u8]>::to_vec));
    headers.iter().map(owned).collect()
}
