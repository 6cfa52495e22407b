//! `millrace wait`

mod decided;

use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, bail};
use millrace_eventsourcing::Timestamp;
use millrace_runtime::clock::{Clock, SystemClock};
use millrace_runtime::outcome::Outcome;
use millrace_runtime::store::{Progress, ReadStore};
use millrace_runtime::topic::Topic;

use super::outcomes::{self, Awaited};
use super::send::timeout;
use super::{App, Exit, UsageError, block_on, find};
use crate::registry::ProjectionEntry;

/// How far back the log is read; what was decided earlier is found in the read table `outcomes`,
/// which by then has it.
const LOOK_BACK: Duration = Duration::from_hours(1);
/// Between two looks at a projection's progress.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Id of the command
    #[arg(value_name = "COMMAND-ID")]
    command_id: String,
    /// Wait until this projection, such as bank.accounts, shows what the command changed
    #[arg(long, value_name = "C.NAME")]
    projection: Option<String>,
    /// How long to wait in all
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = timeout)]
    timeout: Duration,
}

pub(super) fn run(app: &App, args: Args) -> anyhow::Result<Exit> {
    let clock = SystemClock::new();
    let projection = args
        .projection
        .as_deref()
        .map(|name| find::projection(app, name))
        .transpose()?;
    let text = if let Some(text) = decided::outcome(app, &args.command_id, args.timeout / 2)? {
        text
    } else {
        let now = clock.now();
        let left = args.timeout.saturating_sub(now.elapsed);
        outcome_of(app, args.command_id, left, now.wall)?
    };
    if let Some((context, projection)) = projection {
        let outcome: Outcome<'_> = serde_json::from_str(&text)?;
        let left = args.timeout.saturating_sub(clock.now().elapsed);
        await_rows(app, context, projection.as_ref(), &outcome, left)?;
    }
    writeln!(io::stdout(), "{text}")?;
    Ok(Exit::Done)
}

/// The outcome's JSON, from whichever aggregate's topic holds it.
fn outcome_of(
    app: &App,
    command_id: String,
    limit: Duration,
    now: Timestamp,
) -> anyhow::Result<String> {
    let log = app.log()?;
    let back = i64::try_from(LOOK_BACK.as_micros())?;
    let since = Timestamp::from_micros(now.as_micros().saturating_sub(back));
    let mut from = Vec::new();
    for aggregate in app.registry.aggregates() {
        from.extend(log.offsets_at(Topic::of(aggregate.name(), "outcomes"), since)?);
    }
    let awaited = Awaited {
        command_id,
        of: None,
    };
    let mut text = String::new();
    outcomes::follow(log.as_ref(), &from, [awaited], limit, &mut |found| {
        found.text.clone_into(&mut text);
        Ok(())
    })?;
    Ok(text)
}

/// Waits until the projection has applied the command's events.
fn await_rows(
    app: &App,
    context: &'static str,
    projection: &dyn ProjectionEntry,
    outcome: &Outcome<'_>,
    limit: Duration,
) -> anyhow::Result<()> {
    if outcome.last_version.is_none() {
        // No event: there is nothing to be shown.
        return Ok(());
    }
    let name = projection.name();
    if !projection
        .aggregates()
        .contains(&outcome.aggregate.as_ref())
    {
        let aggregate = &outcome.aggregate;
        let reason = format!("projection `{context}.{name}` does not follow `{aggregate}`");
        return Err(UsageError::new(reason).into());
    }
    let store = app.store()?;
    let events = format!("{}.events", outcome.aggregate);
    let shows = |progress: &Progress| {
        progress.source.topic.name() == events
            && progress.source.partition == outcome.partition
            && progress.command_offset >= Some(outcome.offset)
    };
    let last_error = std::cell::RefCell::new(None);
    let looking = async {
        loop {
            match store.progress(context, name).await {
                Ok(all) if all.iter().any(shows) => return,
                Ok(_) => drop(last_error.take()),
                Err(error) => drop(last_error.replace(Some(error))),
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    };
    let in_time = block_on(async { tokio::time::timeout(limit, looking).await.is_ok() })?;
    if in_time {
        return Ok(());
    }
    let late = format!(
        "projection `{context}.{name}` does not show command `{}` in time: `millrace status` \
         shows how far it is",
        outcome.command_id
    );
    match last_error.take() {
        Some(error) => Err(error).context(late),
        None => bail!(late),
    }
}
