//! Lag, positions behind markers, and metrics.

use std::time::Duration;

use metrics::gauge;

use super::task::{Run, Task};
use super::{ADVANCE_INTERVAL, LAG_INTERVAL, Projector};
use crate::log::{Ask, LogRange};
use crate::metrics as names;
use crate::topic::TopicPartition;

impl Projector {
    /// Asks how far idle positions can be brought past markers.
    pub(super) fn ask_advance(&mut self) {
        if self.advance.is_some() || self.now.elapsed < self.advance_at || self.is_stopping {
            return;
        }
        self.advance_at = self.now.elapsed + ADVANCE_INTERVAL;
        let idle: Vec<_> = self
            .tasks
            .iter()
            .filter_map(|(source, task)| {
                let run = task.running().filter(|run| run.is_idle())?;
                Some((*source, run.collected.place.next_offset))
            })
            .collect();
        if !idle.is_empty() {
            let id = self.ask(Ask::Advance(idle.clone()));
            self.advance = Some((id, idle));
        }
    }

    pub(super) fn on_advanced(
        &mut self,
        asked: &[(TopicPartition, i64)],
        positions: &[(TopicPartition, i64)],
    ) {
        for (source, position) in positions {
            let run = self.tasks.get_mut(source).and_then(Task::running_mut);
            let Some(run) = run.filter(|run| run.is_idle()) else {
                continue;
            };
            // The answer is about the position that was asked for, and no other.
            let next_offset = run.collected.place.next_offset;
            if asked.contains(&(*source, next_offset)) && next_offset < *position {
                run.collected.place.next_offset = *position;
            }
        }
    }

    /// Asks where the partitions end.
    pub(super) fn ask_lag(&mut self) {
        if self.lag.is_some() || self.now.elapsed < self.lag_at || self.is_stopping {
            return;
        }
        self.lag_at = self.now.elapsed + LAG_INTERVAL;
        let running = self
            .tasks
            .iter()
            .filter(|(_, task)| task.running().is_some());
        let sources: Vec<_> = running.map(|(source, _)| *source).collect();
        if !sources.is_empty() {
            self.lag = Some(self.ask(Ask::Ranges(sources)));
        }
    }

    pub(super) fn on_lag(&mut self, ranges: &[LogRange]) {
        for range in ranges {
            let run = self
                .tasks
                .get_mut(&range.source)
                .and_then(Task::running_mut);
            if let Some(run) = run {
                run.end = range.end;
            }
        }
    }

    /// Tells the metrics how every task stands.
    #[expect(
        clippy::cast_precision_loss,
        reason = "beyond 2^52 records nobody counts"
    )]
    pub fn record_metrics(&self) {
        for status in self.status() {
            self.tell_task(status.source, f64::from(status.state as u8));
        }
        let name = format!("{}.{}", self.config.context, self.config.projection);
        let runs = || self.tasks.values().filter_map(Task::running);
        let lag: i64 = runs().map(Run::lag).sum();
        gauge!(names::PROJECTION_LAG_RECORDS, "projection" => name.clone()).set(lag as f64);
        let behind = runs().filter(|run| run.lag() > 0);
        let oldest = behind.map(|run| run.acknowledged.time.as_micros()).min();
        let wall = self.now.wall.as_micros();
        let age = oldest.map_or(0, |oldest| wall.saturating_sub(oldest).max(0));
        let age = Duration::from_micros(age.unsigned_abs());
        gauge!(names::PROJECTION_AGE_SECONDS, "projection" => name).set(age.as_secs_f64());
    }

    /// A projection of one topic names the partition by its number alone.
    pub(super) fn tell_task(&self, source: TopicPartition, state: f64) {
        let partition = match self.config.sources.as_slice() {
            [_] => source.partition.to_string(),
            _ => source.to_string(),
        };
        gauge!(names::TASK_STATE, "task" => self.config.group.clone(), "partition" => partition)
            .set(state);
    }
}

impl Run {
    /// Records between what readers see and the end.
    fn lag(&self) -> i64 {
        (self.end - self.acknowledged.next_offset).max(0)
    }
}
