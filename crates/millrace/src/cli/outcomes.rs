//! Waiting for answers.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Context, bail};
use millrace_runtime::access::{LogAccess, Seen};
use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::log::Record;
use millrace_runtime::outcome::Outcome;
use millrace_runtime::topic::TopicPartition;

use super::telling::Telling;
use super::visit::guarded;
use crate::pace::Pace;

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
    let all = awaited.len();
    let mut telling = Telling::new();
    guarded(|guard| {
        log.follow(from, &mut |seen| {
            let flow = match seen {
                Seen::Idle => ControlFlow::Continue(()),
                Seen::Record(record) => guard.pass(take(&record, &mut awaited, &mut |found| {
                    telling.clear()?;
                    show(found)
                })),
            };
            if awaited.is_empty() || clock.now().elapsed >= limit {
                return ControlFlow::Break(());
            }
            let told = tell(&mut telling, &awaited, (all, limit));
            if let told @ ControlFlow::Break(()) = guard.pass(told) {
                return told;
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

/// Tells how many have come, or of a single one how long it may take.
fn tell(
    telling: &mut Telling,
    awaited: &[Awaited],
    (all, limit): (usize, Duration),
) -> anyhow::Result<ControlFlow<()>> {
    let count = |number| i64::try_from(number).unwrap_or(i64::MAX);
    telling.tell(|elapsed| match awaited {
        [one] if all == 1 => {
            let left = limit.saturating_sub(elapsed).as_secs();
            format!("no outcome of `{}` yet, {left} s left", one.command_id)
        }
        _ => Pace {
            done: count(all - awaited.len()),
            all: count(all),
            unit: "outcomes",
        }
        .after(elapsed),
    })?;
    Ok(ControlFlow::Continue(()))
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
