//! The metrics of a policy or a reactor.

use std::cell::RefCell;
use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};
use millrace_eventsourcing::Timestamp;

use crate::metrics as names;

/// Handles are kept because looking one up costs more than a reaction.
pub(crate) struct Counters {
    task: &'static str,
    reacted: Counter,
    ignored: Counter,
    seconds: Histogram,
    sent: RefCell<Vec<(&'static str, Counter)>>,
}

impl Counters {
    pub(crate) fn new(task: &'static str) -> Self {
        Self {
            task,
            reacted: counter!(names::REACTED_EVENTS_TOTAL, "task" => task),
            ignored: counter!(names::IGNORED_EVENTS_TOTAL, "task" => task),
            seconds: histogram!(names::REACTION_SECONDS, "task" => task),
            sent: RefCell::default(),
        }
    }

    pub(crate) fn reacted(&self) {
        self.reacted.increment(1);
    }

    pub(crate) fn ignored(&self) {
        self.ignored.increment(1);
    }

    pub(crate) fn sent(&self, kind: &'static str) {
        let mut known = self.sent.borrow_mut();
        if let Some((_, counter)) = known.iter().find(|(name, _)| *name == kind) {
            counter.increment(1);
            return;
        }
        let counter = counter!(names::FOLLOW_UPS_TOTAL, "policy" => self.task, "type" => kind);
        counter.increment(1);
        known.push((kind, counter));
    }

    pub(crate) fn dead_letter(&self, code: &'static str) {
        counter!(names::DEAD_LETTERS_TOTAL, "task" => self.task, "code" => code).increment(1);
    }

    pub(crate) fn latency(&self, now: Timestamp, appended: &[(Timestamp, u32)]) {
        for (time, count) in appended {
            let micros = now.as_micros().saturating_sub(time.as_micros()).max(0);
            let waited = Duration::from_micros(micros.unsigned_abs());
            self.seconds
                .record_many(waited.as_secs_f64(), *count as usize);
        }
    }
}
