//! What was acknowledged becomes safe, and only what is safe is stored for the group.

use std::time::Duration;

use super::collected::{Collected, Place};
use super::marks::Reading;
use super::task::{Acknowledged, Delivery, Run, Stage, Task};
use super::{Projector, RequestId, StoreRequest, group_offsets};
use crate::log::{AskFailure, Effect};
use crate::store::{MARKS_INTERVAL, Mark, StoreError};
use crate::topic::TopicPartition;

/// Acknowledgements this close together become safe together; bounds how many are kept.
const TOGETHER: Duration = Duration::from_millis(250);
/// How often the group's positions are stored.
const STORE_INTERVAL: Duration = Duration::from_secs(1);

impl Run {
    /// The store has everything up to `place`.
    pub(super) fn acknowledge(&mut self, place: Place, has_rows: bool, times: Times) {
        self.acknowledged = place;
        if times.durable_after.is_zero() {
            self.safe = place;
            return;
        }
        match self.unsafe_places.back_mut() {
            // No rows, nothing to lose: as safe as what came before.
            None if !has_rows => self.safe = place,
            Some(last) if !has_rows => last.place = place,
            Some(last) if times.now < last.first_at + TOGETHER => {
                last.place = place;
                last.last_at = times.now;
            }
            _ => self.unsafe_places.push_back(Acknowledged {
                place,
                first_at: times.now,
                last_at: times.now,
            }),
        }
    }

    /// What was acknowledged long enough before `confirmed_at` is safe.
    fn confirm(&mut self, confirmed_at: Duration, durable_after: Duration) {
        let is_safe = |at: Duration| at + durable_after <= confirmed_at;
        while let Some(first) = self.unsafe_places.pop_front_if(|one| is_safe(one.last_at)) {
            self.safe = first.place;
        }
    }

    /// Whether a crash of the store could take something back.
    fn is_at_risk(&self) -> bool {
        self.flight.is_some() || !self.unsafe_places.is_empty()
    }

    /// Forgets everything behind the last safe place.
    fn go_back(&mut self) {
        if self.delivery == Delivery::Paused
            || self.blocked.is_some()
            || self.collected.place.next_offset != self.safe.next_offset
        {
            self.delivery = Delivery::StartDue;
        }
        self.collected = Collected::behind(self.safe);
        self.acknowledged = self.safe;
        self.unsafe_places.clear();
        self.blocked = None;
        self.reset_due = true;
        match &mut self.flight {
            // An answer to it may still come; it must not overtake the reset of progress.
            Some(flight) if matches!(flight.stage, Stage::Applying(_) | Stage::Publishing) => {
                flight.is_void = true;
            }
            flight => *flight = None,
        }
    }
}

/// When something was acknowledged, and how long it takes to be durable.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) now: Duration,
    pub(super) durable_after: Duration,
}

impl Projector {
    /// Reads the marks while something is not safe yet.
    pub(super) fn look_at_marks(&mut self) {
        let mut runs = self.tasks.values().filter_map(Task::running).peekable();
        let is_first = !self.marks.is_known() && runs.peek().is_some();
        let is_needed = is_first || runs.any(Run::is_at_risk);
        let now = self.now.elapsed;
        if is_needed && !self.config.durable_after.is_zero() && self.marks.is_due(now) {
            let id = self.request(StoreRequest::Marks);
            self.marks.ask(id, now, now + MARKS_INTERVAL);
        }
    }

    pub(super) fn on_marks(&mut self, id: RequestId, answer: Result<Vec<Mark>, StoreError>) {
        if self.marks.note(answer.is_err()) {
            match &answer {
                Ok(_) => tracing::info!(task = self.config.group, "marks can be read again"),
                Err(error) => tracing::warn!(task = self.config.group, reason = %error,
                    "marks cannot be read: positions are not stored"),
            }
        }
        match self.marks.read(id, answer.ok()) {
            None => {}
            Some(Reading::Unchanged) => self.confirm(),
            Some(Reading::Changed) => self.go_back(),
        }
    }

    fn confirm(&mut self) {
        let durable_after = self.config.durable_after;
        let Some(confirmed_at) = self.marks.confirmed_at() else {
            return;
        };
        for run in self.tasks.values_mut().filter_map(Task::running_mut) {
            run.confirm(confirmed_at, durable_after);
        }
    }

    /// A node was restarted: what it acknowledged may be gone, so it is applied again.
    fn go_back(&mut self) {
        for (source, task) in &mut self.tasks {
            let Some(run) = task.running_mut().filter(|run| run.is_at_risk()) else {
                continue;
            };
            tracing::warn!(task = self.config.group, %source, from = run.safe.next_offset,
                "the store was restarted: applying again what it may have lost");
            run.go_back();
        }
    }

    /// Stores positions that are safe, for the group.
    pub(super) fn store_offsets(&mut self) {
        if self.storing.is_some() {
            return;
        }
        let is_time = self.store_at <= self.now.elapsed;
        let mut places = Vec::new();
        for (source, task) in &mut self.tasks {
            let is_leaving = task.is_revoking;
            let Some(run) = task.running_mut() else {
                continue;
            };
            let says_goodbye = is_leaving && !run.said_goodbye && !run.is_awaiting();
            if says_goodbye || (is_time && !is_leaving) {
                run.said_goodbye = is_leaving;
                if run.stored != Some(run.safe) {
                    places.push((*source, run.safe));
                }
            }
        }
        if is_time {
            self.store_at = self.now.elapsed + STORE_INTERVAL;
        }
        if !places.is_empty() {
            let offsets = group_offsets(&places);
            self.effects.log.push(Effect::CommitOffsets(offsets));
            self.storing = Some(places);
        }
    }

    pub(super) fn on_offsets_stored(&mut self, result: Result<(), AskFailure>) {
        let places = self.storing.take().unwrap_or_default();
        if let Err(failure) = result {
            // Work goes on from an earlier place then; the next round stores it again.
            tracing::warn!(task = self.config.group, reason = %failure, "positions not stored");
            return;
        }
        for (source, place) in places {
            if let Some(run) = self.tasks.get_mut(&source).and_then(Task::running_mut) {
                run.stored = Some(place);
            }
        }
    }

    pub(super) fn is_being_stored(&self, source: TopicPartition) -> bool {
        let mut places = self.storing.iter().flatten();
        places.any(|(one, _)| *one == source)
    }
}
