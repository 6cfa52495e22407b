//! Threads that may block, and what becomes of them when they do not come back.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tracing::warn;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

/// Wakes the polling thread. Any number of signals before it wakes are one.
#[derive(Debug, Clone)]
pub(crate) struct Signal(Sender<()>);

/// Waits for a [`Signal`].
#[derive(Debug)]
pub(crate) struct Waker(Receiver<()>);

impl Signal {
    pub(crate) fn new() -> (Self, Waker) {
        let (sender, receiver) = bounded(1);
        (Self(sender), Waker(receiver))
    }

    pub(crate) fn raise(&self) {
        match self.0.try_send(()) {
            // Full: it is raised already. Disconnected: nobody waits any more.
            Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
        }
    }
}

impl Waker {
    pub(crate) fn wait(&self, at_most: Duration) {
        match self.0.recv_timeout(at_most) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            // Nobody can wake us any more; do not turn the caller's loop into a busy one.
            Err(RecvTimeoutError::Disconnected) => thread::sleep(at_most),
        }
    }
}

/// Tells the thread of a call that its caller has given it up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Abandoned(Arc<AtomicBool>);

impl Abandoned {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Calls that have not come back yet, by what they are for.
#[derive(Debug)]
pub(crate) struct Calls<K> {
    running: BTreeMap<K, Call>,
    last: u64,
}

/// Tells one call from a later one for the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallId(u64);

#[derive(Debug)]
struct Call {
    id: CallId,
    limit: Duration,
    deadline: Duration,
    abandoned: Abandoned,
}

impl<K: Ord + Copy> Calls<K> {
    pub(crate) fn new() -> Self {
        Self {
            running: BTreeMap::new(),
            last: 0,
        }
    }

    /// A call begins that must give a sign of life within `limit`.
    pub(crate) fn begin(&mut self, key: K, now: Duration, limit: Duration) -> (CallId, Abandoned) {
        self.last += 1;
        let id = CallId(self.last);
        let abandoned = Abandoned::default();
        let call = Call {
            id,
            limit,
            deadline: now.saturating_add(limit),
            abandoned: abandoned.clone(),
        };
        if let Some(former) = self.running.insert(key, call) {
            former.abandoned.set();
        }
        (id, abandoned)
    }

    /// A sign of life. Says no when it comes from a call that was given up.
    pub(crate) fn progress(&mut self, key: K, id: CallId, now: Duration) -> bool {
        match self.running.get_mut(&key) {
            Some(call) if call.id == id => {
                call.deadline = now.saturating_add(call.limit);
                true
            }
            _ => false,
        }
    }

    /// It came back. Says no when it was given up before.
    pub(crate) fn end(&mut self, key: K, id: CallId) -> bool {
        let is_current = self.running.get(&key).is_some_and(|call| call.id == id);
        if is_current {
            self.running.remove(&key);
        }
        is_current
    }

    /// Gives up one call that is overdue.
    pub(crate) fn overdue(&mut self, now: Duration) -> Option<K> {
        let late = |(_, call): &(&K, &Call)| call.deadline <= now;
        let key = *self.running.iter().find(late)?.0;
        if let Some(call) = self.running.remove(&key) {
            call.abandoned.set();
        }
        Some(key)
    }

    /// Gives up this one, and says whether it was running.
    pub(crate) fn abandon(&mut self, key: K) -> bool {
        let call = self.running.remove(&key);
        if let Some(call) = &call {
            call.abandoned.set();
        }
        call.is_some()
    }
}

impl<K> Drop for Calls<K> {
    fn drop(&mut self) {
        for call in self.running.values() {
            call.abandoned.set();
        }
    }
}

/// Runs `work` on a thread of its own that nobody ever joins: it may hang in the client library.
/// What it has to say, it says itself; `report` is for the case that it cannot.
pub(crate) fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
    report: impl Fn(String) + Send + Clone + 'static,
) {
    let report_panic = report.clone();
    let guarded = move || {
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            report_panic("the thread of the call panicked".to_owned());
        }
    };
    if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(guarded) {
        report(format!("start a thread: {error}"));
    }
}

/// A client that lives for one call. To destroy one takes the library up to half a second: that is
/// left to a thread of its own, when the answer is already on its way.
#[derive(Debug)]
pub(crate) struct ShortLived<T: Send + Sync + 'static>(Arc<T>);

impl<T: Send + Sync + 'static> ShortLived<T> {
    pub(crate) fn new(client: T) -> Self {
        Self(Arc::new(client))
    }
}

impl<T: Send + Sync + 'static> Deref for ShortLived<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Send + Sync + 'static> Drop for ShortLived<T> {
    fn drop(&mut self) {
        let last = Arc::clone(&self.0);
        let report = |reason| warn!(reason, "destroy a client");
        spawn("kafka-discard", move || drop(last), report);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    #[test]
    fn a_late_call_is_given_up_once_and_its_answer_is_not_taken() {
        let mut calls = Calls::new();
        let (id, abandoned) = calls.begin(7, Duration::ZERO, LIMIT);
        assert_eq!(calls.overdue(Duration::from_secs(4)), None);
        assert!(!abandoned.is_set());
        assert_eq!(calls.overdue(LIMIT), Some(7));
        assert_eq!(calls.overdue(LIMIT), None);
        assert!(abandoned.is_set());
        assert!(!calls.end(7, id));
    }

    #[test]
    fn signs_of_life_move_the_deadline() {
        let mut calls = Calls::new();
        let (id, _) = calls.begin(7, Duration::ZERO, LIMIT);
        assert!(calls.progress(7, id, Duration::from_secs(4)));
        assert_eq!(calls.overdue(Duration::from_secs(8)), None);
        assert!(calls.end(7, id));
        assert!(!calls.progress(7, id, Duration::from_secs(8)));
    }

    #[test]
    fn an_answer_to_the_call_before_is_not_taken_for_this_one() {
        let mut calls = Calls::new();
        let (former, abandoned) = calls.begin(7, Duration::ZERO, LIMIT);
        let (current, _) = calls.begin(7, Duration::ZERO, LIMIT);
        assert!(abandoned.is_set());
        assert!(!calls.end(7, former));
        assert!(calls.end(7, current));
    }
}
