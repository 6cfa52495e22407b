//! Emptying the tables of a projection and applying everything again.
//!
//! A crash at any point leaves a group that begins at the beginning, so that the next worker, or
//! the next rebuild, ends with every row: positions are set back before and after the tables are
//! emptied. The log refuses both while the group has members, so a worker that joins in between is
//! noticed: its rows may have been emptied away behind its position.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use millrace_runtime::access::Bounds;
use millrace_runtime::log::GroupOffset;
use millrace_runtime::store::{Progress, ReadStore};
use millrace_runtime::tables::TableAccess;
use millrace_runtime::topic::Topic;
use tokio::runtime::Runtime;

use super::projections::work_on_projection;
use super::supervise::pause;
use super::{End, Seat, Wiring, signals};
use crate::registry::{ProjectionEntry, Registry, group_of_projection};
use crate::settings::Settings;

/// How often the progress is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// A rebuild of one projection.
#[derive(Debug)]
pub(crate) struct Rebuild {
    context: &'static str,
    projection: Arc<dyn ProjectionEntry>,
    group: String,
    topics: Vec<Topic>,
    wiring: Wiring,
    runtime: Runtime,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Applied {
    /// Offsets passed, of those that there were at the beginning.
    pub(crate) done: i64,
    /// All of them.
    pub(crate) all: i64,
}

impl Rebuild {
    pub(crate) fn new(
        registry: &Registry,
        settings: Settings,
        context: &'static str,
        projection: Arc<dyn ProjectionEntry>,
    ) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(super::ASYNC_THREADS)
            .enable_all()
            .build()
            .context("cannot start the asynchronous runtime")?;
        let wiring = Wiring::new(registry, settings, runtime.handle().clone())?;
        let sources = projection.sources(&wiring.schemas.complete()?)?;
        Ok(Self {
            context,
            group: group_of_projection(context, projection.name()),
            projection,
            topics: sources.iter().map(|source| source.topic).collect(),
            wiring,
            runtime,
        })
    }

    /// Workers would go on from where they are and leave the tables half empty.
    pub(crate) fn refuse_members(&self) -> anyhow::Result<()> {
        let group = self.wiring.access.group(&self.group)?;
        if group.members.is_empty() {
            return Ok(());
        }
        let members: Vec<_> = group
            .members
            .iter()
            .map(|member| format!("{}@{}", member.client_id, member.host))
            .collect();
        bail!(
            "group `{}` has members: {}; stop the processes that run projections first",
            self.group,
            members.join(", ")
        )
    }

    /// Topics whose first records are gone.
    pub(crate) fn cut_topics(&self) -> anyhow::Result<Vec<&'static str>> {
        let mut cut = Vec::new();
        for topic in &self.topics {
            let bounds = self.wiring.access.bounds(*topic)?;
            if bounds.iter().any(|bounds| bounds.first > 0) {
                cut.push(topic.name());
            }
        }
        Ok(cut)
    }

    /// Sets the group back to the beginning and empties the tables.
    pub(crate) fn empty_tables(&self) -> anyhow::Result<()> {
        self.set_back()?;
        let store = &self.wiring.store;
        let tables = self.projection.tables();
        let emptied = store.truncate(self.context, self.projection.name(), tables);
        self.runtime
            .block_on(emptied)
            .context("the tables are not empty; run it again")?;
        self.set_back().with_context(|| {
            format!(
                "somebody joined group `{}` meanwhile, and rows may be missing: stop them and run \
                 it again",
                self.group
            )
        })
    }

    fn set_back(&self) -> anyhow::Result<()> {
        let offsets: Vec<_> = self
            .bounds()?
            .into_iter()
            .map(|bounds| GroupOffset {
                source: bounds.source,
                next_offset: bounds.first,
                metadata: String::new(),
            })
            .collect();
        self.wiring
            .access
            .set_group_offsets(&self.group, &offsets)?;
        Ok(())
    }

    fn bounds(&self) -> anyhow::Result<Vec<Bounds>> {
        let mut bounds = Vec::new();
        for topic in &self.topics {
            bounds.extend(self.wiring.access.bounds(*topic)?);
        }
        Ok(bounds)
    }

    /// Works as a worker of the projection does, until what is there now is applied.
    pub(crate) fn apply_all(
        &self,
        tell: &mut dyn FnMut(Applied) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let ends = self.bounds()?;
        signals::listen(
            &self.runtime,
            self.wiring.stop.clone(),
            self.wiring.board.clone(),
        )?;
        let name = format!("{}/rebuild", self.group);
        let seat = Seat {
            wiring: &self.wiring,
            worker: &name,
            number: 0,
        };
        std::thread::scope(|scope| {
            let worker =
                scope.spawn(|| work_on_projection(seat, self.context, self.projection.as_ref()));
            let watched = self.watch(&ends, &|| worker.is_finished(), tell);
            self.wiring.stop.stop();
            let end = worker.join();
            // The worker's end explains why the watch saw no progress.
            match end {
                Ok(End::Stopped) => watched,
                Ok(End::Broken(reason) | End::Fatal(reason)) => bail!(reason),
                Err(_) => bail!("the worker panicked"),
            }
        })
    }

    /// Looks until everything is applied; a worker that ended or was stopped never gets there.
    fn watch(
        &self,
        ends: &[Bounds],
        is_over: &dyn Fn() -> bool,
        tell: &mut dyn FnMut(Applied) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let name = self.projection.name();
        while !self.wiring.stop.is_stopped() && !is_over() {
            let progress = self.wiring.store.progress(self.context, name);
            let progress = self.runtime.block_on(progress)?;
            let applied = applied(ends, &progress);
            tell(applied)?;
            if applied.done == applied.all {
                return Ok(());
            }
            pause(&self.wiring, LOOK_INTERVAL);
        }
        bail!("stopped before everything was applied; `millrace run` goes on from there")
    }
}

fn applied(ends: &[Bounds], progress: &[Progress]) -> Applied {
    let mut applied = Applied { done: 0, all: 0 };
    for bounds in ends {
        applied.all += bounds.stable_end - bounds.first;
        let row = progress.iter().find(|row| row.source == bounds.source);
        let next_offset = row.map_or(bounds.first, |row| row.next_offset);
        applied.done += next_offset.clamp(bounds.first, bounds.stable_end) - bounds.first;
    }
    applied
}

#[cfg(test)]
mod tests {
    use millrace_eventsourcing::Timestamp;

    use super::*;

    #[test]
    fn everything_is_applied_when_each_partition_is_behind_its_end() {
        let topic = Topic::new("t");
        let bounds = |partition, first, stable_end| Bounds {
            source: topic.partition(partition),
            first,
            stable_end,
            end: stable_end + 3,
        };
        let ends = [bounds(0, 0, 10), bounds(1, 5, 9), bounds(2, 4, 4)];
        let row = |partition, next_offset| Progress {
            projection: "p",
            source: topic.partition(partition),
            next_offset,
            command_offset: None,
            revision: 1,
            updated_at: Timestamp::default(),
        };
        let counted = |progress: &[Progress]| {
            let applied = applied(&ends, progress);
            (applied.done, applied.all)
        };
        assert_eq!(counted(&[]), (0, 14));
        assert_eq!(counted(&[row(0, 3), row(1, 7)]), (5, 14));
        assert_eq!(counted(&[row(0, 25), row(1, 9)]), (14, 14));
    }
}
