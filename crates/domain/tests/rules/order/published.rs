//! The published Avro schemas hold whatever the rules say, and read what they once held.

use super::*;
use crate::topics::{
    assert_read_again, assert_reads, published_commands, published_events, published_states,
};

const EVENTS_V1: &str = include_str!("../../../../avro/tests/fixtures/order.events.v1.hex");
const EVENTS_V2: &str = include_str!("../../../../avro/tests/fixtures/order.events.v2.hex");
const STATES_V1: &str = include_str!("../../../../avro/tests/fixtures/order.state.v1.hex");
const COMMANDS_V1: &str = include_str!("../../../../avro/tests/fixtures/order.commands.v1.hex");

fn events() -> [OrderEvent; 4] {
    [
        placed(i64::MAX),
        user_confirmed(2),
        confirmed(i64::MAX),
        rejected("user_not_found"),
    ]
}

fn states() -> [Order; 4] {
    [
        state(2, Stage::Placed {}),
        state(2, Stage::UserConfirmed {}),
        state(i64::MAX, Stage::Confirmed {}),
        state(
            2,
            Stage::Rejected {
                reason: "user_not_found".to_owned(),
            },
        ),
    ]
}

fn commands() -> [OrderCommand; 2] {
    [place(Some(2)), place(None)]
}

#[test]
fn whatever_the_rules_say_can_be_written_and_read() {
    assert_read_again(&events(), states(), commands());
}

#[test]
fn an_order_that_was_decided_is_read_as_confirmed_or_rejected() {
    let events = [
        placed(i64::MAX),
        user_confirmed(2),
        confirmed(259_998),
        rejected("insufficient_stock"),
        rejected(""),
        confirmed(0),
    ];
    assert_reads::<Order, _>("events", EVENTS_V1, &published_events(events));
}

#[test]
fn events_of_the_second_version_can_be_read() {
    assert_reads::<Order, _>("events", EVENTS_V2, &published_events(events()));
}

#[test]
fn state_of_the_first_version_can_be_read() {
    assert_reads::<Order, _>("state", STATES_V1, &published_states(states()));
}

#[test]
fn commands_of_the_first_version_can_be_read() {
    assert_reads::<Order, _>("commands", COMMANDS_V1, &published_commands(commands()));
}
