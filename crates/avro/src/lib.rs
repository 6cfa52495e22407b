//! Wire format: Confluent framing, schema catalogue, compatibility.
//!
//! A record's value is byte 0, the id of the schema it was written with (big-endian) and Avro
//! binary. [`Catalogue`] knows which schema has which id, [`AvroCodec`] turns values into such
//! bytes and back.
//!
//! Guarantees: the bytes are those of any other Avro implementation; decoding takes no more memory
//! than a small multiple of the record, never panics, and takes either the whole record or
//! nothing.

mod catalogue;
mod codec;
mod command;
mod framing;
mod resolve;
mod schema;

pub use catalogue::{Catalogue, CatalogueError, RegistryError, SchemaAnswer, VersionAnswer};
pub use codec::{AvroCodec, LearnError};
pub use command::CommandRecord;
pub use framing::frame;
pub use resolve::Incompatibility;
pub use schema::{AvroSchema, SchemaError, SchemaId};
