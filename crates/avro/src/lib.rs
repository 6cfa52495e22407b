//! Wire format: Confluent framing, schema catalogue, compatibility.
//!
//! A record's value is byte 0, the id of the schema it was written with (big-endian) and Avro
//! binary. [`Catalogue`] knows which schema has which id, [`AvroCodec`] turns values into such
//! bytes and back.
//!
//! Guarantees: the bytes are those of any other Avro implementation; decoding takes no more memory
//! than a small multiple of the record, never panics, and takes either the whole record or
//! nothing.

mod answers;
mod catalogue;
mod codec;
mod compatibility;
mod files;
mod framing;
mod published;
mod registry;
mod resolve;
mod schema;

pub use answers::{Refusal, SchemaAnswer, VersionAnswer};
pub use catalogue::{Catalogue, CatalogueError};
pub use codec::{AvroCodec, LearnError};
pub use compatibility::{CompatibilityReport, Finding, TopicReport};
pub use files::SchemaFiles;
pub use framing::frame;
pub use registry::{Registry, RegistryError};
pub use resolve::Incompatibility;
pub use schema::{AvroSchema, SchemaError, SchemaId};
