//! The bare transactional round trip: a command in, three records and the offset out.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::Result;
use crate::arguments::Arguments;
use crate::peer::{self, Bare};

/// Sizes of an event and a snapshot of an account.
const EVENT_BYTES: usize = 150;
const STATE_BYTES: usize = 450;
const OUTCOME_BYTES: usize = 330;
const BATCH_MAX: usize = 10_000;

/// Works on the commands of `aggregate` until standard input is closed. Nothing is decided: the
/// outcome repeats the command, and event and state are filler of the usual size.
pub(crate) fn serve(arguments: &Arguments) -> Result<Value> {
    let brokers = arguments.text("brokers")?;
    let aggregate = arguments.text("aggregate")?;
    let consumer = peer::consumer(brokers, &peer::group(aggregate))?;
    let commands = format!("{aggregate}.commands");
    consumer.subscribe(&[&commands])?;
    let bare = Bare::new(brokers, &format!("{aggregate}.{}", std::process::id()))?;
    let is_over = peer::until_stdin_closes();
    let mut batches = 0_usize;
    while !is_over.load(Ordering::Relaxed) {
        let first = match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(first)) => first,
            Some(Err(error)) => return Err(error.into()),
            None => continue,
        };
        pass_on(&consumer, &bare, aggregate, first)?;
        batches += 1;
    }
    Ok(json!({"batches": batches}))
}

/// One transaction: what has arrived by now.
fn pass_on(
    consumer: &BaseConsumer,
    bare: &Bare,
    aggregate: &str,
    first: BorrowedMessage<'_>,
) -> Result<()> {
    let outputs = Outputs::of(aggregate);
    bare.begin()?;
    let mut offsets = TopicPartitionList::new();
    let mut next = Some(Ok(first));
    for _ in 0..BATCH_MAX {
        let Some(message) = next else { break };
        let message = message?;
        outputs.send(bare, &message)?;
        let (topic, partition) = (message.topic(), message.partition());
        let position = Offset::Offset(message.offset() + 1);
        if offsets.find_partition(topic, partition).is_none() {
            offsets.add_partition(topic, partition);
        }
        offsets.set_partition_offset(topic, partition, position)?;
        next = consumer.poll(Duration::ZERO);
    }
    let group = consumer.group_metadata().ok_or("not in a group")?;
    bare.commit(&offsets, &group)
}

struct Outputs {
    events: String,
    state: String,
    outcomes: String,
}

impl Outputs {
    fn of(aggregate: &str) -> Self {
        let topic = |kind: &str| format!("{aggregate}.{kind}");
        Self {
            events: topic("events"),
            state: topic("state"),
            outcomes: topic("outcomes"),
        }
    }

    fn send(&self, bare: &Bare, message: &BorrowedMessage<'_>) -> Result<()> {
        let partition = message.partition();
        let key = message.key().unwrap_or_default();
        let mut outcome = message.payload().unwrap_or_default().to_vec();
        outcome.resize(outcome.len().max(OUTCOME_BYTES), b' ');
        bare.send(&self.events, partition, (key, &[b'e'; EVENT_BYTES]))?;
        bare.send(&self.outcomes, partition, (key, &outcome))?;
        bare.send(&self.state, partition, (key, &[b's'; STATE_BYTES]))
    }
}
