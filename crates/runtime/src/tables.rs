//! What people and set-up ask of the read tables, beside the projectors.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use millrace_eventsourcing::{Cell, ColumnType, Table};
use thiserror::Error;

use crate::store::{ContextTables, StoreError};

/// Read tables as a command of the command line sees them.
pub trait TableAccess: Clone + Send + Sync + 'static {
    /// The first rows whose key begins with these values, all columns, in the table's order within
    /// a partition. Without values: of the whole table, in no order that means something.
    /// Cancel-safe.
    ///
    /// # Errors
    /// See [`SelectError`].
    fn select(
        &self,
        context: &str,
        table: &'static Table,
        key: &[Cell],
        limit: i64,
    ) -> impl Future<Output = Result<Vec<Vec<Cell>>, SelectError>> + Send;

    /// Forgets the progress of a projection, then empties its tables, so that they take old stamps
    /// again. May be done again after an error.
    ///
    /// # Errors
    /// What the store said, with the table.
    fn truncate(
        &self,
        context: &str,
        projection: &'static str,
        tables: &[&'static Table],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Compares the tables with their declarations. Only reads.
    ///
    /// # Errors
    /// Everything that is missing or differs, at once.
    fn verify(
        &self,
        contexts: &[ContextTables],
    ) -> impl Future<Output = Result<(), TablesError>> + Send;

    /// Makes what is missing; says what was done, and tells each step once it is safe. Waits so
    /// long for another process that migrates. May be run again after any error.
    ///
    /// # Errors
    /// When a declaration is refused, which changes nothing, or the store does not take it.
    fn migrate(
        &self,
        contexts: &[ContextTables],
        wait: Duration,
        tell: Tell<'_>,
    ) -> impl Future<Output = Result<Vec<Applied>, TablesError>> + Send;
}

/// Is told how a migration goes.
pub type Tell<'t> = &'t mut (dyn FnMut(Migrating<'_>) + Send);

/// How a migration goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrating<'m> {
    /// This process migrates too, and is waited for.
    WaitsFor(&'m str),
    /// One step was carried out.
    Did {
        /// Which.
        step: &'m Applied,
        /// With it, so many were.
        done: usize,
        /// Of all that are missing.
        all: usize,
    },
}

/// One statement that was carried out, or was found done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// With its context.
    pub table: String,
    /// From 1, gapless for each table.
    pub version: i32,
    /// What it does.
    pub description: String,
}

/// Why tables are not as they should be, or were not made; each store has its own reasons.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct TablesError(Box<dyn Error + Send + Sync>);

impl TablesError {
    /// Any reason.
    pub fn new(reason: impl Error + Send + Sync + 'static) -> Self {
        Self(Box::new(reason))
    }
}

/// Why rows could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SelectError {
    /// A limit of no rows, or more than a store counts.
    #[error("a limit of `{0}` rows is not between 1 and 2147483647")]
    Limit(i64),
    /// Part of a partition key finds nothing.
    #[error("`{table}` is read by the whole of its key `{columns}`, or without one")]
    PartOfKey {
        /// The table.
        table: &'static str,
        /// Its partition key.
        columns: String,
    },
    /// More values than the key has columns.
    #[error("`{table}` has {columns} key columns, not {given}")]
    TooManyValues {
        /// The table.
        table: &'static str,
        /// How many there are.
        columns: usize,
        /// How many were given.
        given: usize,
    },
    /// A value that the column cannot hold.
    #[error("key column `{column}` of `{table}` takes {kind}")]
    WrongType {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// What it holds.
        kind: &'static str,
    },
    /// No answer from the store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Refuses what no store could answer: a limit that is none, and a key that is not the beginning
/// of the table's from its partition key on. Returns the limit.
///
/// # Errors
/// See [`SelectError`].
pub fn check_select(table: &'static Table, key: &[Cell], limit: i64) -> Result<i32, SelectError> {
    let limit = match i32::try_from(limit) {
        Ok(wanted) if wanted > 0 => wanted,
        Ok(_) | Err(_) => return Err(SelectError::Limit(limit)),
    };
    check_key(table, key)?;
    Ok(limit)
}

/// Refuses a key that is not the beginning of the table's, from its partition key on.
///
/// # Errors
/// See [`SelectError`].
pub fn check_key(table: &'static Table, key: &[Cell]) -> Result<(), SelectError> {
    if key.len() > table.key_len() {
        return Err(SelectError::TooManyValues {
            table: table.name,
            columns: table.key_len(),
            given: key.len(),
        });
    }
    if !key.is_empty() && key.len() < table.partition_key {
        let columns = table.columns.iter().take(table.partition_key);
        let columns: Vec<_> = columns.map(|column| column.name).collect();
        return Err(SelectError::PartOfKey {
            table: table.name,
            columns: columns.join(", "),
        });
    }
    for (column, cell) in table.columns.iter().zip(key) {
        if !fits(cell, column.kind) {
            return Err(SelectError::WrongType {
                table: table.name,
                column: column.name,
                kind: type_name(column.kind),
            });
        }
    }
    Ok(())
}

/// Whether a value can stand in a column.
pub fn fits(cell: &Cell, kind: ColumnType) -> bool {
    matches!(
        (cell, kind),
        (Cell::Text(_), ColumnType::Text)
            | (Cell::Bigint(_), ColumnType::Bigint)
            | (Cell::Int(_), ColumnType::Int)
            | (Cell::Boolean(_), ColumnType::Boolean)
            | (Cell::Timestamp(_), ColumnType::Timestamp)
    )
}

/// What people call a type of column, and CQL too: these words stand in its statements.
pub const fn type_name(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Text => "text",
        ColumnType::Bigint => "bigint",
        ColumnType::Int => "int",
        ColumnType::Boolean => "boolean",
        ColumnType::Timestamp => "timestamp",
    }
}

/// Whether a name needs no quotes in any store, and is not too long for one.
pub fn is_plain(name: &str) -> bool {
    const NAME_BYTES_MAX: usize = 48;
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Keys are shown up to here.
const KEY_CHARS_MAX: usize = 200;

/// A key for people: `id = acc-1, version = 3`.
pub fn show_key(table: &Table, key: &[Cell]) -> String {
    let parts: Vec<_> = table
        .columns
        .iter()
        .zip(key)
        .map(|(column, cell)| format!("{} = {}", column.name, show_cell(cell)))
        .collect();
    let whole = parts.join(", ");
    if whole.chars().count() <= KEY_CHARS_MAX {
        return whole;
    }
    let shown: String = whole.chars().take(KEY_CHARS_MAX).collect();
    format!("{shown}…")
}

fn show_cell(cell: &Cell) -> String {
    match cell {
        Cell::Unset | Cell::Null => "none".to_owned(),
        Cell::Text(text) => text.escape_debug().to_string(),
        Cell::Bigint(number) => number.to_string(),
        Cell::Int(number) => number.to_string(),
        Cell::Boolean(yes) => yes.to_string(),
        Cell::Timestamp(time) => format!("{} ms", time.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use millrace_eventsourcing::{Column, Order, Stamp};

    use super::*;

    static TABLE: Table = Table {
        name: "t",
        columns: &[
            Column::text("a"),
            Column::int("b"),
            Column::bigint("c"),
            Column::text("d"),
        ],
        partition_key: 2,
        clustering: &[Order::Ascending],
        stamp: Stamp::Version,
    };

    #[test]
    fn a_key_is_given_whole_from_its_partition_on_or_not_at_all() {
        let key = ["x".into(), Cell::Int(1), Cell::Bigint(2)];
        for length in [0, 2, 3] {
            assert_eq!(check_key(&TABLE, &key[..length]), Ok(()), "{length}");
        }
        let error = check_key(&TABLE, &key[..1]).unwrap_err();
        assert!(error.to_string().contains("`a, b`"), "{error}");
        let long = [key.as_slice(), &["y".into()]].concat();
        let error = check_key(&TABLE, &long).unwrap_err();
        assert!(matches!(error, SelectError::TooManyValues { given: 4, .. }));
    }

    #[test]
    fn a_value_of_another_type_is_refused_by_the_name_of_its_column() {
        let error = check_key(&TABLE, &["x".into(), "1".into()]).unwrap_err();
        assert!(
            error.to_string().contains("`b` of `t` takes int"),
            "{error}"
        );
        assert!(check_key(&TABLE, &["x".into(), Cell::Null]).is_err());
    }

    #[test]
    fn a_key_is_shown_with_its_columns_on_one_line() {
        let key = ["a\nb".into(), Cell::Int(3)];
        assert_eq!(show_key(&TABLE, &key), "a = a\\nb, b = 3");
        assert_eq!(show_key(&TABLE, &key[..1]), "a = a\\nb");
    }

    #[test]
    fn a_long_key_is_cut() {
        let shown = show_key(&TABLE, &["é".repeat(500).into()]);
        assert_eq!(shown.chars().count(), KEY_CHARS_MAX + 1);
    }

    #[test]
    fn only_names_that_need_no_quotes_are_plain() {
        assert!(is_plain("events_by_aggregate") && is_plain("v2"));
        let long = "a".repeat(49);
        for name in ["", "Accounts", "2nd", "_x", "a-b", "a\"b", "é", &long] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
