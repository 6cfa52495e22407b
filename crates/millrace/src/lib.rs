//! The program `millrace`: settings, wiring, command line and telemetry around the machines.
//!
//! A program that serves contexts of its own registers them and calls [`main`]; the words and traits
//! to write them with are in [`eventsourcing`]. `examples/blog.rs` is such a program.
//!
//! ```no_run
//! use std::process::ExitCode;
//! use millrace::{Context, Registry, main};
//! use millrace_domain::bank::{account::Account, accounts::Accounts};
//!
//! fn run() -> ExitCode {
//!     let bank = Context::new("bank").aggregate::<Account>().projection::<Accounts>();
//!     main(Registry::new([bank]))
//! }
//! ```

mod backend;
mod board;
mod cli;
mod contexts;
mod http;
mod mail;
mod pace;
mod password;
mod registry;
mod run;
mod schemas;
mod settings;
mod telemetry;
mod time;

pub use cli::main;
pub use contexts::contexts;
pub use millrace_eventsourcing as eventsourcing;
pub use millrace_runtime::reactor::{ActionError, Outside};
pub use registry::{Context, DuplicateError, Registry};
