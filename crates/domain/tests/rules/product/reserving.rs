//! Reserving stock for orders.

use millrace_eventsourcing::{Aggregate as _, Context, Timestamp, Version};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn a_reservation_tells_what_it_costs_and_what_is_left() {
    priced(PRICE, 10)
        .when(reserve(Some(2)))
        .then_result(json!({"total_price": 259_998, "stock": 8}))
        .then([reserved(2, 259_998, 8)])
        .then_state(Product {
            price: PRICE,
            stock: 8,
        });
}

#[test]
fn an_order_names_itself() {
    let command = ProductCommand::ReserveStock {
        order_id: Id::try_from(" O-2/é".to_owned()).unwrap(),
        quantity: Some(1),
    };
    let event = ProductEvent::StockReserved(StockReserved {
        order_id: " O-2/é".to_owned(),
        quantity: 1,
        total_price: PRICE,
        stock: 9,
    });
    priced(PRICE, 10).when(command).then([event]);
}

#[test]
fn a_product_that_does_not_exist_reserves_nothing() {
    for quantity in [None, Some(0), Some(1)] {
        product([])
            .when(reserve(quantity))
            .then_rejected("not_found")
            .then_state(None);
    }
}

#[test]
fn reservations_of_nothing_or_less_are_refused() {
    for stock in [0, 10] {
        for quantity in [None, Some(0), Some(-1), Some(-5), Some(i64::MIN)] {
            priced(PRICE, stock)
                .when(reserve(quantity))
                .then_rejected("invalid_quantity")
                .then_state(priced(PRICE, stock).state().cloned());
        }
    }
}

#[test]
fn all_can_be_reserved_and_nothing_more() {
    priced(PRICE, 2)
        .when(reserve(Some(3)))
        .then_rejected("insufficient_stock")
        .when(reserve(Some(i64::MAX)))
        .then_rejected("insufficient_stock")
        .when(reserve(Some(2)))
        .then([reserved(2, 259_998, 0)])
        .when(reserve(Some(1)))
        .then_rejected("insufficient_stock")
        .when(set_stock(Some(1)))
        .then([stock_set(1)])
        .when(reserve(Some(1)))
        .then([reserved(1, PRICE, 0)]);
}

#[test]
fn g4_laptops_and_mice() {
    priced(129_999, 5)
        .when(reserve(Some(1)))
        .then([reserved(1, 129_999, 4)])
        .when(reserve(Some(10)))
        .then_rejected("insufficient_stock");
    priced(5_999, 20)
        .when(reserve(Some(2)))
        .then([reserved(2, 11_998, 18)]);
    let refused = product([created(129_999, 5), reserved(1, 129_999, 4)]).when(reserve(Some(10)));
    assert_eq!(
        refused.rejection().to_string(),
        "product `p-1` has too few pieces: needed 10, available 4"
    );
}

#[test]
fn a_total_fits_an_amount() {
    priced(i64::MAX, 3)
        .when(reserve(Some(2)))
        .then_rejected("amount_overflow")
        .when(reserve(Some(1)))
        .then([reserved(1, i64::MAX, 2)]);
    let half = i64::MAX / 2;
    priced(half, i64::MAX)
        .when(reserve(Some(3)))
        .then_rejected("amount_overflow")
        .when(reserve(Some(i64::MAX)))
        .then_rejected("amount_overflow")
        .when(reserve(Some(2)))
        .then([reserved(2, i64::MAX - 1, i64::MAX - 2)]);
    priced(1, i64::MAX)
        .when(reserve(Some(i64::MAX)))
        .then([reserved(i64::MAX, i64::MAX, 0)]);
}

#[test]
fn too_few_pieces_are_said_before_too_high_a_price() {
    priced(i64::MAX, 1)
        .when(reserve(Some(2)))
        .then_rejected("insufficient_stock");
}

#[test]
fn sentences_show_the_values_and_fit_an_answer() {
    let longest = "\u{10ffff}".repeat(32);
    let sentence = |given: Given<Product>, quantity| {
        let when = given.id(&longest).when(reserve(quantity));
        let sentence = when.rejection().to_string();
        assert!(sentence.len() <= 1_024, "{sentence}");
        sentence
    };
    assert_eq!(
        sentence(product([]), Some(1)),
        format!("there is no product `{longest}`")
    );
    assert_eq!(
        sentence(priced(1, 1), None),
        "quantity is missing, it must be 1 or more"
    );
    assert_eq!(
        sentence(priced(1, 1), Some(-5)),
        "quantity is -5, it must be 1 or more"
    );
    assert_eq!(
        sentence(priced(1, 1), Some(i64::MAX)),
        format!("product `{longest}` has too few pieces: needed 9223372036854775807, available 1")
    );
    assert_eq!(
        sentence(priced(i64::MAX, 2), Some(2)),
        "2 pieces at 9223372036854775807 cost more than an amount can hold"
    );
}

fn decide(state: Option<&Product>, command: &ProductCommand) -> Option<ProductEvent> {
    let context = Context {
        aggregate: Product::NAME,
        id: "p-1",
        version: Version::new(1),
        command_id: "c-1",
        now: Timestamp::default(),
    };
    let decision = Product::decide(state, command, &context).ok()?;
    decision.events.into_iter().next()
}

proptest! {
    #[test]
    fn nothing_is_oversold_or_lost(
        price in prop_oneof![1..=10_i64, Just(i64::MAX / 3)],
        stock in 0..20_i64,
        commands in vec(prop_oneof![
            6 => (-2..8_i64).prop_map(|quantity| reserve(Some(quantity))),
            1 => any::<i64>().prop_map(|quantity| reserve(Some(quantity))),
            1 => (-2..8_i64).prop_map(|stock| set_stock(Some(stock))),
        ], 0..30),
    ) {
        let mut state = Product::evolve(None, &created(price, stock));
        let mut expected = stock;
        for command in &commands {
            let Some(event) = decide(state.as_ref(), command) else { continue };
            match &event {
                ProductEvent::StockReserved(reserved) => {
                    expected -= reserved.quantity;
                    prop_assert!(reserved.quantity > 0);
                    let total_price = i128::from(price) * i128::from(reserved.quantity);
                    prop_assert_eq!(i128::from(reserved.total_price), total_price);
                    prop_assert_eq!(reserved.stock, expected);
                }
                ProductEvent::StockSet { stock } => expected = *stock,
                ProductEvent::ProductCreated(_) => prop_assert!(false, "created again"),
            }
            prop_assert!(expected >= 0);
            state = Product::evolve(state, &event);
            prop_assert_eq!(&state, &Some(Product { price, stock: expected }));
        }
    }
}
