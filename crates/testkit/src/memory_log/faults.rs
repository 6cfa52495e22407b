//! What goes wrong on purpose.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use millrace_runtime::log::{AskFailure, CommitFailure};

/// What becomes of a transaction whose commit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing was sent.
    Unsent,
    /// Its records stand in the log and never become visible.
    Aborted,
    /// Its records stand in the log, and nobody has ended it yet.
    Open,
    /// It takes effect, but its markers are written one after the other, while workers poll.
    Committing,
    /// It took effect.
    Committed,
}

/// A commit that does not end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitFault {
    /// What really happens.
    pub fate: Fate,
    /// What the worker is told.
    pub failure: CommitFailure,
}

/// Faults of one [`MemoryLog`](super::MemoryLog); every clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    commits: VecDeque<Option<CommitFault>>,
    asks: u32,
    offsets: u32,
    publishes: u32,
    delay: u64,
    slow_markers: bool,
    early_losses: bool,
}

impl Faults {
    /// The next commit that is not spoken for already fails like this.
    pub fn fail_commit(&self, fault: CommitFault) {
        self.with(|state| state.commits.push_back(Some(fault)));
    }

    /// The next commit that is not spoken for already succeeds.
    pub fn pass_commit(&self) {
        self.with(|state| state.commits.push_back(None));
    }

    /// The next asks fail.
    pub fn fail_asks(&self, count: u32) {
        self.with(|state| state.asks = count);
    }

    /// The next commits of offsets alone fail, without effect.
    pub fn fail_offsets(&self, count: u32) {
        self.with(|state| state.offsets = count);
    }

    /// The next records that are published without a transaction are not written.
    pub fn fail_publishes(&self, count: u32) {
        self.with(|state| state.publishes = count);
    }

    /// From now on answers come that many polls later.
    pub fn delay_answers(&self, polls: u64) {
        self.with(|state| state.delay = polls);
    }

    /// From now on the markers of commits that succeed are written late, as those of
    /// [`Fate::Committing`].
    pub fn slow_markers(&self, slow: bool) {
        self.with(|state| state.slow_markers = slow);
    }

    /// From now on the client knows that partitions are lost before it tells its worker, and sends
    /// nothing for them, as one with a thread of its own does.
    pub fn early_losses(&self, early: bool) {
        self.with(|state| state.early_losses = early);
    }

    /// Nothing goes wrong any more.
    pub fn clear(&self) {
        self.with(|state| *state = State::default());
    }

    pub(super) fn has_early_losses(&self) -> bool {
        self.with(|state| state.early_losses)
    }

    pub(super) fn has_slow_markers(&self) -> bool {
        self.with(|state| state.slow_markers)
    }

    pub(super) fn delay(&self) -> u64 {
        self.with(|state| state.delay)
    }

    pub(super) fn take_commit(&self) -> Option<CommitFault> {
        self.with(|state| state.commits.pop_front().flatten())
    }

    pub(super) fn take_ask(&self) -> Result<(), AskFailure> {
        self.with(|state| take(&mut state.asks, "ask"))
    }

    pub(super) fn take_offsets(&self) -> Result<(), AskFailure> {
        self.with(|state| take(&mut state.offsets, "commit of offsets"))
    }

    pub(super) fn take_publish(&self) -> Result<(), AskFailure> {
        self.with(|state| take(&mut state.publishes, "publish"))
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn take(left: &mut u32, what: &str) -> Result<(), AskFailure> {
    if *left == 0 {
        return Ok(());
    }
    *left -= 1;
    Err(AskFailure(format!("injected: {what} failed")))
}
