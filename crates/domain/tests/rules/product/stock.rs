//! Setting the stock.

use super::*;

#[test]
fn the_stock_is_set_to_0_or_more() {
    for stock in [0, 1, 10, i64::MAX] {
        priced(PRICE, 10)
            .when(set_stock(Some(stock)))
            .then_result(None)
            .then([stock_set(stock)])
            .then_state(Product {
                price: PRICE,
                stock,
            });
    }
}

#[test]
fn less_than_nothing_cannot_be_in_stock() {
    for stock in [None, Some(-1), Some(i64::MIN)] {
        priced(PRICE, 10)
            .when(set_stock(stock))
            .then_rejected("invalid_stock")
            .then_state(priced(PRICE, 10).state().cloned());
    }
}

#[test]
fn a_product_that_does_not_exist_has_no_stock() {
    product([])
        .when(set_stock(Some(1)))
        .then_rejected("not_found")
        .then_state(None);
}

#[test]
fn a_wrong_number_is_said_before_anything_else() {
    for stock in [None, Some(-1)] {
        product([])
            .when(set_stock(stock))
            .then_rejected("invalid_stock");
    }
}

#[test]
fn sentences_show_the_values() {
    let sentence = |given: Given<Product>, stock| {
        let when = given.when(set_stock(stock));
        when.rejection().to_string()
    };
    assert_eq!(
        sentence(product([]), None),
        "stock is missing, it must be 0 or more"
    );
    assert_eq!(
        sentence(product([]), Some(i64::MIN)),
        "stock is -9223372036854775808, it must be 0 or more"
    );
    let longest = "x".repeat(128);
    assert_eq!(
        sentence(product([]).id(&longest), Some(1)),
        format!("there is no product `{longest}`")
    );
}
