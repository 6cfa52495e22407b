//! Policies and reactors keep task records and nothing else.

use std::sync::Arc;

use millrace_avro::{Catalogue, CatalogueError};
use millrace_eventsourcing::{Codec, DecodeError, TaskRecord, Version};
use serde_json::{Value, json};

use super::{Fold, Reader};
use crate::schemas::KnownSchemas;

/// How the task records of `owner` are read and written.
///
/// # Errors
/// When their schema is missing.
pub(crate) fn task_codec(
    schemas: &KnownSchemas,
    owner: &str,
) -> Result<Arc<dyn Codec<TaskRecord>>, CatalogueError> {
    schemas.codec(&Catalogue::subject(&format!("{owner}.state")))
}

/// Reads the state topic of a policy or a reactor, which has no other topics of its own.
#[derive(Debug)]
pub(crate) struct TaskReader(Tasks);

struct Tasks(Arc<dyn Codec<TaskRecord>>);

impl TaskReader {
    /// # Errors
    /// When the schema is missing.
    pub(crate) fn open(schemas: &KnownSchemas, owner: &str) -> Result<Self, CatalogueError> {
        Ok(Self(Tasks(task_codec(schemas, owner)?)))
    }
}

impl Reader for TaskReader {
    fn command(&self, _: &[u8]) -> Result<Value, DecodeError> {
        Err(no_such_topic())
    }

    fn event(&self, _: &[u8]) -> Result<Value, DecodeError> {
        Err(no_such_topic())
    }

    fn state(&self, value: &[u8]) -> Result<Value, DecodeError> {
        let TaskRecord { owner, next_offset } = self.0.0.decode(value)?;
        Ok(json!({"owner": owner, "next_offset": next_offset}))
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Nothing)
    }
}

fn no_such_topic() -> DecodeError {
    DecodeError::Malformed("a policy or a reactor has no such records".to_owned())
}

/// There are no events to fold.
#[derive(Debug)]
struct Nothing;

impl Fold for Nothing {
    fn take(&mut self, _: &[u8]) -> Result<(), DecodeError> {
        Err(no_such_topic())
    }

    fn version(&self) -> Version {
        Version::NONE
    }

    fn state(&self) -> Value {
        Value::Null
    }
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Tasks")
    }
}
