//! `millrace topics create|check`

use std::io::{self, Write};

use anyhow::bail;
use millrace_runtime::access::{Created, LogAccess};
use millrace_runtime::topic_spec::{Difference, TopicSpec, compare};
use serde_json::{Value, json};

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
    Check {
        /// One JSON object a line for each difference
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(app: &App, args: &Args) -> anyhow::Result<Exit> {
    let specs = app.registry.topics(&app.settings);
    let log = app.log()?;
    let mut out = io::stdout().lock();
    let json = match args.action {
        Action::Check { json } => json,
        Action::Create => {
            let created = log.create(&specs)?;
            for (spec, created) in specs.iter().zip(created) {
                let word = match created {
                    Created::New => "created",
                    Created::Existing => "exists",
                };
                writeln!(out, "{word:7}  {}", spec.name)?;
            }
            false
        }
    };
    check(log.as_ref(), &specs, json, &mut out)
}

fn check(
    log: &dyn LogAccess,
    specs: &[TopicSpec],
    json: bool,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    let differences = compare(specs, &log.describe(&names)?);
    if differences.is_empty() {
        if !json {
            writeln!(out, "all {} topics are as they should be", specs.len())?;
        }
        return Ok(Exit::Done);
    }
    for difference in &differences {
        if json {
            writeln!(out, "{}", object(difference))?;
        } else {
            writeln!(out, "{difference}")?;
        }
    }
    bail!(
        "{} differences; missing topics are made by `millrace topics create`, settings are changed \
         with Kafka's own tools, and a partition count needs new topics",
        differences.len()
    )
}

/// A difference for programs; a topic that is missing is not set at all.
fn object(difference: &Difference) -> Value {
    match difference {
        Difference::Missing { topic } => json!({"topic": topic, "missing": true}),
        Difference::Differs {
            topic,
            setting,
            found,
            wanted,
        } => json!({
            "topic": topic, "missing": false,
            "setting": setting, "found": found, "wanted": wanted,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_says_what_is_and_what_should_be() {
        let missing = Difference::Missing {
            topic: "t".to_owned(),
        };
        assert_eq!(object(&missing), json!({"topic": "t", "missing": true}));
        let differs = Difference::Differs {
            topic: "t".to_owned(),
            setting: "partitions",
            found: "1".to_owned(),
            wanted: "12".to_owned(),
        };
        let object = object(&differs);
        assert_eq!(
            (&object["found"], &object["wanted"]),
            (&json!("1"), &json!("12"))
        );
    }
}
