//! Waiting for answers.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Context, bail};
use millrace_runtime::access::{LogAccess, Seen};
use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::log::Record;
use millrace_runtime::outcome::Outcome;
use millrace_runtime::topic::TopicPartition;

use super::visit::guarded;

/// A command whose outcome somebody waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Awaited {
    /// Its id.
    pub(super) command_id: String,
    /// Aggregate and id of the aggregate, where they are known: a command id is unique within one
    /// aggregate only.
    pub(super) of: Option<(String, String)>,
}

impl Awaited {
    fn is_answered_by(&self, outcome: &Outcome<'_>) -> bool {
        self.command_id == outcome.command_id
            && self.of.as_ref().is_none_or(|(aggregate, id)| {
                *aggregate == outcome.aggregate && *id == outcome.aggregate_id
            })
    }
}

/// An outcome as it was read.
#[derive(Debug)]
pub(super) struct Found<'r> {
    /// The JSON, as it stands in the record.
    pub(super) text: &'r str,
    /// The same, decoded.
    pub(super) outcome: Outcome<'r>,
}

/// Reads outcomes from these places on until each command has one, and shows it.
///
/// # Errors
/// When time is up; those that came were shown.
pub(super) fn follow(
    log: &dyn LogAccess,
    from: &[(TopicPartition, i64)],
    awaited: impl IntoIterator<Item = Awaited>,
    limit: Duration,
    show: &mut dyn FnMut(&Found<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut awaited: Vec<_> = awaited.into_iter().collect();
    let clock = SystemClock::new();
    guarded(|guard| {
        log.follow(from, &mut |seen| {
            let flow = match seen {
                Seen::Idle => ControlFlow::Continue(()),
                Seen::Record(record) => guard.pass(take(&record, &mut awaited, show)),
            };
            if awaited.is_empty() || clock.now().elapsed >= limit {
                return ControlFlow::Break(());
            }
            flow
        })
    })?;
    if let Some(first) = awaited.first() {
        bail!(
            "no outcome of command `{}` in time ({} commands without one): `millrace \
             status` shows whether a worker is there, `millrace dead-letters list` what was set \
             aside",
            first.command_id,
            awaited.len()
        );
    }
    Ok(())
}

fn take(
    record: &Record<'_>,
    awaited: &mut Vec<Awaited>,
    show: &mut dyn FnMut(&Found<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<ControlFlow<()>> {
    let place = || format!("outcome at offset {} of {}", record.offset, record.source);
    let text = std::str::from_utf8(record.value.unwrap_or_default()).with_context(place)?;
    let outcome: Outcome<'_> = serde_json::from_str(text).with_context(place)?;
    let before = awaited.len();
    awaited.retain(|one| !one.is_answered_by(&outcome));
    if awaited.len() < before {
        show(&Found { text, outcome })?;
    }
    Ok(ControlFlow::Continue(()))
}
