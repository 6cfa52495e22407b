//! How one worker is told something, and woken when records come that it waits for.

use std::collections::{HashSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use millrace_runtime::log::LogEvent;

use crate::place::Slot;

/// Filled by any thread, emptied by one.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<LogEvent<'static>>,
    interest: HashSet<Slot>,
    /// Records of interest may have come since the last wait.
    is_raised: bool,
    /// Pieces of work whose end is still to be told.
    awaited: usize,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, event: LogEvent<'static>) {
        self.lock().events.push_back(event);
        self.changed.notify_all();
    }

    pub(crate) fn pop(&self) -> Option<LogEvent<'static>> {
        self.lock().events.pop_front()
    }

    /// One more piece of work is on its way.
    pub(crate) fn expect(&self) {
        self.lock().awaited += 1;
    }

    /// A piece of work has ended.
    pub(crate) fn fulfil(&self, event: LogEvent<'static>) {
        let mut state = self.lock();
        state.awaited = state.awaited.saturating_sub(1);
        state.events.push_back(event);
        drop(state);
        self.changed.notify_all();
    }

    /// From now on records of these partitions wake the reader.
    pub(crate) fn set_interest(&self, slots: HashSet<Slot>) {
        self.lock().interest = slots;
    }

    /// Tells that there may be new records in one of these partitions.
    pub(crate) fn raise(&self, slots: &[Slot]) {
        let mut state = self.lock();
        if state.is_raised || !slots.iter().any(|slot| state.interest.contains(slot)) {
            return;
        }
        state.is_raised = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until something is there, at most so long.
    pub(crate) fn wait(&self, limit: Duration) {
        let state = self.lock();
        let is_quiet = |state: &mut State| state.events.is_empty() && !state.is_raised;
        let waited = self.changed.wait_timeout_while(state, limit, is_quiet);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_raised = false;
    }

    /// Waits until all work that is on its way has ended, at most so long.
    pub(crate) fn drain(&self, limit: Duration) {
        let state = self.lock();
        let is_awaiting = |state: &mut State| state.awaited > 0;
        let waited = self.changed.wait_timeout_while(state, limit, is_awaiting);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}
