//! Cells on their way to the server and back.

use millrace_eventsourcing::{Cell, Column, ColumnType, Timestamp};
use millrace_runtime::store::StampedRow;
use scylla::cluster::metadata::ColumnType as CqlType;
use scylla::serialize::SerializationError;
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::value::SerializeValue;
use scylla::serialize::writers::{CellWriter, RowWriter, WrittenCellProof};
use scylla::value::{CqlTimestamp, CqlValue};

/// What the write of one row binds.
#[derive(Debug)]
pub(crate) enum WriteValues<'a> {
    Upsert(RowValues<'a>),
    Deletion(KeyValues<'a>),
}

impl<'a> From<&'a StampedRow> for WriteValues<'a> {
    fn from(write: &'a StampedRow) -> Self {
        let stamp = write.stamp;
        if write.row.is_gone {
            let key = write.row.key();
            return Self::Deletion(KeyValues { stamp, key });
        }
        let cells = &write.row.cells;
        Self::Upsert(RowValues { cells, stamp })
    }
}

impl SerializeRow for WriteValues<'_> {
    fn serialize(
        &self,
        context: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        match self {
            Self::Upsert(values) => values.serialize(context, writer),
            Self::Deletion(values) => values.serialize(context, writer),
        }
    }

    fn is_empty(&self) -> bool {
        false
    }
}

/// What a deletion binds: the stamp, and then the cells of the key.
#[derive(Debug)]
pub(crate) struct KeyValues<'a> {
    stamp: i64,
    key: &'a [Cell],
}

impl SerializeRow for KeyValues<'_> {
    fn serialize(
        &self,
        context: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        let (given, places) = (self.key.len(), context.columns());
        let split = places.split_first();
        let Some((place, columns)) = split.filter(|(_, columns)| columns.len() == given) else {
            let columns = places.len();
            return Err(SerializationError::new(WrongCount { given, columns }));
        };
        self.stamp
            .serialize(place.typ(), writer.make_cell_writer())?;
        for (cell, place) in self.key.iter().zip(columns) {
            CellValue(cell).serialize(place.typ(), writer.make_cell_writer())?;
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        false
    }
}

/// What a full-column upsert binds: the cells, and last the stamp.
#[derive(Debug)]
pub(crate) struct RowValues<'a> {
    pub(crate) cells: &'a [Cell],
    pub(crate) stamp: i64,
}

#[derive(Debug, thiserror::Error)]
#[error("{given} cells and a stamp for {columns} places")]
struct WrongCount {
    given: usize,
    columns: usize,
}

impl SerializeRow for RowValues<'_> {
    fn serialize(
        &self,
        context: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        let places = context.columns();
        let Some((stamp, columns)) = places.split_last() else {
            return Err(self.wrong_count(0));
        };
        if columns.len() != self.cells.len() {
            return Err(self.wrong_count(places.len()));
        }
        for (cell, place) in self.cells.iter().zip(columns) {
            CellValue(cell).serialize(place.typ(), writer.make_cell_writer())?;
        }
        self.stamp
            .serialize(stamp.typ(), writer.make_cell_writer())?;
        Ok(())
    }

    fn is_empty(&self) -> bool {
        false
    }
}

impl RowValues<'_> {
    fn wrong_count(&self, columns: usize) -> SerializationError {
        SerializationError::new(WrongCount {
            given: self.cells.len(),
            columns,
        })
    }
}

/// One value of a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CellValue<'a>(pub(crate) &'a Cell);

impl SerializeValue for CellValue<'_> {
    fn serialize<'b>(
        &self,
        kind: &CqlType<'_>,
        writer: CellWriter<'b>,
    ) -> Result<WrittenCellProof<'b>, SerializationError> {
        match self.0 {
            Cell::Unset => Ok(writer.set_unset()),
            Cell::Null => Ok(writer.set_null()),
            Cell::Text(text) => text.as_str().serialize(kind, writer),
            Cell::Bigint(number) => number.serialize(kind, writer),
            Cell::Int(number) => number.serialize(kind, writer),
            Cell::Boolean(yes) => yes.serialize(kind, writer),
            Cell::Timestamp(time) => CqlTimestamp(time.as_millis()).serialize(kind, writer),
        }
    }
}

/// About how many bytes a cell takes on the wire.
pub(crate) fn size(cell: &Cell) -> usize {
    const LENGTH: usize = 4;
    LENGTH
        + match cell {
            Cell::Unset | Cell::Null => 0,
            Cell::Text(text) => text.len(),
            Cell::Bigint(_) | Cell::Timestamp(_) => 8,
            Cell::Int(_) => 4,
            Cell::Boolean(_) => 1,
        }
}

/// The server holds something else than the declaration says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column `{column}` is not as declared: run `millrace migrate`")]
pub(crate) struct NotAsDeclared {
    column: &'static str,
}

/// What the server sent for a column.
pub(crate) fn cell(value: Option<CqlValue>, column: &Column) -> Result<Cell, NotAsDeclared> {
    match (value, column.kind) {
        (None, _) => Ok(Cell::Null),
        (Some(CqlValue::Text(text) | CqlValue::Ascii(text)), ColumnType::Text) => {
            Ok(Cell::Text(text))
        }
        (Some(CqlValue::BigInt(number)), ColumnType::Bigint) => Ok(Cell::Bigint(number)),
        (Some(CqlValue::Int(number)), ColumnType::Int) => Ok(Cell::Int(number)),
        (Some(CqlValue::Boolean(yes)), ColumnType::Boolean) => Ok(Cell::Boolean(yes)),
        (Some(CqlValue::Timestamp(CqlTimestamp(millis))), ColumnType::Timestamp) => {
            Ok(Cell::Timestamp(Timestamp::from_millis(millis)))
        }
        (Some(_), _) => Err(NotAsDeclared {
            column: column.name,
        }),
    }
}

#[cfg(test)]
mod tests {
    use millrace_runtime::tables::fits;

    use super::*;

    #[test]
    fn every_kind_of_value_comes_back_as_its_cell() {
        let time = CqlValue::Timestamp(CqlTimestamp(-1));
        let kinds = [
            (
                CqlValue::Text("é".into()),
                Column::text("c"),
                Cell::from("é"),
            ),
            (CqlValue::BigInt(-1), Column::bigint("c"), Cell::Bigint(-1)),
            (CqlValue::Int(7), Column::int("c"), Cell::Int(7)),
            (CqlValue::Boolean(true), Column::boolean("c"), true.into()),
            (
                time,
                Column::timestamp("c"),
                Timestamp::from_micros(-1_000).into(),
            ),
        ];
        for (value, column, expected) in kinds {
            assert!(fits(&expected, column.kind));
            assert_eq!(cell(Some(value), &column), Ok(expected));
            assert_eq!(cell(None, &column), Ok(Cell::Null));
        }
    }

    #[test]
    fn a_value_of_another_kind_is_an_error_that_names_the_column() {
        let error = cell(Some(CqlValue::Int(1)), &Column::bigint("balance")).unwrap_err();
        assert!(error.to_string().contains("`balance`"));
        assert!(!fits(&Cell::Int(1), ColumnType::Bigint) && !fits(&Cell::Null, ColumnType::Int));
    }
}
