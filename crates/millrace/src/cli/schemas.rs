//! `millrace schemas check`

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use millrace_avro::SchemaFiles;

use super::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Hold the schemas that are written with against the published history
    Check {
        /// Folder of schemas; by default those that the program was built with
        #[arg(long, value_name = "FOLDER")]
        dir: Option<PathBuf>,
    },
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let Action::Check { dir } = args.action;
    let files = match dir {
        Some(folder) => SchemaFiles::read(&folder)
            .with_context(|| format!("cannot read schemas of `{}`", folder.display()))?,
        None => SchemaFiles::published(),
    };
    let report = files.check();
    write!(io::stdout(), "{report}")?;
    if !report.is_sound() {
        bail!("the schemas do not hold what was published");
    }
    Ok(Exit::Done)
}
