//! The work on one assigned partition.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::RequestId;
use super::collected::{Collected, Counts, Place};
use crate::engine::TaskState;
use crate::outbox::Outbox;
use crate::retry::Backoff;
use crate::store::Batch;

/// A partition that is ours, from assignment to release.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) phase: Phase,
    pub(super) is_revoking: bool,
    /// Place of its topic among the projector's sources.
    pub(super) source_index: usize,
    /// When it was assigned.
    pub(super) since: Duration,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// Where to begin is being found out.
    Positioning(Beginning),
    /// At work, or waiting for the store.
    Running(Box<Run>),
    /// Stopped until a person acts.
    Failed(String),
}

/// What is known before the first record.
#[derive(Debug, Clone, Default)]
pub(super) struct Beginning {
    /// Why it takes so long.
    pub(super) waits_for: Option<String>,
    /// The last safe place, when this task ran before in this assignment.
    pub(super) known: Option<Place>,
}

/// A partition at work. Its places never stand in another order than
/// `safe <= acknowledged <= collected.place`.
#[derive(Debug)]
pub(super) struct Run {
    /// Taken in, not yet on its way.
    pub(super) collected: Collected,
    pub(super) flight: Option<Flight>,
    /// What the store has acknowledged; the progress that readers see.
    pub(super) acknowledged: Place,
    /// Acknowledged, but a crash of the store could still take it back; oldest first.
    pub(super) unsafe_places: VecDeque<Acknowledged>,
    /// No crash takes this back: the group may store it, and work goes on from here.
    pub(super) safe: Place,
    /// What the group has stored, as far as we know.
    pub(super) stored: Option<Place>,
    /// Progress says something else than `acknowledged`, and has to be set back.
    pub(super) reset_due: bool,
    /// A record that cannot be read at the moment.
    pub(super) blocked: Option<Blocked>,
    pub(super) delivery: Delivery,
    /// Whether the last positions of a partition on its way out were sent to the group.
    pub(super) said_goodbye: bool,
    /// Why the last attempt to write failed; nothing once one succeeds.
    pub(super) trouble: Option<String>,
    pub(super) backoff: Backoff,
    /// The same for reading a record of an unknown schema.
    pub(super) schema_backoff: Backoff,
    /// One past the last record in the log, when it was last asked.
    pub(super) end: i64,
}

/// What the log delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// It is yet to be told where to go on; what it delivers until then is from elsewhere.
    StartDue,
    /// What follows the records that were taken in.
    Flowing,
    /// It was told to deliver nothing.
    Paused,
}

#[derive(Debug)]
pub(super) struct Acknowledged {
    pub(super) place: Place,
    /// The first and the last acknowledgement that this entry stands for.
    pub(super) first_at: Duration,
    pub(super) last_at: Duration,
}

/// A record that waits for its schema.
#[derive(Debug)]
pub(super) struct Blocked {
    pub(super) offset: i64,
    pub(super) reason: String,
    /// When to read it again; nothing once that was asked for.
    pub(super) retry_at: Option<Duration>,
}

/// A batch on its way.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) batch: Arc<Batch>,
    pub(super) place: Place,
    pub(super) letters: Outbox,
    pub(super) codes: Vec<&'static str>,
    pub(super) counts: Counts,
    pub(super) bytes: usize,
    pub(super) stage: Stage,
    /// When it was first sent.
    pub(super) since: Duration,
    /// Whether it does no more than set progress back.
    pub(super) is_reset: bool,
    /// Its answer no longer counts, because work goes on from an earlier place.
    pub(super) is_void: bool,
}

/// Letters first, then rows: positions go on only when both are done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its letters are to be written from then on.
    PublishAt(Duration),
    /// Its letters are being written.
    Publishing,
    /// Its rows are to be written from then on.
    ApplyAt(Duration),
    /// Its rows are being written.
    Applying(RequestId),
}

impl Run {
    pub(super) fn new(place: Place, stored: Option<Place>, seed: u64) -> Self {
        Self {
            collected: Collected::behind(place),
            flight: None,
            acknowledged: place,
            unsafe_places: VecDeque::new(),
            safe: place,
            stored,
            reset_due: true,
            blocked: None,
            delivery: Delivery::StartDue,
            said_goodbye: false,
            trouble: None,
            backoff: Backoff::new(seed),
            schema_backoff: Backoff::new(seed),
            end: place.next_offset,
        }
    }

    /// Whether the store has everything that was taken in.
    pub(super) fn is_idle(&self) -> bool {
        self.flight.is_none()
            && !self.reset_due
            && self.blocked.is_none()
            && self.collected.place == self.acknowledged
    }

    /// Records and bytes held in memory.
    pub(super) fn held(&self) -> (usize, usize) {
        let flight = self.flight.as_ref();
        let records = flight.map_or(0, |flight| flight.counts.projected + flight.counts.skipped);
        let bytes = flight.map_or(0, |flight| flight.bytes + flight.letters.bytes());
        let collected = &self.collected;
        (
            records + collected.records(),
            bytes + collected.bytes + collected.letters.bytes(),
        )
    }

    /// Whether something is with the store or the log whose answer must be waited for.
    pub(super) fn is_awaiting(&self) -> bool {
        let stage = self.flight.as_ref().map(|flight| &flight.stage);
        matches!(stage, Some(Stage::Publishing | Stage::Applying(_)))
    }

    /// Ends the batch in the making and starts the next.
    pub(super) fn seal(&mut self) -> Collected {
        let next = Collected::behind(self.collected.place);
        std::mem::replace(&mut self.collected, next)
    }
}

impl Task {
    pub(super) fn running(&self) -> Option<&Run> {
        match &self.phase {
            Phase::Running(run) => Some(run),
            Phase::Positioning(_) | Phase::Failed(_) => None,
        }
    }

    pub(super) fn running_mut(&mut self) -> Option<&mut Run> {
        match &mut self.phase {
            Phase::Running(run) => Some(run),
            Phase::Positioning(_) | Phase::Failed(_) => None,
        }
    }

    pub(super) fn state_and_reason(&self) -> (TaskState, Option<String>) {
        match &self.phase {
            Phase::Failed(reason) => (TaskState::Failed, Some(reason.clone())),
            Phase::Positioning(_) | Phase::Running(_) if self.is_revoking => {
                (TaskState::Revoking, None)
            }
            Phase::Positioning(beginning) => match &beginning.waits_for {
                Some(reason) => (TaskState::Paused, Some(reason.clone())),
                None => (TaskState::Restoring, None),
            },
            Phase::Running(run) => match (&run.trouble, &run.blocked) {
                (Some(reason), _) => (TaskState::Paused, Some(reason.clone())),
                (None, Some(blocked)) => (TaskState::Paused, Some(blocked.reason.clone())),
                (None, None) => (TaskState::Running, None),
            },
        }
    }
}
