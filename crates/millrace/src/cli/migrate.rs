//! `millrace migrate`

use std::io::{self, Write};
use std::time::Duration;

use anyhow::Context;
use millrace_runtime::tables::{Migrating, TableAccess};

use super::telling::Telling;
use super::{App, Exit, block_on};
use crate::pace::Pace;

/// How long another process may hold the right to migrate.
const WAIT: Duration = Duration::from_mins(1);

pub(super) fn run(app: &App) -> anyhow::Result<Exit> {
    let store = app.store()?;
    let tables = app.registry.tables();
    let mut telling = Telling::new();
    let mut written = Ok(());
    let mut tell = |going: Migrating<'_>| {
        let result = show(&mut telling, going);
        if written.is_ok() {
            written = result;
        }
    };
    let applied = block_on(store.migrate(&tables, WAIT, &mut tell))?
        .context("cannot bring the read tables up to date")?;
    written?;
    if applied.is_empty() {
        writeln!(io::stdout(), "all tables are up to date")?;
    }
    Ok(Exit::Done)
}

/// A step is a result; how far it is, is none.
fn show(telling: &mut Telling, going: Migrating<'_>) -> io::Result<()> {
    let (step, done, all) = match going {
        Migrating::WaitsFor(holder) => {
            let limit = WAIT.as_secs();
            return telling.tell(|elapsed| {
                let elapsed = elapsed.as_secs();
                format!("waiting for `{holder}`, which migrates: {elapsed} s of {limit} s")
            });
        }
        Migrating::Did { step, done, all } => (step, done, all),
    };
    telling.clear()?;
    writeln!(
        io::stdout(),
        "{} v{}: {}",
        step.table,
        step.version,
        step.description
    )?;
    let count = |number| i64::try_from(number).unwrap_or(i64::MAX);
    let pace = Pace {
        done: count(done),
        all: count(all),
        unit: "steps",
    };
    telling.tell(|elapsed| pace.after(elapsed))
}
