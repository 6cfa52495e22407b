//! Ids that are derived from what caused them, so that a repetition has the same one.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use ulid::Ulid;

use crate::{Timestamp, Version};

/// The id of an event: `<context>.<aggregate>/<id>/<version>`. Persisted, as the causation id of
/// what follows from it.
pub fn event_id(aggregate: &str, id: &str, version: Version) -> String {
    format!("{aggregate}/{id}/{version}")
}

/// The id of a command or mail that follows from an event: 32 hex digits of SHA-256 over who
/// reacts, the event's id, and the place in the reaction. Persisted.
pub fn follow_up_id(reacting: &str, event_id: &str, ordinal: usize) -> String {
    digits(&[reacting, event_id, &ordinal.to_string()])
}

/// The id of the answer to a command: `answer:` and 32 hex digits of SHA-256 over the aggregate
/// that answers, its id, and the command's id. Persisted.
pub fn answer_id(aggregate: &str, id: &str, command_id: &str) -> String {
    format!("answer:{}", digits(&[aggregate, id, command_id]))
}

/// A ULID (26 characters, sorted by time to the millisecond) whose random part is made of what it is
/// derived from.
pub(crate) fn ulid(time: Timestamp, parts: &[&str]) -> String {
    // Before 1970 there are no ULIDs.
    let millis = u64::try_from(time.as_millis()).unwrap_or_default();
    Ulid::from_parts(millis, u128::from_be_bytes(digest(parts))).to_string()
}

/// The first 128 bits of SHA-256. Parts are ended by a byte that no id holds.
fn digest(parts: &[&str]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let digest = hash.finalize();
    digest.first_chunk().copied().unwrap_or_default()
}

/// As lower-case hex digits.
fn digits(parts: &[&str]) -> String {
    let digest = digest(parts);
    digest
        .iter()
        .fold(String::with_capacity(32), |mut text, byte| {
            // Writing to a string cannot fail.
            write!(text, "{byte:02x}").unwrap_or_default();
            text
        })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn an_event_id_names_the_aggregate_and_the_version() {
        let id = event_id("bank.account", "acc-1", Version::new(7));
        assert_eq!(id, "bank.account/acc-1/7");
    }

    #[test]
    fn every_part_of_the_cause_makes_another_id() {
        let all = [
            follow_up_id("p", "a.b/c/1", 0),
            follow_up_id("q", "a.b/c/1", 0),
            follow_up_id("p", "a.b/c/2", 0),
            follow_up_id("p", "a.b/c/1", 1),
            follow_up_id("pa", ".b/c/1", 0),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        for id in all {
            assert_eq!(id.len(), 32);
            assert!(id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
        }
    }

    /// They stand in topics for ever: what they are made of must not change unseen.
    #[test]
    fn derived_ids_stay_what_they_were() {
        let id = follow_up_id("bank.policy.bonus", "bank.account/acc-1/2", 0);
        assert_eq!(id, "06120743a39df884dc9c35b3ffa1f490");
        assert_eq!(
            answer_id("bank.account", "acc-1", "c-1"),
            "answer:cb337a518a8c7847a1c6befc3151da40"
        );
        let time = Timestamp::from_millis(1_795_000_000_000);
        let id = ulid(time, &["users.user", "a@b", "c-1"]);
        assert_eq!(id, "01M7Q5CQG0HXV67SPFJPBBMN7W");
    }
}
