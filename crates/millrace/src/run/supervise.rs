//! Workers on threads of their own: whoever falls gets up again, and nobody ends unnoticed.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use millrace_runtime::retry::Backoff;
use tracing::{error, info_span, warn};

use super::{Seat, Wiring};

/// How long a wait may go on after a stop.
pub(super) const WAIT_SLICE: Duration = Duration::from_millis(50);

/// How one attempt of a worker ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// It was asked to.
    Stopped,
    /// It can be tried again.
    Broken(String),
    /// Trying again is pointless.
    Fatal(String),
}

impl End {
    /// Trying again is pointless, and this is why.
    pub(super) fn fatal(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Fatal(format!("{:#}", anyhow::Error::new(error)))
    }
}

/// A worker that is gone for good.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) worker: String,
    pub(super) fatal: Option<String>,
}

/// All workers of the process.
#[derive(Debug)]
pub(super) struct Crew {
    wiring: Arc<Wiring>,
    at_work: BTreeSet<String>,
    sender: Sender<Finished>,
    finished: Receiver<Finished>,
}

impl Crew {
    pub(super) fn new(wiring: Arc<Wiring>) -> Self {
        let (sender, finished) = channel();
        Self {
            wiring,
            at_work: BTreeSet::new(),
            sender,
            finished,
        }
    }

    /// Starts a worker: `attempt` is called again whenever it breaks, after a growing wait.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub(super) fn hire(
        &mut self,
        group: &str,
        number: usize,
        attempt: impl Fn(Seat<'_>) -> End + Send + 'static,
    ) -> anyhow::Result<()> {
        let worker = format!("{group}/{number}");
        self.wiring.board.announce(&worker);
        self.at_work.insert(worker.clone());
        let (wiring, sender) = (Arc::clone(&self.wiring), self.sender.clone());
        let name = worker.clone();
        let body = move || {
            let _span = info_span!("worker", id = worker).entered();
            let seat = Seat {
                wiring: &wiring,
                worker: &worker,
                number,
            };
            let fatal = keep_at_it(seat, &attempt);
            if sender.send(Finished { worker, fatal }).is_err() {
                warn!("nobody waits for the workers any more");
            }
        };
        thread::Builder::new()
            .name(name)
            .spawn(body)
            .map(drop)
            .with_context(|| format!("cannot start a thread for `{group}`"))
    }

    pub(super) fn wiring(&self) -> &Wiring {
        &self.wiring
    }

    pub(super) fn is_at_work(&self) -> bool {
        !self.at_work.is_empty()
    }

    pub(super) const fn at_work(&self) -> &BTreeSet<String> {
        &self.at_work
    }

    /// The next worker that ended, if one does within this time.
    pub(super) fn next(&mut self, wait: Duration) -> Option<Finished> {
        let finished = match self.finished.recv_timeout(wait) {
            Ok(finished) => finished,
            // We hold a sender ourselves, so that it is never the other error.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
        };
        self.at_work.remove(&finished.worker);
        Some(finished)
    }
}

/// Tries until it is stopped; the reason why that is pointless otherwise.
fn keep_at_it(seat: Seat<'_>, attempt: &impl Fn(Seat<'_>) -> End) -> Option<String> {
    let mut backoff = Backoff::new(RandomState::new().hash_one(seat.worker));
    loop {
        let began = seat.wiring.clock().elapsed;
        let end = catch_unwind(AssertUnwindSafe(|| attempt(seat)));
        let reason = match end {
            Ok(End::Stopped) => return None,
            Ok(End::Fatal(reason)) => return Some(reason),
            Ok(End::Broken(reason)) => reason,
            Err(_) => {
                error!("the worker panicked");
                "it panicked".to_owned()
            }
        };
        if seat.wiring.stop.is_stopped() {
            return None;
        }
        if seat.wiring.clock().elapsed > began + STEADY_AFTER {
            backoff.reset();
        }
        let wait = backoff.next();
        warn!(reason, ?wait, "the worker broke; starting it again");
        seat.post(&[reason]);
        pause(seat.wiring, wait);
    }
}

/// A worker that lasted this long is tried again soon.
const STEADY_AFTER: Duration = Duration::from_mins(1);

/// Waits, or less when it is time to stop.
pub(super) fn pause(wiring: &Wiring, wait: Duration) {
    let until = wiring.clock().elapsed + wait;
    while !wiring.stop.is_stopped() {
        let left = until.saturating_sub(wiring.clock().elapsed);
        if left.is_zero() {
            return;
        }
        thread::sleep(left.min(WAIT_SLICE));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::settings::{Settings, Sources};

    const SOON: Duration = Duration::from_secs(10);

    fn crew(runtime: &tokio::runtime::Runtime) -> Crew {
        let registry = crate::contexts();
        let sources = Sources {
            options: vec!["backend=kafka".to_owned()],
            ..Sources::default()
        };
        let settings = Settings::load(&sources, &registry.names()).unwrap();
        let wiring = Wiring::new(&registry, settings, runtime.handle().clone()).unwrap();
        Crew::new(Arc::new(wiring))
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    }

    #[test]
    fn a_worker_that_breaks_or_panics_is_started_again() {
        let runtime = runtime();
        let mut crew = crew(&runtime);
        let attempts = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&attempts);
        crew.hire("group", 0, move |_| {
            match counted.fetch_add(1, Ordering::Relaxed) {
                0 => panic!("on purpose"),
                1 => End::Broken("on purpose".to_owned()),
                _ => End::Stopped,
            }
        })
        .unwrap();
        let finished = crew.next(SOON).unwrap();
        assert_eq!(
            (finished.worker.as_str(), finished.fatal),
            ("group/0", None)
        );
        assert_eq!(attempts.load(Ordering::Relaxed), 3);
        assert!(!crew.is_at_work());
    }

    #[test]
    fn a_worker_that_cannot_go_on_says_why() {
        let runtime = runtime();
        let mut crew = crew(&runtime);
        crew.hire("group", 1, |_| End::Fatal("partitions disagree".to_owned()))
            .unwrap();
        let finished = crew.next(SOON).unwrap();
        assert_eq!(finished.fatal.as_deref(), Some("partitions disagree"));
    }

    #[test]
    fn a_worker_that_waits_to_be_started_again_ends_when_it_is_time_to_stop() {
        let runtime = runtime();
        let mut crew = crew(&runtime);
        let board = crew.wiring.board.clone();
        crew.hire("group", 0, |seat| {
            seat.wiring.stop.stop();
            End::Broken("away".to_owned())
        })
        .unwrap();
        assert!(crew.next(SOON).unwrap().fatal.is_none());
        assert_eq!(board.reasons(), ["group/0: starting"]);
    }
}
