//! The published Avro schemas hold whatever the rules say, and read what they once held.

use super::*;
use crate::topics::{
    assert_read_again, assert_reads, published_commands, published_events, published_states,
};

const EVENTS_V1: &str = include_str!("../../../../avro/tests/fixtures/user.events.v1.hex");
const EVENTS_V2: &str = include_str!("../../../../avro/tests/fixtures/user.events.v2.hex");
const STATES_V1: &str = include_str!("../../../../avro/tests/fixtures/user.state.v1.hex");
const COMMANDS_V1: &str = include_str!("../../../../avro/tests/fixtures/user.commands.v1.hex");

fn states() -> [User; 2] {
    [true, false].map(|active| User {
        user_id: ULID.to_owned(),
        active,
    })
}

fn commands() -> [UserCommand; 5] {
    [
        register(Some("ädä"), Some(" U@x ")),
        register(None, None),
        deactivate(),
        reactivate(),
        require_active(),
    ]
}

fn published() -> [UserEvent; 3] {
    [
        registered_as(ULID, "ädä", " U@x "),
        deactivated(),
        reactivated(),
    ]
}

#[test]
fn whatever_the_rules_say_can_be_written_and_read() {
    assert_read_again(&published(), states(), commands());
}

#[test]
fn events_whose_username_was_called_name_can_be_read() {
    assert_reads::<User, _>("events", EVENTS_V1, &published_events(published()));
}

#[test]
fn events_of_the_second_version_can_be_read() {
    assert_reads::<User, _>("events", EVENTS_V2, &published_events(published()));
}

#[test]
fn state_of_the_first_version_can_be_read() {
    assert_reads::<User, _>("state", STATES_V1, &published_states(states()));
}

#[test]
fn commands_of_the_first_version_can_be_read() {
    assert_reads::<User, _>("commands", COMMANDS_V1, &published_commands(commands()));
}
