//! Real servers for tests, the test run, benchmarks: `cargo xtask --help`.
//!
//! `cargo xtask up` starts Apache Kafka and Apache Cassandra on loopback from Maven artefacts: no
//! containers, no root. Their data lies under `.servers/`, or under `--dir`.
//!
//! # From integration tests
//!
//! Tests use the servers named by `TEST_KAFKA` and `TEST_CQL`. One that kills nodes or needs
//! settings of its own starts a private cluster by calling this program, found in
//! `MILLRACE_XTASK` (else `cargo xtask`):
//!
//! ```text
//! $MILLRACE_XTASK up kafka --nodes 3 --dir DIR --until-stdin-closes --print-env < pipe
//! TEST_KAFKA=127.0.0.1:20412,127.0.0.1:20414,127.0.0.1:20416
//! $MILLRACE_XTASK node-kill kafka 2 --dir DIR
//! $MILLRACE_XTASK node-up kafka 2 --dir DIR
//! $MILLRACE_XTASK down kafka --dir DIR --wipe
//! ```
//!
//! With `--until-stdin-closes` the servers are killed and their data deleted as soon as the
//! caller's end of the pipe is closed, which the kernel does however the caller ends. Addresses
//! stay the same from `node-kill` to `node-up`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to its terminal"
)]

mod bench;
mod cassandra;
mod cluster;
mod command_line;
mod deny;
mod deploy;
mod guard;
mod kafka;
mod maven;
mod ports;
mod process;
mod project;
mod servers;
mod test_run;
mod tools;
mod totals;
mod wait;

use std::process::ExitCode;

use clap::Parser;

use command_line::Arguments;

fn main() -> ExitCode {
    match command_line::run(Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
