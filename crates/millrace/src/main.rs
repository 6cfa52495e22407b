//! Event sourcing and CQRS on Kafka: the program.

use std::process::ExitCode;

fn main() -> ExitCode {
    millrace::main(millrace::contexts())
}
