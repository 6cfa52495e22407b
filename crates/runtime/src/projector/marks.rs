//! Start marks of the store's nodes: what tells that none of them was restarted.

use std::time::Duration;

use super::RequestId;
use crate::store::Mark;

/// What is known of the marks.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// As they were when work began, or when they last changed.
    baseline: Option<Vec<Mark>>,
    /// The question on its way, and when it was sent.
    asked: Option<(RequestId, Duration)>,
    /// When the last question was sent that found them unchanged.
    confirmed_at: Option<Duration>,
    next_at: Duration,
    is_tried: bool,
    is_failing: bool,
}

/// What a reading tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// No node was restarted since the baseline.
    Unchanged,
    /// Something acknowledged before may be gone.
    Changed,
}

impl Marks {
    /// Whether they were asked for once, so that what is sent from now on can be vouched for if
    /// the store tells marks at all.
    pub(super) const fn are_tried(&self) -> bool {
        self.is_tried
    }

    /// Until when everything acknowledged is vouched for.
    pub(super) const fn confirmed_at(&self) -> Option<Duration> {
        self.confirmed_at
    }

    /// Takes note of whether they can be read. True when that has changed.
    pub(super) fn note(&mut self, is_failing: bool) -> bool {
        std::mem::replace(&mut self.is_failing, is_failing) != is_failing
    }

    pub(super) const fn is_known(&self) -> bool {
        self.baseline.is_some()
    }

    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.asked.is_none() && self.next_at <= now
    }

    pub(super) fn ask(&mut self, id: RequestId, now: Duration, next_at: Duration) {
        self.asked = Some((id, now));
        self.next_at = next_at;
    }

    /// Takes in a reading; nothing when it was not asked for.
    pub(super) fn read(&mut self, id: RequestId, marks: Option<Vec<Mark>>) -> Option<Reading> {
        let (_, asked_at) = self.asked.take_if(|(asked, _)| *asked == id)?;
        self.is_tried = true;
        let mut marks = marks?;
        marks.sort();
        if self.baseline.as_ref() == Some(&marks) {
            self.confirmed_at = Some(asked_at);
            return Some(Reading::Unchanged);
        }
        // The first reading vouches for nothing that was sent before it.
        self.baseline = Some(marks);
        self.confirmed_at = None;
        Some(Reading::Changed)
    }
}
