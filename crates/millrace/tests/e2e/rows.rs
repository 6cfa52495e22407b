//! Rows of read tables, asked for in either language and read with its ordinary shell.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// A question after rows: of a table, with a key or the beginning of one.
#[derive(Debug, Clone)]
pub(crate) struct Select {
    table: String,
    columns: &'static str,
    key: Vec<(&'static str, Value)>,
}

impl Select {
    /// Everything in a table.
    pub(crate) fn from(table: &str) -> Self {
        Self {
            table: table.to_owned(),
            columns: "*",
            key: Vec::new(),
        }
    }

    /// Only these columns.
    pub(crate) fn only(mut self, columns: &'static str) -> Self {
        self.columns = columns;
        self
    }

    /// Only rows that have this value there.
    pub(crate) fn with(mut self, column: &'static str, value: impl Into<Value>) -> Self {
        self.key.push((column, value.into()));
        self
    }

    /// As cqlsh reads it.
    pub(crate) fn cql(&self) -> String {
        let condition = self.condition();
        format!(
            "SELECT JSON {} FROM {}{condition}",
            self.columns, self.table
        )
    }

    /// As the shell of SQLite reads it.
    pub(crate) fn sql(&self) -> String {
        let condition = self.condition();
        format!("SELECT {} FROM \"{}\"{condition}", self.columns, self.table)
    }

    fn condition(&self) -> String {
        let mut text = String::new();
        for (column, value) in &self.key {
            let word = if text.is_empty() { "WHERE" } else { "AND" };
            let text_of = |value: &Value| value.as_str().map(|text| format!("'{text}'"));
            let value = text_of(value).unwrap_or_else(|| value.to_string());
            write!(text, " {word} {column} = {value}").unwrap();
        }
        text
    }
}

/// What cqlsh prints.
pub(crate) fn cqlsh(address: &str, statement: &str) -> String {
    output(shell(address).args(["-e", statement]))
}

/// What cqlsh says to a user whose password is the name, good or bad.
pub(crate) fn cqlsh_as(user: &str, address: &str, statement: &str) -> Output {
    let mut command = shell(address);
    command.args(["-u", user, "-p", user, "-e", statement]);
    command.output().unwrap()
}

fn shell(address: &str) -> Command {
    let cqlsh = std::env::var("MILLRACE_CQLSH").expect("MILLRACE_CQLSH: cargo xtask test");
    let first = address.split(',').next().unwrap();
    let (host, port) = first.split_once(':').unwrap();
    let mut command = Command::new(cqlsh);
    command.args([host, port, "--no-color", "--request-timeout", "30"]);
    command
}

/// Rows as cqlsh prints them, with every backslash doubled.
pub(crate) fn rows_of_cqlsh(text: &str) -> Vec<Value> {
    let lines = text.lines().map(str::trim);
    let rows = lines.filter(|line| line.starts_with('{'));
    rows.map(|line| serde_json::from_str(&line.replace(r"\\", r"\")).unwrap())
        .collect()
}

/// Rows that the shell of SQLite reads from a file, beside whoever works on it.
pub(crate) fn sqlite3(file: &Path, statement: &str) -> Vec<Value> {
    let mut command = Command::new("sqlite3");
    command.args(["-json", "-cmd", ".timeout 10000"]);
    let text = output(command.arg(file).arg(statement));
    if text.trim().is_empty() {
        return Vec::new();
    }
    serde_json::from_str(&text).unwrap()
}

fn output(command: &mut Command) -> String {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}: cargo xtask test"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}
