//! Records of a state topic.
//!
//! Field names and order are those of the published `*.state.avsc` schemas.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, Version};

/// A record of a compacted state topic: the snapshot of one aggregate, or a task's own record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum StateRecord<S> {
    /// Keyed by the aggregate's id.
    Snapshot(Snapshot<S>),
    /// Keyed by byte 0 and `<input topic>/<partition>`.
    TaskRecord(TaskRecord),
}

/// Everything a worker needs to decide the next command of one aggregate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot<S> {
    /// Events so far; 0 while there are only refused commands.
    pub version: Version,
    /// When version 1 was recorded; zero before it.
    pub created_at: Timestamp,
    /// When the last command was decided; the next event is not recorded earlier.
    pub recorded_at: Timestamp,
    /// Recent commands, oldest first.
    pub recent: Vec<Handled>,
    /// The aggregate itself; nothing before its first event.
    pub state: Option<S>,
}

/// What a restore needs to know of a state record; reading it checks the whole record and keeps
/// nothing of the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "StateRecord")]
pub enum StateHead {
    /// See [`StateRecord::Snapshot`].
    Snapshot(SnapshotHead),
    /// See [`StateRecord::TaskRecord`].
    TaskRecord(TaskRecord),
}

/// The part of a [`Snapshot`] that does not depend on the aggregate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "Snapshot")]
pub struct SnapshotHead {
    /// Events so far; 0 while there are only refused commands.
    pub version: Version,
    /// When the last command was decided.
    pub recorded_at: Timestamp,
}

impl<S> Default for Snapshot<S> {
    fn default() -> Self {
        Self {
            version: Version::NONE,
            created_at: Timestamp::default(),
            recorded_at: Timestamp::default(),
            recent: Vec::new(),
            state: None,
        }
    }
}

/// A command that was answered, with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handled {
    /// The first 128 bits of the SHA-256 of the command's id.
    pub id: HandledId,
    /// Why it was refused; nothing when it was accepted.
    pub code: Option<String>,
    /// The aggregate's version after it.
    pub version: Version,
    /// How many events it led to.
    pub events: i32,
    /// Where it stood, in the commands partition that belongs to the aggregate.
    pub offset: i64,
    /// The answer's result as JSON text, where there was one.
    pub result: Option<String>,
}

/// 16 bytes, an Avro `fixed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HandledId(pub [u8; 16]);

impl Serialize for HandledId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for HandledId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = HandledId;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("16 bytes")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<HandledId, E> {
                let id = bytes
                    .try_into()
                    .map_err(|_| E::invalid_length(bytes.len(), &self))?;
                Ok(HandledId(id))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// The owner and progress of one task, written in every one of its transactions. The truth about
/// progress: a group offset behind it is ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// The transactional id of the owner; nothing after a graceful release.
    pub owner: Option<String>,
    /// The first input record that is not yet part of the outputs.
    pub next_offset: i64,
}
