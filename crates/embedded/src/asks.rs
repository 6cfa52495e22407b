//! Answers to the questions of the log port that need no writing.

use millrace_runtime::log::{Answer, LogRange, Tail};
use millrace_runtime::topic::TopicPartition;
use rusqlite::{Connection, OptionalExtension};

use crate::fault::Failure;
use crate::place::Slot;
use crate::read::first_in;
use crate::topics::{Catalogue, range};

/// The file as a question sees it.
pub(crate) struct Reader<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) catalogue: &'a Catalogue,
}

impl Reader<'_> {
    pub(crate) fn slot(&self, at: TopicPartition) -> Result<Slot, Failure> {
        let slot = self.catalogue.slot(self.connection, at)?;
        slot.ok_or_else(|| Failure::Refused(format!("there is no partition `{at}`")))
    }

    pub(crate) fn ranges(&self, sources: &[TopicPartition]) -> Result<Answer, Failure> {
        let mut ranges = Vec::new();
        for source in sources {
            let (first, end) = range(self.connection, self.slot(*source)?)?;
            let source = *source;
            ranges.push(LogRange { source, first, end });
        }
        Ok(Answer::Ranges(ranges))
    }

    pub(crate) fn advance(&self, positions: &[(TopicPartition, i64)]) -> Result<Answer, Failure> {
        let mut advanced = Vec::new();
        for (source, from) in positions {
            let slot = self.slot(*source)?;
            let (_, end) = range(self.connection, slot)?;
            let next = first_in(self.connection, slot, *from..end)?;
            advanced.push((*source, next.unwrap_or_else(|| end.max(*from))));
        }
        Ok(Answer::Advanced(advanced))
    }

    /// Nothing is ever left open in a file where a transaction is one write.
    pub(crate) fn tails(&self, keys: &[(TopicPartition, Vec<u8>)]) -> Result<Answer, Failure> {
        let mut tails = Vec::new();
        for (source, key) in keys {
            tails.push(Tail {
                source: *source,
                committed: self.last(*source, key)?,
                open: Vec::new(),
            });
        }
        Ok(Answer::Tails(tails))
    }

    fn last(&self, source: TopicPartition, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        let topic = self.catalogue.find(self.connection, source.topic.name())?;
        // Only the records of compacted topics are found by their keys; others are looked through.
        let condition = match topic {
            Some(topic) if topic.is_compacted() => "is_compacted = 1 AND ",
            Some(_) | None => "",
        };
        let select = format!(
            "SELECT value FROM records WHERE {condition}key = ?1 \
             AND place >= ?2 AND place < ?3 ORDER BY place DESC LIMIT 1"
        );
        let places = self.slot(source)?.places(0..i64::MAX);
        let mut select = self.connection.prepare_cached(&select)?;
        let value = select.query_row((key, places.start, places.end), |row| row.get(0));
        Ok(value.optional()?.flatten())
    }
}
