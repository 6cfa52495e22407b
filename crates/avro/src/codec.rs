//! Records of one subject to values and back.

use std::collections::HashMap;
use std::fmt;
use std::io::BufRead;
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError, RwLock};

use millrace_eventsourcing::{Codec, DecodeError, EncodeError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_avro_fast::de::read::SliceRead;
use serde_avro_fast::de::{DeserializerConfig, DeserializerState};
use serde_avro_fast::ser::{SerializerConfig, SerializerState};
use thiserror::Error;

use crate::framing::{frame, header};
use crate::resolve::{DEPTH_MAX, Fault, Incompatibility, Plan, plan};
use crate::{AvroSchema, Catalogue, CatalogueError, SchemaError, SchemaId};

/// Turns values of one subject into framed Avro and back.
///
/// Writes with the subject's current schema. Reads records of that schema and of every other one
/// it knows: the earlier versions, and what it was taught with [`Self::learn`]. A record that holds
/// a type which the current schema does not have, such as an event of a newer program, is answered
/// like one of an unknown schema.
///
/// Struct fields match record fields by name. Enum variants match the branches of a union by the
/// record's name without namespace; a variant holds one struct, and an empty record is a struct
/// without fields, `struct Closed {}`.
pub struct AvroCodec<T> {
    subject: String,
    id: SchemaId,
    schema: Arc<AvroSchema>,
    fast: serde_avro_fast::Schema,
    /// How records of other schemas become records of this one.
    others: RwLock<HashMap<SchemaId, Arc<Plan>>>,
    values: PhantomData<fn(T) -> T>,
}

/// A schema that was offered to a codec and does not serve to read its records.
#[derive(Debug, Error)]
pub enum LearnError {
    /// The text is no schema.
    #[error("schema {id}, offered for records of subject `{subject}`, cannot be used")]
    Schema {
        /// Its id.
        id: SchemaId,
        /// Whose records it was to read.
        subject: String,
        /// What is wrong with it.
        #[source]
        source: SchemaError,
    },
    /// No record of it can be read as one of the current schema.
    #[error("no record of schema {id} can be read as one of subject `{subject}`: {reason}")]
    Incompatible {
        /// Its id.
        id: SchemaId,
        /// Whose records it was to read.
        subject: String,
        /// What does not fit.
        reason: String,
    },
}

impl<T> AvroCodec<T> {
    /// A codec for the records of `subject`.
    ///
    /// # Errors
    /// When the catalogue has no such subject or its schema cannot be used.
    pub fn new(subject: &str, catalogue: &Catalogue) -> Result<Self, CatalogueError> {
        let current = catalogue.current(subject)?;
        let fast = current
            .schema
            .fast()
            .map_err(|source| CatalogueError::Schema {
                subject: subject.to_owned(),
                version: catalogue.versions(subject).map_or(0, |all| all.len()),
                source,
            })?;
        let codec = Self {
            subject: subject.to_owned(),
            id: current.id,
            schema: Arc::clone(&current.schema),
            fast,
            others: RwLock::default(),
            values: PhantomData,
        };
        for other in catalogue.known(subject) {
            codec
                .take_in(other.id, &other.schema)
                .map_err(CatalogueError::Unreadable)?;
        }
        Ok(codec)
    }

    /// The id that stands in the records it writes.
    pub const fn id(&self) -> SchemaId {
        self.id
    }

    /// From now on also reads records that were written with this schema.
    ///
    /// # Errors
    /// When the text is no schema, or none whose records can be read as the current one's.
    pub fn learn(&self, id: SchemaId, text: &str) -> Result<(), LearnError> {
        let schema = AvroSchema::parse(text).map_err(|source| LearnError::Schema {
            id,
            subject: self.subject.clone(),
            source,
        })?;
        self.take_in(id, &schema)
    }

    fn take_in(&self, id: SchemaId, writer: &AvroSchema) -> Result<(), LearnError> {
        let (plan, problems) = plan(writer.parsed(), self.schema.parsed());
        let plan = plan.ok_or_else(|| LearnError::Incompatible {
            id,
            subject: self.subject.clone(),
            reason: Incompatibility::list(&problems),
        })?;
        let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
        others.insert(id, Arc::new(plan));
        Ok(())
    }

    fn plan(&self, id: SchemaId) -> Result<Arc<Plan>, DecodeError> {
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        let known = others.get(&id).map(Arc::clone);
        known.ok_or_else(|| DecodeError::UnknownSchema(id.get()))
    }
}

impl<T: Serialize + DeserializeOwned> Codec<T> for AvroCodec<T> {
    fn encode(&self, value: &T, into: &mut Vec<u8>) -> Result<(), EncodeError> {
        into.extend_from_slice(&header(self.id));
        // Holds no more than empty buffers, so making one for each record costs nothing.
        let mut config = SerializerConfig::new(&self.fast);
        let mut state = SerializerState::from_writer(into, &mut config);
        value
            .serialize(state.serializer())
            .map_err(|error| EncodeError {
                subject: self.subject.clone(),
                reason: error.to_string(),
            })
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, DecodeError> {
        let (id, body) = frame(bytes)?;
        if id == self.id {
            return self.read(body);
        }
        let plan = self.plan(id)?;
        if plan.is_identity {
            return self.read(body);
        }
        match plan.apply(body) {
            Ok(body) => self.read(&body),
            Err(Fault::Malformed(reason)) => Err(DecodeError::Malformed(reason.to_owned())),
            Err(Fault::Unreadable(_)) => Err(DecodeError::UnknownSchema(id.get())),
        }
    }
}

impl<T: DeserializeOwned> AvroCodec<T> {
    /// Reads Avro binary of the current schema.
    fn read(&self, body: &[u8]) -> Result<T, DecodeError> {
        let malformed = |reason: &dyn fmt::Display| DecodeError::Malformed(reason.to_string());
        let mut config = DeserializerConfig::new(&self.fast);
        config.allowed_depth = DEPTH_MAX;
        // An element takes at least a byte: a longer array is a lie that would only cost memory.
        config.max_seq_size = body.len();
        let mut state = DeserializerState::with_config(SliceRead::new(body), config);
        let value = T::deserialize(state.deserializer()).map_err(|error| malformed(&error))?;
        let rest = state.fill_buf().map_err(|error| malformed(&error))?;
        if !rest.is_empty() {
            return Err(malformed(&format_args!(
                "{} bytes are left over behind the value",
                rest.len()
            )));
        }
        Ok(value)
    }
}

impl<T> fmt::Debug for AvroCodec<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AvroCodec")
            .field("subject", &self.subject)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
