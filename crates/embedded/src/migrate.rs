//! Read tables, made and changed from their declarations, and compared with them.
//!
//! What was carried out is recorded in `migrations`: version 1 of a table creates it, each later one
//! adds a column at its end. Anything else is refused before anything is changed. All of it is one
//! transaction; nothing is ever dropped.

use std::fmt;

use millrace_eventsourcing::Table;
use millrace_runtime::store::{ContextTables, PROGRESS, StoreError};
use millrace_runtime::tables::{Applied, is_plain};
use rusqlite::{Connection, OptionalExtension};

use crate::fault::Failure;
use crate::statements;
use crate::time;
use crate::writer::Turn;

/// Why tables cannot be used, or were not made or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MigrateError {
    /// A declaration with a name that would need quotes elsewhere.
    #[error("`{0}` is no name of a context, table or column: lower case, digits and `_` only")]
    Name(String),
    /// The tables were made by a later release.
    #[error("`{table}` has {found} columns, and this program knows {declared}: it is too old")]
    Newer {
        /// With its context.
        table: String,
        /// As many as there are.
        found: usize,
        /// As many as we declare.
        declared: usize,
    },
    /// The table is another one.
    #[error("`{table}` is {found}, not {declared}; columns can only be added, at the end")]
    Differs {
        /// With its context.
        table: String,
        /// As it is.
        found: String,
        /// As declared.
        declared: String,
    },
    /// They are not as declared. Columns that only the file has do not count, so that programs of
    /// the release before go on beside migrated tables.
    #[error("{}: run `millrace migrate`", .0.join("; "))]
    Missing(Vec<String>),
    /// The file does not take it, or cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is found or declared, column by column: `id TEXT, key 1`.
#[derive(PartialEq, Eq)]
struct Shape(Vec<String>);

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}`", self.0.join("; "))
    }
}

/// Makes what is missing, if nothing stands against it.
pub(crate) fn migrate(
    turn: &Turn<'_>,
    contexts: &[ContextTables],
) -> Result<Result<Vec<Applied>, MigrateError>, Failure> {
    if let Err(error) = check_names(contexts) {
        return Ok(Err(error));
    }
    for (context, table) in all_tables(contexts) {
        if let Err(error) = check(turn.connection, context, table)? {
            return Ok(Err(error));
        }
    }
    let mut applied = Vec::new();
    for (context, table) in all_tables(contexts) {
        bring_up(turn, (context, table), &mut applied)?;
    }
    Ok(Ok(applied))
}

/// Everything that is missing or differs.
pub(crate) fn differences(
    connection: &Connection,
    contexts: &[ContextTables],
) -> Result<Vec<String>, Failure> {
    let mut all = Vec::new();
    for (context, table) in all_tables(contexts) {
        let name = format!("{context}.{}", table.name);
        let (found, declared) = (found(connection, &name)?, declared(table));
        if found.0.is_empty() {
            all.push(format!("table `{name}` is missing"));
        } else if !declared.0.iter().all(|column| found.0.contains(column)) {
            all.push(format!("`{name}` is {found}, not {declared}"));
        }
    }
    Ok(all)
}

fn all_tables(contexts: &[ContextTables]) -> impl Iterator<Item = (&'static str, &'static Table)> {
    contexts.iter().flat_map(|context| {
        let tables = context.tables.iter().copied().chain([&PROGRESS]);
        tables.map(|table| (context.context, table))
    })
}

fn check_names(contexts: &[ContextTables]) -> Result<(), MigrateError> {
    for (context, table) in all_tables(contexts) {
        let columns = table.columns.iter().map(|column| column.name);
        for name in [context, table.name].into_iter().chain(columns) {
            if !is_plain(name) {
                return Err(MigrateError::Name(name.to_owned()));
            }
        }
    }
    Ok(())
}

fn check(
    connection: &Connection,
    context: &str,
    table: &Table,
) -> Result<Result<(), MigrateError>, Failure> {
    let name = format!("{context}.{}", table.name);
    let (found, declared) = (found(connection, &name)?, declared(table));
    if declared.0.starts_with(&found.0) {
        return Ok(Ok(()));
    }
    if found.0.starts_with(&declared.0) {
        return Ok(Err(MigrateError::Newer {
            table: name,
            found: found.0.len(),
            declared: declared.0.len(),
        }));
    }
    Ok(Err(MigrateError::Differs {
        table: name,
        found: found.to_string(),
        declared: declared.to_string(),
    }))
}

fn bring_up(
    turn: &Turn<'_>,
    (context, table): (&'static str, &'static Table),
    applied: &mut Vec<Applied>,
) -> Result<(), Failure> {
    let name = format!("{context}.{}", table.name);
    let columns = found(turn.connection, &name)?.0.len();
    if columns == 0 {
        turn.connection
            .execute_batch(&statements::create_table(context, table))?;
        // Dropped by hand, perhaps: then its history begins again.
        let delete = "DELETE FROM migrations WHERE context = ?1 AND table_name = ?2";
        turn.connection.execute(delete, (context, table.name))?;
        let step = (table.columns.len(), "create".to_owned());
        applied.push(record(turn, (context, table), step)?);
        return Ok(());
    }
    for (place, column) in table.columns.iter().enumerate().skip(columns) {
        turn.connection
            .execute_batch(&statements::add_column(context, table, column))?;
        let step = (place + 1, format!("add {}", column.name));
        applied.push(record(turn, (context, table), step)?);
    }
    Ok(())
}

fn record(
    turn: &Turn<'_>,
    (context, table): (&str, &Table),
    (columns, description): (usize, String),
) -> Result<Applied, Failure> {
    let last = "SELECT MAX(version) FROM migrations WHERE context = ?1 AND table_name = ?2";
    let last = turn
        .connection
        .query_row(last, (context, table.name), |row| row.get(0));
    let last: Option<i32> = last.optional()?.flatten();
    let version = last.unwrap_or(0) + 1;
    let insert = "INSERT INTO migrations \
                  (context, table_name, version, description, applied_at, columns) \
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let columns = i64::try_from(columns).unwrap_or(i64::MAX);
    let now = time::text(turn.now.as_millis());
    let values = (context, table.name, version, &description, now, columns);
    turn.connection.execute(insert, values)?;
    let table = format!("{context}.{}", table.name);
    tracing::info!(table, version, description, "migrated");
    Ok(Applied {
        table,
        version,
        description,
    })
}

fn declared(table: &Table) -> Shape {
    let columns = table.columns.iter().enumerate();
    let shapes = columns.map(|(place, column)| {
        let key = if place < table.key_len() {
            place + 1
        } else {
            0
        };
        shape(column.name, statements::kind_name(column.kind), key)
    });
    Shape(shapes.collect())
}

/// No columns when there is no such table.
fn found(connection: &Connection, name: &str) -> rusqlite::Result<Shape> {
    let select = "SELECT name, type, pk FROM pragma_table_info(?1) ORDER BY cid";
    let mut select = connection.prepare(select)?;
    let shapes = select.query_map([name], |row| {
        let (name, kind): (String, String) = (row.get(0)?, row.get(1)?);
        let key = usize::try_from(row.get::<_, i64>(2)?).unwrap_or(0);
        Ok(shape(&name, &kind, key))
    })?;
    Ok(Shape(shapes.collect::<rusqlite::Result<_>>()?))
}

fn shape(name: &str, kind: &str, key: usize) -> String {
    match key {
        0 => format!("{name} {kind}"),
        key => format!("{name} {kind}, key {key}"),
    }
}
