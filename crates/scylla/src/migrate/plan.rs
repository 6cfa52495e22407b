//! Which statements are still to be carried out: computed from the declaration, what is recorded
//! and what the server has.

use millrace_eventsourcing::Table;
use millrace_runtime::store::ContextTables;
use millrace_runtime::tables::is_plain;
use sha2::{Digest, Sha256};

use super::MigrateError;
use crate::cql;
use crate::schema::{Difference, Keyspace, differences};

/// A version of a table that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) version: i32,
    /// SHA-256 over the statement, in hex.
    pub(super) checksum: String,
    /// How many columns the table has with it.
    pub(super) columns: i32,
}

/// A version to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) context: &'static str,
    pub(super) table: &'static str,
    pub(super) version: i32,
    pub(super) columns: i32,
    pub(super) description: String,
    pub(super) statement: String,
    pub(super) checksum: String,
    /// Whether the server does not have it yet.
    pub(super) is_missing: bool,
}

/// Names go into statements as they are.
pub(super) fn check_names(contexts: &[ContextTables]) -> Result<(), MigrateError> {
    let tables = contexts.iter().flat_map(|context| &context.tables);
    let columns = tables.clone().flat_map(|table| table.columns);
    let names = contexts
        .iter()
        .map(|context| context.context)
        .chain(tables.map(|table| table.name))
        .chain(columns.map(|column| column.name));
    for name in names {
        if !is_plain(name) {
            return Err(MigrateError::Name(name.to_owned()));
        }
    }
    Ok(())
}

/// The steps of one table, in order. `recorded` is in order of versions.
pub(super) fn steps(
    context: &'static str,
    table: &'static Table,
    recorded: &[Recorded],
    found: &Keyspace,
) -> Result<Vec<Step>, MigrateError> {
    let declared = versions(context, table, recorded);
    compare(context, table, recorded, &declared)?;
    let mut steps = Vec::new();
    if !found.has_table(table.name) {
        // Never made, or dropped as a whole: then all versions are made again.
        for mut step in declared {
            step.is_missing = true;
            steps.push(step);
        }
        return Ok(steps);
    }
    check_found(context, table, recorded, found)?;
    for mut step in declared.into_iter().skip(recorded.len()) {
        // The first version is there: the table is.
        let column = table.columns.get(last_column(&step));
        step.is_missing = step.version > 1
            && column.is_some_and(|column| !found.has_column(table.name, column.name));
        steps.push(step);
    }
    Ok(steps)
}

fn last_column(step: &Step) -> usize {
    usize::try_from(step.columns).unwrap_or(0).saturating_sub(1)
}

/// All versions that the declaration amounts to: one that creates the table with the columns it
/// had then (all, if it is new), and one for each column that came later.
fn versions(context: &'static str, table: &'static Table, recorded: &[Recorded]) -> Vec<Step> {
    let all = table.columns.len();
    let first = recorded
        .first()
        .and_then(|version| usize::try_from(version.columns).ok())
        .map_or(all, |columns| columns.min(all));
    let created = (
        first,
        cql::create_table(context, table, first),
        "create".to_owned(),
    );
    let later = table.columns.iter().enumerate().skip(first);
    let added = later.map(|(place, column)| {
        let statement = cql::add_column(context, table, column);
        (place + 1, statement, format!("add {}", column.name))
    });
    let numbered = std::iter::once(created).chain(added).zip(1..);
    numbered
        .map(|((columns, statement, description), version)| Step {
            context,
            table: table.name,
            version,
            columns: i32::try_from(columns).unwrap_or(i32::MAX),
            description,
            checksum: checksum(&statement),
            statement,
            is_missing: false,
        })
        .collect()
}

/// Whether what is recorded is the beginning of what is declared.
fn compare(
    context: &str,
    table: &Table,
    recorded: &[Recorded],
    declared: &[Step],
) -> Result<(), MigrateError> {
    let name = || format!("{context}.{}", table.name);
    for (place, known) in recorded.iter().enumerate() {
        let version = known.version;
        let is_wider = usize::try_from(known.columns).is_ok_and(|it| it > table.columns.len());
        let step = declared.get(place).filter(|_| !is_wider);
        let Some(step) = step else {
            return Err(MigrateError::Newer {
                table: name(),
                version,
            });
        };
        let is_same = (version, known.columns) == (step.version, step.columns);
        if !is_same || known.checksum != step.checksum {
            return Err(MigrateError::Changed {
                table: name(),
                version,
            });
        }
    }
    Ok(())
}

/// Whether the table that is there is the one that is recorded, give or take columns to be added.
fn check_found(
    context: &str,
    table: &Table,
    recorded: &[Recorded],
    found: &Keyspace,
) -> Result<(), MigrateError> {
    let name = || format!("{context}.{}", table.name);
    let made = recorded.last().map(|version| version.columns);
    let made = made.and_then(|columns| usize::try_from(columns).ok());
    let made = made.unwrap_or(0);
    for (place, column) in table.columns.iter().enumerate() {
        let is_gone = place < made && !found.has_column(table.name, column.name);
        if is_gone || found.has_dropped(table.name, column.name) {
            return Err(MigrateError::Dropped {
                table: name(),
                column: column.name.to_owned(),
            });
        }
    }
    let mut differences = differences(context, table, found);
    if made > 0 {
        differences.retain(|difference| !matches!(difference, Difference::Column { .. }));
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(MigrateError::Differs {
        table: name(),
        differences,
    })
}

fn checksum(statement: &str) -> String {
    let digest = Sha256::digest(statement.as_bytes());
    let bytes: Vec<_> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.concat()
}

#[cfg(test)]
mod tests {
    use millrace_eventsourcing::{Column, Order, Stamp};

    use super::*;
    use crate::schema::tests::{drop_column, keyspace};

    const ID: (&str, &str, &str) = ("t", "id", "text, partition_key 0");
    const NUMBER: (&str, &str, &str) = ("t", "n", "int, clustering 0 asc");
    const NAME: (&str, &str, &str) = ("t", "name", "text");
    const EMAIL: (&str, &str, &str) = ("t", "email", "text");

    const fn table(columns: &'static [Column]) -> Table {
        Table {
            name: "t",
            columns,
            partition_key: 1,
            clustering: &[Order::Ascending],
            stamp: Stamp::Version,
        }
    }
    static SMALL: Table = table(&[Column::text("id"), Column::int("n"), Column::text("name")]);
    static GROWN: Table = table(&[
        Column::text("id"),
        Column::int("n"),
        Column::text("name"),
        Column::text("email"),
    ]);
    static REORDERED: Table = table(&[
        Column::text("id"),
        Column::int("n"),
        Column::text("email"),
        Column::text("name"),
    ]);

    /// What is recorded once the declaration is migrated.
    fn recorded(table: &'static Table) -> Vec<Recorded> {
        let steps = steps("k", table, &[], &Keyspace::default()).unwrap();
        steps.iter().map(record).collect()
    }

    fn record(step: &Step) -> Recorded {
        Recorded {
            version: step.version,
            checksum: step.checksum.clone(),
            columns: step.columns,
        }
    }

    /// Version and whether it is carried out.
    fn shape(steps: &[Step]) -> Vec<(i32, bool)> {
        steps
            .iter()
            .map(|step| (step.version, step.is_missing))
            .collect()
    }

    #[test]
    fn a_new_table_is_created_with_all_its_columns() {
        let steps = steps("k", &GROWN, &[], &Keyspace::default()).unwrap();
        assert_eq!(shape(&steps), [(1, true)]);
        assert_eq!(steps[0].columns, 4);
        assert_eq!(steps[0].statement, cql::create_table("k", &GROWN, 4));
        assert_eq!(
            checksum("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn nothing_is_left_to_do_the_second_time() {
        let found = keyspace(&[ID, NUMBER, NAME]);
        assert_eq!(steps("k", &SMALL, &recorded(&SMALL), &found), Ok(vec![]));
    }

    #[test]
    fn a_column_at_the_end_becomes_a_version_of_its_own() {
        let mut known = recorded(&SMALL);
        let found = keyspace(&[ID, NUMBER, NAME]);
        let first = steps("k", &GROWN, &known, &found).unwrap();
        assert_eq!(shape(&first), [(2, true)]);
        assert_eq!(
            first[0].statement,
            "ALTER TABLE \"k\".\"t\" ADD \"email\" text"
        );
        known.push(record(&first[0]));
        let found = keyspace(&[ID, NUMBER, NAME, EMAIL]);
        assert_eq!(steps("k", &GROWN, &known, &found), Ok(vec![]));
    }

    #[test]
    fn a_statement_whose_record_was_lost_is_only_recorded() {
        let found = keyspace(&[ID, NUMBER, NAME]);
        let again = steps("k", &SMALL, &[], &found).unwrap();
        assert_eq!(shape(&again), [(1, false)]);
        let found = keyspace(&[ID, NUMBER, NAME, EMAIL]);
        let again = steps("k", &GROWN, &recorded(&SMALL), &found).unwrap();
        assert_eq!(shape(&again), [(2, false)]);
    }

    #[test]
    fn any_other_change_is_refused_by_the_name_of_the_table() {
        let error = steps("k", &REORDERED, &recorded(&GROWN), &Keyspace::default()).unwrap_err();
        let table = "k.t".to_owned();
        assert_eq!(error, MigrateError::Changed { table, version: 1 });
        let mut known = recorded(&SMALL);
        known[0].checksum.replace_range(..1, "-");
        let error = steps("k", &SMALL, &known, &Keyspace::default()).unwrap_err();
        assert!(matches!(error, MigrateError::Changed { version: 1, .. }));
    }

    #[test]
    fn a_program_older_than_the_tables_is_refused() {
        let table = || "k.t".to_owned();
        let found = keyspace(&[ID, NUMBER, NAME, EMAIL]);
        let error = steps("k", &SMALL, &recorded(&GROWN), &found).unwrap_err();
        let (table_, version) = (table(), 1);
        assert_eq!(
            error,
            MigrateError::Newer {
                table: table_,
                version
            }
        );
        let mut known = recorded(&SMALL);
        known.push(record(
            &steps("k", &GROWN, &known, &keyspace(&[ID, NUMBER, NAME])).unwrap()[0],
        ));
        let error = steps("k", &SMALL, &known, &found).unwrap_err();
        let (table, version) = (table(), 2);
        assert_eq!(error, MigrateError::Newer { table, version });
    }

    #[test]
    fn a_table_of_somebody_else_is_left_alone() {
        let found = keyspace(&[ID, NUMBER]);
        let error = steps("k", &SMALL, &[], &found).unwrap_err();
        assert!(matches!(error, MigrateError::Differs { .. }), "{error}");
        let found = keyspace(&[ID, NUMBER, ("t", "name", "blob")]);
        let error = steps("k", &SMALL, &recorded(&SMALL), &found).unwrap_err();
        assert!(error.to_string().contains("`blob`"), "{error}");
    }

    #[test]
    fn a_dropped_column_is_never_made_again() {
        let mut found = keyspace(&[ID, NUMBER, NAME]);
        let known = recorded(&SMALL);
        drop_column(&mut found, "t", "name");
        let error = steps("k", &SMALL, &known, &found).unwrap_err();
        assert!(matches!(error, MigrateError::Dropped { .. }), "{error}");
        let mut found = keyspace(&[ID, NUMBER, NAME]);
        drop_column(&mut found, "t", "email");
        let error = steps("k", &GROWN, &known, &found).unwrap_err();
        assert!(error.to_string().contains("`email`"), "{error}");
    }

    #[test]
    fn a_table_dropped_as_a_whole_is_made_again_with_its_versions() {
        let mut known = recorded(&SMALL);
        let found = keyspace(&[ID, NUMBER, NAME]);
        known.push(record(&steps("k", &GROWN, &known, &found).unwrap()[0]));
        let again = steps("k", &GROWN, &known, &Keyspace::default()).unwrap();
        assert_eq!(shape(&again), [(1, true), (2, true)]);
    }

    #[test]
    fn a_name_that_needs_quotes_is_refused() {
        static ODD: Table = table(&[Column::text("id"), Column::int("N")]);
        let contexts = |context, table| {
            [ContextTables {
                context,
                tables: vec![table],
            }]
        };
        assert_eq!(check_names(&contexts("k", &SMALL)), Ok(()));
        let error = check_names(&contexts("k", &ODD)).unwrap_err();
        assert_eq!(error, MigrateError::Name("N".to_owned()));
        assert!(check_names(&contexts("k-1", &SMALL)).is_err());
    }
}
