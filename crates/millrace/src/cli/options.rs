//! The options that give settings. They may stand before or after any command, in any number, and
//! none is lost: clap's own global options forget those of an outer level.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

const CONFIG: &str = "config";
const SET: &str = "set";
const BACKEND: &str = "backend";

/// What the options gave.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// `--config`
    pub(super) file: Option<PathBuf>,
    /// `--set`, and `--backend` as if it were set last.
    pub(super) set: Vec<String>,
}

/// Adds the options to a command and all commands below it.
pub(super) fn add_to(command: Command) -> Command {
    let with_options = command.args([
        Arg::new(CONFIG)
            .long("config")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("Settings file; by default millrace.toml, if it is there"),
        Arg::new(SET)
            .long("set")
            .value_name("KEY=VALUE")
            .action(ArgAction::Append)
            .help("A setting, over those of the file and of the environment; may be repeated"),
        Arg::new(BACKEND)
            .long("backend")
            .value_name("BACKEND")
            .help("The same as --set backend=…: embedded or kafka"),
    ]);
    let names: Vec<_> = with_options
        .get_subcommands()
        .map(|inner| inner.get_name().to_owned())
        .collect();
    names.into_iter().fold(with_options, |outer, name| {
        outer.mut_subcommand(name, add_to)
    })
}

/// The options of all levels, outer ones first.
pub(super) fn of(matches: &ArgMatches) -> Options {
    let mut options = Options::default();
    let mut backend = None;
    let mut level = Some(matches);
    while let Some(matches) = level {
        if let Some(file) = matches.get_one::<PathBuf>(CONFIG) {
            options.file = Some(file.clone());
        }
        let set = matches.get_many::<String>(SET).unwrap_or_default();
        options.set.extend(set.cloned());
        if let Some(given) = matches.get_one::<String>(BACKEND) {
            backend = Some(format!("backend={given}"));
        }
        level = matches.subcommand().map(|(_, inner)| inner);
    }
    options.set.extend(backend);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Options {
        let inner = Command::new("topics").subcommand(Command::new("create"));
        let command = add_to(Command::new("millrace").subcommand(inner));
        of(&command.try_get_matches_from(arguments).unwrap())
    }

    #[test]
    fn options_of_every_level_count() {
        let options = parse(&[
            "millrace",
            "--set",
            "a=1",
            "--backend",
            "kafka",
            "topics",
            "--set",
            "b=2",
            "create",
            "--set=c=3",
            "--set",
            "d=4",
            "--config",
            "file",
        ]);
        assert_eq!(options.set, ["a=1", "b=2", "c=3", "d=4", "backend=kafka"]);
        assert_eq!(options.file, Some(PathBuf::from("file")));
    }
}
