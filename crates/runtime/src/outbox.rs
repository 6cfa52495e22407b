//! Records on their way out, in one growing buffer instead of an allocation each.

use std::ops::Range;

use crate::topic::Topic;

/// A header to be written.
pub type NewHeader = (String, Option<Vec<u8>>);

/// Records in the order in which they will be written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outbox {
    arena: Vec<u8>,
    slots: Vec<Slot>,
    header_bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    topic: Topic,
    partition: i32,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    headers: Vec<NewHeader>,
}

/// A record to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewRecord<'a> {
    /// Where to.
    pub topic: Topic,
    /// Always explicit: never left to a client's partitioner.
    pub partition: i32,
    /// The aggregate's id, or a task record's reserved key.
    pub key: Option<&'a [u8]>,
    /// Nothing is a tombstone.
    pub value: Option<&'a [u8]>,
    /// In this order.
    pub headers: &'a [NewHeader],
}

impl Outbox {
    /// Appends a record whose value `write` appends to the buffer. What a failing `write` has left
    /// there is taken back.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn push_with<E>(
        &mut self,
        topic: Topic,
        partition: i32,
        key: &[u8],
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.arena.len();
        self.arena.extend_from_slice(key);
        let middle = self.arena.len();
        if let Err(error) = write(&mut self.arena) {
            self.arena.truncate(start);
            return Err(error);
        }
        let end = self.arena.len();
        self.slots.push(Slot {
            topic,
            partition,
            key: Some(start..middle),
            value: Some(middle..end),
            headers: Vec::new(),
        });
        Ok(())
    }

    /// Appends a record.
    pub fn push(&mut self, record: NewRecord<'_>) {
        let key = record.key.map(|bytes| self.append(bytes));
        let value = record.value.map(|bytes| self.append(bytes));
        let NewRecord {
            topic,
            partition,
            headers,
            ..
        } = record;
        self.header_bytes += bytes_of(headers);
        self.slots.push(Slot {
            topic,
            partition,
            key,
            value,
            headers: headers.to_vec(),
        });
    }

    /// Gives the last record these headers.
    pub fn set_headers(&mut self, headers: Vec<NewHeader>) {
        if let Some(slot) = self.slots.last_mut() {
            self.header_bytes += bytes_of(&headers);
            self.header_bytes -= bytes_of(&slot.headers);
            slot.headers = headers;
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes);
        start..self.arena.len()
    }

    /// All records, in order.
    pub fn iter(&self) -> impl Iterator<Item = NewRecord<'_>> {
        self.slots.iter().map(|slot| NewRecord {
            topic: slot.topic,
            partition: slot.partition,
            key: slot.key.clone().and_then(|range| self.arena.get(range)),
            value: slot.value.clone().and_then(|range| self.arena.get(range)),
            headers: &slot.headers,
        })
    }

    /// The value of the record appended last.
    pub fn last_value(&self) -> Option<&[u8]> {
        let range = self.slots.last()?.value.clone()?;
        self.arena.get(range)
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Bytes of all keys, values and headers.
    pub fn bytes(&self) -> usize {
        self.arena.len() + self.header_bytes
    }

    /// A place to come back to with [`Self::rewind`].
    pub fn mark(&self) -> (usize, usize) {
        (self.slots.len(), self.arena.len())
    }

    /// Takes back everything appended since [`Self::mark`].
    pub fn rewind(&mut self, (slots, bytes): (usize, usize)) {
        let gone = self.slots.get(slots..).unwrap_or_default();
        self.header_bytes -= gone
            .iter()
            .map(|slot| bytes_of(&slot.headers))
            .sum::<usize>();
        self.slots.truncate(slots);
        self.arena.truncate(bytes);
    }
}

fn bytes_of(headers: &[NewHeader]) -> usize {
    let value = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
    headers.iter().map(|(name, v)| name.len() + value(v)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: Topic = Topic::new("t");

    #[test]
    fn what_a_failing_writer_left_is_taken_back() {
        let mut outbox = Outbox::default();
        let failed = outbox.push_with(TOPIC, 0, b"k", |into| {
            into.extend_from_slice(b"half");
            Err("no")
        });
        assert_eq!(failed, Err("no"));
        assert_eq!((outbox.len(), outbox.bytes()), (0, 0));
    }

    #[test]
    fn records_come_back_as_they_went_in() {
        let mut outbox = Outbox::default();
        let headers = [("h".to_owned(), None)];
        outbox.push(NewRecord {
            topic: TOPIC,
            partition: 2,
            key: None,
            value: Some(b"v"),
            headers: &headers,
        });
        let mark = outbox.mark();
        outbox
            .push_with(TOPIC, 1, b"key", |into| {
                into.push(7);
                Ok::<_, ()>(())
            })
            .unwrap();
        let second = outbox.iter().nth(1).unwrap();
        assert_eq!(
            (second.key, second.value),
            (Some(&b"key"[..]), Some(&[7_u8][..]))
        );
        assert_eq!(outbox.bytes(), 1 + 1 + 3 + 1);
        outbox.set_headers(vec![("name".to_owned(), Some(vec![0; 10]))]);
        assert_eq!(outbox.bytes(), 6 + 14);
        outbox.rewind(mark);
        assert_eq!(outbox.bytes(), 2);
        let all: Vec<_> = outbox.iter().collect();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].headers, &headers);
        assert_eq!(all[0].key, None);
    }
}
