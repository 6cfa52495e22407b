//! One open database, and what is asked of it.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, bounded};
use futures::channel::oneshot;
use futures::executor::block_on;
use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::topic::TopicPartition;
use rusqlite::Connection;
use tracing::{debug, info, warn};

use crate::bell::Bells;
use crate::claim::{self, ClaimError};
use crate::ends::Ends;
use crate::fault::{Failure, no_writer};
use crate::groups::Groups;
use crate::keeping;
use crate::schema::{self, OpenError};
use crate::shared::{Durability, Shared};
use crate::topics::Catalogue;
use crate::watcher;
use crate::writer::{Done, Job, Turn, Work, Writer};

/// Name of the file within its directory. Persisted.
pub const FILE_NAME: &str = "millrace.db";
/// As many as SQLite can count.
const PAGES_MAX: u32 = u32::MAX - 1;
/// Reads that wait while another one runs.
const READS_MAX: usize = 64;

/// Log and read tables in one file. Clones are the same open database; it is closed, and its lock
/// given back, when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// What survives what.
    pub durability: Durability,
    /// Stamps what is appended.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            clock: Arc::new(SystemClock::new()),
        }
    }
}

type Read = Box<dyn FnOnce(&Connection) + Send>;

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    /// Dropped first: what is on its way is still written.
    writer: Writer,
    reading: Mutex<Option<Reading>>,
    watching: Mutex<Option<JoinHandle<()>>>,
    /// Dropped last.
    claim: Mutex<Option<File>>,
}

/// The thread that reads, and the way to it.
#[derive(Debug)]
struct Reading {
    sender: Sender<Read>,
    thread: JoinHandle<()>,
}

impl Drop for Inner {
    /// Ends all threads. SQLite removes its files beside the database by their names when the last
    /// connection goes: one that went later could take those of a new database at the same place.
    fn drop(&mut self) {
        self.shared.is_closing.store(true, Ordering::Release);
        // Wakes our own watcher.
        self.shared.bells.ring(false);
        let watching = self
            .watching
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let reading = self
            .reading
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let reader = reading.take().map(|reading| reading.thread);
        for thread in watching.take().into_iter().chain(reader) {
            if thread.join().is_err() {
                warn!("a thread of the database panicked");
            }
        }
    }
}

impl Database {
    /// Opens the database in this directory, which must be there; the file is made if need be.
    ///
    /// # Errors
    /// What is wrong with it, with its path.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        Self::open_with(dir, Options::default())
    }

    /// Opens it as told.
    ///
    /// # Errors
    /// What is wrong with it, with its path.
    pub fn open_with(dir: &Path, options: Options) -> Result<Self, OpenError> {
        if !dir.is_dir() {
            let path = dir.to_path_buf();
            return Err(OpenError::NoDirectory { path });
        }
        let file = dir.join(FILE_NAME);
        let shared = Arc::new(Shared {
            bells: Bells::open(dir)?,
            dir: dir.to_path_buf(),
            file: file.clone(),
            durability: options.durability,
            clock: options.clock,
            catalogue: Catalogue::default(),
            ends: Ends::default(),
            groups: Groups::default(),
            generation: AtomicI64::new(0),
            is_closing: AtomicBool::new(false),
            names: Mutex::new(HashMap::new()),
        });
        let connected = shared.connect();
        let mut connection = connected.map_err(|source| OpenError::database(&file, source))?;
        schema::prepare(&mut connection, &file)?;
        let writer = Writer::start(Arc::clone(&shared), connection);
        let writer = writer.map_err(|source| OpenError::System { path: file, source })?;
        let inner = Inner {
            shared,
            writer,
            reading: Mutex::new(None),
            watching: Mutex::new(None),
            claim: Mutex::new(None),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Takes the right to work: to join groups and to commit. One process has it at a time, from
    /// here until the database is closed. Asked again, it says that all is well.
    ///
    /// # Errors
    /// When another process has it, which is named.
    pub fn claim(&self) -> Result<(), ClaimError> {
        let mut held = self
            .inner
            .claim
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if held.is_some() {
            return Ok(());
        }
        let file = claim::lock(&self.shared().dir)?;
        let generation = self.call(0, |turn| {
            turn.connection.execute("DELETE FROM members", [])?;
            let next = "UPDATE meta SET value = value + 1 WHERE name = 'generation' \
                        RETURNING value";
            Ok(turn
                .connection
                .query_row(next, [], |row| row.get::<_, i64>(0))?)
        });
        let generation = generation.map_err(|failure| ClaimError::Database {
            path: self.shared().file.clone(),
            reason: failure.to_string(),
        })?;
        self.shared()
            .generation
            .store(generation, Ordering::Release);
        info!(generation, file = %self.shared().file.display(), "works on the embedded database");
        *held = Some(file);
        Ok(())
    }

    /// Whether this process has the right to work.
    pub fn is_claimed(&self) -> bool {
        self.shared().is_worker()
    }

    /// Takes away records that are too old, a bounded number of each partition; says how many. The
    /// process that works does so by itself, now and then.
    ///
    /// # Errors
    /// When the file does not take it.
    pub fn keep(&self) -> Result<usize, KeepError> {
        let kept = self.call(0, |turn| keeping::keep(turn));
        kept.map_err(|failure| KeepError(failure.to_string()))
    }

    /// Lets the file grow to so many pages of 4 KiB and no further, as a full disk does; without a
    /// number as far as it likes. For tests.
    ///
    /// # Errors
    /// When the file does not take it.
    pub fn limit_pages(&self, pages: Option<u32>) -> Result<(), KeepError> {
        let pages = i64::from(pages.unwrap_or(PAGES_MAX));
        let limited = self.call(0, move |turn| {
            let pragma = format!("PRAGMA max_page_count = {pages}");
            turn.connection.query_row(&pragma, [], |_| Ok(()))?;
            Ok(())
        });
        limited.map_err(|failure| KeepError(failure.to_string()))
    }

    /// Takes away the records of a partition before an offset, as retention does.
    ///
    /// # Errors
    /// When there is no such partition, or the file does not take it.
    pub fn delete_before(&self, at: TopicPartition, offset: i64) -> Result<usize, KeepError> {
        let deleted = self.call(0, move |turn| {
            let slot = turn.shared.catalogue.slot(turn.connection, at)?;
            let missing = || Failure::Refused(format!("there is no partition `{at}`"));
            let slot = slot.ok_or_else(missing)?;
            Ok(keeping::delete_before(turn.connection, slot, offset)?)
        });
        deleted.map_err(|failure| KeepError(failure.to_string()))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    /// Hears from now on what other processes write.
    pub(crate) fn watch(&self) -> Result<(), OpenError> {
        let watching = self.inner.watching.lock();
        let mut watching = watching.unwrap_or_else(PoisonError::into_inner);
        if watching.is_none() {
            *watching = Some(watcher::start(self.shared())?);
        }
        Ok(())
    }

    /// Has something written; does not wait for it.
    pub(crate) fn submit(&self, bytes: usize, work: Work, done: Done) {
        self.inner.writer.send(Job { bytes, work, done });
    }

    /// Has something written and waits for the end.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnMut(&mut Turn<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        block_on(self.write(bytes, work))
    }

    /// The same for the asynchronous world. What was begun is done though nobody waits any more.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        bytes: usize,
        mut work: impl FnMut(&mut Turn<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (sender, receiver) = oneshot::channel();
        let slot = Arc::new(Mutex::new(None));
        let filled = Arc::clone(&slot);
        let fill = move |value| *filled.lock().unwrap_or_else(PoisonError::into_inner) = value;
        let work: Work = Box::new(move |turn| {
            fill(Some(work(turn)?));
            Ok(())
        });
        let done: Done = Box::new(move |result| {
            let value = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            let result = result.and_then(|()| value.ok_or_else(no_writer));
            if sender.send(result).is_err() {
                debug!("nobody waits for what was written");
            }
        });
        self.submit(bytes, work, done);
        receiver.await.unwrap_or_else(|_| Err(no_writer()))
    }

    /// Reads on a thread of its own.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (sender, receiver) = oneshot::channel();
        let read: Read = Box::new(move |connection| {
            if sender.send(work(connection)).is_err() {
                debug!("nobody waits for what was read");
            }
        });
        if self.reads()?.send(read).is_err() {
            return Err(no_reader());
        }
        receiver.await.unwrap_or_else(|_| Err(no_reader()))
    }

    /// The way to the thread that reads, which is started by the first to ask.
    fn reads(&self) -> Result<Sender<Read>, Failure> {
        let reading = self.inner.reading.lock();
        let mut reading = reading.unwrap_or_else(PoisonError::into_inner);
        if let Some(reading) = &*reading {
            return Ok(reading.sender.clone());
        }
        let connection = self.shared().connect_to_read()?;
        let (sender, receiver) = bounded::<Read>(READS_MAX);
        let work = move || {
            for read in receiver {
                read(&connection);
            }
        };
        let thread = std::thread::Builder::new().name("embedded-reader".to_owned());
        let thread = thread.spawn(work).map_err(|_| no_reader())?;
        let started = Reading { sender, thread };
        Ok(reading.insert(started).sender.clone())
    }
}

fn no_reader() -> Failure {
    Failure::Storage {
        class: "reader",
        reason: "there is no thread to read from the file".to_owned(),
    }
}

/// Old records could not be taken away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("take away old records: {0}")]
pub struct KeepError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transaction_waits_for_the_disk_unless_told_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let level = |options| {
            let database = Database::open_with(dir.path(), options).unwrap();
            let level = database.call(0, |turn| {
                let connection = turn.connection;
                let level = connection.pragma_query_value(None, "synchronous", |row| row.get(0));
                let level: i64 = level?;
                Ok(level)
            });
            level.unwrap()
        };
        assert_eq!(level(Options::default()), 2);
        let durability = Durability::Crash;
        assert_eq!(
            level(Options {
                durability,
                ..Options::default()
            }),
            1
        );
    }
}
