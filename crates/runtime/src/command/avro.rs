//! Commands as framed Avro.

use std::borrow::Cow;

use millrace_eventsourcing::{Codec, CommandRecord, DecodeError, variant_name};
use serde::Serialize;
use serde_json::Value;

use super::{Asked, Heading, Reading, TEXT_BYTES_MAX, invalid};
use crate::code::{self, Problem};
use crate::log::Header;

/// Reads a command whose value starts with byte 0. Fields that the body lacks come from the
/// headers.
pub fn read_avro<'a, C: Serialize>(
    codec: &dyn Codec<CommandRecord<C>>,
    value: &[u8],
    headers: &[Header<'a>],
) -> Reading<'a, C> {
    let (from_headers, problem) = Heading::of_headers(headers);
    let record = match codec.decode(value) {
        Ok(record) => record,
        Err(error) => {
            return Reading {
                heading: Heading::of_headers_alone(headers),
                command: Err(problem_of(&error)),
            };
        }
    };
    let kind = variant_name(&record.payload).ok().map(Cow::Borrowed);
    let heading = Heading {
        kind,
        lacks_command_id: record.command_id.is_none(),
        aggregate_id: record.aggregate_id.map(Cow::Owned),
        command_id: record.command_id.map(Cow::Owned),
        correlation_id: record.correlation_id.map(Cow::Owned),
        causation_id: record.causation_id.map(Cow::Owned),
        expected_version: record.expected_version,
        actor: record.actor.map(Cow::Owned),
        on_behalf_of: record.on_behalf_of.map(Cow::Owned),
        reply_to: record.reply_to.map(Cow::Owned),
    };
    let mut heading = heading.or(from_headers);
    let checked = heading.check().err();
    let long = (value.len() > TEXT_BYTES_MAX)
        .then(|| long_text(&record.payload))
        .flatten();
    let asked = Asked::Command(record.payload);
    let command = problem.or(checked).or(long).map_or(Ok(asked), Err);
    Reading { heading, command }
}

fn problem_of(error: &DecodeError) -> Problem {
    match error {
        DecodeError::UnknownSchema(_) => Problem::new(code::UNKNOWN_SCHEMA, error.to_string()),
        DecodeError::Unframed(_) | DecodeError::Malformed(_) => {
            Problem::new(code::MALFORMED_AVRO, error.to_string())
        }
    }
}

fn long_text<C: Serialize>(command: &C) -> Option<Problem> {
    let value = serde_json::to_value(command).ok()?;
    let path = long_text_in(&value, "data")?;
    Some(invalid(format!(
        "`{path}` has more than {TEXT_BYTES_MAX} bytes"
    )))
}

fn long_text_in(value: &Value, path: &str) -> Option<String> {
    match value {
        Value::String(text) => (text.len() > TEXT_BYTES_MAX).then(|| path.to_owned()),
        Value::Array(all) => all.iter().find_map(|inner| long_text_in(inner, path)),
        Value::Object(map) => map
            .iter()
            .find_map(|(name, inner)| long_text_in(inner, &format!("{path}.{name}"))),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}
