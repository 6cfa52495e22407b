//! Settings as the adapters take them.

use std::sync::Arc;

use millrace_runtime::clock::Clock;
use millrace_scylla::{ConfigError, ScyllaStore};
use millrace_smtp::{SmtpConfig, SmtpSender};

use super::{KafkaSettings, Problem, ScyllaSettings, Settings, SmtpSettings};

impl KafkaSettings {
    /// For workers.
    pub(crate) fn config(&self) -> millrace_kafka::Config {
        millrace_kafka::Config {
            brokers: self.brokers.join(","),
            session_timeout: self.session_timeout,
            transaction_timeout: self.transaction_timeout,
            properties: self.properties.clone(),
        }
    }
}

impl ScyllaSettings {
    /// The read tables; connects when it is first used.
    pub(crate) fn store(&self, clock: Arc<dyn Clock>) -> Result<ScyllaStore, ConfigError> {
        ScyllaStore::new(self.config()?, clock)
    }

    fn config(&self) -> Result<millrace_scylla::Config, ConfigError> {
        Ok(millrace_scylla::Config {
            nodes: self.nodes.clone(),
            user: self.user.clone(),
            password: self.password.clone(),
            consistency: self.consistency.parse()?,
            replication_factor: self.replication_factor,
        })
    }
}

impl SmtpSettings {
    /// The sender of mails, if there is a mail server; connects when it has a mail.
    pub(crate) fn sender(&self) -> Result<Option<SmtpSender>, millrace_smtp::ConfigError> {
        let Some(url) = &self.url else {
            return Ok(None);
        };
        SmtpSender::new(&SmtpConfig {
            url: url.clone(),
            from: self.from.clone(),
        })
        .map(Some)
    }
}

impl Settings {
    /// What the adapters find wrong.
    pub(super) fn check_adapters(&self, clock: Arc<dyn Clock>) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Err(error) = self.kafka.config().validate() {
            problems.push(Problem::new("", None, error.to_string()));
        }
        if let Err(error) = self.scylla.store(clock) {
            problems.push(Problem::new(error.key, None, error.reason));
        }
        if let Some(url) = &self.schema_registry_url
            && let Err(error) = millrace_avro::Registry::new(url)
        {
            problems.push(Problem::new("schema-registry.url", None, error.to_string()));
        }
        if let Err(error) = self.smtp.sender() {
            problems.push(Problem::new(error.key, None, error.reason));
        }
        problems
    }
}
