//! `millrace run`

use super::{App, Exit, UsageError};
use crate::run::{Plan, Role, run as run_workers};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Kinds of workers to run; all by default
    #[arg(
        long = "role",
        value_name = "ROLES",
        value_enum,
        value_delimiter = ',',
        default_values = ["commands", "projections", "policies", "reactors", "api"]
    )]
    roles: Vec<Role>,
    /// Context to serve; may be repeated; all by default
    #[arg(long = "context", value_name = "CONTEXT", value_delimiter = ',')]
    contexts: Vec<String>,
}

pub(super) fn run(app: App, args: Args) -> anyhow::Result<Exit> {
    for name in &args.contexts {
        if !app
            .registry
            .contexts()
            .iter()
            .any(|context| context.name() == name)
        {
            return Err(UsageError::new(format!("--context: there is no context `{name}`")).into());
        }
    }
    let plan = Plan {
        roles: args.roles,
        contexts: args.contexts,
    };
    run_workers(&app.registry, app.settings, &plan)?;
    Ok(Exit::Done)
}
