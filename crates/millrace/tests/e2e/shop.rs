//! Scenarios G1 to G4: orders, which need a user, a product and its stock.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::place::{Place, in_both_places, shared};
use super::policies::READY;
use super::rows::Select;
use super::wait::{EVENTUALLY, until_equal};
use super::world::{World, command, unique};

in_both_places! {
    g1_an_order_is_confirmed_or_says_why_not
    g2_fields_are_checked_before_anything_happens
    g3_stock_is_never_oversold
    g4_two_products_and_an_order_that_is_too_large
}

const ORDER: &str = "shop.order";
const PRODUCT: &str = "shop.product";

fn user(world: &World) -> String {
    let email = format!("{}@example.com", unique("buyer"));
    let data = json!({"username": "Buyer", "email": email});
    world.accepted("users.user", &email, "RegisterUser", &data);
    email
}

fn product(world: &World, name: &str, price: i64, stock: i64) -> String {
    let id = unique("p");
    let data = json!({"name": name, "price": price, "stock": stock, "category_id": "all"});
    world.accepted(PRODUCT, &id, "CreateProduct", &data);
    id
}

fn wish(email: &str, product: &str, quantity: i64) -> Value {
    json!({"user_email": email, "product_id": product, "quantity": quantity})
}

/// Places an order and waits for its end; the row.
fn order(world: &World, email: &str, product: &str, quantity: i64) -> Value {
    let id = unique("o");
    world.accepted(ORDER, &id, "PlaceOrder", &wish(email, product, quantity));
    let select = Select::from("shop.orders").with("id", id);
    world.row(&select, EVENTUALLY, |row| row["status"] != "pending")
}

fn rejected(world: &World, email: &str, product: &str, reason: &str) {
    let row = order(world, email, product, 1);
    let expected = json!(["rejected", reason, null]);
    assert_eq!(
        json!([row["status"], row["reason"], row["total_price"]]),
        expected,
        "{row}"
    );
}

fn stock(world: &World, product: &str) -> Option<i64> {
    let select = Select::from("shop.products").only("stock");
    let rows = world.rows(&select.with("id", product));
    rows.first().and_then(|row| row["stock"].as_i64())
}

fn g1_an_order_is_confirmed_or_says_why_not(place: Place) {
    let world = shared(place);
    let (email, laptop) = (user(&world), product(&world, "Laptop", 129_999, 10));
    let typed = email.to_uppercase();
    let row = order(&world, &typed, &laptop, 2);
    let found = json!([
        row["status"],
        row["total_price"],
        row["version"],
        row["user_email"]
    ]);
    assert_eq!(found, json!(["confirmed", 259_998, 3, typed]), "{row}");
    until_equal("the stock", EVENTUALLY, &Some(8), || stock(&world, &laptop));
    let row = order(&world, &email, &laptop, 20);
    assert_eq!(row["reason"], "insufficient_stock", "{row}");
    assert_eq!(stock(&world, &laptop), Some(8));
    rejected(&world, "nobody@example.com", &laptop, "user_not_found");
    rejected(&world, &email, "no-product", "product_not_found");
    world.accepted("users.user", &email, "DeactivateUser", &json!({}));
    rejected(&world, &email, &laptop, "user_inactive");

    let by_user = Select::from("shop.orders_by_user").with("user_email", email.as_str());
    let statuses = || {
        let rows = world.rows(&by_user);
        let status = |row: &Value| row["status"].as_str().unwrap().to_owned();
        rows.iter().map(status).collect::<Vec<_>>()
    };
    let newest_first = ["rejected", "rejected", "rejected", "confirmed"].map(str::to_owned);
    until_equal(
        "orders of the user",
        EVENTUALLY,
        &newest_first.to_vec(),
        statuses,
    );
    let id = row["id"].as_str().unwrap();
    let again = wish(&email, &laptop, 1);
    world.refused(ORDER, id, ("PlaceOrder", &again), "already_exists");
}

fn g2_fields_are_checked_before_anything_happens(place: Place) {
    let world = shared(place);
    let offer = |field: &str, value: Value| {
        let mut data = json!({"name": "Mouse", "price": 1, "stock": 1});
        data[field] = value;
        data
    };
    let id = unique("p");
    for (data, code) in [
        (offer("name", "".into()), "name_required"),
        (offer("price", 0.into()), "invalid_price"),
        (offer("price", (-1000).into()), "invalid_price"),
        (offer("price", Value::Null), "invalid_price"),
        (offer("stock", (-1).into()), "invalid_stock"),
        (offer("stock", "1".into()), "invalid_command"),
        (offer("colour", "red".into()), "invalid_command"),
    ] {
        world.refused(PRODUCT, &id, ("CreateProduct", &data), code);
    }
    for (data, code) in [
        (json!({"stock": -1}), "invalid_stock"),
        (json!({"stock": 1}), "not_found"),
    ] {
        world.refused(PRODUCT, &id, ("SetStock", &data), code);
    }
    for quantity in [0, -5] {
        let data = wish("a@b", "p", quantity);
        world.refused(
            ORDER,
            &unique("o"),
            ("PlaceOrder", &data),
            "invalid_quantity",
        );
    }
    for (email, product) in [("", "p"), ("  ", "p"), ("a@b", ""), ("a@b", "a\u{7}b")] {
        let data = wish(email, product, 1);
        world.refused(
            ORDER,
            &unique("o"),
            ("PlaceOrder", &data),
            "invalid_command",
        );
    }
    let made = product(&world, "Mouse", 5_999, 0);
    let set = world.accepted(PRODUCT, &made, "UpdateProductStock", &json!({"stock": 7}));
    assert_eq!(set["type"], "SetStock");
    until_equal("the stock", EVENTUALLY, &Some(7), || stock(&world, &made));
}

/// A hundred orders of one piece each, of a product with fifty.
pub(crate) struct Rush {
    product: String,
    orders: Vec<String>,
}

impl Rush {
    pub(crate) fn begin(world: &World) -> Self {
        let email = user(world);
        let product = product(world, "Rare", 7, 50);
        let orders: Vec<_> = (0..100).map(|_| unique("rush")).collect();
        let commands: Vec<_> = orders
            .iter()
            .map(|id| {
                (
                    id.as_str(),
                    command("PlaceOrder", &wish(&email, &product, 1)),
                )
            })
            .collect();
        world.send(&format!("{ORDER}.commands"), &commands);
        Self { product, orders }
    }

    /// How many of its orders stand where.
    pub(crate) fn statuses(&self, world: &World) -> BTreeMap<String, usize> {
        let mut statuses = BTreeMap::new();
        for row in world.rows(&Select::from("shop.orders").only("id, status, reason")) {
            if self.orders.iter().any(|id| row["id"] == *id) {
                let status = format!("{} {}", row["status"], row["reason"]);
                *statuses.entry(status).or_default() += 1;
            }
        }
        statuses
    }

    pub(crate) fn ends(&self, world: &World, limit: Duration) {
        let expected = BTreeMap::from([
            (r#""confirmed" null"#.to_owned(), 50),
            (r#""rejected" "insufficient_stock""#.to_owned(), 50),
        ]);
        until_equal("half of them", limit, &expected, || self.statuses(world));
        until_equal("no stock", EVENTUALLY, &Some(0), || {
            stock(world, &self.product)
        });
        let history = world.json(&["history", PRODUCT, &self.product, "--json"]);
        let reserved = history
            .iter()
            .filter(|event| event["type"] == "StockReserved");
        assert_eq!(reserved.count(), 50);
    }
}

fn g3_stock_is_never_oversold(place: Place) {
    let world = shared(place);
    Rush::begin(&world).ends(&world, READY);
}

fn g4_two_products_and_an_order_that_is_too_large(place: Place) {
    let world = shared(place);
    let email = user(&world);
    let laptop = product(&world, "Laptop", 129_999, 5);
    let mouse = product(&world, "Mouse", 5_999, 20);
    assert_eq!(order(&world, &email, &laptop, 1)["total_price"], 129_999);
    assert_eq!(order(&world, &email, &mouse, 2)["total_price"], 11_998);
    assert_eq!(
        order(&world, &email, &laptop, 10)["reason"],
        "insufficient_stock"
    );
    let needs = json!({"order_id": "o", "quantity": 10});
    let needs = ("ReserveStock", &needs);
    let refused = world.refused(PRODUCT, &laptop, needs, "insufficient_stock");
    let message = refused["message"].as_str().unwrap();
    assert!(
        message.contains("needed 10") && message.contains("available 4"),
        "{message}"
    );
}
