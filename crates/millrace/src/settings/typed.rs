//! Settings as the adapters take them.

use std::sync::Arc;

use millrace_kafka::KafkaAccess;
use millrace_runtime::clock::Clock;
use millrace_scylla::{ConfigError, ScyllaStore};

use super::{KafkaSettings, Problem, ScyllaSettings, Settings};

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

    /// For everything else.
    pub(crate) fn access(&self) -> KafkaAccess {
        KafkaAccess::new(self.config())
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
        problems
    }
}
