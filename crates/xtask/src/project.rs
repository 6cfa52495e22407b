//! Where things lie: the project's root and the git-ignored directory for servers and tools.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The root of the workspace this tool was built from.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Data of servers, jars and tools; nothing in it is worth keeping.
pub(crate) fn servers() -> PathBuf {
    root().join(".servers")
}

/// Jars of the servers, one directory for each version.
pub(crate) fn jars() -> PathBuf {
    servers().join("jars")
}

/// Tools that are brought in for the test run only.
pub(crate) fn tools() -> PathBuf {
    servers().join("tools")
}

/// What belongs to one test run and ends with it.
pub(crate) fn run(name: &str) -> PathBuf {
    servers().join("runs").join(name)
}

/// The cargo that runs this program, else the one on the path.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"))
}

/// Deletes a directory; another process may be doing the same.
pub(crate) fn delete(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("delete `{}`", directory.display()))
        }
        _ => Ok(()),
    }
}
