//! The fixtures of `users`, `contacts` and `shop`, from the published files and JSON alone.
//!
//! The reference implementation's generic writer makes them; no type of today takes part. That they
//! are read as today's types is tested where the types are, in the domain.

use apache_avro::Schema;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use serde_json::{Value as Json, json};

const ULID: &str = "01HF7YAT00M8CV2K5Q9WXJ3NDZ";

macro_rules! history {
    ($context:literal, $file:literal) => {
        (
            include_str!(concat!(
                "../../../../../schemas/",
                $context,
                "/history/",
                $file,
                ".avsc"
            )),
            include_str!(concat!("../../fixtures/", $file, ".hex")),
        )
    };
}

/// The Avro value of a JSON one, where a branch of a union is an object with the branch's name.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what these schemas do not use is a mistake of the test"
)]
fn value(schema: &Schema, json: &Json) -> Value {
    match schema {
        Schema::Null => Value::Null,
        Schema::Boolean => Value::Boolean(json.as_bool().unwrap()),
        Schema::Int => Value::Int(json.as_i64().unwrap().try_into().unwrap()),
        Schema::Long => Value::Long(json.as_i64().unwrap()),
        Schema::TimestampMicros => Value::TimestampMicros(json.as_i64().unwrap()),
        Schema::String => Value::String(json.as_str().unwrap().to_owned()),
        Schema::Fixed(fixed) => Value::Fixed(fixed.size, json.as_str().unwrap().into()),
        Schema::Array(array) => {
            let items = json.as_array().unwrap().iter();
            Value::Array(items.map(|item| value(&array.items, item)).collect())
        }
        Schema::Record(record) => {
            let given = json.as_object().unwrap();
            assert_eq!(given.len(), record.fields.len(), "{json}");
            let fields = record.fields.iter();
            let field = |name: &String, schema| (name.clone(), value(schema, &given[name]));
            Value::Record(fields.map(|it| field(&it.name, &it.schema)).collect())
        }
        Schema::Union(union) => {
            let tagged = json.as_object().and_then(|it| it.iter().next());
            let (name, content) = tagged.map_or(("null", json), |it| (it.0.as_str(), it.1));
            let mut variants = union.variants().iter();
            let place = variants.position(|variant| is_called(variant, name));
            let place = place.unwrap();
            let content = value(&union.variants()[place], content);
            Value::Union(place.try_into().unwrap(), Box::new(content))
        }
        other => panic!("{other:?}"),
    }
}

fn is_called(branch: &Schema, name: &str) -> bool {
    match name {
        "null" => matches!(branch, Schema::Null),
        "long" => matches!(branch, Schema::Long),
        "string" => matches!(branch, Schema::String),
        _ => branch.name().is_some_and(|it| it.name() == name),
    }
}

/// The lines of the fixture are these values, written under this schema and its noted id.
#[track_caller]
fn assert_wrote((schema, fixture): (&str, &str), id: u32, values: &[Json]) {
    let schema = Schema::parse_str(schema).unwrap();
    let writer = GenericDatumWriter::builder(&schema).build().unwrap();
    let mut written = String::new();
    for json in values {
        let body = writer.write_value_to_vec(value(&schema, json)).unwrap();
        let record = [&[0][..], &id.to_be_bytes(), &body].concat();
        written.extend(record.iter().map(|byte| format!("{byte:02x}")));
        written.push('\n');
    }
    assert_eq!(fixture, written);
}

/// The id that was noted when this version was published.
fn noted(context: &str, topic: &str, version: usize) -> u32 {
    let ids = match context {
        "users" => include_str!("../../../../../schemas/users/history/ids.json"),
        "contacts" => include_str!("../../../../../schemas/contacts/history/ids.json"),
        _ => include_str!("../../../../../schemas/shop/history/ids.json"),
    };
    let ids: Json = serde_json::from_str(ids).unwrap();
    ids[topic][version - 1]
        .as_u64()
        .unwrap()
        .try_into()
        .unwrap()
}

fn text(text: Option<&str>) -> Json {
    text.map_or(Json::Null, |text| json!({ "string": text }))
}

fn number(number: Option<i64>) -> Json {
    number.map_or(Json::Null, |number| json!({ "long": number }))
}

fn events(payloads: &[Json]) -> Vec<Json> {
    let event = |(version, payload): (i64, &Json)| {
        json!({
            "version": version,
            "command_id": format!("c-{version}"),
            "causation_id": text((version > 1).then_some("bank.transfer/t-1/2")),
            "correlation_id": "conversation",
            "actor": text((version > 2).then_some("ada")),
            "on_behalf_of": text((version > 3).then_some("charles")),
            "recorded_at": 1_795_000_000_000_000 + version,
            "created_at": 1_795_000_000_000_001_i64,
            "command_offset": 1_000 * version,
            "payload": payload,
        })
    };
    (1..).zip(payloads).map(event).collect()
}

fn states(aggregate: &str, states: &[Json]) -> Vec<Json> {
    let handled = |code, version: i64, events: i64, result| {
        json!({
            "id": "0123456789abcdef", "code": text(code), "version": version,
            "events": events, "offset": 12, "result": text(result),
        })
    };
    let recent = [
        handled(Some("not_found"), 0, 0, None),
        handled(None, 3, 1, Some("{\"a\":1}")),
    ];
    let snapshot = |state: &Json| {
        json!({"Snapshot": {
            "version": 3, "created_at": 1_795_000_000_000_001_i64,
            "recorded_at": 1_795_000_000_000_003_i64, "recent": recent,
            "state": { aggregate: state },
        }})
    };
    let nothing = json!({"Snapshot": {
        "version": 0, "created_at": 0, "recorded_at": 0, "recent": [], "state": null,
    }});
    let task = json!({"TaskRecord": {
        "owner": {"string": "millrace.one.x.task.0"}, "next_offset": 77,
    }});
    states.iter().map(snapshot).chain([nothing, task]).collect()
}

fn commands(payloads: &[Json]) -> Vec<Json> {
    let command = |(place, payload): (usize, &Json)| {
        let full = place == 0;
        json!({
            "aggregate_id": text(full.then_some("a-1")),
            "command_id": text(full.then_some("c-1")),
            "correlation_id": text(full.then_some("conversation")),
            "causation_id": text(full.then_some("bank.transfer/t-1/2")),
            "expected_version": number(full.then_some(4)),
            "actor": text(full.then_some("ada")),
            "on_behalf_of": text(full.then_some("charles")),
            "reply_to": text(full.then_some("bank.transfer/t-1")),
            "payload": payload,
        })
    };
    payloads.iter().enumerate().map(command).collect()
}

#[test]
fn users_were_written() {
    let registered =
        |name: &str| json!({"UserRegistered": {"user_id": ULID, name: "ädä", "email": " U@x "}});
    let payloads = |name| {
        let id = json!({ "user_id": ULID });
        events(&[
            registered(name),
            json!({ "UserDeactivated": id }),
            json!({ "UserReactivated": id }),
        ])
    };
    let id = |topic, version| noted("users", topic, version);
    let first = history!("users", "user.events.v1");
    assert_wrote(first, id("user.events", 1), &payloads("name"));
    let second = history!("users", "user.events.v2");
    assert_wrote(second, id("user.events", 2), &payloads("username"));
    let user = |active| json!({"user_id": ULID, "active": active});
    assert_wrote(
        history!("users", "user.state.v1"),
        id("user.state", 1),
        &states("User", &[user(true), user(false)]),
    );
    let register = |username, email| {
        let fields = json!({"username": text(username), "email": text(email)});
        json!({ "RegisterUser": fields })
    };
    assert_wrote(
        history!("users", "user.commands.v1"),
        id("user.commands", 1),
        &commands(&[
            register(Some("ädä"), Some(" U@x ")),
            register(None, None),
            json!({"DeactivateUser": {}}),
            json!({"ReactivateUser": {}}),
            json!({"RequireActive": {}}),
        ]),
    );
}

#[test]
fn contacts_were_written() {
    let id = |topic| noted("contacts", topic, 1);
    assert_wrote(
        history!("contacts", "contact.events.v1"),
        id("contact.events"),
        &events(&[
            json!({"ContactAdded": {"name": "Ada"}}),
            json!({"ContactUpdated": {"name": "Ädä "}}),
            json!({"ContactDeleted": {}}),
        ]),
    );
    let contact = |deleted| json!({"name": "Ädä ", "deleted": deleted});
    assert_wrote(
        history!("contacts", "contact.state.v1"),
        id("contact.state"),
        &states("Contact", &[contact(false), contact(true)]),
    );
    let named = |kind: &str, name| json!({ kind: {"name": text(name)} });
    assert_wrote(
        history!("contacts", "contact.commands.v1"),
        id("contact.commands"),
        &commands(&[
            named("AddContact", Some("Ädä ")),
            named("AddContact", None),
            named("UpdateContact", Some("Ada")),
            named("UpdateContact", None),
            json!({"DeleteContact": {}}),
        ]),
    );
}

fn stock_events(first: &[Json]) -> Vec<Json> {
    let reserved = json!({"order_id": "o-1", "quantity": 1, "total_price": i64::MAX, "stock": 0});
    let rest = [
        json!({"StockSet": {"stock": i64::MAX}}),
        json!({ "StockReserved": reserved }),
    ];
    events(&[first, &rest].concat())
}

#[test]
fn products_were_written() {
    let id = |topic, version| noted("shop", topic, version);
    let created = json!({"name": "Läptop", "price": 129_999, "stock": 5});
    let placed_in = |category| {
        let mut created = created.clone();
        created["category_id"] = text(category);
        json!({ "ProductCreated": created })
    };
    assert_wrote(
        history!("shop", "product.events.v1"),
        id("product.events", 1),
        &stock_events(&[json!({ "ProductCreated": created })]),
    );
    assert_wrote(
        history!("shop", "product.events.v2"),
        id("product.events", 2),
        &stock_events(&[placed_in(Some("computers")), placed_in(None)]),
    );
    assert_wrote(
        history!("shop", "product.state.v1"),
        id("product.state", 1),
        &states(
            "Product",
            &[
                json!({"price": 129_999, "stock": 0}),
                json!({"price": i64::MAX, "stock": i64::MAX}),
            ],
        ),
    );
    let create = |name, price, stock, category| {
        json!({"CreateProduct": {
            "name": text(name), "price": number(price), "stock": number(stock),
            "category_id": text(category),
        }})
    };
    let set = |stock| json!({"SetStock": {"stock": number(stock)}});
    let reserve =
        |quantity| json!({"ReserveStock": {"order_id": "o-1", "quantity": number(quantity)}});
    assert_wrote(
        history!("shop", "product.commands.v1"),
        id("product.commands", 1),
        &commands(&[
            create(Some("Läptop"), Some(129_999), Some(5), Some("computers")),
            create(None, None, None, None),
            set(Some(i64::MIN)),
            set(None),
            reserve(Some(i64::MAX)),
            reserve(None),
        ]),
    );
}

fn order_events(last: &[Json]) -> Vec<Json> {
    let placed = json!({"user_email": " U@x ", "product_id": "p-1", "quantity": i64::MAX});
    let user_confirmed = json!({"user_id": ULID, "product_id": "p-1", "quantity": 2});
    let first = [
        json!({ "OrderPlaced": placed }),
        json!({ "OrderUserConfirmed": user_confirmed }),
    ];
    events(&[&first, last].concat())
}

#[test]
fn orders_were_written() {
    let id = |topic, version| noted("shop", topic, version);
    let decided = |total_price, reason| {
        json!({"OrderDecided": {
            "total_price": number(total_price), "reason": text(reason), "user_email": " U@x ",
        }})
    };
    assert_wrote(
        history!("shop", "order.events.v1"),
        id("order.events", 1),
        &order_events(&[
            decided(Some(259_998), None),
            decided(None, Some("insufficient_stock")),
            decided(None, None),
            decided(Some(0), Some("insufficient_stock")),
        ]),
    );
    let confirmed = json!({"total_price": i64::MAX, "user_email": " U@x "});
    let rejected = json!({"reason": "user_not_found", "user_email": " U@x "});
    assert_wrote(
        history!("shop", "order.events.v2"),
        id("order.events", 2),
        &order_events(&[
            json!({ "OrderConfirmed": confirmed }),
            json!({ "OrderRejected": rejected }),
        ]),
    );
    let order = |quantity: i64, stage: Json| {
        json!({
            "user_email": " U@x ", "product_id": "p-1", "quantity": quantity, "stage": stage,
        })
    };
    assert_wrote(
        history!("shop", "order.state.v1"),
        id("order.state", 1),
        &states(
            "Order",
            &[
                order(2, json!({"Placed": {}})),
                order(2, json!({"UserConfirmed": {}})),
                order(i64::MAX, json!({"Confirmed": {}})),
                order(2, json!({"Rejected": {"reason": "user_not_found"}})),
            ],
        ),
    );
    let place = |quantity| {
        json!({"PlaceOrder": {
            "user_email": " U@x ", "product_id": "p-1", "quantity": number(quantity),
        }})
    };
    assert_wrote(
        history!("shop", "order.commands.v1"),
        id("order.commands", 1),
        &commands(&[place(Some(2)), place(None)]),
    );
}
