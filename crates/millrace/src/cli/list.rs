//! `millrace list`

mod json;

use std::io::{self, Write};

use millrace_eventsourcing::Table;
use millrace_runtime::breaker::{FAILURES_MAX, PROBE_INTERVAL};
use millrace_runtime::projector::dependency;
use millrace_runtime::retry::{FACTOR, FIRST_WAIT, WAIT_MAX};

use super::{App, Exit};
use crate::registry::{
    AggregateEntry, Context, PolicyEntry, ProjectionEntry, ReactorEntry, group_of_projection,
};
use crate::settings::{Start, show_duration, show_rate_limit};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(app: &App, args: &Args) -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    for context in app.registry.contexts() {
        if args.json {
            for object in json::objects(app, context) {
                writeln!(out, "{object}")?;
            }
            continue;
        }
        writeln!(out, "context {}", context.name())?;
        for aggregate in context.aggregates() {
            show_aggregate(&mut out, app, aggregate.as_ref())?;
        }
        for projection in context.projections() {
            show_projection(&mut out, app, context, projection.as_ref())?;
        }
        for policy in context.policies() {
            show_policy(&mut out, app, policy.as_ref())?;
        }
        for reactor in context.reactors() {
            show_reactor(&mut out, app, reactor.as_ref())?;
        }
    }
    Ok(Exit::Done)
}

fn show_aggregate(
    out: &mut impl Write,
    app: &App,
    aggregate: &dyn AggregateEntry,
) -> io::Result<()> {
    writeln!(out, "  aggregate {}", aggregate.name())?;
    writeln!(
        out,
        "    commands  {}",
        aggregate.command_types().join(", ")
    )?;
    writeln!(out, "    events    {}", aggregate.event_types().join(", "))?;
    let limits = app.settings.rate_limits_of(aggregate.name());
    for (kind, limit) in limits {
        writeln!(out, "    limit     {kind} {}", show_rate_limit(limit))?;
    }
    Ok(())
}

/// How a dependency that fails is treated.
fn show_dependency(out: &mut impl Write, dependency: &str) -> io::Result<()> {
    let probe = show_duration(PROBE_INTERVAL);
    let (first, most) = (show_duration(FIRST_WAIT), show_duration(WAIT_MAX));
    writeln!(out, "    needs     {dependency}")?;
    writeln!(
        out,
        "    breaker   open after {FAILURES_MAX} failures in a row, probes every {probe}"
    )?;
    writeln!(
        out,
        "    back-off  first {first}, then {FACTOR} times the one before, at most {most}"
    )
}

fn show_projection(
    out: &mut impl Write,
    app: &App,
    context: &Context,
    projection: &dyn ProjectionEntry,
) -> io::Result<()> {
    let name = projection.name();
    let group = group_of_projection(context.name(), name);
    let start = start_word(app, &group);
    let table = |table: &&Table| format!("{}.{}", context.name(), table.name);
    let tables: Vec<_> = projection.tables().iter().map(table).collect();
    writeln!(out, "  projection {}.{name}", context.name())?;
    writeln!(out, "    follows   {}", projection.aggregates().join(", "))?;
    writeln!(out, "    tables    {}", tables.join(", "))?;
    writeln!(out, "    revision  {}", projection.revision())?;
    show_dependency(out, &dependency(&group))?;
    writeln!(out, "    group     {group}")?;
    writeln!(out, "    start     {start}")
}

fn show_policy(out: &mut impl Write, app: &App, policy: &dyn PolicyEntry) -> io::Result<()> {
    let group = policy.full_name();
    writeln!(out, "  policy {group}")?;
    writeln!(out, "    follows   {}", policy.aggregate())?;
    writeln!(out, "    sends to  {}", policy.targets().join(", "))?;
    writeln!(out, "    is        {}", policy.describe(&app.settings))?;
    writeln!(out, "    group     {group}")?;
    writeln!(out, "    start     {}", start_word(app, group))
}

fn show_reactor(out: &mut impl Write, app: &App, reactor: &dyn ReactorEntry) -> io::Result<()> {
    let group = reactor.full_name();
    let state = match reactor.off(&app.settings) {
        None => "on".to_owned(),
        Some(reason) => format!("off: {reason}"),
    };
    writeln!(out, "  reactor {group}")?;
    writeln!(out, "    follows   {}", reactor.aggregate())?;
    show_dependency(out, reactor.dependency())?;
    writeln!(out, "    consumes  {state}")?;
    writeln!(out, "    group     {group}")?;
    writeln!(out, "    start     {}", start_word(app, group))
}

fn start_word(app: &App, group: &str) -> &'static str {
    match app.settings.start_of(group) {
        Start::Beginning => "beginning",
        Start::End => "end",
    }
}
