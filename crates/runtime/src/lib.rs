//! Engine and projector as machines without I/O, with the ports they need.
//!
//! A machine is `step(now, event) → effects`: it never waits, reads no clock and holds no client.
//! Adapters carry effects out and report what happened; [`log`] and [`store`] say what they promise.

pub mod clock;
pub mod log;
pub mod outbox;
pub mod partitioner;
pub mod store;
pub mod topic;
