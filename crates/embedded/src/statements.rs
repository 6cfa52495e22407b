//! Statements of read tables, made from their declarations.

use millrace_eventsourcing::{Column, ColumnType, Order, Table};

/// `"context.table"`: one name, as people write it.
pub(crate) fn qualified(context: &str, table: &str) -> String {
    format!("\"{context}.{table}\"")
}

/// What SQLite keeps a column as: it has neither times nor truth values.
pub(crate) const fn kind_name(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Text | ColumnType::Timestamp => "TEXT",
        ColumnType::Bigint | ColumnType::Int | ColumnType::Boolean => "INTEGER",
    }
}

/// Stored in the order of its key, so that rows are read as they lie.
pub(crate) fn create_table(context: &str, table: &Table) -> String {
    let columns = table.columns.iter();
    let mut parts: Vec<_> = columns.map(definition).collect();
    parts.push(format!("PRIMARY KEY ({})", ordered(table, 0)));
    format!(
        "CREATE TABLE {} ({}) STRICT, WITHOUT ROWID",
        qualified(context, table.name),
        parts.join(", ")
    )
}

pub(crate) fn add_column(context: &str, table: &Table, column: &Column) -> String {
    let name = qualified(context, table.name);
    format!("ALTER TABLE {name} ADD COLUMN {}", definition(column))
}

fn definition(column: &Column) -> String {
    format!("\"{}\" {}", column.name, kind_name(column.kind))
}

/// The key columns from this one on, each with its order.
fn ordered(table: &Table, skipped: usize) -> String {
    let partition = std::iter::repeat_n(&Order::Ascending, table.partition_key);
    let columns = table.columns.iter().zip(partition.chain(table.clustering));
    let parts: Vec<_> = columns
        .skip(skipped)
        .map(|(column, order)| match order {
            Order::Ascending => format!("\"{}\"", column.name),
            Order::Descending => format!("\"{}\" DESC", column.name),
        })
        .collect();
    parts.join(", ")
}

/// A whole row, in place of one with its key.
pub(crate) fn replace(context: &str, table: &Table) -> String {
    let places = vec!["?"; table.columns.len()].join(", ");
    format!(
        "INSERT OR REPLACE INTO {} ({}) VALUES ({places})",
        qualified(context, table.name),
        names(table.columns)
    )
}

/// One row, by its key.
pub(crate) fn delete(context: &str, table: &Table) -> String {
    let name = qualified(context, table.name);
    format!("DELETE FROM {name}{}", condition(table, table.key_len()))
}

fn condition(table: &Table, key_cells: usize) -> String {
    let keys = table.columns.iter().take(key_cells);
    let conditions: Vec<_> = keys
        .map(|column| format!("\"{}\" = ?", column.name))
        .collect();
    match conditions.as_slice() {
        [] => String::new(),
        some => format!(" WHERE {}", some.join(" AND ")),
    }
}

/// All columns of the rows whose key begins with so many values, in the table's order; the last
/// value is the limit. Without values the order is that in which the rows lie.
pub(crate) fn select(context: &str, table: &Table, key_cells: usize) -> String {
    let condition = condition(table, key_cells);
    let order = match ordered(table, key_cells) {
        order if order.is_empty() || key_cells == 0 => String::new(),
        order => format!(" ORDER BY {order}"),
    };
    let (columns, name) = (names(table.columns), qualified(context, table.name));
    format!("SELECT {columns} FROM {name}{condition}{order} LIMIT ?")
}

fn names(columns: &[Column]) -> String {
    let quoted: Vec<_> = columns
        .iter()
        .map(|it| format!("\"{}\"", it.name))
        .collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use millrace_eventsourcing::Stamp;

    use super::*;

    static TABLE: Table = Table {
        name: "orders_by_user",
        columns: &[
            Column::text("user"),
            Column::timestamp("created_at"),
            Column::text("id"),
            Column::boolean("active"),
        ],
        partition_key: 1,
        clustering: &[Order::Descending, Order::Ascending],
        stamp: Stamp::Version,
    };

    #[test]
    fn a_table_is_named_as_people_write_it_and_lies_in_the_order_of_its_key() {
        assert_eq!(
            create_table("shop", &TABLE),
            "CREATE TABLE \"shop.orders_by_user\" (\"user\" TEXT, \"created_at\" TEXT, \
             \"id\" TEXT, \"active\" INTEGER, PRIMARY KEY (\"user\", \"created_at\" DESC, \"id\")) \
             STRICT, WITHOUT ROWID"
        );
        assert_eq!(
            select("shop", &TABLE, 1),
            "SELECT \"user\", \"created_at\", \"id\", \"active\" FROM \"shop.orders_by_user\" \
             WHERE \"user\" = ? ORDER BY \"created_at\" DESC, \"id\" LIMIT ?"
        );
        assert!(select("shop", &TABLE, 0).ends_with("\"shop.orders_by_user\" LIMIT ?"));
        assert!(select("shop", &TABLE, 3).ends_with("\"id\" = ? LIMIT ?"));
    }
}
