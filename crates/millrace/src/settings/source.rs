//! Where settings are given: a TOML file, the environment, the command line.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::{ENVIRONMENT_PREFIX, Problem};

/// A value as it was given, before anybody knows whether there is such a setting.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) key: String,
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A line of a file.
    File(Arc<PathBuf>, usize),
    /// A variable of the environment.
    Environment(String),
    /// An option of the command line.
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, line) => write!(formatter, "{}:{line}", path.display()),
            Self::Environment(variable) => write!(formatter, "environment {variable}"),
            Self::CommandLine => formatter.write_str("command line"),
        }
    }
}

/// All values of a TOML file, tables flattened to dotted keys.
pub(super) fn of_file(path: &Path, text: &str) -> Result<Vec<Given>, Vec<Problem>> {
    let mut reading = Reading {
        path: Arc::new(path.to_owned()),
        text,
        given: Vec::new(),
        problems: Vec::new(),
    };
    match DeTable::parse(text) {
        Ok(table) => reading.take_table("", table.get_ref()),
        Err(error) => {
            let origin = reading.origin(error.span().map_or(0, |span| span.start));
            // Only the reason: the quoted line may hold a secret.
            reading
                .problems
                .push(Problem::new("", Some(origin), error.message().to_owned()));
        }
    }
    if reading.problems.is_empty() {
        Ok(reading.given)
    } else {
        Err(reading.problems)
    }
}

struct Reading<'a> {
    path: Arc<PathBuf>,
    text: &'a str,
    given: Vec<Given>,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn take_table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = match prefix {
                "" => name.get_ref().to_string(),
                _ => format!("{prefix}.{}", name.get_ref()),
            };
            let origin = self.origin(name.span().start);
            if let DeValue::Table(inner) = value.get_ref() {
                self.take_table(&key, inner);
                continue;
            }
            match text_of(value.get_ref()) {
                Ok(text) => self.given.push(Given { key, text, origin }),
                Err(reason) => self.problems.push(Problem::new(&key, Some(origin), reason)),
            }
        }
    }

    fn origin(&self, at: usize) -> Origin {
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Origin::File(Arc::clone(&self.path), line)
    }
}

fn text_of(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        DeValue::Boolean(yes) => Ok(yes.to_string()),
        DeValue::Array(values) => {
            let texts: Result<Vec<_>, _> = values
                .iter()
                .map(|value| text_of(value.get_ref()))
                .collect();
            Ok(texts?.join(","))
        }
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => {
            Err("must be a text, a decimal number, true, false or a list of texts".to_owned())
        }
    }
}

/// All variables with our prefix, as `key_of` names them.
pub(super) fn of_environment(
    variables: impl Iterator<Item = (OsString, OsString)>,
    key_of: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Given>, Vec<Problem>> {
    let mut given = Vec::new();
    let mut problems = Vec::new();
    for (variable, value) in variables {
        let variable = variable.to_string_lossy().into_owned();
        let Some(name) = variable.strip_prefix(ENVIRONMENT_PREFIX) else {
            continue;
        };
        let origin = Origin::Environment(variable.clone());
        match (key_of(name), value.into_string()) {
            (None, _) => problems.push(Problem::new(&variable, None, "there is no such setting")),
            (Some(key), Err(_)) => problems.push(Problem::new(&key, Some(origin), "is not UTF-8")),
            (Some(key), Ok(text)) => given.push(Given { key, text, origin }),
        }
    }
    // The order of the environment is nobody's intention.
    given.sort_by(|a, b| a.key.cmp(&b.key));
    if problems.is_empty() {
        Ok(given)
    } else {
        Err(problems)
    }
}

/// One `KEY=VALUE` of the command line.
pub(super) fn of_option(option: &str) -> Result<Given, Problem> {
    match option.split_once('=') {
        Some((key, text)) if !key.trim().is_empty() => Ok(Given {
            key: key.trim().to_owned(),
            text: text.to_owned(),
            origin: Origin::CommandLine,
        }),
        _ => Err(Problem::new(
            option,
            Some(Origin::CommandLine),
            "must be KEY=VALUE",
        )),
    }
}
