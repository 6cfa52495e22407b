//! The one thread of a process that writes.
//!
//! Whatever waits when a transaction begins goes into it, up to a bound: one wait for the disk
//! serves many. Each piece of work stands under a savepoint of its own, so that one that is refused
//! takes nothing of the others with it. When the file does not take the whole, each is tried alone:
//! one that is too large for what room is left must not keep out the others.

use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use millrace_eventsourcing::Timestamp;
use rusqlite::Connection;
use tracing::warn;

use crate::fault::{Failure, no_writer};
use crate::keeping::{self, KEEP_INTERVAL};
use crate::place::Slot;
use crate::shared::Shared;
use crate::shortening::Shortening;

/// Workers have one or two pieces on their way each, so that this is never full in earnest; a
/// caller that finds it full waits.
const WAITING_MAX: usize = 1_024;
/// One transaction takes no more pieces than this, and no more bytes, so that the first does not
/// wait long for the last, and the log of the database stays short.
const MERGED_MAX: usize = 64;
const MERGED_BYTES_MAX: usize = 4 << 20;

/// Something to be written. May be carried out more than once, but counts once.
pub(crate) type Work = Box<dyn FnMut(&mut Turn<'_>) -> Result<(), Failure> + Send>;
/// Is told how it ended, once, after it is safe.
pub(crate) type Done = Box<dyn FnOnce(Result<(), Failure>) + Send>;

pub(crate) struct Job {
    /// About how much is written.
    pub(crate) bytes: usize,
    pub(crate) work: Work,
    pub(crate) done: Done,
}

/// The transaction that a piece of work is part of.
pub(crate) struct Turn<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) shared: &'a Shared,
    /// When it happens: what is appended is stamped with it.
    pub(crate) now: Timestamp,
    /// Partitions that were written to, each with its new end.
    pub(crate) touched: Vec<(Slot, i64)>,
    is_superseded: bool,
}

impl Turn<'_> {
    /// Refuses work of a process that another one has replaced.
    pub(crate) fn check_worker(&self) -> Result<(), Failure> {
        if self.is_superseded {
            let reason = "another process has taken over the work on this file".to_owned();
            return Err(Failure::Fenced(reason));
        }
        Ok(())
    }
}

/// The way to the writer. Ends it when dropped, after what is on its way.
pub(crate) struct Writer {
    /// Taken when the writer is to end.
    sender: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(shared: Arc<Shared>, connection: Connection) -> std::io::Result<Self> {
        let (sender, receiver) = bounded(WAITING_MAX);
        let work = Loop {
            shortening: Shortening::new(&shared),
            shared,
            connection,
            receiver,
        };
        let thread = std::thread::Builder::new()
            .name("embedded-writer".to_owned())
            .spawn(move || work.run())?;
        Ok(Self {
            sender: Some(sender),
            thread: Some(thread),
        })
    }

    pub(crate) fn send(&self, job: Job) {
        let refused = match &self.sender {
            Some(sender) => sender.send(job).err().map(|error| error.0),
            None => Some(job),
        };
        if let Some(job) = refused {
            (job.done)(Err(no_writer()));
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.sender.take());
        let joined = self.thread.take().map(JoinHandle::join);
        if let Some(Err(_)) = joined {
            warn!("the thread that writes to the file panicked");
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Writer").finish_non_exhaustive()
    }
}

struct Loop {
    shared: Arc<Shared>,
    connection: Connection,
    shortening: Shortening,
    receiver: Receiver<Job>,
}

impl Loop {
    fn run(mut self) {
        let mut kept_at = self.elapsed();
        loop {
            let left = (kept_at + KEEP_INTERVAL).saturating_sub(self.elapsed());
            match self.receiver.recv_timeout(left) {
                Ok(first) => self.carry_out(first),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.elapsed() >= kept_at + KEEP_INTERVAL {
                kept_at = self.elapsed();
                self.keep();
            }
            let elapsed = self.elapsed();
            self.shortening.run(&mut self.connection, elapsed);
        }
    }

    fn elapsed(&self) -> Duration {
        self.shared.clock.now().elapsed
    }

    fn carry_out(&mut self, first: Job) {
        let mut bytes = first.bytes;
        let mut jobs = vec![first];
        while jobs.len() < MERGED_MAX && bytes < MERGED_BYTES_MAX {
            let Ok(job) = self.receiver.try_recv() else {
                break;
            };
            bytes += job.bytes;
            jobs.push(job);
        }
        let results = match self.transact(&mut jobs) {
            Err(Fate::Failed(_)) if jobs.len() > 1 => jobs
                .iter_mut()
                .map(|job| self.alone(std::slice::from_mut(job)))
                .collect(),
            Ok(results) => results,
            Err(Fate::NotBegun(failure) | Fate::Failed(failure)) => {
                vec![Err(failure); jobs.len()]
            }
        };
        for (job, result) in jobs.into_iter().zip(results) {
            (job.done)(result);
        }
    }

    fn alone(&mut self, job: &mut [Job]) -> Result<(), Failure> {
        match self.transact(job) {
            Ok(results) => results.into_iter().next().unwrap_or(Ok(())),
            Err(Fate::NotBegun(failure) | Fate::Failed(failure)) => Err(failure),
        }
    }

    /// One transaction; what became of each piece, once it is safe.
    fn transact(&mut self, jobs: &mut [Job]) -> Result<Vec<Result<(), Failure>>, Fate> {
        let begun = self.connection.execute_batch("BEGIN IMMEDIATE");
        begun.map_err(|error| Fate::NotBegun(error.into()))?;
        let worked = self.work(jobs).and_then(|worked| {
            self.connection.execute_batch("COMMIT")?;
            Ok(worked)
        });
        match worked {
            Ok((results, touched)) => {
                self.tell(&results, touched);
                Ok(results)
            }
            Err(failure) => {
                self.roll_back();
                Err(Fate::Failed(failure))
            }
        }
    }

    fn work(&self, jobs: &mut [Job]) -> Result<Worked, Failure> {
        let mut turn = Turn {
            connection: &self.connection,
            shared: &self.shared,
            now: self.shared.clock.now().wall,
            touched: Vec::new(),
            is_superseded: self.shared.is_superseded(&self.connection)?,
        };
        let mut results = Vec::new();
        for job in jobs {
            let touched = turn.touched.len();
            self.execute("SAVEPOINT piece")?;
            let result = (job.work)(&mut turn);
            match &result {
                Err(failure @ Failure::Storage { .. }) => return Err(failure.clone()),
                Err(_) => {
                    self.execute("ROLLBACK TO piece")?;
                    turn.touched.truncate(touched);
                }
                Ok(()) => {}
            }
            self.execute("RELEASE piece")?;
            results.push(result);
        }
        Ok((results, turn.touched))
    }

    fn execute(&self, statement: &str) -> Result<(), Failure> {
        self.connection.prepare_cached(statement)?.execute([])?;
        Ok(())
    }

    fn tell(&self, results: &[Result<(), Failure>], touched: Vec<(Slot, i64)>) {
        self.shared.ends.advance(touched);
        if results.iter().any(Result::is_ok) {
            self.shared.bells.ring(self.shared.is_worker());
        }
    }

    fn roll_back(&self) {
        self.shared.catalogue.forget_all();
        // A full disk may have rolled everything back already.
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            warn!(%error, "a transaction cannot be rolled back");
        }
    }

    /// Takes away what is too old; the process that works does it for all.
    fn keep(&mut self) {
        if !self.shared.is_worker() {
            return;
        }
        let mut job = Job {
            bytes: 0,
            work: Box::new(|turn| keeping::keep(turn).map(drop)),
            done: Box::new(|_| {}),
        };
        if let Err(failure) = self.alone(std::slice::from_mut(&mut job)) {
            warn!(%failure, "old records cannot be taken away");
        }
    }
}

type Worked = (Vec<Result<(), Failure>>, Vec<(Slot, i64)>);

/// How a transaction as a whole ended badly.
enum Fate {
    /// It could not begin: somebody else writes for too long, or the file is out of reach.
    NotBegun(Failure),
    /// What it did was taken back.
    Failed(Failure),
}
