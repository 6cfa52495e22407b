//! The records of a run, read back into memory in the order of their partition.

use std::ops::Range;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use serde_json::{Value, json};

use crate::Result;
use crate::arguments::Arguments;
use crate::peer;

/// All records of one partition.
#[derive(Debug, Default)]
pub(crate) struct Spool {
    bytes: Vec<u8>,
    records: Vec<(Range<usize>, Range<usize>)>,
    /// How many transactions had a part in it.
    pub(crate) transactions: usize,
}

impl Spool {
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Key and value of the record with this number.
    pub(crate) fn record(&self, number: usize) -> Option<(&[u8], &[u8])> {
        let (key, value) = self.records.get(number)?;
        Some((self.bytes.get(key.clone())?, self.bytes.get(value.clone())?))
    }

    fn push(&mut self, key: &[u8], value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.records.push((start..middle, middle..self.bytes.len()));
    }
}

/// Counts the committed records of a topic.
pub(crate) fn count(arguments: &Arguments) -> Result<Value> {
    let partitions = arguments.number("partitions")?;
    let spools = read(
        arguments.text("brokers")?,
        arguments.text("topic")?,
        partitions,
    )?;
    Ok(json!({"records": spools.iter().map(Spool::len).sum::<usize>()}))
}

/// Reads a whole topic into memory.
pub(crate) fn read(brokers: &str, topic: &str, partitions: i32) -> Result<Vec<Spool>> {
    let mut open: Vec<Open> = (0..partitions).map(|_| Open::default()).collect();
    visit(brokers, (topic, partitions), &mut |message| {
        let index = usize::try_from(message.partition())?;
        let one = open.get_mut(index).ok_or("no such partition")?;
        one.take(message);
        Ok(())
    })?;
    Ok(open.into_iter().map(|one| one.spool).collect())
}

/// Shows every committed record of a topic, each partition in order.
pub(crate) fn visit(
    brokers: &str,
    (topic, partitions): (&str, i32),
    on_record: &mut dyn FnMut(&BorrowedMessage<'_>) -> Result<()>,
) -> Result<()> {
    let mut config = peer::consumer_settings(brokers, "bench.replay");
    config.set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    let mut ended = 0;
    while ended < partitions {
        match consumer.poll(peer::ANSWER_WITHIN) {
            Some(Ok(message)) => on_record(&message)?,
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(error)) => return Err(error.into()),
            None => return Err(format!("`{topic}` cannot be read to its end").into()),
        }
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Open {
    spool: Spool,
    next_offset: i64,
}

impl Open {
    fn take(&mut self, message: &BorrowedMessage<'_>) {
        let key = message.key().unwrap_or_default();
        self.spool.push(key, message.payload().unwrap_or_default());
        // A marker stands before the first record of each transaction but the first one.
        let is_first = self.next_offset == 0 || message.offset() > self.next_offset;
        self.spool.transactions += usize::from(is_first);
        self.next_offset = message.offset() + 1;
    }
}
