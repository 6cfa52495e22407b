//! `millrace topics create|check`

use std::io::{self, Write};

use anyhow::bail;
use millrace_runtime::access::{Created, LogAccess};
use millrace_runtime::topic_spec::{TopicSpec, compare};

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
    let specs = app.registry.topics(&app.settings);
    let log = app.log()?;
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
    check(log.as_ref(), &specs, &mut out)
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
