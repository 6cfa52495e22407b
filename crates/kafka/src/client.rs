//! The settings of each kind of client.

use std::time::Duration;

use millrace_runtime::topic::Topic;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use tracing::{debug, info, warn};

use crate::config::Config;

/// Twice the largest batch of a worker (30,000 records, 32 MiB), and some.
const PRODUCER_RECORDS_MAX: &str = "100000";
const PRODUCER_KIB_MAX: &str = "131072";
/// A started partition joins the next fetch, so an idle fetch must not wait long.
const FETCH_WAIT_MS: &str = "100";
/// A scan learns that it is at the end when a fetch comes back empty.
const SCAN_FETCH_WAIT_MS: &str = "5";
/// How long the library leaves a partition alone whose queue is full. Its default of a second
/// starves a worker that has just emptied the queue.
const FETCH_BACKOFF_MS: &str = "5";
/// Retries inside a transaction wait this long; the default of 100 ms dominates a commit.
const RETRY_BACKOFF_MS: &str = "2";
const RETRY_BACKOFF_MAX_MS: &str = "100";

/// Which records a reader gets to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// Those of finished transactions, up to the stable end.
    Committed,
    /// All, up to the high watermark.
    Uncommitted,
}

/// Makes client settings for one group.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    config: Config,
    group: String,
    name: String,
    topics: Vec<Topic>,
}

impl Clients {
    pub(crate) fn new(config: Config, group: &str, name: &str, topics: &[Topic]) -> Self {
        Self {
            config,
            group: group.to_owned(),
            name: name.to_owned(),
            topics: topics.to_vec(),
        }
    }

    pub(crate) fn transaction_timeout(&self) -> Duration {
        self.config.transaction_timeout
    }

    /// A topic that exists, if the log can work at all.
    pub(crate) fn any_topic(&self) -> Option<&'static str> {
        self.topics.first().map(|topic| topic.name())
    }

    pub(crate) fn group(&self) -> &str {
        &self.group
    }

    /// A member of the group.
    pub(crate) fn member(&self) -> ClientConfig {
        let session_ms = self.config.session_timeout.as_millis();
        let mut member = self.consumer(Isolation::Committed);
        member
            .set("session.timeout.ms", session_ms.to_string())
            .set(
                "heartbeat.interval.ms",
                (session_ms / 5).max(100).to_string(),
            )
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("fetch.wait.max.ms", FETCH_WAIT_MS);
        member
    }

    /// A reader of partitions that it is given. It bears the group's name, which costs nothing and
    /// spares a right to another group, but never joins it.
    pub(crate) fn scanner(&self, isolation: Isolation) -> ClientConfig {
        let mut scanner = self.consumer(isolation);
        scanner
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", SCAN_FETCH_WAIT_MS);
        scanner
    }

    /// A producer whose records become visible by a commit.
    pub(crate) fn transactional(&self, id: &str) -> ClientConfig {
        let timeout_ms = self.config.transaction_timeout.as_millis().to_string();
        let mut producer = self.producer();
        producer
            .set("transactional.id", id)
            .set("transaction.timeout.ms", &timeout_ms)
            .set("message.timeout.ms", &timeout_ms);
        producer
    }

    /// A producer whose records become visible at once.
    pub(crate) fn publisher(&self) -> ClientConfig {
        let timeout_ms = self.config.transaction_timeout.as_millis().to_string();
        let mut producer = self.producer();
        producer
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", timeout_ms);
        producer
    }

    fn consumer(&self, isolation: Isolation) -> ClientConfig {
        let mut consumer = self.config.common();
        let isolation = match isolation {
            Isolation::Committed => "read_committed",
            Isolation::Uncommitted => "read_uncommitted",
        };
        consumer
            .set("client.id", &self.name)
            .set("group.id", &self.group)
            .set("isolation.level", isolation)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("allow.auto.create.topics", "false")
            .set("fetch.queue.backoff.ms", FETCH_BACKOFF_MS);
        consumer
    }

    fn producer(&self) -> ClientConfig {
        let mut producer = ClientConfig::new();
        producer
            // A batch is complete when it is sent: waiting for more only delays the commit.
            .set("linger.ms", "0")
            .set("queue.buffering.max.messages", PRODUCER_RECORDS_MAX)
            .set("queue.buffering.max.kbytes", PRODUCER_KIB_MAX)
            .set("retry.backoff.ms", RETRY_BACKOFF_MS)
            .set("retry.backoff.max.ms", RETRY_BACKOFF_MAX_MS);
        for (key, value) in self.config.common().config_map() {
            producer.set(key, value);
        }
        producer
            .set("client.id", &self.name)
            .set("acks", "all")
            .set("delivery.report.only.error", "true");
        producer
    }
}

/// The context of a client whose calls report their errors themselves.
#[derive(Debug, Default)]
pub(crate) struct Plain;

impl ClientContext for Plain {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "client reports");
    }
}

impl rdkafka::consumer::ConsumerContext for Plain {}

/// Passes on a line of the client library.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    // One set of properties serves consumers and producers; each complains of the other's.
    if facility == "CONFWARN" {
        debug!(facility, message, "client library");
        return;
    }
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => warn!(facility, message, "client library"),
        RDKafkaLogLevel::Notice => info!(facility, message, "client library"),
        RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            debug!(facility, message, "client library");
        }
    }
}
