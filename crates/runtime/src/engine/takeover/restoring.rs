//! The longest part of a take-over, and how far it is.

use std::time::Duration;

use super::{Member, Stage, TakeOver};
use crate::engine::Restoring;
use crate::log::Ask;

impl TakeOver {
    /// Begins at the beginning, also after an attempt that failed half-way.
    pub(super) fn restore(&mut self, now: Duration) -> Ask {
        self.restoring_since = Some(now);
        for member in &mut self.members {
            member.next_offset = member.offsets.start;
        }
        let targets = self.members.iter();
        let targets = targets.map(|member| (self.state_of(member), member.offsets.end));
        Ask::Restore(targets.collect())
    }

    /// How far restoring is, while it goes on.
    pub(in crate::engine) fn restoring(&self, now: Duration) -> Option<Restoring> {
        let since = self
            .restoring_since
            .filter(|_| self.stage == Stage::Restore && self.pending.is_some())?;
        let mut restoring = Restoring {
            done: 0,
            all: 0,
            elapsed: now.saturating_sub(since),
        };
        for Member {
            offsets,
            next_offset,
            ..
        } in &self.members
        {
            restoring.done += (next_offset - offsets.start).max(0);
            restoring.all += (offsets.end - offsets.start).max(0);
        }
        Some(restoring)
    }
}
