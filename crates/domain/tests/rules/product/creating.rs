use millrace_eventsourcing::{Aggregate as _, Rejection as _};

use super::*;

#[test]
fn a_product_is_created_as_typed() {
    let command = CreateProduct {
        name: Some(" Läptop ".to_owned()),
        category_id: Some(" ".to_owned()),
        ..laptop(PRICE, 10)
    };
    let event = ProductEvent::ProductCreated(ProductCreated {
        name: " Läptop ".to_owned(),
        price: PRICE,
        stock: 10,
        category_id: Some(" ".to_owned()),
    });
    product([])
        .when(create(command))
        .then_result(None)
        .then([event])
        .then_state(Product {
            price: PRICE,
            stock: 10,
        });
}

#[test]
fn a_product_needs_no_category() {
    product([])
        .when(create(laptop(PRICE, 10)))
        .then([created(PRICE, 10)]);
}

#[test]
fn blank_names_are_missing() {
    for blank in [None, Some(""), Some(" \t\n"), Some("\u{a0}"), Some("\0")] {
        let command = CreateProduct {
            name: blank.map(str::to_owned),
            ..laptop(PRICE, 10)
        };
        product([])
            .when(create(command))
            .then_rejected("name_required")
            .then_state(None);
    }
}

#[test]
fn a_price_is_above_0() {
    for price in [None, Some(0), Some(-1), Some(-1_000), Some(i64::MIN)] {
        let command = CreateProduct {
            price,
            ..laptop(PRICE, 10)
        };
        product([])
            .when(create(command))
            .then_rejected("invalid_price")
            .then_state(None);
    }
    for price in [1, i64::MAX] {
        product([])
            .when(create(laptop(price, 10)))
            .then([created(price, 10)]);
    }
}

#[test]
fn the_first_stock_is_0_or_more() {
    for stock in [None, Some(-1), Some(i64::MIN)] {
        let command = CreateProduct {
            stock,
            ..laptop(PRICE, 10)
        };
        product([])
            .when(create(command))
            .then_rejected("invalid_stock")
            .then_state(None);
    }
    for stock in [0, 1, i64::MAX] {
        product([])
            .when(create(laptop(PRICE, stock)))
            .then([created(PRICE, stock)]);
    }
}

#[test]
fn an_id_is_taken_for_good() {
    for history in [
        vec![created(PRICE, 10)],
        vec![created(PRICE, 10), stock_set(0)],
        vec![created(PRICE, 1), reserved(1, PRICE, 0)],
    ] {
        let state = product(history.clone()).state().cloned();
        product(history)
            .when(create(laptop(1, 1)))
            .then_rejected("already_exists")
            .then_state(state);
    }
}

#[test]
fn several_faults_are_answered_in_the_published_order() {
    let mut command = CreateProduct::default();
    let code = |command: &CreateProduct| {
        let there = priced(PRICE, 10);
        there.when(create(command.clone())).rejection().code()
    };
    assert_eq!(code(&command), "name_required");
    command.name = Some("Laptop".to_owned());
    assert_eq!(code(&command), "invalid_price");
    command.price = Some(1);
    assert_eq!(code(&command), "invalid_stock");
    command.stock = Some(0);
    assert_eq!(code(&command), "already_exists");
}

#[test]
fn sentences_show_the_values_and_fit_an_answer() {
    let sentence = |command| {
        let given = product([]).when(create(command));
        given.rejection().to_string()
    };
    let nameless = CreateProduct {
        name: None,
        ..laptop(PRICE, 10)
    };
    let unpriced = CreateProduct {
        price: None,
        ..laptop(PRICE, 10)
    };
    for (command, expected) in [
        (nameless, "name is missing or blank"),
        (unpriced, "price is missing, it must be 1 or more"),
        (laptop(-7, 10), "price is -7, it must be 1 or more"),
        (laptop(PRICE, -7), "stock is -7, it must be 0 or more"),
    ] {
        assert_eq!(sentence(command), expected);
    }
    let longest = "x".repeat(128);
    let again = priced(PRICE, 10).id(&longest).when(create(laptop(1, 1)));
    assert_eq!(
        again.rejection().to_string(),
        format!("product `{longest}` exists already")
    );
}

#[test]
fn facts_are_taken_in_whatever_came_before() {
    for event in [created(1, 1), stock_set(1), reserved(1, 1, 0)] {
        let is_creation = matches!(event, ProductEvent::ProductCreated(_));
        assert_eq!(Product::evolve(None, &event).is_some(), is_creation);
    }
}
