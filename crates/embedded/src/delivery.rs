//! The started partitions of one worker, and their next records.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use millrace_runtime::log::{LogEvent, Record};
use millrace_runtime::topic::TopicPartition;
use rusqlite::Connection;

use crate::ends::Ends;
use crate::fault::Failure;
use crate::mailbox::Mailbox;
use crate::place::Slot;
use crate::read::{Page, visit};
use crate::topics::range;

#[derive(Debug, Default)]
pub(crate) struct Delivery {
    running: BTreeMap<TopicPartition, Position>,
}

#[derive(Debug, Clone, Copy)]
struct Position {
    slot: Slot,
    next: i64,
}

/// What is read from, and who is told.
pub(crate) struct Source<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) ends: &'a Ends,
    pub(crate) mailbox: &'a Mailbox,
}

impl Delivery {
    /// Delivers from this offset on, if the log has it; else says that it does not.
    pub(crate) fn start(
        &mut self,
        source: &Source<'_>,
        (at, slot): (TopicPartition, Slot),
        offset: i64,
    ) -> Result<(), Failure> {
        self.running.remove(&at);
        let (first, end) = range(source.connection, slot)?;
        if (first..=end).contains(&offset) {
            source.ends.advance([(slot, end)]);
            self.running.insert(at, Position { slot, next: offset });
        } else {
            source.mailbox.push(LogEvent::OutOfRange(at));
        }
        self.tell_interest(source.mailbox);
        Ok(())
    }

    pub(crate) fn stop<'a>(
        &mut self,
        mailbox: &Mailbox,
        partitions: impl IntoIterator<Item = &'a TopicPartition>,
    ) {
        for partition in partitions {
            self.running.remove(partition);
        }
        self.tell_interest(mailbox);
    }

    fn tell_interest(&self, mailbox: &Mailbox) {
        let running = self.running.values();
        mailbox.set_interest(running.map(|position| position.slot).collect());
    }

    /// Delivers at most so many records, in fair shares; says how many.
    pub(crate) fn deliver(
        &mut self,
        source: &Source<'_>,
        records_max: usize,
        on_record: &mut dyn FnMut(Record<'_>),
    ) -> Result<usize, Failure> {
        let mut delivered = 0;
        loop {
            let ready: Vec<_> = self.ready(source.ends);
            let left = records_max - delivered;
            if ready.is_empty() || left == 0 {
                return Ok(delivered);
            }
            let share = left.div_ceil(ready.len());
            for (at, end) in ready {
                let share = share.min(records_max - delivered);
                delivered += self.deliver_one(source, (at, end), share, on_record)?;
            }
        }
    }

    fn ready(&self, ends: &Ends) -> Vec<(TopicPartition, i64)> {
        let running = self.running.iter();
        running
            .map(|(at, position)| (*at, position.next, ends.of(position.slot)))
            .filter(|(_, next, end)| next < end)
            .map(|(at, _, end)| (at, end))
            .collect()
    }

    fn deliver_one(
        &mut self,
        source: &Source<'_>,
        (at, end): (TopicPartition, i64),
        records_max: usize,
        on_record: &mut dyn FnMut(Record<'_>),
    ) -> Result<usize, Failure> {
        let Some(position) = self.running.get_mut(&at) else {
            return Ok(0);
        };
        if records_max == 0 {
            return Ok(0);
        }
        let page = Page {
            source: at,
            slot: position.slot,
            offsets: position.next..end,
            records_max,
        };
        // Retention may be faster than a reader; then what was not read must not pass unnoticed.
        let (first, _) = range(source.connection, position.slot)?;
        if position.next < first {
            self.stop(source.mailbox, [&at]);
            source.mailbox.push(LogEvent::OutOfRange(at));
            return Ok(0);
        }
        let mut count = 0;
        visit(source.connection, &page, &mut |record| {
            position.next = record.offset + 1;
            count += 1;
            on_record(record);
            ControlFlow::Continue(())
        })?;
        if count < records_max {
            // Only holes of compaction are left.
            position.next = end;
        }
        Ok(count)
    }
}
