//! `shop.order`.

mod answers;
mod decoding;
mod placing;
mod policy;
mod published;
mod rows;

use millrace_domain::id::Id;
use millrace_domain::shop::order::{
    Order, OrderCommand, OrderConfirmed, OrderEvent, OrderPlaced, OrderPolicy, OrderRejected,
    OrderUserConfirmed, Stage, UserEmail,
};
use millrace_testkit::{Given, given};

/// As typed; it normalises to `u@x`.
const EMAIL: &str = " U@x ";
const ULID: &str = "01HF7YAT00M8CV2K5Q9WXJ3NDZ";

/// `o-1`, to which this has happened.
fn order(events: impl IntoIterator<Item = OrderEvent>) -> Given<Order> {
    given(events).id("o-1")
}

fn place(quantity: Option<i64>) -> OrderCommand {
    OrderCommand::PlaceOrder {
        user_email: UserEmail::try_from(EMAIL.to_owned()).unwrap(),
        product_id: Id::try_from("p-1".to_owned()).unwrap(),
        quantity,
    }
}

fn placed(quantity: i64) -> OrderEvent {
    OrderEvent::OrderPlaced(OrderPlaced {
        user_email: EMAIL.to_owned(),
        product_id: "p-1".to_owned(),
        quantity,
    })
}

fn user_confirmed(quantity: i64) -> OrderEvent {
    OrderEvent::OrderUserConfirmed(OrderUserConfirmed {
        user_id: ULID.to_owned(),
        product_id: "p-1".to_owned(),
        quantity,
    })
}

fn confirmed(total_price: i64) -> OrderEvent {
    OrderEvent::OrderConfirmed(OrderConfirmed {
        total_price,
        user_email: EMAIL.to_owned(),
    })
}

fn rejected(reason: &str) -> OrderEvent {
    OrderEvent::OrderRejected(OrderRejected {
        reason: reason.to_owned(),
        user_email: EMAIL.to_owned(),
    })
}

fn state(quantity: i64, stage: Stage) -> Order {
    Order {
        user_email: EMAIL.to_owned(),
        product_id: "p-1".to_owned(),
        quantity,
        stage,
    }
}

/// Every history that an order can have.
fn histories() -> [Vec<OrderEvent>; 6] {
    [
        vec![],
        vec![placed(2)],
        vec![placed(2), rejected("user_not_found")],
        vec![placed(2), user_confirmed(2)],
        vec![placed(2), user_confirmed(2), rejected("product_not_found")],
        vec![placed(2), user_confirmed(2), confirmed(259_998)],
    ]
}
