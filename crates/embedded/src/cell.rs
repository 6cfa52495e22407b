//! Cells on their way into the file and back.

use std::cmp::Ordering;

use millrace_eventsourcing::{Cell, Column, ColumnType, Timestamp};
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};

use crate::time;

/// One value of a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CellValue<'a>(pub(crate) &'a Cell);

impl ToSql for CellValue<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self.0 {
            Cell::Unset | Cell::Null => Value::Null,
            Cell::Text(text) => return text.to_sql(),
            Cell::Bigint(number) => Value::Integer(*number),
            Cell::Int(number) => Value::Integer(i64::from(*number)),
            Cell::Boolean(yes) => Value::Integer(i64::from(*yes)),
            Cell::Timestamp(time) => Value::Text(time::text(time.as_millis())),
        };
        Ok(ToSqlOutput::Owned(value))
    }
}

/// The file holds something else than the declaration says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column `{0}` is not as declared: run `millrace migrate`")]
pub(crate) struct NotAsDeclared(&'static str);

/// What the file has in a column.
pub(crate) fn cell(value: ValueRef<'_>, column: &Column) -> Result<Cell, NotAsDeclared> {
    let read = match (value, column.kind) {
        (ValueRef::Null, _) => Some(Cell::Null),
        (ValueRef::Text(text), ColumnType::Text) => std::str::from_utf8(text).ok().map(Cell::from),
        (ValueRef::Integer(number), ColumnType::Bigint) => Some(Cell::Bigint(number)),
        (ValueRef::Integer(number), ColumnType::Int) => i32::try_from(number).ok().map(Cell::Int),
        (ValueRef::Integer(number @ (0 | 1)), ColumnType::Boolean) => {
            Some(Cell::Boolean(number == 1))
        }
        (ValueRef::Text(text), ColumnType::Timestamp) => {
            let text = std::str::from_utf8(text).ok();
            let millis = text.and_then(time::millis);
            millis.map(|millis| Timestamp::from_millis(millis).into())
        }
        (ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_), _) => {
            None
        }
    };
    read.ok_or(NotAsDeclared(column.name))
}

/// As the file will give it back: times to the millisecond.
pub(crate) fn as_kept(cell: &Cell) -> Cell {
    match cell {
        Cell::Timestamp(time) => Timestamp::from_millis(time.as_millis()).into(),
        Cell::Unset
        | Cell::Null
        | Cell::Text(_)
        | Cell::Bigint(_)
        | Cell::Int(_)
        | Cell::Boolean(_) => cell.clone(),
    }
}

/// Which of two values that were written with one stamp stays: null, then the larger bytes, as in
/// CQL, whatever they mean: -1 beats 1.
pub(crate) fn tie(new: &Cell, old: &Cell) -> Ordering {
    match (new, old) {
        (Cell::Null, Cell::Null) => Ordering::Equal,
        (Cell::Null, _) => Ordering::Greater,
        (_, Cell::Null) => Ordering::Less,
        (new, old) => bytes(new).cmp(&bytes(old)),
    }
}

fn bytes(cell: &Cell) -> Vec<u8> {
    match cell {
        Cell::Unset | Cell::Null => Vec::new(),
        Cell::Text(text) => text.as_bytes().to_vec(),
        Cell::Bigint(number) => number.to_be_bytes().to_vec(),
        Cell::Int(number) => number.to_be_bytes().to_vec(),
        Cell::Boolean(yes) => vec![u8::from(*yes)],
        Cell::Timestamp(time) => time.as_millis().to_be_bytes().to_vec(),
    }
}

/// A key as one value: of each cell its length and its bytes. Persisted.
pub(crate) fn key_bytes(key: &[Cell]) -> Vec<u8> {
    let mut all = Vec::new();
    for cell in key {
        let bytes = bytes(cell);
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        all.extend(length.to_be_bytes());
        all.extend(bytes);
    }
    all
}
