//! How processes on one file wake each other without looking all the time.
//!
//! Two small files beside the database: the worker rings one, everybody else the other, by writing
//! a byte after each transaction. A change of the database's own files would come too early: the
//! last of them is seen before the transaction is. On Linux the system tells of the byte; elsewhere
//! the file is looked at often. Whoever writes with another program rings no bell and is noticed
//! within a second.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::schema::OpenError;

/// Rung by the process that works. Persisted only while somebody listens.
const WORKER: &str = "millrace.bell";
/// Rung by all others.
const OTHERS: &str = "millrace.knock";

#[derive(Debug)]
pub(crate) struct Bells {
    worker: Bell,
    others: Bell,
}

#[derive(Debug)]
struct Bell {
    path: PathBuf,
    file: File,
}

impl Bells {
    pub(crate) fn open(dir: &Path) -> Result<Self, OpenError> {
        Ok(Self {
            worker: Bell::open(dir.join(WORKER))?,
            others: Bell::open(dir.join(OTHERS))?,
        })
    }

    /// Wakes those who listen. A bell that cannot be rung delays them by a second, no more.
    pub(crate) fn ring(&self, is_worker: bool) {
        let bell = if is_worker {
            &self.worker
        } else {
            &self.others
        };
        if let Err(error) = bell.ring() {
            tracing::debug!(%error, "the bell cannot be rung");
        }
    }

    /// What to listen to: what the worker wrote itself it knows already.
    pub(crate) fn heard_by(&self, is_worker: bool) -> Vec<&Path> {
        let mut heard = vec![self.others.path.as_path()];
        if !is_worker {
            heard.push(&self.worker.path);
        }
        heard
    }
}

impl Bell {
    fn open(path: PathBuf) -> Result<Self, OpenError> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).open(&path);
        match file {
            Ok(file) => Ok(Self { path, file }),
            Err(source) => Err(OpenError::System { path, source }),
        }
    }

    fn ring(&self) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(b"!")
    }
}

pub(crate) use ear::Ear;

#[cfg(target_os = "linux")]
mod ear {
    use std::os::fd::AsFd;
    use std::path::Path;
    use std::time::Duration;

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

    const TROUBLE_PAUSE: Duration = Duration::from_millis(10);

    /// Hears bells.
    #[derive(Debug)]
    pub(crate) struct Ear(Inotify);

    impl Ear {
        pub(crate) fn new(paths: &[&Path]) -> std::io::Result<Self> {
            let flags = InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK;
            let inotify = Inotify::init(flags)?;
            for path in paths {
                inotify.add_watch(*path, AddWatchFlags::IN_MODIFY)?;
            }
            Ok(Self(inotify))
        }

        /// Waits for a bell, at most so long.
        pub(crate) fn listen(&self, limit: Duration) {
            let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
            let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, timeout).is_err() {
                // Whatever it is, it must not come again and again without a rest.
                return std::thread::sleep(TROUBLE_PAUSE);
            }
            // Emptied, so that the next wait waits.
            while self.0.read_events().is_ok_and(|events| !events.is_empty()) {}
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod ear {
    use std::path::Path;
    use std::time::Duration;

    const LOOK_INTERVAL: Duration = Duration::from_millis(10);

    /// Looks often instead.
    #[derive(Debug)]
    pub(crate) struct Ear;

    impl Ear {
        #[expect(clippy::unnecessary_wraps, reason = "as where the system tells")]
        pub(crate) fn new(_: &[&Path]) -> std::io::Result<Self> {
            Ok(Self)
        }

        pub(crate) fn listen(&self, limit: Duration) {
            std::thread::sleep(limit.min(LOOK_INTERVAL));
        }
    }
}
