//! How values become record bytes and back.

use thiserror::Error;

/// Turns values into the bytes of a record and back. Pure; shared by threads.
pub trait Codec<T>: Send + Sync {
    /// Appends the encoded value to `into`.
    ///
    /// # Errors
    /// When the value does not fit the schema; `into` may then hold a part of it.
    fn encode(&self, value: &T, into: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// Reads a whole record.
    ///
    /// # Errors
    /// See [`DecodeError`]; bytes left over behind the value are an error.
    fn decode(&self, bytes: &[u8]) -> Result<T, DecodeError>;
}

/// A value that does not fit its schema.
#[derive(Debug, Error)]
#[error("cannot encode a value of schema `{subject}`: {reason}")]
pub struct EncodeError {
    /// Subject of the schema.
    pub subject: String,
    /// What does not fit.
    pub reason: String,
}

/// Bytes that cannot be read.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes do not start with the framing: byte 0 and a schema id.
    #[error("not framed: {0}")]
    Unframed(String),
    /// Well framed, but nobody here knows that schema (yet).
    #[error("unknown schema id {0}")]
    UnknownSchema(u32),
    /// A known schema, but the bytes do not follow it.
    #[error("malformed: {0}")]
    Malformed(String),
}
