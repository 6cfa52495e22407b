//! Rows on their way back, typed by the declaration of their table.

use std::time::Duration;

use millrace_eventsourcing::{Cell, Table};
use millrace_runtime::store::StoreError;
use scylla::statement::prepared::PreparedStatement;
use scylla::value::{CqlValue, Row};

use crate::ScyllaStore;
use crate::cell::{self, CellValue};
use crate::cql;
use crate::fault::Fault;

/// Counting reads every row.
const COUNT_TIMEOUT: Duration = Duration::from_mins(1);

/// Why rows could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// A limit of no rows, or more than a server counts.
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
    /// No answer from the server.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ScyllaStore {
    /// The first rows whose key begins with these values, all columns, in the table's order within
    /// a partition. Without values: of the whole table, in no order that means something.
    /// The right to read is enough. Cancel-safe.
    ///
    /// # Errors
    /// See [`SelectError`].
    pub async fn select(
        &self,
        context: &str,
        table: &'static Table,
        key: &[Cell],
        limit: i64,
    ) -> Result<Vec<Vec<Cell>>, SelectError> {
        let wanted = match i32::try_from(limit) {
            Ok(wanted) if wanted > 0 => Cell::Int(wanted),
            Ok(_) | Err(_) => return Err(SelectError::Limit(limit)),
        };
        check_key(table, key)?;
        let mut values: Vec<_> = key.iter().map(CellValue).collect();
        values.push(CellValue(&wanted));
        let connection = &self.inner.connection;
        let live = connection.live().await?;
        let rows = async {
            let statement = live.prepare(cql::select(context, table, key.len())).await?;
            let rows = live.rows(&statement, values).await?;
            let rows = rows.into_iter().map(|row| cells(table, row));
            rows.collect::<Result<Vec<_>, _>>()
        };
        let action = || format!("read `{context}.{}`", table.name);
        rows.await
            .map_err(|fault: Fault| connection.failed(&live, action(), fault).into())
    }

    /// How many rows have a key that begins with these values. The server reads them all: for
    /// small tables and tests. Cancel-safe.
    ///
    /// # Errors
    /// See [`SelectError`].
    pub async fn count(
        &self,
        context: &str,
        table: &'static Table,
        key: &[Cell],
    ) -> Result<i64, SelectError> {
        check_key(table, key)?;
        let values: Vec<_> = key.iter().map(CellValue).collect();
        let connection = &self.inner.connection;
        let live = connection.live().await?;
        let counted = async {
            let statement = live.prepare(cql::count(context, table, key.len())).await?;
            let mut statement = PreparedStatement::clone(&statement);
            statement.set_request_timeout(Some(COUNT_TIMEOUT));
            number(&live.rows(&statement, values).await?)
        };
        let action = || format!("count `{context}.{}`", table.name);
        counted
            .await
            .map_err(|fault: Fault| connection.failed(&live, action(), fault).into())
    }
}

fn check_key(table: &'static Table, key: &[Cell]) -> Result<(), SelectError> {
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
        if !cell::fits(cell, column.kind) {
            return Err(SelectError::WrongType {
                table: table.name,
                column: column.name,
                kind: cql::type_name(column.kind),
            });
        }
    }
    Ok(())
}

fn cells(table: &Table, row: Row) -> Result<Vec<Cell>, Fault> {
    let columns = table.columns.iter().zip(row.columns);
    columns
        .map(|(column, value)| cell::cell(value, column).map_err(Fault::answer))
        .collect()
}

fn number(rows: &[Row]) -> Result<i64, Fault> {
    match rows.first().map(|row| row.columns.as_slice()) {
        Some([Some(CqlValue::BigInt(number))]) => Ok(*number),
        Some(_) | None => Err(Fault::answer("the server counted without a number")),
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
}
