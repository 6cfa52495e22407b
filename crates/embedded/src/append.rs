//! Writing records, within a transaction of the writer.

use std::collections::HashMap;
use std::sync::Arc;

use millrace_runtime::outbox::{NewRecord, Outbox};
use millrace_runtime::topic::{Topic, TopicPartition};

use crate::fault::Failure;
use crate::headers;
use crate::place::Slot;
use crate::topics::StoredTopic;
use crate::writer::Turn;

/// Appends all records of some outboxes; says where each went, in order.
pub(crate) fn append(
    turn: &mut Turn<'_>,
    outboxes: &[&Outbox],
) -> Result<Vec<(TopicPartition, i64)>, Failure> {
    let all = || outboxes.iter().flat_map(|outbox| outbox.iter());
    let mut heads = Heads::default();
    for record in all() {
        heads.count(turn, &record)?;
    }
    heads.reserve(turn)?;
    let mut places = Vec::new();
    for record in all() {
        places.push(insert(turn, &mut heads, &record)?);
    }
    turn.touched.extend(
        heads
            .by_slot
            .into_iter()
            .map(|(slot, head)| (slot, head.next)),
    );
    Ok(places)
}

/// The next offsets of the partitions that are written to.
#[derive(Default)]
struct Heads {
    topics: HashMap<Topic, Arc<StoredTopic>>,
    by_slot: HashMap<Slot, Head>,
}

#[derive(Default)]
struct Head {
    records: i64,
    next: i64,
}

impl Heads {
    /// Looks the partition up, and whether the record may stand there.
    fn count(&mut self, turn: &Turn<'_>, record: &NewRecord<'_>) -> Result<(), Failure> {
        let at = record.topic.partition(record.partition);
        if !self.topics.contains_key(&record.topic) {
            let found = turn
                .shared
                .catalogue
                .find(turn.connection, at.topic.name())?;
            let found = found
                .ok_or_else(|| Failure::Refused(format!("there is no topic `{}`", at.topic)))?;
            self.topics.insert(at.topic, found);
        }
        let Some((topic, slot)) = self.find(at) else {
            return Err(Failure::Refused(format!("there is no partition `{at}`")));
        };
        let bytes = bytes_of(record);
        let limit = topic.number("max.message.bytes").unwrap_or(i64::MAX);
        if i64::try_from(bytes).is_ok_and(|bytes| bytes > limit) {
            return Err(Failure::Refused(format!(
                "a record of {bytes} bytes for `{at}`, which takes {limit}"
            )));
        }
        if topic.is_compacted() && record.key.is_none() {
            return Err(Failure::Refused(format!(
                "a record without a key for `{at}`, which is compacted"
            )));
        }
        self.by_slot.entry(slot).or_default().records += 1;
        Ok(())
    }

    fn find(&self, at: TopicPartition) -> Option<(&StoredTopic, Slot)> {
        let topic = self.topics.get(&at.topic)?;
        Some((topic, topic.slot(at.partition)?))
    }

    fn reserve(&mut self, turn: &Turn<'_>) -> Result<(), Failure> {
        let update = "UPDATE partitions SET next_offset = next_offset + ?2 WHERE slot = ?1 \
                      RETURNING next_offset";
        let mut update = turn.connection.prepare_cached(update)?;
        for (slot, head) in &mut self.by_slot {
            let end: i64 = update.query_row((slot.0, head.records), |row| row.get(0))?;
            head.next = end - head.records;
        }
        Ok(())
    }
}

fn insert(
    turn: &Turn<'_>,
    heads: &mut Heads,
    record: &NewRecord<'_>,
) -> Result<(TopicPartition, i64), Failure> {
    let at = record.topic.partition(record.partition);
    let missing = || Failure::Refused(format!("there is no partition `{at}`"));
    let (topic, slot) = heads.find(at).ok_or_else(missing)?;
    let is_compacted = topic.is_compacted();
    let head = heads.by_slot.get_mut(&slot).ok_or_else(missing)?;
    let offset = head.next;
    head.next += 1;
    let place = slot.place(offset);
    if is_compacted {
        // Of each key only the last record is kept, a tombstone for a while.
        let delete = "DELETE FROM records WHERE is_compacted = 1 AND key = ?1 \
                      AND place >= ?2 AND place < ?3";
        let mut delete = turn.connection.prepare_cached(delete)?;
        delete.execute((record.key, slot.place(0), place))?;
    }
    let insert = "INSERT INTO records (place, timestamp, is_compacted, key, value, headers) \
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut insert = turn.connection.prepare_cached(insert)?;
    let headers = headers::encode(record.headers);
    let timestamp = turn.now.as_micros();
    insert.execute((
        place,
        timestamp,
        is_compacted,
        record.key,
        record.value,
        headers,
    ))?;
    Ok((at, offset))
}

fn bytes_of(record: &NewRecord<'_>) -> usize {
    let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    let headers = record.headers.iter();
    let headers: usize = headers
        .map(|(name, value)| name.len() + length(value.as_deref()))
        .sum();
    length(record.key) + length(record.value) + headers
}
