//! The projection `journal` that every context has: all events, all outcomes, and both by
//! correlation.
//!
//! It follows the events and outcomes topics of all aggregates of its context. An event stands
//! here as it was written, a password's hash included; passwords themselves stand in no event.

use std::fmt;

use millrace_eventsourcing::{
    Aggregate, Column, EventEnvelope, Order, Row, Stamp, Table, variant_name,
};
use serde::Serialize;

use super::source::{EventCodec, Project, ProjectError, Projected, read_event, read_key, stamped};
use crate::code::{self, Problem};
use crate::log::Record;
use crate::outcome::Outcome;

/// Persisted: part of the consumer group and of `projection_progress`.
pub const JOURNAL: &str = "journal";
/// Raised when the same records give other rows.
pub const JOURNAL_REVISION: i32 = 1;
/// The tables that it fills.
pub const JOURNAL_TABLES: &[&Table] = &[&EVENTS_BY_AGGREGATE, &ACTIVITY_BY_CORRELATION, &OUTCOMES];

/// Events of one aggregate in one partition of the store. Persisted: part of a key.
const BUCKET_EVENTS: i64 = 10_000;
/// Persisted: the kind of an activity that is an event.
const EVENT: &str = "event";
/// Persisted: the kind of an activity that is an outcome.
const OUTCOME: &str = "outcome";

/// The history of each aggregate.
pub static EVENTS_BY_AGGREGATE: Table = Table {
    name: "events_by_aggregate",
    columns: &[
        Column::text("aggregate"),
        Column::text("aggregate_id"),
        Column::int("bucket"),
        Column::bigint("version"),
        Column::text("type"),
        Column::text("data"),
        Column::text("command_id"),
        Column::text("causation_id"),
        Column::text("correlation_id"),
        Column::text("actor"),
        Column::timestamp("recorded_at"),
    ],
    partition_key: 3,
    clustering: &[Order::Ascending],
    stamp: Stamp::Constant,
};

/// What belongs to one conversation, in order of time.
///
/// Rows are written once but for one case: outcomes of several unreadable commands with one id,
/// refused within one millisecond, share a row. By offset the last one wins whole; by a constant
/// the row would be a mix.
pub static ACTIVITY_BY_CORRELATION: Table = Table {
    name: "activity_by_correlation",
    columns: &[
        Column::text("correlation_id"),
        Column::timestamp("occurred_at"),
        Column::text("kind"),
        Column::text("id"),
        Column::text("type"),
        Column::text("aggregate"),
        Column::text("aggregate_id"),
        Column::text("detail"),
    ],
    partition_key: 1,
    clustering: &[Order::Ascending, Order::Ascending, Order::Ascending],
    stamp: Stamp::Offset,
};

/// The answer to each command.
pub static OUTCOMES: Table = Table {
    name: "outcomes",
    columns: &[
        Column::text("command_id"),
        Column::text("aggregate"),
        Column::text("aggregate_id"),
        Column::text("type"),
        Column::text("status"),
        Column::text("code"),
        Column::text("message"),
        Column::text("result"),
        Column::bigint("first_version"),
        Column::bigint("last_version"),
        Column::bigint("version"),
        Column::text("correlation_id"),
        Column::text("causation_id"),
        Column::text("actor"),
        Column::timestamp("decided_at"),
        Column::int("partition"),
        Column::bigint("offset"),
    ],
    partition_key: 1,
    clustering: &[Order::Ascending, Order::Ascending],
    stamp: Stamp::Offset,
};

/// The journal's side of one events topic.
pub struct EventJournal<A: Aggregate> {
    codec: EventCodec<A>,
}

impl<A: Aggregate> EventJournal<A> {
    /// Reads events with this codec.
    pub fn new(codec: EventCodec<A>) -> Self {
        Self { codec }
    }
}

impl<A: Aggregate> fmt::Debug for EventJournal<A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("EventJournal")
            .field(&A::NAME)
            .finish()
    }
}

impl<A: Aggregate> Project for EventJournal<A> {
    fn project(&self, record: &Record<'_>) -> Result<Projected, ProjectError> {
        let (id, event) = read_event(self.codec.as_ref(), record)?;
        let (kind, data) = told(&event.payload)?;
        let version = event.version.get();
        let Ok(bucket) = i32::try_from(version / BUCKET_EVENTS) else {
            let text = format!("version {version} is beyond every bucket");
            return Err(undecodable(code::MALFORMED_AVRO, text));
        };
        let rows = vec![
            history_row(A::NAME, id, &event, (kind, &data), bucket),
            event_activity_row(A::NAME, id, &event, (kind, &data)),
        ];
        Ok(Projected {
            rows: stamped(rows, version, record.offset),
            command_offset: Some(event.command_offset),
            time: event.recorded_at,
        })
    }
}

fn history_row<E>(
    aggregate: &str,
    id: &str,
    event: &EventEnvelope<E>,
    (kind, data): (&str, &str),
    bucket: i32,
) -> Row {
    Row::upsert(
        &EVENTS_BY_AGGREGATE,
        [
            ("aggregate", aggregate.into()),
            ("aggregate_id", id.into()),
            ("bucket", bucket.into()),
            ("version", event.version.into()),
            ("type", kind.into()),
            ("data", data.into()),
            ("command_id", (&event.command_id).into()),
            ("causation_id", event.causation_id.as_deref().into()),
            ("correlation_id", (&event.correlation_id).into()),
            ("actor", event.actor.as_deref().into()),
            ("recorded_at", event.recorded_at.into()),
        ],
    )
}

fn event_activity_row<E>(
    aggregate: &str,
    id: &str,
    event: &EventEnvelope<E>,
    (kind, data): (&str, &str),
) -> Row {
    let event_id = format!("{aggregate}/{id}/{}", event.version);
    Row::upsert(
        &ACTIVITY_BY_CORRELATION,
        [
            ("correlation_id", (&event.correlation_id).into()),
            ("occurred_at", event.recorded_at.into()),
            ("kind", EVENT.into()),
            ("id", event_id.into()),
            ("type", kind.into()),
            ("aggregate", aggregate.into()),
            ("aggregate_id", id.into()),
            ("detail", data.into()),
        ],
    )
}

/// The name of an event and its fields as JSON, in the order of their declaration.
fn told<E: Serialize>(event: &E) -> Result<(&'static str, String), ProjectError> {
    let unfit = |error: String| undecodable(code::MALFORMED_AVRO, error);
    let kind = variant_name(event).map_err(|error| unfit(error.to_string()))?;
    let json = serde_json::to_string(event).map_err(|error| unfit(error.to_string()))?;
    // A variant with fields is `{"Kind":{…}}`; one without is `"Kind"`.
    let fields = json
        .strip_prefix(&format!("{{\"{kind}\":"))
        .and_then(|rest| rest.strip_suffix('}'));
    Ok((kind, fields.unwrap_or("{}").to_owned()))
}

/// The journal's side of one outcomes topic.
#[derive(Debug)]
pub struct OutcomeJournal {
    aggregate: &'static str,
}

impl OutcomeJournal {
    /// Follows the outcomes of this aggregate.
    pub const fn new(aggregate: &'static str) -> Self {
        Self { aggregate }
    }
}

impl Project for OutcomeJournal {
    fn project(&self, record: &Record<'_>) -> Result<Projected, ProjectError> {
        let malformed = |text: String| undecodable(code::MALFORMED_JSON, text);
        let id = read_key(record)?;
        let text = std::str::from_utf8(record.value.unwrap_or_default());
        let text = text.map_err(|error| malformed(error.to_string()))?;
        let outcome: Outcome<'_> =
            serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let told = (outcome.aggregate.as_ref(), outcome.aggregate_id.as_ref());
        if told != (self.aggregate, id) {
            let text = format!("an outcome of `{}/{}` under the key `{id}`", told.0, told.1);
            return Err(malformed(text));
        }
        let rows = if outcome.duplicate {
            // It repeats an answer that has its rows already.
            Vec::new()
        } else {
            vec![outcome_row(&outcome), outcome_activity_row(&outcome, text)]
        };
        Ok(Projected {
            rows: stamped(rows, outcome.version, record.offset),
            command_offset: None,
            time: outcome.decided_at,
        })
    }
}

fn outcome_row(outcome: &Outcome<'_>) -> Row {
    let result = outcome.result.as_ref().map(ToString::to_string);
    Row::upsert(
        &OUTCOMES,
        [
            ("command_id", outcome.command_id.as_ref().into()),
            ("aggregate", outcome.aggregate.as_ref().into()),
            ("aggregate_id", outcome.aggregate_id.as_ref().into()),
            ("type", outcome.kind.as_ref().into()),
            ("status", outcome.status.word().into()),
            ("code", outcome.code.as_deref().into()),
            ("message", outcome.message.as_deref().into()),
            ("result", result.into()),
            ("first_version", outcome.first_version.into()),
            ("last_version", outcome.last_version.into()),
            ("version", outcome.version.into()),
            ("correlation_id", outcome.correlation_id.as_ref().into()),
            ("causation_id", outcome.causation_id.as_deref().into()),
            ("actor", outcome.actor.as_deref().into()),
            ("decided_at", outcome.decided_at.into()),
            ("partition", outcome.partition.into()),
            ("offset", outcome.offset.into()),
        ],
    )
}

fn outcome_activity_row(outcome: &Outcome<'_>, json: &str) -> Row {
    let id = format!(
        "{}/{}/{}",
        outcome.aggregate, outcome.aggregate_id, outcome.command_id
    );
    Row::upsert(
        &ACTIVITY_BY_CORRELATION,
        [
            ("correlation_id", outcome.correlation_id.as_ref().into()),
            ("occurred_at", outcome.decided_at.into()),
            ("kind", OUTCOME.into()),
            ("id", id.into()),
            ("type", outcome.kind.as_ref().into()),
            ("aggregate", outcome.aggregate.as_ref().into()),
            ("aggregate_id", outcome.aggregate_id.as_ref().into()),
            ("detail", json.into()),
        ],
    )
}

fn undecodable(code: &'static str, text: String) -> ProjectError {
    ProjectError::Undecodable(Problem::new(code, text))
}
