//! What `cargo xtask bench` needs of Kafka beside the worker: topics, commands, and the bare peers
//! that the worker is measured against.
//!
//! `bench ACTION NAME=VALUE...`; prints one JSON object.
#![expect(clippy::print_stdout, reason = "the results are for the caller")]

mod arguments;
mod await_group;
mod delays;
mod echo;
mod fill;
mod follow;
mod pay;
mod peer;
mod ping;
mod replay;
mod spool;
mod topics;

use std::process::ExitCode;

use arguments::Arguments;

/// Whatever went wrong ends the program.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(result) => {
            println!("{result}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{}", serde_json::json!({"error": error.to_string()}));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<serde_json::Value> {
    let arguments = Arguments::of_process()?;
    match arguments.action.as_str() {
        "topics" => topics::make_anew(&arguments),
        "fill" => fill::fill(&arguments),
        "await" => await_group::until_all_is_consumed(&arguments),
        "echo" => echo::serve(&arguments),
        "ping" => ping::compare(&arguments),
        "count" => spool::count(&arguments),
        "open" => pay::open(&arguments),
        "pay" => pay::all_at_once(&arguments),
        "load" => pay::steadily(&arguments),
        "follow" => follow::follow(&arguments),
        "delays" => delays::delays(&arguments),
        "replay" => replay::replay(&arguments),
        other => Err(format!("no action is called `{other}`").into()),
    }
}
