//! `millrace history`

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::str::FromStr;

use anyhow::Context;
use millrace_eventsourcing::Timestamp;
use millrace_runtime::access::Span;
use millrace_runtime::log::Record;
use millrace_runtime::partitioner::partition_of;
use millrace_runtime::topic::Topic;
use serde::Serialize;
use serde_json::Value;

use super::visit::{Guarded, guarded};
use super::{App, Exit, find};
use crate::registry::{Fold, Reader};
use crate::time::parse_time;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Aggregate, such as bank.account
    #[arg(value_name = "C.A")]
    aggregate: String,
    /// Id of one of them
    #[arg(value_name = "ID")]
    id: String,
    /// Stop after this version, or after the last event recorded by this time
    #[arg(long, value_name = "VERSION|TIME")]
    at: Option<At>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Version(i64),
    Time(Timestamp),
}

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(version) if version >= 0 => Ok(Self::Version(version)),
            Ok(_) => Err("a version is 0 or more".to_owned()),
            Err(_) => parse_time(text).map(Self::Time).ok_or_else(|| {
                "must be a version or a time such as 2026-11-20T12:00:00Z".to_owned()
            }),
        }
    }
}

impl At {
    /// Whether an event still belongs to the past that is asked for.
    fn includes(self, event: &Value) -> bool {
        match self {
            Self::Version(version) => {
                let own = event.get("version").and_then(Value::as_i64);
                own.is_some_and(|own| own <= version)
            }
            Self::Time(time) => {
                parse_time(word(event, "recorded_at")).is_some_and(|own| own <= time)
            }
        }
    }
}

fn word<'a>(event: &'a Value, field: &str) -> &'a str {
    event.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The last line.
#[derive(Debug, Serialize)]
struct Standing {
    state: Value,
    version: i64,
}

pub(super) fn run(app: &App, args: &Args) -> anyhow::Result<Exit> {
    let aggregate = find::aggregate(app, &args.aggregate)?;
    let reader = aggregate.reader(&app.catalogue()?)?;
    let id = aggregate.normalise_id(&args.id);
    let log = app.log()?;
    let bounds = log.bounds(Topic::of(aggregate.name(), "events"))?;
    let partition = partition_of(id.as_bytes(), i32::try_from(bounds.len())?);
    let spans: Vec<_> = bounds
        .iter()
        .filter(|bounds| bounds.source.partition == partition)
        .map(|bounds| Span {
            source: bounds.source,
            from: bounds.first,
            to: bounds.stable_end,
        })
        .collect();
    let mut out = io::stdout().lock();
    let mut telling = Telling {
        reader: reader.as_ref(),
        fold: reader.fold(),
        at: args.at,
        json: args.json,
        out: &mut out,
    };
    guarded(|guard| {
        log.read(&spans, &mut |record| {
            if record.key == Some(id.as_bytes()) {
                guard.pass(telling.tell(record))
            } else {
                ControlFlow::Continue(())
            }
        })
    })?;
    let standing = Standing {
        version: telling.fold.version().get(),
        state: telling.fold.state(),
    };
    writeln!(out, "{}", serde_json::to_string(&standing)?)?;
    Ok(Exit::Done)
}

/// The history as far as it is told.
struct Telling<'a, W> {
    reader: &'a dyn Reader,
    fold: Box<dyn Fold>,
    at: Option<At>,
    json: bool,
    out: &'a mut W,
}

impl<W: Write> Telling<'_, W> {
    fn tell(&mut self, record: &Record<'_>) -> Guarded {
        let place = || format!("event at offset {} of {}", record.offset, record.source);
        let bytes = record.value.unwrap_or_default();
        let event = self.reader.event(bytes).with_context(place)?;
        if self.at.is_some_and(|at| !at.includes(&event)) {
            return Ok(ControlFlow::Break(()));
        }
        self.fold.take(bytes).with_context(place)?;
        if self.json {
            writeln!(self.out, "{event}")?;
        } else {
            let version = self.fold.version();
            let (recorded_at, name) = (word(&event, "recorded_at"), word(&event, "type"));
            let data = event.get("data").unwrap_or(&Value::Null);
            writeln!(self.out, "{version:>6}  {recorded_at}  {name}  {data}")?;
        }
        Ok(ControlFlow::Continue(()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_point_in_history_is_a_version_or_a_time() {
        assert_eq!("0".parse(), Ok(At::Version(0)));
        let noon = Timestamp::from_millis(1_795_176_000_000);
        assert_eq!("2026-11-20T12:00:00Z".parse(), Ok(At::Time(noon)));
        assert!("-1".parse::<At>().is_err());
        assert!("noon".parse::<At>().is_err());
    }

    #[test]
    fn an_event_belongs_to_the_past_up_to_its_version_and_its_very_time() {
        let event = json!({"version": 3, "recorded_at": "2026-11-20T12:00:00.000001Z"});
        assert!(At::Version(3).includes(&event));
        assert!(!At::Version(2).includes(&event));
        let at = |text: &str| text.parse::<At>().unwrap();
        assert!(at("2026-11-20T12:00:00.000001Z").includes(&event));
        assert!(!at("2026-11-20T12:00:00Z").includes(&event));
    }
}
