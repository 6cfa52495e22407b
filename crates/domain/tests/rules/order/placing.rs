use millrace_domain::shop::order::OrderRejection;
use millrace_eventsourcing::Rejection as _;

use super::*;

#[test]
fn an_order_is_placed_as_typed() {
    order([])
        .when(place(Some(2)))
        .then_result(None)
        .then([placed(2)])
        .then_state(state(2, Stage::Placed {}));
}

#[test]
fn any_quantity_above_0_can_be_ordered() {
    for quantity in [1, i64::MAX] {
        order([])
            .when(place(Some(quantity)))
            .then([placed(quantity)]);
    }
}

#[test]
fn orders_of_nothing_or_less_are_refused() {
    for quantity in [None, Some(0), Some(-1), Some(-5), Some(i64::MIN)] {
        order([])
            .when(place(quantity))
            .then_rejected("invalid_quantity")
            .then_state(None);
    }
}

#[test]
fn an_id_is_taken_for_good_whatever_became_of_the_order() {
    for history in histories().into_iter().skip(1) {
        let state = order(history.clone()).state().cloned();
        order(history)
            .when(place(Some(1)))
            .then_rejected("already_exists")
            .then_state(state);
    }
}

#[test]
fn a_wrong_quantity_is_said_before_anything_else() {
    for quantity in [None, Some(0)] {
        order([placed(2)])
            .when(place(quantity))
            .then_rejected("invalid_quantity");
    }
}

#[test]
fn sentences_show_the_values_and_fit_an_answer() {
    let longest = "x".repeat(128);
    let sentence = |given: Given<Order>, quantity| {
        let when = given.id(&longest).when(place(quantity));
        when.rejection().to_string()
    };
    assert_eq!(sentence(order([]), None), "quantity is missing");
    assert_eq!(
        sentence(order([]), Some(-5)),
        "quantity is -5, it must be above 0"
    );
    assert_eq!(
        sentence(order([placed(2)]), Some(1)),
        format!("order `{longest}` exists already")
    );
    let unusable = OrderRejection::UnusableAnswer {
        id: longest.clone(),
        kind: longest,
        field: "total_price",
    };
    assert_eq!(unusable.code(), "unusable_answer");
    assert!(unusable.to_string().len() <= 1_024);
}
