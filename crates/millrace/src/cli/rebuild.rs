//! `millrace rebuild`

use std::io::{self, Write};

use anyhow::bail;

use super::{App, Exit, find};
use crate::run::rebuild::Rebuild;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Projection, such as bank.accounts
    #[arg(value_name = "C.NAME")]
    projection: String,
    /// Also when records are gone from its topics: what only they told is lost
    #[arg(long)]
    force: bool,
}

pub(super) fn run(app: App, args: &Args) -> anyhow::Result<Exit> {
    let (context, projection) = find::projection(&app, &args.projection)?;
    let projection = std::sync::Arc::clone(projection);
    let rebuild = Rebuild::new(&app.registry, app.settings, context, projection)?;
    rebuild.refuse_members()?;
    let cut = rebuild.cut_topics()?;
    if !cut.is_empty() && !args.force {
        bail!(
            "topics `{}` no longer begin at offset 0: rows that only the records before told would \
             be lost; --force accepts that",
            cut.join("`, `")
        );
    }
    let mut out = io::stdout().lock();
    rebuild.empty_tables()?;
    writeln!(out, "tables of {} are empty", args.projection)?;
    let mut told = 0;
    rebuild.apply_all(&mut |progress| {
        if progress.done != told {
            told = progress.done;
            writeln!(out, "{} of {} offsets", progress.done, progress.all)?;
        }
        Ok(())
    })?;
    writeln!(out, "{} is rebuilt", args.projection)?;
    Ok(Exit::Done)
}
