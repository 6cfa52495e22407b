//! `millrace rebuild`

use std::io::{self, Write};

use anyhow::bail;

use super::telling::Telling;
use super::{App, Exit, find};
use crate::pace::Pace;
use crate::run::rebuild::{Applied, Rebuild};

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
    let mut telling = Telling::new();
    rebuild.apply_all(&mut |Applied { done, all }| {
        let unit = "offsets";
        let pace = Pace { done, all, unit };
        Ok(telling.tell(|elapsed| pace.after(elapsed))?)
    })?;
    telling.clear()?;
    writeln!(out, "{} is rebuilt", args.projection)?;
    Ok(Exit::Done)
}
