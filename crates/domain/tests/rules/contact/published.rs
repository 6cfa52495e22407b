//! The published Avro schemas hold whatever the rules say, and read what they once held.

use super::*;
use crate::topics::{
    assert_read_again, assert_reads, published_commands, published_events, published_states,
};

const EVENTS_V1: &str = include_str!("../../../../avro/tests/fixtures/contact.events.v1.hex");
const STATES_V1: &str = include_str!("../../../../avro/tests/fixtures/contact.state.v1.hex");
const COMMANDS_V1: &str = include_str!("../../../../avro/tests/fixtures/contact.commands.v1.hex");

fn events() -> [ContactEvent; 3] {
    [added("Ada"), updated("Ädä "), deleted()]
}

fn states() -> [Contact; 2] {
    [false, true].map(|deleted| Contact {
        name: "Ädä ".to_owned(),
        deleted,
    })
}

fn commands() -> [ContactCommand; 5] {
    [
        add(Some("Ädä ")),
        add(None),
        update(Some("Ada")),
        update(None),
        delete(),
    ]
}

#[test]
fn whatever_the_rules_say_can_be_written_and_read() {
    assert_read_again(&events(), states(), commands());
}

#[test]
fn events_of_the_first_version_can_be_read() {
    assert_reads::<Contact, _>("events", EVENTS_V1, &published_events(events()));
}

#[test]
fn state_of_the_first_version_can_be_read() {
    assert_reads::<Contact, _>("state", STATES_V1, &published_states(states()));
}

#[test]
fn commands_of_the_first_version_can_be_read() {
    assert_reads::<Contact, _>("commands", COMMANDS_V1, &published_commands(commands()));
}
