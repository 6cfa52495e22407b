//! What the server has, beside what the declarations say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use millrace_eventsourcing::Table;
use millrace_runtime::store::{ContextTables, PROGRESS, StoreError};
use scylla::value::{CqlValue, Row};

use crate::ScyllaStore;
use crate::connection::Live;
use crate::cql;
use crate::fault::Fault;

/// A column as it is: `text, partition_key 0` or `timestamp, clustering 1 desc` or `bigint`.
type Shape = String;

/// The tables of one keyspace.
#[derive(Debug, Default)]
pub(crate) struct Keyspace {
    tables: BTreeMap<String, BTreeMap<String, Shape>>,
    /// Table and column: what was in them hides what is written with older stamps, as ours are.
    dropped: BTreeSet<(String, String)>,
}

impl Keyspace {
    pub(crate) fn has_table(&self, table: &str) -> bool {
        self.tables.contains_key(table)
    }

    pub(crate) fn has_column(&self, table: &str, column: &str) -> bool {
        let columns = self.tables.get(table);
        columns.is_some_and(|columns| columns.contains_key(column))
    }

    pub(crate) fn has_dropped(&self, table: &str, column: &str) -> bool {
        let name = (table.to_owned(), column.to_owned());
        self.dropped.contains(&name)
    }
}

/// Something that is not as declared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// No keyspace.
    #[error("keyspace `{0}` is missing")]
    Keyspace(String),
    /// No table.
    #[error("table `{0}` is missing")]
    Table(String),
    /// No column.
    #[error("column `{column}` of `{table}` is missing")]
    Column {
        /// With its keyspace.
        table: String,
        /// The column.
        column: String,
    },
    /// Another type, another place in the key or another order.
    #[error("column `{column}` of `{table}` is `{found}`, not `{declared}`")]
    Shape {
        /// With its keyspace.
        table: String,
        /// The column.
        column: String,
        /// As the server has it.
        found: String,
        /// As the program has it.
        declared: String,
    },
}

/// Why the tables cannot be used, or could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// They are not as declared. Columns that only the server has do not count, so that programs
    /// of the release before go on beside a migrated schema.
    #[error("{}: run `millrace migrate`", Joined(.0))]
    Differs(Vec<Difference>),
    /// No answer from the server.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Differences in one line.
pub(crate) struct Joined<'a>(pub(crate) &'a [Difference]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, difference) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(formatter, "{separator}{difference}")?;
        }
        Ok(())
    }
}

impl ScyllaStore {
    /// Compares the tables with their declarations. Only reads.
    ///
    /// # Errors
    /// Everything that is missing or differs, at once.
    pub async fn verify(&self, contexts: &[ContextTables]) -> Result<(), VerifyError> {
        let connection = &self.inner.connection;
        let live = connection.live().await?;
        let mut all = Vec::new();
        for context in contexts {
            let found = read(&live, context.context).await;
            let action = || format!("read the schema of `{}`", context.context);
            let found = found.map_err(|fault| connection.failed(&live, action(), fault))?;
            all.extend(differences_of_context(context, found.as_ref()));
        }
        if all.is_empty() {
            return Ok(());
        }
        Err(VerifyError::Differs(all))
    }
}

fn differences_of_context(context: &ContextTables, found: Option<&Keyspace>) -> Vec<Difference> {
    let Some(found) = found else {
        return vec![Difference::Keyspace(context.context.to_owned())];
    };
    let tables = context.tables.iter().copied().chain([&PROGRESS]);
    tables
        .flat_map(|table| differences(context.context, table, found))
        .collect()
}

/// How a table that should be there differs.
pub(crate) fn differences(context: &str, table: &Table, found: &Keyspace) -> Vec<Difference> {
    let name = format!("{context}.{}", table.name);
    let Some(found) = found.tables.get(table.name) else {
        return vec![Difference::Table(name)];
    };
    let mut all = Vec::new();
    for (place, column) in table.columns.iter().enumerate() {
        let declared = declared_shape(table, place);
        match found.get(column.name) {
            None => all.push(Difference::Column {
                table: name.clone(),
                column: column.name.to_owned(),
            }),
            Some(shape) if *shape != declared => all.push(Difference::Shape {
                table: name.clone(),
                column: column.name.to_owned(),
                found: shape.clone(),
                declared,
            }),
            Some(_) => {}
        }
    }
    for (column, shape) in found {
        let is_key = shape.contains(',');
        if is_key && table.position(column).is_none() {
            all.push(Difference::Shape {
                table: name.clone(),
                column: column.clone(),
                found: shape.clone(),
                declared: "none".to_owned(),
            });
        }
    }
    all
}

fn declared_shape(table: &Table, place: usize) -> Shape {
    let kind = table
        .columns
        .get(place)
        .map_or("none", |column| cql::type_name(column.kind));
    if place < table.partition_key {
        return format!("{kind}, partition_key {place}");
    }
    let clustering = place - table.partition_key;
    match table.clustering.get(clustering) {
        Some(order) => {
            let order = cql::order_name(*order);
            format!("{kind}, clustering {clustering} {order}")
        }
        None => kind.to_owned(),
    }
}

/// The keyspace as the server has it; nothing when there is none.
pub(crate) async fn read(live: &Live, keyspace: &str) -> Result<Option<Keyspace>, Fault> {
    let from = |columns: &str, table: &str| {
        format!("SELECT {columns} FROM system_schema.{table} WHERE keyspace_name = ?")
    };
    let exists = live.prepare(from("keyspace_name", "keyspaces")).await?;
    if live.rows(&exists, (keyspace,)).await?.is_empty() {
        return Ok(None);
    }
    let mut found = Keyspace::default();
    let columns = "table_name, column_name, kind, position, clustering_order, type";
    let columns = live.prepare(from(columns, "columns")).await?;
    for row in live.rows(&columns, (keyspace,)).await? {
        let (table, column, shape) = found_shape(row).ok_or_else(odd)?;
        found.tables.entry(table).or_default().insert(column, shape);
    }
    let dropped = from("table_name, column_name", "dropped_columns");
    let dropped = live.prepare(dropped).await?;
    for row in live.rows(&dropped, (keyspace,)).await? {
        let mut texts = row.columns.into_iter().map(text);
        let name = texts.next().flatten().zip(texts.next().flatten());
        found.dropped.insert(name.ok_or_else(odd)?);
    }
    Ok(Some(found))
}

fn odd() -> Fault {
    Fault::answer("the server describes its schema in an unknown way")
}

fn found_shape(row: Row) -> Option<(String, String, Shape)> {
    let [table, column, kind, position, order, type_name] = row.columns.try_into().ok()?;
    let type_name = text(type_name)?;
    let position = position?.as_int()?;
    let shape = match text(kind)?.as_str() {
        "regular" => type_name,
        "clustering" => format!("{type_name}, clustering {position} {}", text(order)?),
        kind => format!("{type_name}, {kind} {position}"),
    };
    Some((text(table)?, text(column)?, shape))
}

fn text(value: Option<CqlValue>) -> Option<String> {
    value?.into_string()
}

#[cfg(test)]
pub(crate) mod tests {
    use millrace_eventsourcing::{Column, Order, Stamp};

    use super::*;

    static TABLE: Table = Table {
        name: "t",
        columns: &[
            Column::text("a"),
            Column::timestamp("b"),
            Column::bigint("offset"),
        ],
        partition_key: 1,
        clustering: &[Order::Descending],
        stamp: Stamp::Version,
    };

    /// A keyspace with one table, from lines of table, column and shape.
    pub(crate) fn keyspace(columns: &[(&str, &str, &str)]) -> Keyspace {
        let mut found = Keyspace::default();
        for (table, column, shape) in columns {
            let table = found.tables.entry((*table).to_owned()).or_default();
            table.insert((*column).to_owned(), (*shape).to_owned());
        }
        found
    }

    /// What was dropped from it.
    pub(crate) fn drop_column(found: &mut Keyspace, table: &str, column: &str) {
        if let Some(columns) = found.tables.get_mut(table) {
            columns.remove(column);
        }
        found.dropped.insert((table.to_owned(), column.to_owned()));
    }

    const A: (&str, &str, &str) = ("t", "a", "text, partition_key 0");
    const B: (&str, &str, &str) = ("t", "b", "timestamp, clustering 0 desc");
    const OFFSET: (&str, &str, &str) = ("t", "offset", "bigint");

    fn shown(columns: &[(&str, &str, &str)]) -> String {
        Joined(&differences("k", &TABLE, &keyspace(columns))).to_string()
    }

    #[test]
    fn a_table_as_declared_has_no_difference_and_may_have_more_columns() {
        assert_eq!(shown(&[A, B, OFFSET]), "");
        assert_eq!(shown(&[A, B, OFFSET, ("t", "new", "text")]), "");
    }

    #[test]
    fn every_difference_is_named() {
        assert_eq!(shown(&[]), "table `k.t` is missing");
        let all = shown(&[
            A,
            ("t", "b", "timestamp, clustering 0 asc"),
            ("t", "c", "text, clustering 1 asc"),
        ]);
        assert_eq!(
            all,
            "column `b` of `k.t` is `timestamp, clustering 0 asc`, not `timestamp, clustering 0 desc`; \
             column `offset` of `k.t` is missing; \
             column `c` of `k.t` is `text, clustering 1 asc`, not `none`"
        );
    }

    #[test]
    fn every_context_needs_its_progress_table() {
        let context = ContextTables {
            context: "k",
            tables: vec![&TABLE],
        };
        let found = keyspace(&[A, B, OFFSET]);
        let missing = differences_of_context(&context, Some(&found));
        assert_eq!(
            missing,
            [Difference::Table("k.projection_progress".to_owned())]
        );
        let missing = differences_of_context(&context, None);
        assert_eq!(missing, [Difference::Keyspace("k".to_owned())]);
    }
}
