//! Engine, projector and reactor as machines without I/O, with the ports they need.
//!
//! A machine is `step(now, event) → effects`: it never waits, reads no clock and holds no client.
//! Adapters carry effects out and report what happened; [`log`] and [`store`] say what they promise.

pub mod access;
pub mod addresses;
pub mod breaker;
pub mod clock;
pub mod code;
pub mod command;
pub mod dead_letter;
pub mod decide;
pub mod engine;
pub mod id;
pub mod log;
pub mod metrics;
pub mod outbox;
pub mod outcome;
pub mod partitioner;
pub mod projector;
pub mod react;
pub mod reactor;
pub mod retry;
pub mod step;
pub mod stop;
pub mod store;
pub mod tables;
mod task_records;
pub mod topic;
pub mod topic_spec;
mod trace;
pub mod worker;
