//! What a user may set, and what is ours.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

/// Keys that decide about correctness or are settings of ours; passing one is an error.
const OWNED_KEYS: &[&str] = &[
    "acks",
    "allow.auto.create.topics",
    "auto.commit.enable",
    "auto.commit.interval.ms",
    "auto.offset.reset",
    "bootstrap.servers",
    "client.id",
    "delivery.report.only.error",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "group.protocol.type",
    "group.remote.assignor",
    "heartbeat.interval.ms",
    "isolation.level",
    "log.queue",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "max.poll.interval.ms",
    "message.send.max.retries",
    "message.timeout.ms",
    "metadata.broker.list",
    "offset.store.method",
    "partition.assignment.strategy",
    "partitioner",
    "request.required.acks",
    "retries",
    "session.timeout.ms",
    "statistics.interval.ms",
    "test.mock.num.brokers",
    "transaction.timeout.ms",
    "transactional.id",
];

/// The shortest time-out that leaves room for a commit on a busy machine.
const TIMEOUT_MIN: Duration = Duration::from_millis(500);
/// Brokers refuse longer transactions (`transaction.max.timeout.ms`).
const TIMEOUT_MAX: Duration = Duration::from_mins(15);

/// How to reach a cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// Comma-separated `host:port` of some brokers.
    pub brokers: String,
    /// A member that is silent for this long loses its partitions. Default 10s.
    pub session_timeout: Duration,
    /// A transaction older than this is aborted by the broker. Default 10s.
    pub transaction_timeout: Duration,
    /// Further keys of the client library, among them `security.protocol`, `ssl.*` and `sasl.*`.
    pub properties: BTreeMap<String, String>,
}

impl Config {
    /// Reaches these brokers, with the defaults of everything else.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            session_timeout: Duration::from_secs(10),
            transaction_timeout: Duration::from_secs(10),
            properties: BTreeMap::new(),
        }
    }

    /// Looks at every setting without connecting.
    ///
    /// # Errors
    /// The first setting that is not ours to take, unknown, or out of range.
    pub fn validate(&self) -> Result<(), InvalidConfig> {
        if self.brokers.trim().is_empty() {
            return Err(InvalidConfig::NoBrokers);
        }
        check_range("session-timeout", self.session_timeout)?;
        check_range("transaction-timeout", self.transaction_timeout)?;
        if let Some(key) = self.properties.keys().find(|key| is_owned(key)) {
            return Err(InvalidConfig::Owned { key: key.clone() });
        }
        for (key, value) in &self.properties {
            let mut alone = ClientConfig::new();
            alone.set(key, value);
            if let Err(error) = alone.create_native_config() {
                return Err(InvalidConfig::Refused {
                    key: key.clone(),
                    reason: refusal(&error),
                });
            }
        }
        Ok(())
    }

    /// What every client of this cluster has in common.
    pub(crate) fn common(&self) -> ClientConfig {
        let mut common = ClientConfig::new();
        // A quick return after an outage is worth more than sparing a broker that is starting.
        common.set("reconnect.backoff.max.ms", "1000");
        // A topic that is created while we wait for it is noticed within this time.
        common.set("topic.metadata.refresh.interval.ms", "10000");
        for (key, value) in &self.properties {
            common.set(key, value);
        }
        common.set("bootstrap.servers", &self.brokers);
        common
    }
}

impl fmt::Debug for Config {
    /// Values of properties may be secrets: only their keys are shown.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Config")
            .field("brokers", &self.brokers)
            .field("session_timeout", &self.session_timeout)
            .field("transaction_timeout", &self.transaction_timeout)
            .field("properties", &self.properties.keys())
            .finish()
    }
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// There is nobody to ask.
    #[error("`kafka.brokers` is empty")]
    NoBrokers,
    /// The pipeline sets this one itself.
    #[error("`kafka.properties.{key}` is set by millrace itself and cannot be changed")]
    Owned {
        /// The key.
        key: String,
    },
    /// The client library does not know it, or not this value.
    #[error("`kafka.properties.{key}`: {reason}")]
    Refused {
        /// The key.
        key: String,
        /// Without the value, which may be a secret.
        reason: String,
    },
    /// Too short or too long.
    #[error("`kafka.{key}` must lie between {TIMEOUT_MIN:?} and {TIMEOUT_MAX:?}, not {value:?}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// What was set.
        value: Duration,
    },
}

fn check_range(key: &'static str, value: Duration) -> Result<(), InvalidConfig> {
    if (TIMEOUT_MIN..=TIMEOUT_MAX).contains(&value) {
        return Ok(());
    }
    Err(InvalidConfig::OutOfRange { key, value })
}

fn is_owned(key: &str) -> bool {
    // `{topic}.` in front is an older way to write the same key.
    let bare = key.strip_prefix("topic.").unwrap_or(key);
    OWNED_KEYS.contains(&key) || OWNED_KEYS.contains(&bare)
}

/// The library's words without the value.
fn refusal(error: &KafkaError) -> String {
    let KafkaError::ClientConfig(_, description, _, value) = error else {
        return error.to_string();
    };
    if value.is_empty() {
        return description.clone();
    }
    description.replace(value.as_str(), "…")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(key: &str, value: &str) -> Config {
        let mut config = Config::new("localhost:9092");
        config.properties.insert(key.to_owned(), value.to_owned());
        config
    }

    #[test]
    fn every_owned_key_is_refused_by_name() {
        for key in OWNED_KEYS {
            let refused = with(key, "1").validate().unwrap_err();
            assert!(refused.to_string().contains(key), "{refused}");
            assert!(matches!(refused, InvalidConfig::Owned { .. }), "{refused}");
        }
    }

    #[test]
    fn security_settings_pass_through() {
        let mut config = with("security.protocol", "sasl_ssl");
        for (key, value) in [
            ("sasl.mechanisms", "SCRAM-SHA-512"),
            ("sasl.username", "worker"),
            ("sasl.password", "hush"),
            ("ssl.ca.location", "/etc/ca.pem"),
            ("compression.type", "lz4"),
            ("socket.keepalive.enable", "true"),
        ] {
            config.properties.insert(key.to_owned(), value.to_owned());
        }
        config.validate().unwrap();
        let common = config.common();
        assert_eq!(common.get("sasl.password"), Some("hush"));
        assert_eq!(common.get("security.protocol"), Some("sasl_ssl"));
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_refused_without_the_value() {
        let unknown = with("sasl.pasword", "hush").validate().unwrap_err();
        assert!(unknown.to_string().contains("sasl.pasword"), "{unknown}");
        assert!(!unknown.to_string().contains("hush"), "{unknown}");
        let wrong = with("compression.type", "hush").validate().unwrap_err();
        assert!(wrong.to_string().contains("compression.type"), "{wrong}");
        assert!(!wrong.to_string().contains("hush"), "{wrong}");
    }

    #[test]
    fn values_of_properties_are_not_shown() {
        let shown = format!("{:?}", with("sasl.password", "hush"));
        assert!(
            shown.contains("sasl.password") && !shown.contains("hush"),
            "{shown}"
        );
    }

    #[test]
    fn time_outs_out_of_range_are_refused() {
        let mut config = Config::new("localhost:9092");
        config.transaction_timeout = Duration::from_millis(1);
        let refused = config.validate().unwrap_err().to_string();
        assert!(refused.contains("transaction-timeout"), "{refused}");
        assert_eq!(Config::new(" ").validate(), Err(InvalidConfig::NoBrokers));
    }
}
