//! Statements, made from the declarations of tables.
//!
//! Only what both servers take: no options, no `USE`, every table with its keyspace. All names are
//! quoted, so that a column may be called `offset`; quoted lower case is the name without quotes.

use millrace_eventsourcing::{Column, Order, Table};
pub(crate) use millrace_runtime::tables::type_name;

/// `"keyspace"."table"`.
pub(crate) fn qualified(keyspace: &str, table: &str) -> String {
    format!("\"{keyspace}\".\"{table}\"")
}

/// What `system_schema` and statements call an order.
pub(crate) const fn order_name(order: Order) -> &'static str {
    match order {
        Order::Ascending => "asc",
        Order::Descending => "desc",
    }
}

pub(crate) fn create_keyspace(keyspace: &str, replication_factor: u16) -> String {
    format!(
        "CREATE KEYSPACE IF NOT EXISTS \"{keyspace}\" WITH replication = \
         {{'class': 'NetworkTopologyStrategy', 'replication_factor': {replication_factor}}}"
    )
}

/// The table with the first `columns` of its columns. Persisted: its checksum is recorded.
pub(crate) fn create_table(keyspace: &str, table: &Table, columns: usize) -> String {
    let (partition, clustering) = key(table);
    let primary: Vec<_> = std::iter::once(format!("({})", names(partition)))
        .chain(clustering.iter().map(|column| quoted(column.name)))
        .collect();
    let columns = table.columns.iter().take(columns);
    let parts: Vec<_> = columns
        .map(|column| format!("\"{}\" {}", column.name, type_name(column.kind)))
        .chain([format!("PRIMARY KEY ({})", primary.join(", "))])
        .collect();
    let orders: Vec<_> = clustering
        .iter()
        .zip(table.clustering)
        .map(|(column, order)| format!("\"{}\" {}", column.name, order_name(*order)))
        .collect();
    let order = if orders.is_empty() {
        String::new()
    } else {
        format!(" WITH CLUSTERING ORDER BY ({})", orders.join(", "))
    };
    format!(
        "CREATE TABLE IF NOT EXISTS {} ({}){order}",
        qualified(keyspace, table.name),
        parts.join(", ")
    )
}

/// One more column. Persisted: its checksum is recorded.
pub(crate) fn add_column(keyspace: &str, table: &Table, column: &Column) -> String {
    format!(
        "ALTER TABLE {} ADD \"{}\" {}",
        qualified(keyspace, table.name),
        column.name,
        type_name(column.kind)
    )
}

/// An upsert of all columns; the last value is the stamp.
pub(crate) fn insert(keyspace: &str, table: &Table) -> String {
    let places = vec!["?"; table.columns.len()].join(", ");
    format!(
        "INSERT INTO {} ({}) VALUES ({places}) USING TIMESTAMP ?",
        qualified(keyspace, table.name),
        names(table.columns)
    )
}

/// The deletion of one row; the first value is the stamp, the others are the key.
pub(crate) fn delete(keyspace: &str, table: &Table) -> String {
    format!(
        "DELETE FROM {} USING TIMESTAMP ?{}",
        qualified(keyspace, table.name),
        condition(table, table.key_len())
    )
}

/// All columns of the rows whose key begins with so many values.
pub(crate) fn select_all(keyspace: &str, table: &Table, key_cells: usize) -> String {
    format!(
        "SELECT {} FROM {}{}",
        names(table.columns),
        qualified(keyspace, table.name),
        condition(table, key_cells)
    )
}

/// The first of them; the last value is the limit.
pub(crate) fn select(keyspace: &str, table: &Table, key_cells: usize) -> String {
    format!("{} LIMIT ?", select_all(keyspace, table, key_cells))
}

/// How many rows have a key that begins with so many values.
pub(crate) fn count(keyspace: &str, table: &Table, key_cells: usize) -> String {
    format!(
        "SELECT COUNT(*) FROM {}{}",
        qualified(keyspace, table.name),
        condition(table, key_cells)
    )
}

fn condition(table: &Table, key_cells: usize) -> String {
    if key_cells == 0 {
        return String::new();
    }
    let columns = table.columns.iter().take(key_cells);
    let parts: Vec<_> = columns
        .map(|column| format!("\"{}\" = ?", column.name))
        .collect();
    format!(" WHERE {}", parts.join(" AND "))
}

/// The columns of the partition key, and those of the clustering key.
fn key(table: &Table) -> (&'static [Column], &'static [Column]) {
    let whole = table.columns.get(..table.key_len()).unwrap_or_default();
    whole
        .split_at_checked(table.partition_key)
        .unwrap_or((whole, &[]))
}

fn names(columns: &[Column]) -> String {
    let quoted: Vec<_> = columns.iter().map(|column| quoted(column.name)).collect();
    quoted.join(", ")
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

#[cfg(test)]
mod tests {
    use millrace_eventsourcing::Stamp;

    use super::*;

    static SIMPLE: Table = Table {
        name: "accounts",
        columns: &[Column::text("id"), Column::bigint("balance")],
        partition_key: 1,
        clustering: &[],
        stamp: Stamp::Version,
    };
    static WIDE: Table = Table {
        name: "orders_by_user",
        columns: &[
            Column::text("user"),
            Column::int("bucket"),
            Column::timestamp("created_at"),
            Column::text("id"),
            Column::boolean("active"),
            Column::bigint("offset"),
        ],
        partition_key: 2,
        clustering: &[Order::Descending, Order::Ascending],
        stamp: Stamp::Offset,
    };

    #[test]
    fn a_table_is_created_with_its_keys_and_orders() {
        assert_eq!(
            create_table("bank", &SIMPLE, 2),
            "CREATE TABLE IF NOT EXISTS \"bank\".\"accounts\" \
             (\"id\" text, \"balance\" bigint, PRIMARY KEY ((\"id\")))"
        );
        assert_eq!(
            create_table("shop", &WIDE, 5),
            "CREATE TABLE IF NOT EXISTS \"shop\".\"orders_by_user\" \
             (\"user\" text, \"bucket\" int, \"created_at\" timestamp, \"id\" text, \
             \"active\" boolean, PRIMARY KEY ((\"user\", \"bucket\"), \"created_at\", \"id\")) \
             WITH CLUSTERING ORDER BY (\"created_at\" desc, \"id\" asc)"
        );
        assert_eq!(
            add_column("shop", &WIDE, &WIDE.columns[5]),
            "ALTER TABLE \"shop\".\"orders_by_user\" ADD \"offset\" bigint"
        );
    }

    #[test]
    fn rows_are_written_whole_and_read_by_the_beginning_of_their_key() {
        assert_eq!(
            insert("bank", &SIMPLE),
            "INSERT INTO \"bank\".\"accounts\" (\"id\", \"balance\") VALUES (?, ?) USING TIMESTAMP ?"
        );
        assert_eq!(
            delete("bank", &SIMPLE),
            "DELETE FROM \"bank\".\"accounts\" USING TIMESTAMP ? WHERE \"id\" = ?"
        );
        assert_eq!(
            select("bank", &SIMPLE, 0),
            "SELECT \"id\", \"balance\" FROM \"bank\".\"accounts\" LIMIT ?"
        );
        assert_eq!(
            count("shop", &WIDE, 3),
            "SELECT COUNT(*) FROM \"shop\".\"orders_by_user\" \
             WHERE \"user\" = ? AND \"bucket\" = ? AND \"created_at\" = ?"
        );
    }
}
