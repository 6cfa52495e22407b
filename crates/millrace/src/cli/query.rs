//! `millrace query`

use std::io::{self, Write};

use anyhow::Context;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use millrace_eventsourcing::{Cell, Column, ColumnType, Table, Timestamp};
use millrace_runtime::store::PROGRESS;
use millrace_runtime::tables::{SelectError, TableAccess};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{App, Exit, UsageError, block_on};
use crate::time::{parse_time, time_text};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Read table, such as bank.accounts
    #[arg(value_name = "C.TABLE")]
    table: String,
    /// Values of the table's key columns, in order: the whole partition key or more
    #[arg(value_name = "KEY", allow_negative_numbers = true)]
    key: Vec<String>,
    /// Rows at most
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        allow_negative_numbers = true
    )]
    limit: i64,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(app: &App, args: &Args) -> anyhow::Result<Exit> {
    if args.limit <= 0 {
        return Err(UsageError::new("--limit must be 1 or more").into());
    }
    let (context, table) = find(app, &args.table)?;
    let key = key_of(table, &args.key)?;
    let store = app.store()?;
    let rows = match block_on(store.select(context, table, &key, args.limit))? {
        Ok(rows) => rows,
        Err(error @ SelectError::Store(_)) => return Err(error).context("cannot read the rows"),
        Err(error) => return Err(UsageError::new(error.to_string()).into()),
    };
    let mut out = io::stdout().lock();
    if args.json {
        for row in &rows {
            writeln!(out, "{}", serde_json::to_string(&Fields(table, row))?)?;
        }
    } else {
        writeln!(out, "{}", grid(table, &rows))?;
    }
    Ok(Exit::Done)
}

pub(super) fn find(app: &App, name: &str) -> Result<(&'static str, &'static Table), UsageError> {
    let tables = app.registry.tables();
    let all = tables.iter().flat_map(|context| {
        let declared = context.tables.iter().copied().chain([&PROGRESS]);
        declared.map(|table| (context.context, table))
    });
    let mut all: Vec<_> = all
        .map(|(context, t)| (format!("{context}.{}", t.name), context, t))
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    if let Some((_, context, table)) = all.iter().find(|(known, ..)| known == name) {
        return Ok((context, table));
    }
    let known: Vec<_> = all.iter().map(|(known, ..)| known.as_str()).collect();
    Err(UsageError::new(format!(
        "there is no table `{name}`; there are {}",
        known.join(", ")
    )))
}

fn key_of(table: &Table, texts: &[String]) -> Result<Vec<Cell>, UsageError> {
    if texts.len() > table.key_len() {
        let (name, columns) = (table.name, table.key_len());
        return Err(UsageError::new(format!(
            "the key of `{name}` has {columns} columns"
        )));
    }
    table
        .columns
        .iter()
        .zip(texts)
        .map(|(column, text)| cell(column, text))
        .collect()
}

fn cell(column: &Column, text: &str) -> Result<Cell, UsageError> {
    let wrong = |kind: &str| {
        let name = column.name;
        UsageError::new(format!("key column `{name}` takes {kind}, not `{text}`"))
    };
    match column.kind {
        ColumnType::Text => Ok(text.into()),
        ColumnType::Bigint => text
            .parse()
            .map(Cell::Bigint)
            .map_err(|_| wrong("a number")),
        ColumnType::Int => text.parse().map(Cell::Int).map_err(|_| wrong("a number")),
        ColumnType::Boolean => text
            .parse()
            .map(Cell::Boolean)
            .map_err(|_| wrong("true or false")),
        ColumnType::Timestamp => parse_time(text)
            .map(Cell::Timestamp)
            .ok_or_else(|| wrong("a time such as 2026-11-20T12:00:00.000Z")),
    }
}

/// A row as one JSON object, its fields in the order of the columns.
struct Fields<'a>(&'a Table, &'a [Cell]);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let columns = self.0.columns.iter().map(|column| column.name);
        serializer.collect_map(columns.zip(self.1.iter().map(value)))
    }
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Unset | Cell::Null => Value::Null,
        Cell::Text(text) => text.as_str().into(),
        Cell::Bigint(number) => (*number).into(),
        Cell::Int(number) => (*number).into(),
        Cell::Boolean(yes) => (*yes).into(),
        Cell::Timestamp(time) => millis_text(*time).into(),
    }
}

fn grid(table: &Table, rows: &[Vec<Cell>]) -> comfy_table::Table {
    grid_of(table, rows, |_| true)
}

/// The rows as a table for people, with the columns that are wanted.
pub(super) fn grid_of(
    table: &Table,
    rows: &[Vec<Cell>],
    is_wanted: impl Fn(&str) -> bool,
) -> comfy_table::Table {
    let mut grid = comfy_table::Table::new();
    grid.load_style(UTF8_FULL_CONDENSED);
    let columns = || table.columns.iter().map(|column| column.name);
    grid.set_header(columns().filter(|name| is_wanted(name)));
    for row in rows {
        let cells = columns().zip(row).filter(|(name, _)| is_wanted(name));
        grid.add_row(cells.map(|(_, cell)| text(cell)));
    }
    grid
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Unset | Cell::Null => String::new(),
        Cell::Text(text) => text.clone(),
        Cell::Bigint(number) => number.to_string(),
        Cell::Int(number) => number.to_string(),
        Cell::Boolean(yes) => yes.to_string(),
        Cell::Timestamp(time) => millis_text(*time),
    }
}

/// Stores keep milliseconds, so that is what is shown.
fn millis_text(time: Timestamp) -> String {
    time_text(Timestamp::from_millis(time.as_millis()), 3)
}

#[cfg(test)]
mod tests {
    use millrace_domain::bank::accounts::ACCOUNTS;

    use super::*;

    #[test]
    fn a_row_is_an_object_in_order_of_its_columns() {
        let row = [
            Cell::from("acc-1"),
            Cell::from("Jon"),
            Cell::Null,
            Cell::from("j@s"),
            Cell::Bigint(5000),
            Cell::from("open"),
            Cell::Timestamp(Timestamp::from_millis(1_795_176_000_000)),
            Cell::Bigint(8),
            Cell::Unset,
        ];
        let text = serde_json::to_string(&Fields(&ACCOUNTS, &row)).unwrap();
        assert!(
            text.starts_with(r#"{"id":"acc-1","first_name":"Jon","last_name":null,"#),
            "{text}"
        );
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["balance"], 5000);
        assert_eq!(json["opened_at"], "2026-11-20T12:00:00.000Z");
        assert_eq!(json["last_name"], Value::Null);
        assert!(
            grid(&ACCOUNTS, &[row.to_vec()])
                .to_string()
                .contains("acc-1")
        );
    }

    #[test]
    fn keys_are_read_by_the_types_of_their_columns() {
        let number = Column::int("bucket");
        assert_eq!(cell(&number, "7").unwrap(), Cell::Int(7));
        assert!(
            cell(&number, "x")
                .unwrap_err()
                .to_string()
                .contains("`bucket`")
        );
        let time = Column::timestamp("at");
        let expected = Cell::Timestamp(Timestamp::from_millis(1_795_176_000_000));
        assert_eq!(cell(&time, "2026-11-20T12:00:00Z").unwrap(), expected);
        assert!(cell(&time, "noon").is_err());
        let many = ["a".to_owned(), "b".to_owned()];
        assert!(key_of(&ACCOUNTS, &many).is_err());
    }
}
