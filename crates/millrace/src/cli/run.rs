//! `millrace run`

use super::{App, Exit};

pub(super) fn run(app: &App) -> anyhow::Result<Exit> {
    app.require_kafka()?;
    Ok(Exit::Done)
}
