//! What every log must do, as one body of tests for the twin in memory and for the real one.
//!
//! Each function opens its own topics and groups under a fresh name, drives one or two workers by
//! hand, and panics when a promise of [`millrace_runtime::log`] is broken.

mod cases;
mod stage;

pub use cases::*;
pub use stage::{Bench, Fresh, OwnRecord, Stage, WAIT_MAX, Worker, add, fresh, one};
