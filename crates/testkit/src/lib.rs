//! Given/when/then, whole conversations, in-memory log and tables with faults, history checks.

mod given;
pub mod history;
pub mod log_contract;
pub mod memory_log;
mod memory_store;
pub mod simulation;
pub mod store_contract;
pub mod world;

pub use given::{Given, When, given};
pub use memory_store::{MemoryStore, Snapshot, Unacknowledged};
pub use world::{Order, World};
