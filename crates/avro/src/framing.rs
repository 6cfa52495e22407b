//! The Confluent wire format: byte 0, schema id in big-endian order, Avro binary.

use millrace_eventsourcing::DecodeError;

use crate::SchemaId;

/// How many bytes stand before the Avro binary.
const HEADER_LEN: usize = 5;

/// The bytes that announce a value of this schema.
pub(crate) const fn header(id: SchemaId) -> [u8; HEADER_LEN] {
    let [a, b, c, d] = id.get().to_be_bytes();
    [0, a, b, c, d]
}

/// Takes a record apart into the id of its schema and the Avro binary.
///
/// # Errors
/// [`DecodeError::Unframed`] when the record does not start with byte 0 and four further bytes.
pub fn frame(record: &[u8]) -> Result<(SchemaId, &[u8]), DecodeError> {
    match record {
        [0, a, b, c, d, body @ ..] => {
            Ok((SchemaId::new(u32::from_be_bytes([*a, *b, *c, *d])), body))
        }
        [0, ..] | [] => Err(DecodeError::Unframed(format!(
            "{} bytes are fewer than the {HEADER_LEN} of the framing",
            record.len()
        ))),
        [first, ..] => Err(DecodeError::Unframed(format!(
            "the first byte is {first}, not 0"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_framed_record_comes_apart() {
        let mut record = header(SchemaId::new(0x0102_0304)).to_vec();
        record.extend_from_slice(b"body");
        assert_eq!(record, b"\x00\x01\x02\x03\x04body");
        assert_eq!(
            frame(&record),
            Ok((SchemaId::new(0x0102_0304), &b"body"[..]))
        );
    }

    #[test]
    fn other_bytes_are_not_framed() {
        for record in [&b""[..], b"\x00", b"\x00\x01\x02\x03", b"{\"type\":1}"] {
            assert!(matches!(frame(record), Err(DecodeError::Unframed(_))));
        }
    }
}
