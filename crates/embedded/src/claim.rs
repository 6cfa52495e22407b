//! The right to work on a file: one process at a time has it.
//!
//! A lock of the system on a file beside the database, which ends with its process however that
//! ends; and a generation in the database, which every transaction of a worker checks: should the
//! lock fail (its file was deleted, the file system does not lock), the process that came later
//! works and the earlier one is refused.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// Persisted: holds the number of the process that works.
const NAME: &str = "millrace.lock";
/// Others look at the lock for a moment, to see whether somebody works.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(25);

/// The right to work could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Somebody else has it.
    #[error("`{}` is held by process {holder}, which works on this data already", .path.display())]
    Held {
        /// The lock.
        path: PathBuf,
        /// Who, as far as it says.
        holder: String,
    },
    /// The lock's file cannot be used.
    #[error("cannot lock `{}`", .path.display())]
    File {
        /// The lock.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The claim cannot be written down.
    #[error("cannot note in `{}` who works: {reason}", .path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What it said.
        reason: String,
    },
}

/// Locks; the lock lasts as long as the file is open.
pub(crate) fn lock(dir: &Path) -> Result<File, ClaimError> {
    let path = dir.join(NAME);
    let failed = |path: &Path, source| ClaimError::File {
        path: path.to_path_buf(),
        source,
    };
    let mut file = open(&path).map_err(|source| failed(&path, source))?;
    for _ in 0..ATTEMPTS {
        match file.try_lock() {
            Ok(()) => {
                sign(&mut file).map_err(|source| failed(&path, source))?;
                return Ok(file);
            }
            Err(TryLockError::WouldBlock) => sleep(PAUSE),
            Err(TryLockError::Error(source)) => return Err(failed(&path, source)),
        }
    }
    let holder = holder(&mut file);
    Err(ClaimError::Held { path, holder })
}

/// Who works, if some other process does. Holds the lock for a moment, so that nobody takes it
/// meanwhile; those who want it try again.
pub(crate) fn holder_of(dir: &Path) -> io::Result<Option<String>> {
    let mut file = open(&dir.join(NAME))?;
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(holder(&mut file))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path)
}

fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    write!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file
        .seek(SeekFrom::Start(0))
        .and_then(|_| file.read_to_string(&mut text));
    match read {
        Ok(_) if !text.is_empty() => text,
        Ok(_) | Err(_) => "unknown".to_owned(),
    }
}
