//! The embedded log and tables, on real files.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on panics; the other process tells what it did"
)]

#[path = "embedded/access.rs"]
mod access;
#[path = "embedded/bench.rs"]
mod bench;
#[path = "embedded/child.rs"]
mod child;
#[path = "embedded/disk.rs"]
mod disk;
#[path = "embedded/files.rs"]
mod files;
#[path = "embedded/keeping.rs"]
mod keeping;
#[path = "embedded/killed.rs"]
mod killed;
#[path = "embedded/log_promises.rs"]
mod log_promises;
#[path = "embedded/merging.rs"]
mod merging;
#[path = "embedded/processes.rs"]
mod processes;
#[path = "embedded/shortening.rs"]
mod shortening;
#[path = "embedded/store_promises.rs"]
mod store_promises;
#[path = "embedded/tables.rs"]
mod tables;
