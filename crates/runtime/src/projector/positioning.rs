//! Finding out where newly assigned partitions begin.

use std::time::Duration;

use super::collected::Place;
use super::task::{Beginning, Phase, Run, Task};
use super::{Projector, RequestId, StoreRequest};
use crate::engine::StartAt;
use crate::log::{Answer, Ask, AskFailure, AskId, Epoch, GroupOffset, LogRange};
use crate::metrics as names;
use crate::store::{Progress, StoreError};
use crate::topic::TopicPartition;

/// How often a projection of another revision looks whether it was rebuilt.
const REVISION_INTERVAL: Duration = Duration::from_secs(5);

/// How long a position that was out of range is left alone before it is looked at again.
const RANGE_INTERVAL: Duration = Duration::from_secs(1);

/// The three questions about a set of partitions, asked together.
#[derive(Debug)]
pub(super) struct Positioning {
    sources: Vec<TopicPartition>,
    offsets: Question<AskId, Vec<GroupOffset>>,
    ranges: Question<AskId, Vec<LogRange>>,
    progress: Question<RequestId, Vec<Progress>>,
}

#[derive(Debug)]
enum Question<I, T> {
    Asked(I),
    Answered(T),
}

impl Projector {
    pub(super) fn on_assigned(&mut self, assigned: &[(TopicPartition, Epoch)]) {
        for (source, _) in assigned {
            tracing::debug!(task = self.config.group, %source, "partition assigned");
            let mut sources = self.config.sources.iter();
            let found = sources.position(|one| one.topic == source.topic);
            let phase = match found {
                Some(_) => Phase::Positioning(Beginning::default()),
                None => Phase::Failed("this projection does not follow that topic".to_owned()),
            };
            let task = Task {
                phase,
                is_revoking: false,
                source_index: found.unwrap_or_default(),
                since: self.now.elapsed,
            };
            self.tasks.insert(*source, task);
        }
        if self.is_stopping && !assigned.is_empty() {
            self.on_revoking(assigned.iter().map(|(source, _)| *source).collect());
        }
    }

    /// The log no longer has what is to be read next: looks where the group's position stands now.
    pub(super) fn on_out_of_range(&mut self, source: TopicPartition) {
        let Some(task) = self.tasks.get_mut(&source) else {
            return;
        };
        if let Some(run) = task.running() {
            tracing::warn!(task = self.config.group, %source,
                next_offset = run.collected.place.next_offset, "position out of range");
            task.phase = Phase::Positioning(Beginning {
                waits_for: Some("the next record to read is not in the log".to_owned()),
                known: Some(run.safe),
            });
            self.position_at = self.position_at.max(self.now.elapsed + RANGE_INTERVAL);
        }
    }

    pub(super) fn drive_positioning(&mut self) {
        if self.positioning.is_none() && self.position_at <= self.now.elapsed {
            self.begin_positioning();
        }
    }

    fn begin_positioning(&mut self) {
        let is_new = |task: &Task| matches!(task.phase, Phase::Positioning(_)) && !task.is_revoking;
        let new = self.tasks.iter().filter(|(_, task)| is_new(task));
        let sources: Vec<_> = new.map(|(source, _)| *source).collect();
        if sources.is_empty() {
            return;
        }
        if let Err(at) = self.breaker.begin(self.now.elapsed) {
            self.position_at = at;
            return;
        }
        self.positioning = Some(Positioning {
            offsets: Question::Asked(self.ask(Ask::GroupOffsets(sources.clone()))),
            ranges: Question::Asked(self.ask(Ask::Ranges(sources.clone()))),
            progress: Question::Asked(self.request(StoreRequest::Progress)),
            sources,
        });
    }

    pub(super) fn on_position_answer(&mut self, id: AskId, answer: Result<Answer, AskFailure>) {
        let Some(positioning) = &mut self.positioning else {
            return;
        };
        let of_offsets = matches!(positioning.offsets, Question::Asked(asked) if asked == id);
        let of_ranges = matches!(positioning.ranges, Question::Asked(asked) if asked == id);
        match answer {
            Ok(Answer::GroupOffsets(offsets)) if of_offsets => {
                positioning.offsets = Question::Answered(offsets);
                self.begin_if_answered();
            }
            Ok(Answer::Ranges(ranges)) if of_ranges => {
                positioning.ranges = Question::Answered(ranges);
                self.begin_if_answered();
            }
            Err(failure) if of_offsets || of_ranges => {
                self.position_later(&format!("the log does not tell positions: {failure}"));
            }
            // Asked by a positioning that was given up.
            Ok(_) | Err(_) => {}
        }
    }

    pub(super) fn on_progress(&mut self, id: RequestId, answer: Result<Vec<Progress>, StoreError>) {
        self.tell_breaker(&answer);
        let Some(positioning) = &mut self.positioning else {
            return;
        };
        if !matches!(positioning.progress, Question::Asked(asked) if asked == id) {
            return;
        }
        match answer {
            Ok(progress) => {
                positioning.progress = Question::Answered(progress);
                self.begin_if_answered();
            }
            Err(error) => self.position_later(&format!("cannot {error}")),
        }
    }

    fn position_later(&mut self, reason: &str) {
        let wait = self.breaker.wait(self.position_backoff.next());
        tracing::warn!(task = self.config.group, reason, "no position yet");
        self.put_off(reason, wait);
    }

    /// Asks all over again after a while.
    fn put_off(&mut self, reason: &str, wait: Duration) {
        let positioning = self.positioning.take();
        self.position_at = self.now.elapsed + wait;
        for source in positioning.into_iter().flat_map(|one| one.sources) {
            let phase = self.tasks.get_mut(&source).map(|task| &mut task.phase);
            if let Some(Phase::Positioning(beginning)) = phase {
                beginning.waits_for = Some(reason.to_owned());
            }
        }
    }

    fn begin_if_answered(&mut self) {
        let Some(Positioning {
            sources,
            offsets: Question::Answered(offsets),
            ranges: Question::Answered(ranges),
            progress: Question::Answered(progress),
        }) = &mut self.positioning
        else {
            return;
        };
        let declared = self.config.revision;
        if let Some(other) = progress.iter().find(|row| row.revision != declared) {
            let reason = format!(
                "the tables were made by revision {} of `{}.{}`, this is revision {declared}: \
                 rebuild",
                other.revision, self.config.context, self.config.projection
            );
            tracing::error!(task = self.config.group, reason, "paused");
            self.put_off(&reason, REVISION_INTERVAL);
            return;
        }
        let (sources, offsets) = (std::mem::take(sources), std::mem::take(offsets));
        let (ranges, progress) = (std::mem::take(ranges), std::mem::take(progress));
        self.positioning = None;
        self.position_backoff.reset();
        for source in sources {
            let facts = Facts {
                offset: offsets.iter().find(|offset| offset.source == source),
                range: ranges.iter().find(|range| range.source == source),
                progress: progress.iter().find(|progress| progress.source == source),
            };
            self.begin(source, facts);
        }
    }

    fn begin(&mut self, source: TopicPartition, facts: Facts<'_>) {
        let seed = self.config.seed ^ self.next_id();
        let Some(task) = self.tasks.get_mut(&source) else {
            return;
        };
        let (Phase::Positioning(beginning), false) = (&task.phase, task.is_revoking) else {
            return;
        };
        let Some(range) = facts.range else {
            task.phase = Phase::Failed("the log does not tell where it begins".to_owned());
            return;
        };
        let stored = facts.stored(beginning.known);
        let place = match stored {
            Some(place) if place.next_offset < range.first || place.next_offset > range.end => {
                let reason = format!(
                    "the position {} is out of the log's range {} to {}",
                    place.next_offset, range.first, range.end
                );
                if !self.config.accept_gap {
                    tracing::error!(task = self.config.group, %source, reason, "task stopped");
                    task.phase = Phase::Failed(reason);
                    return;
                }
                tracing::warn!(task = self.config.group, %source, reason,
                    next_offset = range.first, "gap accepted");
                let group = self.config.group.clone();
                metrics::counter!(names::GAPS_ACCEPTED_TOTAL, "task" => group).increment(1);
                facts.place(range.first, place.command_offset)
            }
            Some(place) => place,
            None => match self.config.start {
                StartAt::Beginning => facts.place(range.first, None),
                StartAt::End => facts.place(range.end, None),
            },
        };
        let mut run = Run::new(place, stored, seed);
        run.end = range.end;
        run.reset_due = facts
            .progress
            .is_none_or(|progress| !place.is_told_by(progress));
        tracing::debug!(task = self.config.group, %source, next_offset = place.next_offset,
            "task ready");
        let took = self.now.elapsed.saturating_sub(task.since);
        metrics::gauge!(names::RESTORE_SECONDS, "task" => self.config.group.clone())
            .set(took.as_secs_f64());
        task.phase = Phase::Running(Box::new(run));
    }
}

/// What is known of one partition.
#[derive(Debug, Clone, Copy)]
struct Facts<'a> {
    offset: Option<&'a GroupOffset>,
    range: Option<&'a LogRange>,
    progress: Option<&'a Progress>,
}

impl Facts<'_> {
    /// The group's position, or where this very task was safe before the group had one.
    fn stored(self, known: Option<Place>) -> Option<Place> {
        let offset = self.offset.map(|offset| {
            let command_offset = Place::command_offset_of(&offset.metadata);
            self.place(offset.next_offset, command_offset)
        });
        offset.or(known)
    }

    fn place(self, next_offset: i64, command_offset: Option<i64>) -> Place {
        let time = self.progress.map(|progress| progress.updated_at);
        Place {
            next_offset,
            command_offset,
            time: time.unwrap_or_default(),
        }
    }
}
