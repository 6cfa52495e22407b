//! Given/when/then, in-memory log and tables with faults, history checks.

mod given;
pub mod log_contract;
pub mod memory_log;

pub use given::{Given, When, given};
