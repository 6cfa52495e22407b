//! Scenario S13: topics that hold events and state of the first published schemas. The bytes are
//! those that were written then, by another Avro implementation.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::lifecycle::rows_of;
use super::place::{Place, in_both_places};
use super::policies::READY;
use super::raw::to;
use super::rows::Select;
use super::wait::{EVENTUALLY, until_equal};
use super::world::World;

in_both_places! {
    s13_events_of_the_first_schemas_still_make_state_and_rows
}

/// Topic, key, and the value in hex digits.
const VERSION_1: &str = include_str!("version_1.txt");
const ULID: &str = "01M7Q5CQG0HXV67SPFJPBBMN7W";
const TABLES: [&str; 7] = [
    "users.users",
    "users.users_by_email",
    "users.users_newest_first",
    "shop.products",
    "shop.orders",
    "shop.orders_by_user",
    "shop.events_by_aggregate",
];

fn put_version_1(world: &World) {
    if world.place() == Place::Embedded {
        world.expect(&["topics", "create"]);
    }
    for line in VERSION_1.lines() {
        let [topic, key, hex] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let digits = hex.as_bytes().chunks(2);
        let bytes = digits.map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap());
        let value: Vec<_> = bytes.collect();
        world.put(topic, &to(key, &value));
    }
}

fn s13_events_of_the_first_schemas_still_make_state_and_rows(place: Place) {
    // The policy reacted to them then.
    let world = World::own(place, &["policy.order.start=end"]);
    put_version_1(&world);
    let mut process = world.run(&[]);
    process.wait_ready(READY);
    rows_are_in_todays_words(&world);
    state_goes_on(&world);
    until_equal("journal", EVENTUALLY, &9, || {
        let journal = Select::from("shop.events_by_aggregate").only("version");
        world.rows(&journal).len()
    });
    assert!(process.stop().success(), "{}", process.log());
    let before = rows_of(&world, &TABLES);
    let rebuilt = [
        "users.users",
        "shop.products",
        "shop.orders",
        "shop.journal",
    ];
    for projection in rebuilt {
        world.expect(&["rebuild", projection]);
    }
    assert_eq!(rows_of(&world, &TABLES), before);
}

fn rows_are_in_todays_words(world: &World) {
    let shown = |table: &str, key: &'static str, id: &str, columns: &[&str]| {
        let select = Select::from(table).with(key, id);
        let row = world.row(&select, EVENTUALLY, |row| {
            row["version"].is_null() || row["version"].as_i64() > Some(1)
        });
        let cells = columns.iter().map(|column| row[*column].clone());
        cells.collect::<Value>()
    };
    // A field that was renamed.
    let user = shown("users.users", "id", ULID, &["name", "email", "version"]);
    assert_eq!(user, json!(["Old Name", "Old@Example.com", 2]));
    // A field that came later.
    let columns = ["name", "price", "stock", "category_id"];
    let product = shown("shop.products", "id", "p-old", &columns);
    assert_eq!(product, json!(["Old Laptop", 1000, 3, null]));
    // An event that is two today.
    let columns = ["status", "total_price", "reason", "version"];
    let confirmed = shown("shop.orders", "id", "o-old", &columns);
    assert_eq!(confirmed, json!(["confirmed", 2000, null, 3]));
    let rejected = shown("shop.orders", "id", "o-no", &columns);
    assert_eq!(rejected, json!(["rejected", null, "insufficient_stock", 3]));
    let history = world.json(&["history", "shop.order", "o-no", "--json"]);
    assert_eq!(history[2]["type"], "OrderRejected");
    let stage = json!({"Rejected": {"reason": "insufficient_stock"}});
    assert_eq!(history.last().unwrap()["state"]["stage"], stage);
}

fn state_goes_on(world: &World) {
    let user = "old@example.com";
    let answer = world.accepted("users.user", user, "ReactivateUser", &json!({}));
    assert_eq!(
        (&answer["version"], &answer["result"]["user_id"]),
        (&json!(3), &json!(ULID))
    );
    let wish = json!({"order_id": "o-new", "quantity": 4});
    let wish = ("ReserveStock", &wish);
    let refused = world.refused("shop.product", "p-old", wish, "insufficient_stock");
    assert!(
        refused["message"].as_str().unwrap().contains("available 3"),
        "{refused}"
    );
    let set = world.accepted("shop.product", "p-old", "SetStock", &json!({"stock": 4}));
    assert_eq!(set["version"], 3);
    let again = json!({"user_email": user, "product_id": "p-old", "quantity": 1});
    world.refused(
        "shop.order",
        "o-old",
        ("PlaceOrder", &again),
        "already_exists",
    );
}

/// The three second versions without what makes the first ones readable.
#[test]
fn s13_a_version_that_cannot_read_the_first_is_refused_with_the_reason() {
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    let world = World::embedded(&[]);
    let folder = world.data_dir();
    let copied = Command::new("cp")
        .arg("-r")
        .args([&schemas, &folder])
        .status();
    assert!(copied.unwrap().success());
    let dir = folder.to_str().unwrap();
    world.expect(&["schemas", "check", "--dir", dir]);
    let change = |file: &str, from: &str, to: &str| {
        let path = folder.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{file}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    };
    let optional = r#""category_id", "type": ["null", "string"], "default": null"#;
    let required = r#""category_id", "type": "string""#;
    change("shop/product.events.avsc", optional, required);
    change("users/user.events.avsc", r#""aliases": ["name"], "#, "");
    change("shop/order.events.avsc", "OrderDecided", "OrderForgotten");
    let refused = world.output(&["schemas", "check", "--dir", dir]);
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8(refused.stdout).unwrap();
    for reason in [
        "records of v1 cannot be read: payload.ProductCreated.category_id: a new field without",
        "records of v1 cannot be read: payload.UserRegistered.username: a new field without",
        "records of v1 cannot be read: payload.OrderDecided: no branch for record OrderDecided",
    ] {
        assert!(told.contains(reason), "{reason}: {told}");
    }
}
