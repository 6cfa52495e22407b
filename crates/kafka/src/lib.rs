//! The log port on Apache Kafka.
//!
//! [`KafkaLog`] is a worker's place in a consumer group with, for a [`Role::Worker`], one
//! transactional producer. It is a device: it carries out effects and reports events, and branches
//! on nothing but what its client says. This is the only crate that names rdkafka.
//!
//! Threads of one log: the caller's, which polls; one that owns the producer and may block in it;
//! one that serves the producer's reports; and a short-lived one for each question. Every blocking
//! call is under a watchdog: when it does not come back, its thread is left alone with its client,
//! an honest failure is reported, and the next attempt gets a new client. So a hang in the client
//! library costs a thread, never a worker.

mod access;
mod ask;
mod client;
mod config;
mod delivery;
mod failure;
mod group;
mod headers;
mod health;
mod kafka_log;
mod leaving;
mod offsets;
mod producer;
mod publish;
mod scan;
mod state;
mod transaction;
mod watch;
mod writing;

pub use access::KafkaAccess;
pub use config::{Config, InvalidConfig};
pub use kafka_log::{KafkaLog, OpenError};
pub use writing::Role;
