//! `millrace topics create|check`

use std::io::{self, Write};

use anyhow::bail;
use millrace_runtime::access::{Created, LogAccess};
use millrace_runtime::topic_spec::{Layout, TopicKind, TopicSpec, aggregate_topics, compare};

use super::{App, Exit};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make the topics that are missing; those that exist stay as they are
    Create,
    /// Report every difference between the topics and what they should be
    Check,
}

pub(super) fn run(app: &App, args: &Args) -> anyhow::Result<Exit> {
    app.require_kafka()?;
    let specs = specs(app);
    let log = app.log();
    let mut out = io::stdout().lock();
    if matches!(args.action, Action::Create) {
        let created = log.create(&specs)?;
        for (spec, created) in specs.iter().zip(created) {
            let word = match created {
                Created::New => "created",
                Created::Existing => "exists",
            };
            writeln!(out, "{word:7}  {}", spec.name)?;
        }
    }
    check(&log, &specs, &mut out)
}

/// The topics of everything that is registered, as the settings want them.
pub(super) fn specs(app: &App) -> Vec<TopicSpec> {
    let layout = Layout {
        partitions: app.settings.partitions,
        replication_factor: app.settings.replication_factor,
    };
    let aggregates = app.registry.aggregates();
    let topics = aggregates.flat_map(|aggregate| aggregate_topics(aggregate.name(), layout));
    // As many partitions as what they read has.
    let owners = app.registry.task_owners();
    let states = owners.map(|(owner, _)| TopicSpec::of(owner, TopicKind::State, layout));
    topics.chain(states).collect()
}

fn check(log: &dyn LogAccess, specs: &[TopicSpec], out: &mut impl Write) -> anyhow::Result<Exit> {
    let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    let differences = compare(specs, &log.describe(&names)?);
    if differences.is_empty() {
        writeln!(out, "all {} topics are as they should be", specs.len())?;
        return Ok(Exit::Done);
    }
    for difference in &differences {
        writeln!(out, "{difference}")?;
    }
    bail!(
        "{} differences; missing topics are made by `millrace topics create`, settings are changed \
         with Kafka's own tools, and a partition count needs new topics",
        differences.len()
    )
}
