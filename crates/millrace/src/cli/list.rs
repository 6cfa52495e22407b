//! `millrace list`

use std::io::{self, Write};

use millrace_eventsourcing::Table;

use super::{App, Exit};
use crate::registry::{AggregateEntry, Context, ProjectionEntry, group_of_projection};
use crate::settings::Start;

pub(super) fn run(app: &App) -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    for context in app.registry.contexts() {
        writeln!(out, "context {}", context.name())?;
        for aggregate in context.aggregates() {
            show_aggregate(&mut out, aggregate.as_ref())?;
        }
        for projection in context.projections() {
            show_projection(&mut out, app, context, projection.as_ref())?;
        }
    }
    Ok(Exit::Done)
}

fn show_aggregate(out: &mut impl Write, aggregate: &dyn AggregateEntry) -> io::Result<()> {
    writeln!(out, "  aggregate {}", aggregate.name())?;
    writeln!(
        out,
        "    commands  {}",
        aggregate.command_types().join(", ")
    )?;
    writeln!(out, "    events    {}", aggregate.event_types().join(", "))
}

fn show_projection(
    out: &mut impl Write,
    app: &App,
    context: &Context,
    projection: &dyn ProjectionEntry,
) -> io::Result<()> {
    let name = projection.name();
    let start = match app.settings.start(&format!("projection.{name}")) {
        Start::Beginning => "beginning",
        Start::End => "end",
    };
    let table = |table: &&Table| format!("{}.{}", context.name(), table.name);
    let tables: Vec<_> = projection.tables().iter().map(table).collect();
    writeln!(out, "  projection {}.{name}", context.name())?;
    writeln!(out, "    follows   {}", projection.aggregates().join(", "))?;
    writeln!(out, "    tables    {}", tables.join(", "))?;
    writeln!(out, "    revision  {}", projection.revision())?;
    writeln!(
        out,
        "    group     {}",
        group_of_projection(context.name(), name)
    )?;
    writeln!(out, "    start     {start}")
}
