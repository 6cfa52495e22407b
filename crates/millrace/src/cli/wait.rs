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
use super::telling::Telling;
use super::{App, Exit, UsageError, block_on, find};
use crate::pace::Pace;
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
    let mut way = Way::to(outcome);
    let mut telling = Telling::new();
    let last_error = std::cell::RefCell::new(None);
    let looking = async {
        loop {
            match store.progress(context, name).await {
                Ok(all) => {
                    let pace = way.pace(&all);
                    if pace.done >= pace.all {
                        return Ok(());
                    }
                    drop(last_error.take());
                    telling.tell(|elapsed| format!("{context}.{name}: {}", pace.after(elapsed)))?;
                }
                Err(error) => drop(last_error.replace(Some(error))),
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    };
    let ended = block_on(async { tokio::time::timeout(limit, looking).await })?;
    if let Ok(ended) = ended {
        return ended;
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

/// The way of a projection to the command of an outcome, in offsets of commands.
#[derive(Debug)]
struct Way {
    events: String,
    partition: i32,
    to: i64,
    /// Where it was at the first look.
    from: Option<i64>,
}

impl Way {
    fn to(outcome: &Outcome<'_>) -> Self {
        Self {
            events: format!("{}.events", outcome.aggregate),
            partition: outcome.partition,
            to: outcome.offset,
            from: None,
        }
    }

    /// How far it is; the command is shown at its end.
    fn pace(&mut self, progress: &[Progress]) -> Pace {
        let row = progress.iter().find(|row| {
            row.source.topic.name() == self.events && row.source.partition == self.partition
        });
        // Before the first command when nothing was applied yet.
        let at = row.and_then(|row| row.command_offset).unwrap_or(-1);
        let from = *self.from.get_or_insert(at);
        Pace {
            done: at - from,
            all: self.to - from,
            unit: "commands",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_command_is_shown_when_its_offset_or_a_later_one_was_applied() {
        let topic = Topic::new("bank.account.events");
        let row = |topic: Topic, partition, command_offset| Progress {
            projection: "accounts",
            source: topic.partition(partition),
            next_offset: 0,
            command_offset,
            revision: 1,
            updated_at: Timestamp::default(),
        };
        let mut way = Way {
            events: topic.name().to_owned(),
            partition: 3,
            to: 109,
            from: None,
        };
        let elsewhere = [
            row(topic, 2, Some(500)),
            row(Topic::new("bank.transfer.events"), 3, Some(500)),
        ];
        let mut far = |progress: &[Progress]| {
            let pace = way.pace(progress);
            (pace.done, pace.all)
        };
        assert_eq!(far(&elsewhere), (0, 110));
        assert_eq!(far(&[row(topic, 3, Some(54))]), (55, 110));
        assert_eq!(far(&[row(topic, 3, Some(109))]), (110, 110));
        assert_eq!(far(&[row(topic, 3, Some(200))]), (201, 110));
        let told = way.pace(&[row(topic, 3, Some(54))]);
        assert_eq!(
            told.after(Duration::from_secs(5)),
            "55 of 110 commands, 11 a second, 5 s left"
        );
        let mut shown = Way { from: None, ..way };
        let pace = shown.pace(&[row(topic, 3, Some(109))]);
        assert!(pace.done >= pace.all);
    }
}
