//! Clients as a careful user of the bare library sets them up, and what they cost.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::util::Timeout;

use crate::Result;

/// For each answer of the broker.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const LEADER_TRIES_MAX: u32 = 100;
const LEADER_LOOK: Duration = Duration::from_millis(100);
const STEP: Duration = Duration::from_micros(100);
const STEP_MAX: Duration = Duration::from_millis(1);
const EAGER_STEPS: usize = 50;

/// The consumer group that decides an aggregate's commands.
pub(crate) fn group(aggregate: &str) -> String {
    format!("{aggregate}.commands")
}

pub(crate) fn common(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("allow.auto.create.topics", "false");
    config
}

/// A consumer of committed records; commits nothing by itself.
pub(crate) fn consumer(brokers: &str, group: &str) -> Result<BaseConsumer> {
    Ok(consumer_settings(brokers, group).create()?)
}

pub(crate) fn consumer_settings(brokers: &str, group: &str) -> ClientConfig {
    let mut config = common(brokers);
    config
        .set("group.id", group)
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("fetch.queue.backoff.ms", "2")
        .set("partition.assignment.strategy", "cooperative-sticky");
    config
}

/// The end of a partition. One of a topic that was just made may have no leader yet.
pub(crate) fn end_of(consumer: &BaseConsumer, topic: &str, partition: i32) -> Result<i64> {
    let mut tries = 1;
    loop {
        match consumer.fetch_watermarks(topic, partition, ANSWER_WITHIN) {
            Ok((_, end)) => return Ok(end),
            Err(error) if tries == LEADER_TRIES_MAX => return Err(error.into()),
            Err(_) => thread::sleep(LEADER_LOOK),
        }
        tries += 1;
    }
}

/// Settings of a producer: a batch is complete when it is sent.
pub(crate) fn producer(brokers: &str) -> ClientConfig {
    let mut config = common(brokers);
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "0")
        .set("queue.buffering.max.messages", "1000000")
        .set("queue.buffering.max.kbytes", "1048576")
        .set("retry.backoff.ms", "5")
        .set("delivery.report.only.error", "true");
    config
}

/// A bare transactional producer without the client's 100 ms flush: reports are served by another
/// thread, and everything is acknowledged before the commit is asked for.
pub(crate) struct Bare {
    client: Arc<BaseProducer>,
    is_over: Arc<AtomicBool>,
}

impl Bare {
    pub(crate) fn new(brokers: &str, id: &str) -> Result<Self> {
        let mut config = producer(brokers);
        config.set("transactional.id", id);
        let client: Arc<BaseProducer> = Arc::new(config.create()?);
        let is_over = Arc::new(AtomicBool::new(false));
        let (served, over) = (Arc::clone(&client), Arc::clone(&is_over));
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                served.poll(Duration::from_secs(1));
            }
        });
        client.init_transactions(ANSWER_WITHIN)?;
        Ok(Self { client, is_over })
    }

    pub(crate) fn begin(&self) -> Result<()> {
        Ok(self.client.begin_transaction()?)
    }

    pub(crate) fn send(&self, topic: &str, partition: i32, record: (&[u8], &[u8])) -> Result<()> {
        let (key, value) = record;
        let mut next = BaseRecord::to(topic)
            .partition(partition)
            .key(key)
            .payload(value);
        loop {
            match self.client.send(next) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    thread::sleep(STEP_MAX);
                    next = back;
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
    }

    pub(crate) fn commit(
        &self,
        offsets: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
    ) -> Result<()> {
        self.client
            .send_offsets_to_transaction(offsets, group, ANSWER_WITHIN)?;
        let mut steps = 0;
        while self.client.in_flight_count() > 0 {
            thread::sleep(if steps < EAGER_STEPS { STEP } else { STEP_MAX });
            steps += 1;
        }
        Ok(self.client.commit_transaction(Timeout::Never)?)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// Becomes true when standard input is closed.
pub(crate) fn until_stdin_closes() -> Arc<AtomicBool> {
    let is_over = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_over);
    thread::spawn(move || {
        // An error of a pipe is an end too.
        let ended = std::io::stdin().read_to_end(&mut Vec::new());
        told.store(ended.is_ok() || ended.is_err(), Ordering::Relaxed);
    });
    is_over
}

/// Milliseconds of processor time that this process has used, in user and system mode.
pub(crate) fn cpu_ms() -> Result<u64> {
    /// The kernel counts in hundredths of a second on every architecture that we know.
    const TICK_MS: u64 = 10;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(") ").ok_or("unreadable /proc/self/stat")?;
    let mut ticks = 0;
    for field in fields.split(' ').skip(11).take(2) {
        ticks += field.parse::<u64>()?;
    }
    Ok(ticks * TICK_MS)
}
