//! G: orders, the users who place them and the products that they take from.

mod stock;

use millrace_domain::shop::order::{
    Order as ShopOrder, OrderCommand, OrderPolicy, Stage, UserEmail,
};
use millrace_domain::shop::product::{CreateProduct, Product, ProductCommand};
use millrace_domain::users::user::{User, UserCommand};
use millrace_eventsourcing::Status;
use serde_json::json;

use super::*;

/// A shop with the active user `u@x` and these products: id, price and stock.
fn shop_of(products: &[(&str, i64, i64)]) -> World {
    with_stock(empty_shop(), products)
}

/// The same, where every message arrives twice.
fn repeating_shop_of(products: &[(&str, i64, i64)]) -> World {
    with_stock(empty_shop().delivering_twice(), products)
}

fn empty_shop() -> World {
    World::new()
        .with_aggregate::<User>()
        .with_aggregate::<Product>()
        .with_aggregate::<ShopOrder>()
        .with_policy(OrderPolicy)
}

fn with_stock(mut shop: World, products: &[(&str, i64, i64)]) -> World {
    shop.send::<User>("u@x", "register u@x", &register("U@x"));
    for (id, price, stock) in products {
        let create = ProductCommand::CreateProduct(CreateProduct {
            name: Some("Laptop".to_owned()),
            price: Some(*price),
            stock: Some(*stock),
            category_id: None,
        });
        shop.send::<Product>(id, &format!("create {id}"), &create);
    }
    shop.run(Order::Sent);
    shop
}

fn shop_in_any_order(products: &[(&str, i64, i64)], conversation: impl Fn(&mut World, Order)) {
    for order in orders() {
        conversation(&mut shop_of(products), order);
        conversation(&mut repeating_shop_of(products), order);
    }
}

fn register(email: &str) -> UserCommand {
    UserCommand::RegisterUser {
        username: Some("ada".to_owned()),
        email: Some(email.to_owned()),
    }
}

fn place(email: &str, product: &str, quantity: i64) -> OrderCommand {
    OrderCommand::PlaceOrder {
        user_email: UserEmail::try_from(email.to_owned()).unwrap(),
        product_id: Id::try_from(product.to_owned()).unwrap(),
        quantity: Some(quantity),
    }
}

/// `u@x` orders so many `p-1`.
fn send_order(shop: &mut World, id: &str, quantity: i64) {
    shop.send::<ShopOrder>(id, id, &place("u@x", "p-1", quantity));
}

/// The newest command arrives before all that is under way.
fn send_at_once(shop: &mut World, command_id: &str, command: &UserCommand) {
    shop.send::<User>("u@x", command_id, command);
    shop.run_until(Order::Reversed, |shop| shop.outcome(command_id).is_some());
    assert_eq!(code(shop, command_id), None);
}

fn order_stage(shop: &World, id: &str) -> Option<Stage> {
    Some(shop.state::<ShopOrder>(id)?.stage)
}

/// The order was rejected for this reason.
#[track_caller]
fn assert_rejected(shop: &World, id: &str, reason: &str) {
    let reason = reason.to_owned();
    let stage = order_stage(shop, id);
    assert_eq!(stage, Some(Stage::Rejected { reason }), "{id}");
}

fn left(shop: &World, product: &str) -> i64 {
    shop.state::<Product>(product).unwrap().stock
}

/// How many of these orders were confirmed, and how many rejected for want of stock.
fn ended<'a>(shop: &World, ids: impl IntoIterator<Item = &'a String>) -> (usize, usize) {
    let (mut confirmed, mut rejected) = (0, 0);
    for id in ids {
        let stage = order_stage(shop, id);
        if stage == Some(Stage::Confirmed {}) {
            confirmed += 1;
        } else {
            assert_rejected(shop, id, "insufficient_stock");
            rejected += 1;
        }
    }
    (confirmed, rejected)
}

#[test]
fn g1_an_order_is_confirmed_and_takes_stock() {
    shop_in_any_order(&[("p-1", 129_999, 10)], |shop, order| {
        send_order(shop, "o-1", 2);
        shop.run(order);
        assert_eq!(order_stage(shop, "o-1"), Some(Stage::Confirmed {}));
        assert_eq!(left(shop, "p-1"), 8);
        let last = shop.history::<ShopOrder>("o-1").pop().unwrap();
        assert_eq!(
            serde_json::to_value(&last.payload).unwrap(),
            json!({"OrderConfirmed": {"total_price": 259_998, "user_email": "u@x"}})
        );
        assert_eq!(
            shop.causes("shop.order/o-1/3"),
            [
                "OrderPlaced",
                "RequireActive: accepted",
                "OrderUserConfirmed",
                "StockReserved",
                "OrderConfirmed"
            ]
        );
        let of_it = shop.events().iter().skip(2);
        assert!(of_it.clone().all(|it| it.envelope.correlation_id == "o-1"));
        assert_eq!(of_it.count(), 4);
    });
}

#[test]
fn g1_too_large_an_order_is_rejected_and_takes_nothing() {
    shop_in_any_order(&[("p-1", 129_999, 8)], |shop, order| {
        send_order(shop, "o-1", 20);
        shop.run(order);
        assert_rejected(shop, "o-1", "insufficient_stock");
        assert_eq!(left(shop, "p-1"), 8);
        assert_eq!(
            shop.causes("shop.order/o-1/3"),
            [
                "OrderPlaced",
                "RequireActive: accepted",
                "OrderUserConfirmed",
                "ReserveStock: insufficient_stock",
                "OrderRejected"
            ]
        );
    });
}

#[test]
fn g1_who_and_what_is_unknown_rejects_an_order() {
    shop_in_any_order(&[("p-1", 129_999, 8)], |shop, order| {
        shop.send::<ShopOrder>("o-1", "o-1", &place("v@x", "p-1", 1));
        shop.send::<ShopOrder>("o-2", "o-2", &place("u@x", "p-2", 1));
        shop.send::<ShopOrder>("o-3", "o-3", &place("v@x", "p-2", 1));
        shop.run(order);
        for (id, reason) in [
            ("o-1", "user_not_found"),
            ("o-2", "product_not_found"),
            ("o-3", "user_not_found"),
        ] {
            assert_rejected(shop, id, reason);
        }
        assert_eq!(left(shop, "p-1"), 8);
    });
}

#[test]
fn a_user_is_found_in_whatever_letters_the_address_is_typed() {
    shop_in_any_order(&[("p-1", 1, 1)], |shop, order| {
        shop.send::<ShopOrder>("o-1", "o-1", &place("  U@X ", "p-1", 1));
        shop.run(order);
        assert_eq!(order_stage(shop, "o-1"), Some(Stage::Confirmed {}));
        let placed = shop.state::<ShopOrder>("o-1").unwrap();
        assert_eq!(placed.user_email, "  U@X ");
    });
}

#[test]
fn g1_an_inactive_user_gets_nothing() {
    shop_in_any_order(&[("p-1", 1, 2)], |shop, order| {
        send_at_once(shop, "off", &UserCommand::DeactivateUser {});
        send_order(shop, "o-1", 1);
        shop.run(order);
        assert_rejected(shop, "o-1", "user_inactive");
        send_at_once(shop, "on", &UserCommand::ReactivateUser {});
        send_order(shop, "o-2", 1);
        shop.run(order);
        assert_rejected(shop, "o-1", "user_inactive");
        assert_eq!(order_stage(shop, "o-2"), Some(Stage::Confirmed {}));
        assert_eq!(left(shop, "p-1"), 1);
    });
}

#[test]
fn a_user_who_is_deactivated_before_being_asked_for_gets_nothing() {
    shop_in_any_order(&[("p-1", 1, 1)], |shop, order| {
        send_order(shop, "o-1", 1);
        shop.run_until(order, |shop| order_stage(shop, "o-1").is_some());
        assert_eq!(order_stage(shop, "o-1"), Some(Stage::Placed {}));
        send_at_once(shop, "off", &UserCommand::DeactivateUser {});
        shop.run(order);
        assert_rejected(shop, "o-1", "user_inactive");
        assert_eq!(left(shop, "p-1"), 1);
    });
}

#[test]
fn a_user_who_is_deactivated_after_being_asked_for_gets_the_order() {
    shop_in_any_order(&[("p-1", 1, 2)], |shop, order| {
        send_order(shop, "o-1", 1);
        shop.run_until(order, |shop| {
            order_stage(shop, "o-1") == Some(Stage::UserConfirmed {})
        });
        send_at_once(shop, "off", &UserCommand::DeactivateUser {});
        send_order(shop, "o-2", 1);
        shop.run(order);
        assert_eq!(order_stage(shop, "o-1"), Some(Stage::Confirmed {}));
        assert_rejected(shop, "o-2", "user_inactive");
        assert_eq!(left(shop, "p-1"), 1);
    });
}

#[test]
fn two_orders_for_the_last_piece_get_it_once() {
    shop_in_any_order(&[("p-1", 1, 1)], |shop, order| {
        let ids = ["o-1".to_owned(), "o-2".to_owned()];
        for id in &ids {
            send_order(shop, id, 1);
        }
        shop.run(order);
        assert_eq!(ended(shop, &ids), (1, 1));
        assert_eq!(left(shop, "p-1"), 0);
    });
}

#[test]
fn g3_nothing_is_oversold() {
    shop_in_any_order(&[("p-1", 1, 5)], |shop, order| {
        let ids: Vec<_> = (0..10).map(|number| format!("o-{number}")).collect();
        for id in &ids {
            send_order(shop, id, 1);
        }
        shop.run(order);
        assert_eq!(ended(shop, &ids), (5, 5));
        assert_eq!(left(shop, "p-1"), 0);
    });
}

#[test]
fn g4_laptops_and_mice() {
    let products = [("p-1", 129_999, 5), ("mouse", 5_999, 20)];
    shop_in_any_order(&products, |shop, order| {
        send_order(shop, "laptop", 1);
        shop.send::<ShopOrder>("mice", "mice", &place("u@x", "mouse", 2));
        shop.run(order);
        for (id, total_price) in [("laptop", 129_999), ("mice", 11_998)] {
            let last = shop.history::<ShopOrder>(id).pop().unwrap();
            let last = serde_json::to_value(&last.payload).unwrap();
            assert_eq!(last["OrderConfirmed"]["total_price"], total_price);
        }
        send_order(shop, "laptops", 10);
        shop.run(order);
        assert_rejected(shop, "laptops", "insufficient_stock");
        let mut outcomes = shop.outcomes().iter();
        let refused = outcomes.find(|outcome| outcome.status == Status::Rejected);
        let sentence = refused.unwrap().message.as_deref();
        assert_eq!(
            sentence,
            Some("product `p-1` has too few pieces: needed 10, available 4")
        );
        assert_eq!((left(shop, "p-1"), left(shop, "mouse")), (4, 18));
    });
}

#[test]
fn a_price_beyond_all_amounts_rejects_an_order() {
    shop_in_any_order(&[("p-1", i64::MAX, 2)], |shop, order| {
        send_order(shop, "o-1", 2);
        shop.run(order);
        assert_rejected(shop, "o-1", "amount_overflow");
        assert_eq!(left(shop, "p-1"), 2);
    });
}

#[test]
fn an_order_is_placed_once() {
    shop_in_any_order(&[("p-1", 1, 5)], |shop, order| {
        send_order(shop, "o-1", 1);
        shop.run(order);
        shop.send::<ShopOrder>("o-1", "again", &place("u@x", "p-1", 1));
        shop.run(order);
        assert_eq!(code(shop, "again"), Some("already_exists"));
        assert_eq!(left(shop, "p-1"), 4);
    });
}

#[test]
fn y2_y4_one_address_is_registered_once() {
    for order in orders() {
        let mut shop = empty_shop().delivering_twice();
        for number in 0..5 {
            shop.send::<User>("U@x", &format!("c-{number}"), &register(" u@X"));
        }
        shop.run(order);
        assert_eq!(shop.history::<User>("u@x").len(), 1);
        let first = shop.outcomes().iter().filter(|outcome| !outcome.duplicate);
        let taken = first.filter(|it| it.code.as_deref() == Some("user_already_exists"));
        assert_eq!(taken.count(), 4);
        let user_id = shop.state::<User>("u@x").unwrap().user_id;
        let accepted = shop.outcomes().iter().filter(|it| it.code.is_none());
        let told: Vec<_> = accepted.map(|it| it.result.clone()).collect();
        let expected = Some(json!({ "user_id": user_id }));
        assert_eq!(told, [expected.clone(), expected]);
    }
}
