//! Reading state partitions whole, piece by piece, as they were at one moment.
//!
//! One read transaction lasts from the first piece to the last, on a connection of its own: what
//! compaction takes away meanwhile is still seen, so that no key is missed between two pieces.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use millrace_runtime::log::{AskId, StateChange};
use millrace_runtime::topic::TopicPartition;
use rusqlite::Connection;

use crate::asks::Reader;
use crate::fault::Failure;
use crate::read::{Page, visit};
use crate::shared::Shared;
use crate::topics::range;

/// One piece holds no more than this: a worker has other things to hear meanwhile.
const PIECE_RECORDS_MAX: usize = 2_000;
const PIECE_BYTES_MAX: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct Restore {
    pub(crate) ask: AskId,
    connection: Connection,
    left: VecDeque<Page>,
}

impl Restore {
    pub(crate) fn begin(
        shared: &Shared,
        ask: AskId,
        targets: &[(TopicPartition, i64)],
    ) -> Result<Self, Failure> {
        let connection = shared.connect_to_read()?;
        connection.execute_batch("BEGIN")?;
        let reader = Reader {
            connection: &connection,
            catalogue: &shared.catalogue,
        };
        let mut left = VecDeque::new();
        for (source, target) in targets {
            let slot = reader.slot(*source)?;
            let (first, _) = range(&connection, slot)?;
            left.push_back(Page {
                source: *source,
                slot,
                offsets: first..(*target).max(first),
                records_max: PIECE_RECORDS_MAX,
            });
        }
        Ok(Self {
            ask,
            connection,
            left,
        })
    }

    /// The next records; none when all have come.
    pub(crate) fn piece(&mut self) -> Result<Vec<StateChange>, Failure> {
        let mut changes = Vec::new();
        while let Some(page) = self.left.front_mut() {
            let mut bytes = 0;
            let mut next = page.offsets.start;
            visit(&self.connection, page, &mut |record| {
                bytes += record.bytes();
                next = record.offset + 1;
                changes.push(StateChange {
                    source: record.source,
                    offset: record.offset,
                    key: record.key.unwrap_or_default().into(),
                    value: record.value.map(Into::into),
                });
                if bytes < PIECE_BYTES_MAX {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })?;
            page.offsets.start = next;
            if changes.is_empty() {
                self.left.pop_front();
            } else {
                break;
            }
        }
        Ok(changes)
    }
}
