//! One deposit at a time, and what follows from it, by the times at which the broker appended.

use std::time::Duration;

use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::partitioner::partition_of;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::BaseProducer;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::Result;
use crate::arguments::Arguments;
use crate::fill::{Command, send};
use crate::peer;

const COMMANDS: &str = "bank.account.commands";
const OUTCOMES: &str = "bank.account.outcomes";
const GIVE_UP_AFTER: Duration = Duration::from_mins(1);

/// Pays `amount` to `account` `count` times, each when the last one's follow-up is decided. Tells
/// of each when, in milliseconds, these were appended: the deposit, its outcome, the follow-up,
/// its outcome.
pub(crate) fn follow(arguments: &Arguments) -> Result<Value> {
    let mut follower = Follower::new(arguments)?;
    for _ in 0..arguments.number::<usize>("warm-up")? {
        follower.deposit()?;
    }
    let mut times = Vec::new();
    for _ in 0..arguments.number::<usize>("count")? {
        times.push(follower.deposit()?);
    }
    Ok(json!({"times": times}))
}

struct Follower {
    producer: BaseProducer,
    consumer: BaseConsumer,
    clock: SystemClock,
    account: String,
    amount: i64,
    partition: i32,
    sent: usize,
}

impl Follower {
    fn new(arguments: &Arguments) -> Result<Self> {
        let brokers = arguments.text("brokers")?;
        let partitions = arguments.number("partitions")?;
        let account = arguments.text("account")?.to_owned();
        let consumer = peer::consumer(brokers, "bench.follow")?;
        let mut ends = TopicPartitionList::new();
        for topic in [COMMANDS, OUTCOMES] {
            for partition in 0..partitions {
                let end = peer::end_of(&consumer, topic, partition)?;
                ends.add_partition_offset(topic, partition, Offset::Offset(end))?;
            }
        }
        consumer.assign(&ends)?;
        Ok(Self {
            producer: peer::producer(brokers).create()?,
            consumer,
            clock: SystemClock::new(),
            partition: partition_of(account.as_bytes(), partitions),
            account,
            amount: arguments.number("amount")?,
            sent: 0,
        })
    }

    fn deposit(&mut self) -> Result<[i64; 4]> {
        self.sent += 1;
        let id = format!("follow-{:08}", self.sent);
        let command = json!({"type": "DepositMoney", "data": {"amount": self.amount},
            "command_id": id});
        let command = Command {
            key: self.account.clone(),
            text: command.to_string(),
        };
        let start = self.clock.now().elapsed;
        send(&self.producer, self.partition, &command)?;
        let mut seen = Seen::default();
        while self.clock.now().elapsed.saturating_sub(start) < GIVE_UP_AFTER {
            if let Some(message) = self.consumer.poll(Duration::from_millis(100)) {
                seen.take(&message?, &id)?;
            }
            if let Some(times) = seen.times() {
                self.producer.poll(Duration::ZERO);
                return Ok(times);
            }
        }
        Err(format!("`{id}` or what follows from it has no outcome").into())
    }
}

/// What has been seen of one deposit. A follow-up can be seen before the outcome that names its
/// cause, so it is known by its actor: nothing else is under way.
#[derive(Default)]
struct Seen {
    command: Option<i64>,
    outcome: Option<i64>,
    /// The event that the deposit has led to.
    event_id: Option<String>,
    follow_up: Option<(i64, String)>,
    follow_up_outcome: Option<(i64, String)>,
}

impl Seen {
    fn take(&mut self, message: &BorrowedMessage<'_>, id: &str) -> Result<()> {
        let record: Value = serde_json::from_slice(message.payload().unwrap_or_default())?;
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let time = message.timestamp().to_millis().ok_or("without a time")?;
        let cause = || text("causation_id").unwrap_or_default().to_owned();
        let is_deposit = text("command_id") == Some(id);
        match message.topic() {
            COMMANDS if is_deposit => self.command = Some(time),
            COMMANDS => self.follow_up = Some((time, cause())),
            _ if is_deposit => {
                let version = record.get("last_version").ok_or("the deposit is refused")?;
                let account = text("aggregate_id").unwrap_or_default();
                self.event_id = Some(format!("bank.account/{account}/{version}"));
                self.outcome = Some(time);
            }
            _ => self.follow_up_outcome = Some((time, cause())),
        }
        Ok(())
    }

    /// Once all of it is there, and the follow-up is this deposit's.
    fn times(&self) -> Option<[i64; 4]> {
        let event_id = self.event_id.as_ref()?;
        let of_ours = |seen: &Option<(i64, String)>| {
            let (time, cause) = seen.as_ref()?;
            (cause == event_id).then_some(*time)
        };
        Some([
            self.command?,
            self.outcome?,
            of_ours(&self.follow_up)?,
            of_ours(&self.follow_up_outcome)?,
        ])
    }
}
