//! The projection `orders`: every order as it stands, by id and by user.

use millrace_eventsourcing::{
    Cell, Column, EventEnvelope, Order as Direction, Projection, Row, Stamp, Table,
};

use super::order::{Order, OrderEvent, OrderPlaced, OrderUserConfirmed};
use crate::users::user::normalise_email;

/// One row for each order.
pub static ORDERS: Table = Table {
    name: "orders",
    columns: &[
        Column::text("id"),
        Column::text("user_email"),
        Column::text("product_id"),
        Column::bigint("quantity"),
        Column::bigint("total_price"),
        Column::text("status"),
        Column::text("reason"),
        Column::timestamp("created_at"),
        Column::bigint("version"),
    ],
    partition_key: 1,
    clustering: &[],
    stamp: Stamp::Version,
};

/// The same by the user's normalised address, newest first.
pub static ORDERS_BY_USER: Table = Table {
    name: "orders_by_user",
    columns: &[
        Column::text("user_email"),
        Column::timestamp("created_at"),
        Column::text("id"),
        Column::text("product_id"),
        Column::bigint("quantity"),
        Column::bigint("total_price"),
        Column::text("status"),
    ],
    partition_key: 1,
    clustering: &[Direction::Descending, Direction::Ascending],
    stamp: Stamp::Version,
};

/// Persisted: what `status` says of an order that awaits an answer.
const PENDING: &str = "pending";
/// Persisted: what `status` says of an order whose stock is reserved.
const CONFIRMED: &str = "confirmed";
/// Persisted: what `status` says of an order that somebody refused.
const REJECTED: &str = "rejected";

/// Fills `shop.orders` and `shop.orders_by_user`.
#[derive(Debug)]
pub struct Orders;

impl Projection for Orders {
    type Aggregate = Order;

    const NAME: &'static str = "orders";
    const REVISION: i32 = 1;
    const TABLES: &'static [&'static Table] = &[&ORDERS, &ORDERS_BY_USER];

    /// A confirmed user changes nothing that a row shows, so such an event leaves it alone, its
    /// version included.
    fn project(id: &str, event: &EventEnvelope<OrderEvent>) -> Vec<Row> {
        match &event.payload {
            OrderEvent::OrderPlaced(placed) => placed_rows(id, event, placed),
            OrderEvent::OrderUserConfirmed(OrderUserConfirmed { .. }) => Vec::new(),
            OrderEvent::OrderConfirmed(confirmed) => {
                let ended = Ended {
                    user_email: &confirmed.user_email,
                    status: CONFIRMED,
                    total_price: confirmed.total_price.into(),
                    reason: Cell::Unset,
                };
                ended.rows(id, event)
            }
            OrderEvent::OrderRejected(rejected) => {
                let ended = Ended {
                    user_email: &rejected.user_email,
                    status: REJECTED,
                    total_price: Cell::Unset,
                    reason: Cell::from(&rejected.reason),
                };
                ended.rows(id, event)
            }
        }
    }
}

type Envelope = EventEnvelope<OrderEvent>;

fn placed_rows(id: &str, event: &Envelope, placed: &OrderPlaced) -> Vec<Row> {
    let order = Row::upsert(
        &ORDERS,
        [
            ("id", id.into()),
            ("user_email", Cell::from(&placed.user_email)),
            ("product_id", Cell::from(&placed.product_id)),
            ("quantity", placed.quantity.into()),
            ("status", PENDING.into()),
            ("created_at", event.created_at.into()),
            ("version", event.version.into()),
        ],
    );
    let by_user = Row::upsert(
        &ORDERS_BY_USER,
        [
            (
                "user_email",
                normalise_email(&placed.user_email).as_ref().into(),
            ),
            ("created_at", event.created_at.into()),
            ("id", id.into()),
            ("product_id", Cell::from(&placed.product_id)),
            ("quantity", placed.quantity.into()),
            ("status", PENDING.into()),
        ],
    );
    vec![order, by_user]
}

/// How an order ended.
struct Ended<'a> {
    user_email: &'a str,
    status: &'static str,
    total_price: Cell,
    reason: Cell,
}

impl Ended<'_> {
    fn rows(self, id: &str, event: &Envelope) -> Vec<Row> {
        let order = Row::upsert(
            &ORDERS,
            [
                ("id", id.into()),
                ("total_price", self.total_price.clone()),
                ("status", self.status.into()),
                ("reason", self.reason),
                ("version", event.version.into()),
            ],
        );
        let by_user = Row::upsert(
            &ORDERS_BY_USER,
            [
                (
                    "user_email",
                    normalise_email(self.user_email).as_ref().into(),
                ),
                ("created_at", event.created_at.into()),
                ("id", id.into()),
                ("total_price", self.total_price),
                ("status", self.status.into()),
            ],
        );
        vec![order, by_user]
    }
}
