//! The settings of each component.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Where records and rows are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Backend {
    /// In one file.
    #[default]
    Embedded,
    /// In Kafka and a CQL store.
    Kafka,
}

/// Where a consumer group without a position begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// At the first record.
    Beginning,
    /// Behind the last record.
    End,
}

/// Of the HTTP server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HttpSettings {
    /// Where it listens.
    pub(crate) listen: Listen,
    /// Whether somebody asked for that address; if not, another port will do.
    pub(crate) is_listen_given: bool,
}

/// Where to listen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Listen {
    /// Nowhere.
    #[default]
    Off,
    /// At this host and port.
    Address(String),
}

/// Of log lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LogSettings {
    /// Their form.
    pub(crate) format: LogFormat,
    /// The least severe ones that are shown.
    pub(crate) level: String,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KafkaSettings {
    /// Brokers to ask first.
    pub(crate) brokers: Vec<String>,
    /// After which silence a member of a group counts as gone.
    pub(crate) session_timeout: Duration,
    /// After which silence a transaction is ended.
    pub(crate) transaction_timeout: Duration,
    /// Passed through to the client.
    pub(crate) properties: BTreeMap<String, String>,
}

/// Of the CQL store.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct ScyllaSettings {
    /// Nodes to ask first.
    pub(crate) nodes: Vec<String>,
    /// Role to log in as; none when empty.
    pub(crate) user: String,
    /// Its password.
    pub(crate) password: String,
    /// Replicas in each data centre.
    pub(crate) replication_factor: u16,
    /// Consistency level, in kebab case.
    pub(crate) consistency: String,
    /// Age at which an acknowledged row survives the crash of its node.
    pub(crate) durable_after: Duration,
}

impl fmt::Debug for ScyllaSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ScyllaSettings")
            .field("nodes", &self.nodes)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Of outgoing mail.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct SmtpSettings {
    /// The mail server, password included.
    pub(crate) url: Option<String>,
    /// Sender of mails.
    pub(crate) from: String,
    /// How long one attempt may take.
    pub(crate) timeout: Duration,
}

impl fmt::Debug for SmtpSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SmtpSettings")
            .field("from", &self.from)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Of the bonus policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BonusSettings {
    /// Who gets it.
    pub(crate) account: String,
    /// Which part of a deposit it is.
    pub(crate) divisor: i64,
    /// From which balance on there is none.
    pub(crate) cap: i64,
}
