//! State topics that hold nothing but task records: those of policies and reactors.

use std::sync::Arc;

use millrace_eventsourcing::{Codec, DecodeError, EncodeError, TaskRecord};

use crate::step::{Corrupt, is_task_key};
use crate::topic::Topic;

/// Where the progress of a policy or a reactor is kept, and how it is written.
#[derive(Clone)]
pub(crate) struct TaskRecords {
    /// `<owner>.state`.
    pub(crate) topic: Topic,
    codec: Arc<dyn Codec<TaskRecord>>,
}

impl TaskRecords {
    pub(crate) fn new(owner: &str, codec: Arc<dyn Codec<TaskRecord>>) -> Self {
        Self {
            topic: Topic::of(owner, "state"),
            codec,
        }
    }

    /// Looks at a record of the state topic; the engine keeps what it says.
    pub(crate) fn restore(&self, key: &[u8], value: Option<&[u8]>) -> Result<(), Corrupt> {
        if !is_task_key(key) {
            return Err(Corrupt::new(key, "not the key of a task record"));
        }
        match value {
            Some(bytes) => self
                .decode(bytes)
                .map(drop)
                .map_err(|error| Corrupt::new(key, error)),
            None => Ok(()),
        }
    }

    pub(crate) fn encode(
        &self,
        record: &TaskRecord,
        into: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.codec.encode(record, into)
    }

    pub(crate) fn decode(&self, bytes: &[u8]) -> Result<TaskRecord, DecodeError> {
        self.codec.decode(bytes)
    }
}

impl std::fmt::Debug for TaskRecords {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_tuple("TaskRecords")
            .field(&self.topic)
            .finish()
    }
}
