//! The broker that tests run on.

use std::time::Duration;

use millrace_kafka::{Config, KafkaLog, Role};
use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::outbox::Outbox;
use millrace_runtime::topic::{Topic, TopicPartition};
use millrace_testkit::log_contract::{Bench, WAIT_MAX};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

const TIMEOUT: Duration = Duration::from_secs(20);

/// Where the broker is.
pub(crate) fn address() -> String {
    std::env::var("TEST_KAFKA").unwrap_or_else(|_| {
        panic!("set TEST_KAFKA to the address of a Kafka broker, or run `cargo xtask test`")
    })
}

/// Settings under which a crashed worker is noticed within seconds: the shortest session that a
/// broker with default settings takes.
pub(crate) fn quick() -> Config {
    let mut config = Config::new(address());
    config.session_timeout = Duration::from_secs(6);
    config
}

/// Settings under which a worker that merely stopped would keep its partitions for longer than any
/// test waits.
pub(crate) fn patient() -> Config {
    let mut config = Config::new(address());
    config.session_timeout = Duration::from_secs(45);
    config
}

/// A worker of this group.
pub(crate) fn worker(config: &Config, group: &str, topics: &[Topic]) -> KafkaLog {
    let role = Role::Worker {
        producers: format!("{group}.worker"),
    };
    KafkaLog::open(config, group, topics, role).unwrap()
}

/// Waits until it is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let clock = SystemClock::new();
    while !is_so() {
        assert!(
            clock.now().elapsed < WAIT_MAX,
            "not within {WAIT_MAX:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A real broker. Every test has its own names, so that all run at once.
#[derive(Default)]
pub(crate) struct RealKafka {
    /// Producers that left something open, kept alive.
    open: Vec<BaseProducer>,
}

impl RealKafka {
    pub(crate) fn create(topic: Topic, partitions: i32, settings: &[(&str, &str)]) {
        let admin: AdminClient<DefaultClientContext> = client().create().unwrap();
        let mut new = NewTopic::new(topic.name(), partitions, TopicReplication::Fixed(1));
        for (key, value) in settings {
            new = new.set(key, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(TIMEOUT));
        let made = futures::executor::block_on(admin.create_topics([&new], &options)).unwrap();
        for result in made {
            result.unwrap();
        }
    }
}

pub(crate) fn client() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address());
    config
}

pub(crate) fn send(producer: &BaseProducer, records: &Outbox) {
    for record in records.iter() {
        let mut next: BaseRecord<'_, [u8], [u8]> =
            BaseRecord::to(record.topic.name()).partition(record.partition);
        if let Some(key) = record.key {
            next = next.key(key);
        }
        if let Some(value) = record.value {
            next = next.payload(value);
        }
        let mut headers = OwnedHeaders::new();
        for (key, value) in record.headers {
            let value = value.as_deref();
            headers = headers.insert(Header { key, value });
        }
        producer
            .send(next.headers(headers))
            .map_err(|(error, _)| error)
            .unwrap();
    }
}

pub(crate) fn transactional(id: &str) -> BaseProducer {
    let mut config = client();
    config
        .set("transactional.id", id)
        .set("transaction.timeout.ms", "60000")
        .set("linger.ms", "0");
    let producer: BaseProducer = config.create().unwrap();
    producer.init_transactions(TIMEOUT).unwrap();
    producer
}

impl Bench for RealKafka {
    type Log = KafkaLog;

    fn fresh(&mut self, name: &str) -> String {
        format!("test.{name}.{:016x}", fastrand::u64(..))
    }

    fn create_topic(&mut self, topic: Topic, partitions: i32) {
        Self::create(topic, partitions, &[]);
    }

    fn open(&mut self, group: &str, topics: &[Topic]) -> KafkaLog {
        worker(&patient(), group, topics)
    }

    fn produce(&mut self, records: &Outbox) {
        let producer: BaseProducer = client().set("linger.ms", "0").create().unwrap();
        send(&producer, records);
        producer.flush(TIMEOUT).unwrap();
    }

    fn transact(&mut self, records: &Outbox, committed: bool) {
        let id = self.fresh("other");
        let producer = transactional(&id);
        producer.begin_transaction().unwrap();
        send(&producer, records);
        producer.flush(TIMEOUT).unwrap();
        if committed {
            producer.commit_transaction(TIMEOUT).unwrap();
        } else {
            producer.abort_transaction(TIMEOUT).unwrap();
        }
    }

    fn leave_open(&mut self, transactional_id: &str, records: &Outbox) {
        let producer = transactional(transactional_id);
        producer.begin_transaction().unwrap();
        send(&producer, records);
        producer.flush(TIMEOUT).unwrap();
        self.open.push(producer);
    }

    fn delete_before(&mut self, at: TopicPartition, offset: i64) {
        let admin: AdminClient<DefaultClientContext> = client().create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(at.topic.name(), at.partition, Offset::Offset(offset))
            .unwrap();
        let deleted = admin.delete_records(&list, &AdminOptions::new());
        let deleted = futures::executor::block_on(deleted).unwrap();
        for element in deleted.elements() {
            element.error().unwrap();
        }
    }
}
