//! Ids: which are valid, and how those that nobody gave are derived.

use std::fmt::Write;

use millrace_eventsourcing::{HandledId, Timestamp};
use sha2::{Digest, Sha256};

use crate::topic::TopicPartition;

/// Ids that senders give.
pub const ID_BYTES_MAX: usize = 128;
/// References to other ids: causation, reply address.
pub const REFERENCE_BYTES_MAX: usize = 512;

/// Why a text is no id; nothing when it is one.
pub fn fault_of_id(text: &str, bytes_max: usize) -> Option<String> {
    if text.is_empty() {
        return Some("is empty".to_owned());
    }
    if text.len() > bytes_max {
        return Some(format!(
            "has {} bytes, at most {bytes_max} are allowed",
            text.len()
        ));
    }
    text.chars()
        .position(char::is_control)
        .map(|place| format!("has a control character at character {place}"))
}

/// The id of a command whose sender gave none: the same at every redelivery, another for a record
/// sent again. 32 hex digits.
pub fn derived_command_id(source: TopicPartition, offset: i64, appended: Timestamp) -> String {
    let mut hash = Sha256::new();
    hash.update(source.topic.name().as_bytes());
    hash.update([0]);
    hash.update(source.partition.to_be_bytes());
    hash.update(offset.to_be_bytes());
    hash.update(appended.as_millis().to_be_bytes());
    hex(&hash.finalize(), 16)
}

/// What the window of handled commands keeps of an id: 128 bits of its SHA-256, which from then on
/// are its identity.
pub fn handled_id(command_id: &str) -> HandledId {
    let digest = Sha256::digest(command_id.as_bytes());
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(digest) {
        *to = from;
    }
    HandledId(id)
}

/// The first `bytes` bytes as lower-case hex digits.
fn hex(digest: &[u8], bytes: usize) -> String {
    digest
        .iter()
        .take(bytes)
        .fold(String::with_capacity(bytes * 2), |mut text, byte| {
            // Writing to a string cannot fail.
            write!(text, "{byte:02x}").unwrap_or_default();
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::Topic;

    #[test]
    fn ids_have_1_to_128_bytes_and_no_control_characters() {
        assert_eq!(fault_of_id("acc-1", ID_BYTES_MAX), None);
        assert_eq!(fault_of_id(&"ä".repeat(64), ID_BYTES_MAX), None);
        for bad in ["", "a\nb", "a\u{85}", &"a".repeat(129), &"ä".repeat(65)] {
            assert!(fault_of_id(bad, ID_BYTES_MAX).is_some(), "{bad:?}");
        }
    }

    #[test]
    fn a_derived_id_depends_on_the_place_and_the_time_of_the_record() {
        let topic = Topic::new("bank.account.commands");
        let id = |partition, offset, millis| {
            derived_command_id(
                topic.partition(partition),
                offset,
                Timestamp::from_millis(millis),
            )
        };
        assert_eq!(id(0, 1, 2), id(0, 1, 2));
        assert_eq!(id(0, 1, 2).len(), 32);
        let all = [id(0, 1, 2), id(1, 1, 2), id(0, 2, 2), id(0, 1, 3)];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
