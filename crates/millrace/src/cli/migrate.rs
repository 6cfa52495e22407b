//! `millrace migrate`

use std::io::{self, Write};
use std::time::Duration;

use anyhow::Context;
use millrace_runtime::tables::TableAccess;

use super::{App, Exit, block_on};

/// How long another process may hold the right to migrate.
const WAIT: Duration = Duration::from_mins(1);

pub(super) fn run(app: &App) -> anyhow::Result<Exit> {
    let store = app.store()?;
    let tables = app.registry.tables();
    let applied = block_on(store.migrate(&tables, WAIT))?
        .context("cannot bring the read tables up to date")?;
    let mut out = io::stdout().lock();
    if applied.is_empty() {
        writeln!(out, "all tables are up to date")?;
    }
    for step in applied {
        writeln!(
            out,
            "{} v{}: {}",
            step.table, step.version, step.description
        )?;
    }
    Ok(Exit::Done)
}
