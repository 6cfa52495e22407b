//! The read-table port on ScyllaDB and Apache Cassandra.
//!
//! [`ScyllaStore`] connects when it is first used and again whenever the connection is lost, so a
//! server that is away delays its callers and nothing else. Rows carry the stamps they are given;
//! only progress is stamped here. Tables come from their declarations: [`ScyllaStore::migrate`]
//! makes them, [`ScyllaStore::verify`] compares, and no other call changes a schema.

mod apply;
mod cell;
mod config;
mod connection;
mod cql;
mod fault;
mod group;
mod marks;
mod migrate;
mod progress;
mod schema;
mod select;
mod store;

pub use config::{Config, ConfigError, Consistency};
pub use migrate::MigrateError;
pub use schema::{Difference, VerifyError};
pub use store::ScyllaStore;
