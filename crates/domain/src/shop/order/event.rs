//! What happened to an order.
//!
//! Field names and order are those of the published event schema. [`super::OrderPolicy`] has no
//! memory, so an event carries all that the command which follows from it needs, and the keys of
//! the rows that it changes.

use serde::{Deserialize, Serialize};

/// A fact about one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Published")]
pub enum OrderEvent {
    /// See [`OrderPlaced`].
    OrderPlaced(OrderPlaced),
    /// See [`OrderUserConfirmed`].
    OrderUserConfirmed(OrderUserConfirmed),
    /// See [`OrderConfirmed`].
    OrderConfirmed(OrderConfirmed),
    /// See [`OrderRejected`].
    OrderRejected(OrderRejected),
}

/// Somebody wants to buy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPlaced {
    /// Who, as typed.
    pub user_email: String,
    /// What.
    pub product_id: String,
    /// How many pieces.
    pub quantity: i64,
}

/// The user may buy; the stock is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderUserConfirmed {
    /// The user's own id.
    pub user_id: String,
    /// What is asked for.
    pub product_id: String,
    /// How many pieces.
    pub quantity: i64,
}

/// The stock belongs to the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderConfirmed {
    /// What the pieces cost together, in minor units.
    pub total_price: i64,
    /// Who ordered, as typed.
    pub user_email: String,
}

/// Nothing was reserved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRejected {
    /// The code that the order gives for it.
    pub reason: String,
    /// Who ordered, as typed.
    pub user_email: String,
}

/// Every fact that was ever published.
#[derive(Deserialize)]
#[expect(
    clippy::enum_variant_names,
    reason = "the names of events stand alone in topics and tables"
)]
enum Published {
    OrderPlaced(OrderPlaced),
    OrderUserConfirmed(OrderUserConfirmed),
    OrderConfirmed(OrderConfirmed),
    OrderRejected(OrderRejected),
    /// Of the first published schema: confirmed when there is a price, else rejected. Facts stay,
    /// so it is read for ever; it is not written any more.
    OrderDecided {
        total_price: Option<i64>,
        reason: Option<String>,
        user_email: String,
    },
}

/// The upcast: what was said in earlier words, said in today's.
impl From<Published> for OrderEvent {
    fn from(published: Published) -> Self {
        match published {
            Published::OrderPlaced(placed) => Self::OrderPlaced(placed),
            Published::OrderUserConfirmed(confirmed) => Self::OrderUserConfirmed(confirmed),
            Published::OrderConfirmed(confirmed) => Self::OrderConfirmed(confirmed),
            Published::OrderRejected(rejected) => Self::OrderRejected(rejected),
            Published::OrderDecided {
                total_price: Some(total_price),
                reason: _,
                user_email,
            } => Self::OrderConfirmed(OrderConfirmed {
                total_price,
                user_email,
            }),
            Published::OrderDecided {
                total_price: None,
                reason,
                user_email,
            } => Self::OrderRejected(OrderRejected {
                reason: reason.unwrap_or_default(),
                user_email,
            }),
        }
    }
}
