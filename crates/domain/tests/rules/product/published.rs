//! The published Avro schemas hold whatever the rules say, and read what they once held.

use super::*;
use crate::topics::{
    assert_read_again, assert_reads, published_commands, published_events, published_states,
};

const EVENTS_V1: &str = include_str!("../../../../avro/tests/fixtures/product.events.v1.hex");
const EVENTS_V2: &str = include_str!("../../../../avro/tests/fixtures/product.events.v2.hex");
const STATES_V1: &str = include_str!("../../../../avro/tests/fixtures/product.state.v1.hex");
const COMMANDS_V1: &str = include_str!("../../../../avro/tests/fixtures/product.commands.v1.hex");

fn placed_in(category_id: Option<&str>) -> ProductEvent {
    ProductEvent::ProductCreated(ProductCreated {
        name: "Läptop".to_owned(),
        price: PRICE,
        stock: 5,
        category_id: category_id.map(str::to_owned),
    })
}

fn events() -> [ProductEvent; 4] {
    [
        placed_in(Some("computers")),
        placed_in(None),
        stock_set(i64::MAX),
        reserved(1, i64::MAX, 0),
    ]
}

fn states() -> [Product; 2] {
    [(PRICE, 0), (i64::MAX, i64::MAX)].map(|(price, stock)| Product { price, stock })
}

fn commands() -> [ProductCommand; 6] {
    let all = CreateProduct {
        name: Some("Läptop".to_owned()),
        category_id: Some("computers".to_owned()),
        ..laptop(PRICE, 5)
    };
    [
        create(all),
        create(CreateProduct::default()),
        set_stock(Some(i64::MIN)),
        set_stock(None),
        reserve(Some(i64::MAX)),
        reserve(None),
    ]
}

#[test]
fn whatever_the_rules_say_can_be_written_and_read() {
    assert_read_again(&events(), states(), commands());
}

#[test]
fn a_product_that_was_created_before_there_were_categories_has_none() {
    let events = [
        placed_in(None),
        stock_set(i64::MAX),
        reserved(1, i64::MAX, 0),
    ];
    assert_reads::<Product, _>("events", EVENTS_V1, &published_events(events));
}

#[test]
fn events_of_the_second_version_can_be_read() {
    assert_reads::<Product, _>("events", EVENTS_V2, &published_events(events()));
}

#[test]
fn state_of_the_first_version_can_be_read() {
    assert_reads::<Product, _>("state", STATES_V1, &published_states(states()));
}

#[test]
fn commands_of_the_first_version_can_be_read() {
    assert_reads::<Product, _>("commands", COMMANDS_V1, &published_commands(commands()));
}
