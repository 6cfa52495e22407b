//! One command at a time, sent to the worker and to the bare peer in turns.

use std::time::Duration;

use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::partitioner::partition_of;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::Result;
use crate::arguments::Arguments;
use crate::peer;

/// Pings of one system before it is the other's turn: short beside what disturbs the machine.
const BLOCK: usize = 10;
const ACCOUNTS: usize = 50;
const GIVE_UP_AFTER: Duration = Duration::from_mins(1);

/// Pings `aggregates`, two of them, `count` times each, in blocks A B B A.
pub(crate) fn compare(arguments: &Arguments) -> Result<Value> {
    let aggregates: Vec<&str> = arguments.text("aggregates")?.split(',').collect();
    let [first, second] = aggregates.as_slice() else {
        return Err("two aggregates are compared".into());
    };
    let partitions = arguments.number("partitions")?;
    let mut both = Vec::new();
    for aggregate in [first, second] {
        both.push(Pinger::new(
            arguments.text("brokers")?,
            aggregate,
            partitions,
        )?);
    }
    for pinger in &mut both {
        pinger.open_accounts()?;
        pinger.ping(arguments.number("warm-up")?)?;
        pinger.micros.clear();
    }
    let blocks = arguments.number::<usize>("count")?.div_ceil(BLOCK);
    for block in 0..blocks {
        let turns = if block % 2 == 0 { [0, 1] } else { [1, 0] };
        for turn in turns {
            if let Some(pinger) = both.get_mut(turn) {
                pinger.ping(BLOCK)?;
            }
        }
    }
    let measured = both.iter().map(|pinger| pinger.micros.clone());
    Ok(json!({"micros": measured.collect::<Vec<_>>()}))
}

/// A sender that waits for its outcome.
struct Pinger {
    producer: BaseProducer,
    consumer: BaseConsumer,
    clock: SystemClock,
    topic: String,
    partitions: i32,
    sent: usize,
    micros: Vec<u128>,
}

impl Pinger {
    fn new(brokers: &str, aggregate: &str, partitions: i32) -> Result<Self> {
        let consumer = peer::consumer(brokers, "bench.ping")?;
        let outcomes = format!("{aggregate}.outcomes");
        let mut ends = TopicPartitionList::new();
        for partition in 0..partitions {
            let end = peer::end_of(&consumer, &outcomes, partition)?;
            ends.add_partition_offset(&outcomes, partition, Offset::Offset(end))?;
        }
        consumer.assign(&ends)?;
        Ok(Self {
            producer: peer::producer(brokers).create()?,
            consumer,
            clock: SystemClock::new(),
            topic: format!("{aggregate}.commands"),
            partitions,
            sent: 0,
            micros: Vec::new(),
        })
    }

    fn open_accounts(&mut self) -> Result<()> {
        for account in 0..ACCOUNTS {
            let data = json!({"first_name": "Ping", "last_name": "Pong",
                "email": "ping@example.org"});
            self.round_trip(account, "OpenAccount", &data)?;
        }
        Ok(())
    }

    fn ping(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            let account = self.sent % ACCOUNTS;
            self.round_trip(account, "DepositMoney", &json!({"amount": 1}))?;
        }
        Ok(())
    }

    fn round_trip(&mut self, account: usize, kind: &str, data: &Value) -> Result<()> {
        self.sent += 1;
        let command_id = format!("ping-{:08}", self.sent);
        let command = json!({"type": kind, "data": data, "command_id": command_id}).to_string();
        let key = format!("ping-{account}");
        let record = BaseRecord::to(&self.topic)
            .partition(partition_of(key.as_bytes(), self.partitions))
            .key(&key)
            .payload(&command);
        let start = self.clock.now().elapsed;
        self.producer.send(record).map_err(|(error, _)| error)?;
        loop {
            let took = self.clock.now().elapsed.saturating_sub(start);
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(outcome)) if names(outcome.payload(), &command_id) => break,
                Some(Err(error)) => return Err(error.into()),
                Some(Ok(_)) | None if took < GIVE_UP_AFTER => {}
                Some(Ok(_)) | None => return Err(format!("no outcome of `{command_id}`").into()),
            }
        }
        let took = self.clock.now().elapsed.saturating_sub(start);
        self.micros.push(took.as_micros());
        self.producer.poll(Duration::ZERO);
        Ok(())
    }
}

fn names(outcome: Option<&[u8]>, command_id: &str) -> bool {
    let outcome = outcome.unwrap_or_default();
    let id = command_id.as_bytes();
    outcome.windows(id.len()).any(|window| window == id)
}
