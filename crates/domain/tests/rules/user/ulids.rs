//! The ids of users.

use std::collections::BTreeSet;

use millrace_eventsourcing::Timestamp;

use super::*;

/// The id of who is registered by this command at this time.
fn id_of(email: &str, command_id: &str, millis: i64) -> String {
    id_at(email, command_id, Timestamp::from_millis(millis))
}

fn id_at(email: &str, command_id: &str, now: Timestamp) -> String {
    let after = given::<User>([])
        .id(email)
        .command_id(command_id)
        .at(now)
        .when(register(Some("ada"), Some(email)))
        .then_accepted();
    registration(&after).user_id.clone()
}

#[test]
fn y1_an_id_has_26_characters_of_its_alphabet() {
    for millis in [0, 1_700_000_000_000, 253_402_300_799_999] {
        let id = id_of(ID, "c-1", millis);
        assert_eq!(id.len(), 26);
        let alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        assert!(id.chars().all(|digit| alphabet.contains(digit)), "{id}");
    }
}

#[test]
fn the_same_command_at_the_same_time_makes_the_same_id() {
    assert_eq!(id_of(ID, "c-1", 5), id_of(ID, "c-1", 5));
    let micros = |micros| id_at(ID, "c-1", Timestamp::from_micros(micros));
    assert_eq!(micros(5_000), micros(5_999));
}

#[test]
fn other_commands_users_and_times_make_other_ids() {
    let mut ids = BTreeSet::new();
    for command_id in ["c-1", "c-2", "c-11", ""] {
        for email in ["u@x", "v@x"] {
            for millis in [5, 6] {
                ids.insert(id_of(email, command_id, millis));
            }
        }
    }
    assert_eq!(ids.len(), 16);
}

#[test]
fn ids_are_sorted_by_time() {
    let times = [
        0,
        1,
        31,
        32,
        1_023,
        1_024,
        1_700_000_000_000,
        1_700_000_000_001,
    ];
    let ids: Vec<_> = times
        .iter()
        .zip(["z", "c", "x", "a", "y", "b", "w", "d"])
        .map(|(millis, command_id)| id_of(ID, command_id, *millis))
        .collect();
    assert!(ids.is_sorted(), "{ids:?}");
    let earliest = id_at(ID, "c-1", Timestamp::from_micros(-1));
    assert_eq!(earliest, id_of(ID, "c-1", 0));
}
