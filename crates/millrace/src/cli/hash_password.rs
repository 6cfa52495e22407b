//! `millrace hash-password`

use std::io::{self, BufRead, Write};

use anyhow::Context;

use super::{App, Exit, UsageError};
use crate::password;

pub(super) fn run(_app: &App) -> anyhow::Result<Exit> {
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .context("cannot read the password")?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() {
        return Err(UsageError::new("standard input holds no password").into());
    }
    let hash = password::hash(password)?;
    writeln!(io::stdout(), "{hash}")?;
    Ok(Exit::Done)
}
