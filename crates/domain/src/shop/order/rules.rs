//! The rules of an order. They check in the order in which the codes are published.

use millrace_eventsourcing::Answered;
use serde_json::Value;

use super::{
    Order, OrderConfirmed, OrderEvent, OrderRejected, OrderRejection, OrderUserConfirmed, Stage,
};

/// The quantity. An id is taken for good: an order that was rejected cannot be placed again.
pub(super) fn place(
    order: Option<&Order>,
    quantity: Option<i64>,
    id: &str,
) -> Result<i64, OrderRejection> {
    let quantity = quantity.ok_or(OrderRejection::MissingQuantity)?;
    if quantity <= 0 {
        return Err(OrderRejection::InvalidQuantity(quantity));
    }
    if order.is_some() {
        return Err(OrderRejection::AlreadyExists(id.to_owned()));
    }
    Ok(quantity)
}

/// What the answer to the awaited command leads to. Nothing when the order has ended and awaits no
/// answer.
pub(super) fn answered(
    order: &Order,
    answer: &Answered,
    id: &str,
) -> Option<Result<OrderEvent, OrderRejection>> {
    let unusable = |field| OrderRejection::UnusableAnswer {
        id: id.to_owned(),
        kind: answer.kind.clone(),
        field,
    };
    let told = |field| answer.result.as_ref().and_then(|result| result.get(field));
    let event = match (&order.stage, answer.accepted()) {
        (Stage::Placed {}, Ok(())) => {
            let user_id = told("user_id").and_then(Value::as_str);
            user_id
                .map(|user_id| user_confirmed(order, user_id))
                .ok_or_else(|| unusable("user_id"))
        }
        (Stage::UserConfirmed {}, Ok(())) => {
            let total_price = told("total_price").and_then(Value::as_i64);
            total_price
                .map(|total_price| confirmed(order, total_price))
                .ok_or_else(|| unusable("total_price"))
        }
        (Stage::Placed {}, Err("not_found")) => Ok(rejected(order, "user_not_found")),
        (Stage::UserConfirmed {}, Err("not_found")) => Ok(rejected(order, "product_not_found")),
        (Stage::Placed {} | Stage::UserConfirmed {}, Err(code)) => Ok(rejected(order, code)),
        (Stage::Confirmed {} | Stage::Rejected { .. }, Ok(()) | Err(_)) => return None,
    };
    Some(event)
}

fn user_confirmed(order: &Order, user_id: &str) -> OrderEvent {
    OrderEvent::OrderUserConfirmed(OrderUserConfirmed {
        user_id: user_id.to_owned(),
        product_id: order.product_id.clone(),
        quantity: order.quantity,
    })
}

fn confirmed(order: &Order, total_price: i64) -> OrderEvent {
    OrderEvent::OrderConfirmed(OrderConfirmed {
        total_price,
        user_email: order.user_email.clone(),
    })
}

fn rejected(order: &Order, reason: &str) -> OrderEvent {
    OrderEvent::OrderRejected(OrderRejected {
        reason: reason.to_owned(),
        user_email: order.user_email.clone(),
    })
}
