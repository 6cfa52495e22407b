//! What every log must do, as one body of tests for the twin in memory and for the real one.
//!
//! Each function opens its own topics and groups under a fresh name, drives one or two workers by
//! hand, and panics when a promise of [`millrace_runtime::log`] is broken.

mod cases;
mod questions;
mod stage;
mod worker;

pub use cases::*;
pub use questions::*;
pub use stage::{Bench, Fresh, Stage, WAIT_MAX, add, fresh, one};
pub use worker::{OwnRecord, Worker};
