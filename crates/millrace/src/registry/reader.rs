//! Records of one aggregate's topics as JSON, for people and their tools.

use std::fmt::Debug;
use std::fmt::Write;
use std::sync::Arc;

use millrace_avro::CatalogueError;
use millrace_eventsourcing::{
    Aggregate, Codec, DecodeError, EventEnvelope, Handled, StateRecord, TaskRecord, Timestamp,
    Version,
};
use millrace_runtime::decide::Codecs;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::codecs;
use crate::schemas::KnownSchemas;
use crate::time::time_text;

/// Reads the records of one aggregate.
pub(crate) trait Reader: Debug + Send + Sync {
    /// A value of its commands topic, in either form; passwords are left out.
    ///
    /// # Errors
    /// When it is no command of either form.
    fn command(&self, value: &[u8]) -> Result<Value, DecodeError>;

    /// A value of its events topic.
    ///
    /// # Errors
    /// When it is no event.
    fn event(&self, value: &[u8]) -> Result<Value, DecodeError>;

    /// A value of its state topic.
    ///
    /// # Errors
    /// When it is no state record.
    fn state(&self, value: &[u8]) -> Result<Value, DecodeError>;

    /// Starts to fold events of one aggregate, as a worker does.
    fn fold(&self) -> Box<dyn Fold>;
}

/// The state of one aggregate, event by event.
pub(crate) trait Fold: Debug {
    /// Takes the next event in.
    ///
    /// # Errors
    /// When it is no event; the state then stays as it is.
    fn take(&mut self, value: &[u8]) -> Result<(), DecodeError>;

    /// The version that it stands at.
    fn version(&self) -> Version;

    /// The state; null before the first event.
    fn state(&self) -> Value;
}

pub(super) fn open<A: Aggregate>(
    schemas: &KnownSchemas,
) -> Result<Box<dyn Reader>, CatalogueError> {
    Ok(Box::new(Records(codecs::<A>(schemas)?)))
}

#[derive(Debug)]
struct Records<A: Aggregate>(Codecs<A>);

impl<A: Aggregate> Reader for Records<A> {
    fn command(&self, value: &[u8]) -> Result<Value, DecodeError> {
        let mut command = if value.first() == Some(&0) {
            let record = self.0.commands.decode(value)?;
            with_tagged_payload(&record)?
        } else {
            serde_json::from_slice(value)
                .map_err(|error| DecodeError::Malformed(error.to_string()))?
        };
        hide_passwords(&mut command);
        Ok(command)
    }

    fn event(&self, value: &[u8]) -> Result<Value, DecodeError> {
        let mut event = with_tagged_payload(&self.0.events.decode(value)?)?;
        write_times(&mut event, &["recorded_at", "created_at"]);
        Ok(event)
    }

    fn state(&self, value: &[u8]) -> Result<Value, DecodeError> {
        match self.0.state.decode(value)? {
            StateRecord::Snapshot(snapshot) => {
                let recent: Vec<_> = snapshot.recent.iter().map(handled).collect();
                let mut record = json!({
                    "version": snapshot.version,
                    "created_at": snapshot.created_at,
                    "recorded_at": snapshot.recorded_at,
                    "recent": recent,
                    "state": to_json(&snapshot.state)?,
                });
                write_times(&mut record, &["recorded_at", "created_at"]);
                Ok(record)
            }
            StateRecord::TaskRecord(TaskRecord { owner, next_offset }) => {
                Ok(json!({"owner": owner, "next_offset": next_offset}))
            }
        }
    }

    fn fold(&self) -> Box<dyn Fold> {
        let events = Arc::clone(&self.0.events);
        Box::new(Folding::<A> {
            events,
            version: Version::NONE,
            state: None,
        })
    }
}

struct Folding<A: Aggregate> {
    events: Arc<dyn Codec<EventEnvelope<A::Event>>>,
    version: Version,
    state: Option<A>,
}

impl<A: Aggregate> Fold for Folding<A> {
    fn take(&mut self, value: &[u8]) -> Result<(), DecodeError> {
        let event = self.events.decode(value)?;
        self.state = A::evolve(self.state.take(), &event.payload);
        self.version = event.version;
        Ok(())
    }

    fn version(&self) -> Version {
        self.version
    }

    fn state(&self) -> Value {
        to_json(&self.state).unwrap_or_default()
    }
}

impl<A: Aggregate> Debug for Folding<A> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Folding")
            .field("version", &self.version)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

fn to_json(value: &impl Serialize) -> Result<Value, DecodeError> {
    serde_json::to_value(value).map_err(|error| DecodeError::Malformed(error.to_string()))
}

/// The record as an object that has the payload's variant as `type` and its content as `data`,
/// last, as senders write commands.
fn with_tagged_payload(record: &impl Serialize) -> Result<Value, DecodeError> {
    let value = to_json(record)?;
    let Value::Object(mut fields) = value else {
        return Ok(value);
    };
    let (name, content) = match fields.remove("payload") {
        Some(Value::Object(variant)) => variant.into_iter().next().unwrap_or_default(),
        Some(Value::String(name)) => (name, Value::Object(Map::new())),
        other => (String::new(), other.unwrap_or_default()),
    };
    fields.insert("type".to_owned(), name.into());
    fields.insert("data".to_owned(), content);
    Ok(Value::Object(fields))
}

fn handled(command: &Handled) -> Value {
    let id = command
        .id
        .0
        .iter()
        .fold(String::with_capacity(32), |mut text, byte| {
            // Writing to a string cannot fail.
            write!(text, "{byte:02x}").unwrap_or_default();
            text
        });
    json!({
        "id": id, "code": command.code, "version": command.version, "events": command.events,
        "offset": command.offset, "result": command.result,
    })
}

/// Replaces microseconds by what people read.
fn write_times(record: &mut Value, fields: &[&str]) {
    for field in fields {
        if let Some(value) = record.get_mut(field)
            && let Some(micros) = value.as_i64()
        {
            *value = time_text(Timestamp::from_micros(micros), 6).into();
        }
    }
}

/// Somebody may have sent a password in plain text; it is shown to nobody.
fn hide_passwords(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if name == "password" {
                    *field = "(not shown)".into();
                } else {
                    hide_passwords(field);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(hide_passwords),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
