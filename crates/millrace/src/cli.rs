//! The command line: one module for each command.
//!
//! Every command takes the settings options; results go to standard output, everything else to
//! standard error. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 the command
//! that was sent was rejected.

mod app;
mod check_config;
mod completions;
mod dead_letters;
mod decoded;
mod demo;
#[cfg(test)]
mod deploy;
mod find;
mod hash_password;
mod history;
mod list;
mod man;
mod migrate;
mod options;
mod outcomes;
mod query;
mod rebuild;
mod run;
mod schemas;
mod send;
mod status;
mod tail;
mod telling;
mod topics;
mod visit;
mod wait;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub(crate) use app::{App, UsageError, block_on};
pub(crate) use demo::Post;

use crate::registry::{DuplicateError, Registry};
use crate::settings::{LogSettings, Settings, SettingsError, Sources};
use crate::telemetry;

/// Event sourcing and CQRS on Kafka.
#[derive(Debug, Parser)]
#[command(name = "millrace", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, \
    3 the command that was sent was rejected."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the settings and show what holds, or show every setting with its default
    CheckConfig(check_config::Args),
    /// Write a script that completes the command line, to standard output
    Completions(completions::Args),
    /// What could not be used and was set aside
    DeadLetters(dead_letters::Args),
    /// Tell the bank's story on a local file: nothing to install, nothing to start
    Demo,
    /// Hash a password: one line of standard input to a PHC string
    HashPassword,
    /// Events of one aggregate, and last its state after them
    History(history::Args),
    /// Contexts with their command types, events and projections
    List(list::Args),
    /// Write manual pages, one for each command
    Man(man::Args),
    /// Make the read tables, or add what has been added to them
    Migrate,
    /// Show rows of a read table
    Query(query::Args),
    /// Empty the tables of a projection and apply everything again
    Rebuild(rebuild::Args),
    /// Run workers until told to stop
    Run(run::Args),
    /// Check published schemas
    Schemas(schemas::Args),
    /// Send a command, or many
    Send(send::Args),
    /// Groups, their members and lag, task records, readiness
    Status(status::Args),
    /// Show records of any of our topics, decoded
    Tail(tail::Args),
    /// Make the topics, or check them
    Topics(topics::Args),
    /// Wait for the outcome of a command, or until a projection shows it
    Wait(wait::Args),
}

impl Command {
    /// Commands that end soon have results to show; log lines would only stand between them.
    fn log_settings(&self, settings: &Settings) -> LogSettings {
        let mut log = settings.log.clone();
        if !matches!(self, Self::Run(_)) && !settings.is_given("log.level") {
            "warn".clone_into(&mut log.level);
        }
        log
    }

    fn run(self, app: App) -> anyhow::Result<Exit> {
        match self {
            Self::CheckConfig(args) => check_config::run(&app, &args),
            Self::Completions(args) => completions::run(&args),
            Self::DeadLetters(args) => dead_letters::run(&app, &args),
            Self::Demo => demo::run(&app),
            Self::HashPassword => hash_password::run(&app),
            Self::History(args) => history::run(&app, &args),
            Self::List(args) => list::run(&app, &args),
            Self::Man(args) => man::run(&args),
            Self::Migrate => migrate::run(&app),
            Self::Query(args) => query::run(&app, &args),
            Self::Rebuild(args) => rebuild::run(app, &args),
            Self::Run(args) => run::run(app, args),
            Self::Schemas(args) => schemas::run(args),
            Self::Send(args) => send::run(&app, args),
            Self::Status(args) => status::run(&app, &args),
            Self::Tail(args) => tail::run(&app, args),
            Self::Topics(args) => topics::run(&app, &args),
            Self::Wait(args) => wait::run(&app, args),
        }
    }
}

/// How a command that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// As it should.
    Done,
    /// The command that was sent was rejected.
    Rejected,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Rejected => Self::from(REJECTED),
        }
    }
}

const FAILED: u8 = 1;
const WRONG_USAGE: u8 = 2;
const REJECTED: u8 = 3;

/// Runs the program with the contexts it serves, and the arguments of the process.
pub fn main(registry: Registry) -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let environment = std::env::vars_os().collect();
    match start(registry, arguments, environment) {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

/// The whole command line, and the name under which this program was called: those who build one
/// with other contexts give it one of their own.
fn command_line() -> (clap::Command, String) {
    let program = program_name();
    let command = options::add_to(Cli::command()).bin_name(program.clone());
    (command.display_name(program.clone()), program)
}

fn program_name() -> String {
    let called = std::env::args_os().next();
    let name = called.as_deref().map(Path::new).and_then(Path::file_name);
    name.map_or_else(
        || Cli::command().get_name().to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

fn start(
    registry: Registry,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
) -> anyhow::Result<ExitCode> {
    let (command_line, _) = command_line();
    let matches = match command_line.try_get_matches_from(arguments) {
        Ok(matches) => matches,
        // Help and version end here too: clap knows where to print and how to exit.
        Err(error) => {
            error.print()?;
            return Ok(ExitCode::from(
                u8::try_from(error.exit_code()).unwrap_or(WRONG_USAGE),
            ));
        }
    };
    let cli = Cli::from_arg_matches(&matches)?;
    let given = options::of(&matches);
    let sources = Sources {
        file: given.file,
        environment,
        options: given.set,
    };
    registry.check()?;
    let settings = Settings::load(&sources, &registry.names())?;
    telemetry::start_log(&cli.command.log_settings(&settings))?;
    let app = App::new(registry, settings);
    cli.command.run(app).map(ExitCode::from)
}

fn fail(error: &anyhow::Error) -> ExitCode {
    if is_broken_pipe(error) {
        // Whoever read our output has seen enough.
        return ExitCode::SUCCESS;
    }
    // Nobody is left to be told when standard error is gone too.
    writeln!(io::stderr(), "millrace: {error:#}").unwrap_or_default();
    let is_usage = error.is::<UsageError>() || error.is::<SettingsError>();
    let is_usage = is_usage || error.is::<DuplicateError>();
    ExitCode::from(if is_usage { WRONG_USAGE } else { FAILED })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<io::Error>();
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All commands of the first level.
    pub(super) fn command_names() -> Vec<String> {
        let names: Vec<_> = Cli::command()
            .get_subcommands()
            .map(|command| command.get_name().to_owned())
            .collect();
        assert!(names.len() > 10, "{names:?}");
        names
    }

    #[test]
    fn the_command_line_is_consistent() {
        options::add_to(Cli::command()).debug_assert();
    }
}
