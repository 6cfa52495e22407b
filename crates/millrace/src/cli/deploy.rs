//! What lies in `deploy/` against the program: its settings, arguments, topics, groups and metrics.
//!
//! The tools that know the formats themselves are run by `cargo xtask deploy-check`.

mod containers;
mod groups;
mod metrics;
mod units;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, ValueEnum};
use serde::Deserialize;
use serde_norway::{Deserializer, Value};

use super::{App, Cli, options};
use crate::contexts;
use crate::run::Role;
use crate::settings::{Settings, Sources};

/// Variables of a process.
type Variables = BTreeMap<String, String>;

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All documents of a YAML file.
fn documents(path: &str) -> Vec<Value> {
    let text = read(path);
    let documents = Deserializer::from_str(&text).map(|document| {
        let mut value = Value::deserialize(document).unwrap_or_else(|e| panic!("{path}: {e}"));
        // What is merged in may itself have something merged in.
        value.apply_merge().unwrap();
        value.apply_merge().unwrap();
        value
    });
    documents.collect()
}

/// All documents in the YAML files below a directory, each with its file.
fn documents_below(directory: &str) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(directory)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{directory}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            found.extend(documents_below(&path));
        } else if entry.path().extension().is_some_and(|it| it == "yaml") {
            let documents = documents(&path).into_iter();
            found.extend(documents.map(|document| (path.clone(), document)));
        }
    }
    found
}

/// The text of a scalar.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => {
            panic!("no scalar: {value:?}")
        }
    }
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_sequence().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(text).collect()
}

fn map(value: &Value) -> Variables {
    let map = value.as_mapping().cloned().unwrap_or_default();
    map.iter()
        .map(|(key, value)| (text(key), text(value)))
        .collect()
}

/// `NAME=value` lines; comments are left out.
fn assignments(text: &str) -> Variables {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Properties of the client library are checked by it, and it wants something to check.
fn filled_in(mut variables: Variables) -> Variables {
    for (name, value) in &mut variables {
        if value.is_empty() && name.starts_with("MILLRACE_KAFKA_PROPERTIES_") {
            "something".clone_into(value);
        }
    }
    variables
}

/// What the program makes of these variables.
fn settings(place: &str, variables: &Variables) -> Settings {
    let environment = variables
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let sources = Sources {
        environment: environment.collect(),
        ..Sources::default()
    };
    Settings::load(&sources, &contexts().names()).unwrap_or_else(|error| panic!("{place}: {error}"))
}

/// Fails unless the program takes these arguments.
fn check_arguments(place: &str, arguments: &[String]) {
    let program = "millrace".to_owned();
    let all = [&program].into_iter().chain(arguments);
    let parsed = options::add_to(Cli::command()).try_get_matches_from(all);
    assert!(
        parsed.is_ok(),
        "{place}: {arguments:?}: {}",
        parsed.unwrap_err()
    );
}

/// The roles that have something to do so far, as words.
fn roles() -> Vec<String> {
    let all = Role::value_variants().iter();
    // Not served yet: whoever serves it deploys it.
    let built = all.filter(|role| **role != Role::Api);
    let word = |role: &Role| role.to_possible_value().unwrap().get_name().to_owned();
    built.map(word).collect()
}

fn app(variables: &Variables) -> App {
    App::new(contexts(), settings("topics", variables))
}

#[test]
fn a_variable_that_the_program_does_not_know_is_found() {
    let known = Variables::from([("MILLRACE_WORKERS".to_owned(), "2".to_owned())]);
    assert_eq!(settings("here", &known).workers, 2);
    let unknown = Variables::from([("MILLRACE_WORKER".to_owned(), "2".to_owned())]);
    assert!(std::panic::catch_unwind(|| settings("here", &unknown)).is_err());
}

#[test]
fn arguments_that_the_program_does_not_take_are_found() {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    check_arguments("here", &words("run --role commands"));
    let wrong = std::panic::catch_unwind(|| check_arguments("here", &words("run --role command")));
    assert!(wrong.is_err());
}
