//! The settings of each kind of client.

use std::time::Duration;

use millrace_runtime::topic::Topic;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use tracing::{debug, info, warn};

use crate::config::Config;

/// Of a member of the group. A started partition joins the next fetch, so an idle fetch must not
/// wait long. What is fetched ahead is worth some 50 ms of work; the library's own 100,000 records
/// and 64 MiB a worker would be the largest part of its memory.
const MEMBER_DEFAULTS: &[(&str, &str)] = &[
    ("fetch.wait.max.ms", "100"),
    ("queued.min.messages", "20000"),
    ("queued.max.messages.kbytes", "16384"),
];
/// Of a producer. Its queue holds twice the largest batch of a worker (30,000 records, 32 MiB), and
/// some. Retries inside a transaction wait shortly; the library's 100 ms would dominate a commit.
const PRODUCER_DEFAULTS: &[(&str, &str)] = &[
    ("queue.buffering.max.messages", "100000"),
    ("queue.buffering.max.kbytes", "131072"),
    ("retry.backoff.ms", "2"),
    ("retry.backoff.max.ms", "100"),
];
/// A scan learns that it is at the end when a fetch comes back empty.
const SCAN_FETCH_WAIT_MS: &str = "5";
/// How long the library leaves a partition alone whose queue is full. Its default of a second
/// starves a worker that has just emptied the queue.
const FETCH_BACKOFF_MS: &str = "5";
/// A member that does not poll for this long is given up, and so long may one that hangs hold up a
/// rebalance. Workers poll many times a second.
const POLL_INTERVAL_MAX: Duration = Duration::from_mins(1);
const HEARTBEAT_MIN: Duration = Duration::from_millis(100);

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
        let session = self.config.session_timeout;
        let poll_max = POLL_INTERVAL_MAX.max(session.saturating_mul(2));
        let mut member = self.consumer(Isolation::Committed, MEMBER_DEFAULTS);
        member
            .set("session.timeout.ms", millis(session))
            .set(
                "heartbeat.interval.ms",
                millis((session / 5).max(HEARTBEAT_MIN)),
            )
            .set("max.poll.interval.ms", millis(poll_max))
            .set("partition.assignment.strategy", "cooperative-sticky");
        member
    }

    /// A reader of partitions that it is given. It bears the group's name, which costs nothing and
    /// spares a right to another group, but never joins it.
    pub(crate) fn scanner(&self, isolation: Isolation) -> ClientConfig {
        let mut scanner = self.consumer(isolation, &[]);
        scanner
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", SCAN_FETCH_WAIT_MS);
        scanner
    }

    /// A producer whose records become visible by a commit.
    pub(crate) fn transactional(&self, id: &str) -> ClientConfig {
        let timeout = millis(self.config.transaction_timeout);
        let mut producer = self.producer();
        producer
            .set("transactional.id", id)
            .set("transaction.timeout.ms", &timeout)
            .set("message.timeout.ms", &timeout);
        producer
    }

    /// A producer whose records become visible at once.
    pub(crate) fn publisher(&self) -> ClientConfig {
        let timeout = millis(self.config.transaction_timeout);
        let mut producer = self.producer();
        producer
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", timeout);
        producer
    }

    fn consumer(&self, isolation: Isolation, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut consumer = self.over(defaults);
        let isolation = match isolation {
            Isolation::Committed => "read_committed",
            Isolation::Uncommitted => "read_uncommitted",
        };
        consumer
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
        let mut producer = self.over(PRODUCER_DEFAULTS);
        producer
            .set("acks", "all")
            .set("linger.ms", "0")
            .set("delivery.report.only.error", "true");
        producer
    }

    /// What the user set, over these defaults. Not by way of `config_map`, which hides passwords.
    fn over(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut settings = self.config.common();
        for (key, value) in defaults {
            if settings.get(key).is_none() {
                settings.set(*key, *value);
            }
        }
        settings.set("client.id", &self.name);
        settings
    }
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_gets_what_the_user_set_passwords_too() {
        let mut config = Config::new("localhost:9092");
        let set = [
            ("sasl.password", "hush"),
            ("retry.backoff.ms", "7"),
            ("fetch.wait.max.ms", "8"),
        ];
        config
            .properties
            .extend(set.map(|(key, value)| (key.to_owned(), value.to_owned())));
        let clients = Clients::new(config, "group", "name", &[]);
        let member = clients.member();
        let all = [&member, &clients.transactional("id"), &clients.publisher()];
        for settings in all {
            assert_eq!(settings.get("sasl.password"), Some("hush"));
            assert_eq!(settings.get("retry.backoff.ms"), Some("7"));
        }
        assert_eq!(member.get("fetch.wait.max.ms"), Some("8"));
        assert_eq!(member.get("queued.min.messages"), Some("20000"));
        let scanner = clients.scanner(Isolation::Committed);
        assert_eq!(scanner.get("sasl.password"), Some("hush"));
    }
}
