//! Headers of a record as one value. Persisted: for each header the length of its name, the name,
//! the length of its value (all ones: none) and the value; lengths are 32 bits, little-endian.

use millrace_runtime::log::{Header, Headers};
use millrace_runtime::outbox::NewHeader;

const NONE: u32 = u32::MAX;

/// Nothing when there are no headers.
pub(crate) fn encode(headers: &[NewHeader]) -> Option<Vec<u8>> {
    if headers.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    for (name, value) in headers {
        push(&mut bytes, name.as_bytes());
        match value {
            Some(value) => push(&mut bytes, value),
            None => bytes.extend(NONE.to_le_bytes()),
        }
    }
    Some(bytes)
}

fn push(bytes: &mut Vec<u8>, part: &[u8]) {
    // A record is far smaller than 4 GiB.
    let length = u32::try_from(part.len()).unwrap_or(NONE - 1);
    bytes.extend(length.to_le_bytes());
    bytes.extend_from_slice(part);
}

/// Nothing when the bytes are not what [`encode`] makes.
pub(crate) fn decode(mut bytes: &[u8]) -> Option<Headers<'_>> {
    let mut headers = Headers::new();
    while !bytes.is_empty() {
        let length = take_length(&mut bytes)?;
        let name = std::str::from_utf8(take(&mut bytes, length)?).ok()?;
        let value = match take_length(&mut bytes)? {
            NONE => None,
            length => Some(take(&mut bytes, length)?),
        };
        headers.push(Header { name, value });
    }
    Some(headers)
}

fn take_length(bytes: &mut &[u8]) -> Option<u32> {
    let (length, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*length))
}

fn take<'a>(bytes: &mut &'a [u8], length: u32) -> Option<&'a [u8]> {
    let (part, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_went_in() {
        assert_eq!(encode(&[]), None);
        let headers = [
            ("name".to_owned(), Some(b"value".to_vec())),
            (String::new(), None),
            ("é".to_owned(), Some(Vec::new())),
        ];
        let bytes = encode(&headers).unwrap();
        let found = decode(&bytes).unwrap();
        let found: Vec<NewHeader> = found
            .iter()
            .map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec)))
            .collect();
        assert_eq!(found, headers);
    }

    #[test]
    fn bytes_that_are_cut_off_are_no_headers() {
        let bytes = encode(&[("name".to_owned(), Some(b"value".to_vec()))]).unwrap();
        for length in 1..bytes.len() {
            assert!(decode(&bytes[..length]).is_none(), "{length}");
        }
    }
}
