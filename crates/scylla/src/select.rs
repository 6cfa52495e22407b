//! Rows on their way back, typed by the declaration of their table.

use std::time::Duration;

use millrace_eventsourcing::{Cell, Table};
use millrace_runtime::tables::{SelectError, check_key, check_select};
use scylla::statement::prepared::PreparedStatement;
use scylla::value::{CqlValue, Row};

use crate::ScyllaStore;
use crate::cell::{self, CellValue};
use crate::cql;
use crate::fault::Fault;

/// Counting reads every row.
const COUNT_TIMEOUT: Duration = Duration::from_mins(1);

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
        let wanted = Cell::Int(check_select(table, key, limit)?);
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
