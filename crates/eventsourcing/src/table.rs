//! Read tables, declared once: statements, DDL and documents for every store come from here.

use crate::Timestamp;

/// One read table. Its keyspace is the context of the projection that fills it.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Name in the store, `snake_case`. Persisted.
    pub name: &'static str,
    /// All columns in order of declaration; the partition key's first, then the clustering keys.
    pub columns: &'static [Column],
    /// How many of the first columns are the partition key; at least 1.
    pub partition_key: usize,
    /// The order of each clustering column, which follow the partition key.
    pub clustering: &'static [Order],
    /// What orders the writes of a row.
    pub stamp: Stamp,
}

impl Table {
    /// How many of the first columns make the primary key.
    pub const fn key_len(&self) -> usize {
        self.partition_key + self.clustering.len()
    }

    /// The place of a column.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|candidate| candidate.name == column)
    }
}

/// One column.
#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    /// Name in the store. Persisted.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnType,
}

impl Column {
    /// A text column.
    pub const fn text(name: &'static str) -> Self {
        Self {
            name,
            kind: ColumnType::Text,
        }
    }
    /// A column of 64-bit integers.
    pub const fn bigint(name: &'static str) -> Self {
        Self {
            name,
            kind: ColumnType::Bigint,
        }
    }
    /// A column of 32-bit integers.
    pub const fn int(name: &'static str) -> Self {
        Self {
            name,
            kind: ColumnType::Int,
        }
    }
    /// A column of yes and no.
    pub const fn boolean(name: &'static str) -> Self {
        Self {
            name,
            kind: ColumnType::Boolean,
        }
    }
    /// A column of points in time, to the millisecond.
    pub const fn timestamp(name: &'static str) -> Self {
        Self {
            name,
            kind: ColumnType::Timestamp,
        }
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8.
    Text,
    /// 64-bit integer.
    Bigint,
    /// 32-bit integer.
    Int,
    /// Yes or no.
    Boolean,
    /// Milliseconds since the Unix epoch.
    Timestamp,
}

/// The order of a clustering column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// What orders the writes of a row, so that redelivery and reordering become no-ops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// The version of the one aggregate that owns the row.
    Version,
    /// Written once with one content; nothing to order.
    Constant,
    /// The offset of the record that the row is made of.
    Offset,
}

/// The content of one cell in an upsert.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cell {
    /// Not touched: the row keeps what it has.
    Unset,
    /// Gone.
    Null,
    /// UTF-8.
    Text(String),
    /// 64-bit integer.
    Bigint(i64),
    /// 32-bit integer.
    Int(i32),
    /// Yes or no.
    Boolean(bool),
    /// A point in time; stores keep milliseconds.
    Timestamp(Timestamp),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<&String> for Cell {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}
impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Bigint(number)
    }
}
impl From<i32> for Cell {
    fn from(number: i32) -> Self {
        Self::Int(number)
    }
}
impl From<bool> for Cell {
    fn from(yes: bool) -> Self {
        Self::Boolean(yes)
    }
}
impl From<Timestamp> for Cell {
    fn from(time: Timestamp) -> Self {
        Self::Timestamp(time)
    }
}
impl From<crate::Version> for Cell {
    fn from(version: crate::Version) -> Self {
        Self::Bigint(version.get())
    }
}
impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(cell: Option<T>) -> Self {
        cell.map_or(Self::Null, Into::into)
    }
}

/// A write of one row: an absolute image of the columns that it touches, or that the row is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Where it goes.
    pub table: &'static Table,
    /// One for each column of the table, in its order.
    pub cells: Vec<Cell>,
    /// Whether there is no such row any more; no cell behind the key is set then.
    pub is_gone: bool,
}

impl Row {
    /// A row with these columns; all others stay as they are in the store.
    ///
    /// # Panics
    /// When the table has no such column, or a key column is missing: a slip of the programmer.
    pub fn upsert<const N: usize>(table: &'static Table, columns: [(&str, Cell); N]) -> Self {
        Self::of(table, columns)
    }

    /// The row with this key is gone. Only a write with a larger stamp brings it back, and then
    /// nothing of what it held before.
    ///
    /// # Panics
    /// When the columns are not those of the key: a slip of the programmer.
    pub fn delete<const N: usize>(table: &'static Table, key: [(&str, Cell); N]) -> Self {
        let row = Self::of(table, key);
        assert!(
            N == table.key_len(),
            "only the key says which row of table `{}` is gone",
            table.name
        );
        Self {
            is_gone: true,
            ..row
        }
    }

    fn of<const N: usize>(table: &'static Table, columns: [(&str, Cell); N]) -> Self {
        let mut cells = vec![Cell::Unset; table.columns.len()];
        for (name, cell) in columns {
            let place = table.position(name).and_then(|index| cells.get_mut(index));
            assert!(
                place.is_some(),
                "table `{}` has no column `{name}`",
                table.name
            );
            if let Some(place) = place {
                *place = cell;
            }
        }
        for (column, cell) in table.columns.iter().zip(&cells).take(table.key_len()) {
            let is_set = !matches!(cell, Cell::Unset | Cell::Null);
            assert!(
                is_set,
                "key column `{}` of table `{}` is not set",
                column.name, table.name
            );
        }
        Self {
            table,
            cells,
            is_gone: false,
        }
    }

    /// The cells of the primary key.
    pub fn key(&self) -> &[Cell] {
        self.cells.get(..self.table.key_len()).unwrap_or_default()
    }
}
