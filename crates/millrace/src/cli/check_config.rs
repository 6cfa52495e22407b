//! `millrace check-config`

use std::io::{self, Write};

use super::{App, Exit};
use crate::settings::{show_defaults, show_effective};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show every setting with its default, kind and environment variable, as a file to start from
    #[arg(long)]
    defaults: bool,
}

pub(super) fn run(app: &App, args: &Args) -> anyhow::Result<Exit> {
    let names = app.registry.names();
    let text = if args.defaults {
        show_defaults(&names)
    } else {
        show_effective(&app.settings, &names)
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::Done)
}
