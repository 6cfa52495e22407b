//! The policy `shop.policy.order`: asks the user and the product in an order's name.

use millrace_eventsourcing::{Aggregate as _, EventEnvelope, FollowUp, Policy};

use super::{Order, OrderConfirmed, OrderEvent, OrderPlaced, OrderRejected, OrderUserConfirmed};
use crate::id::Id;
use crate::shop::product::{Product, ProductCommand};
use crate::users::user::{User, UserCommand, normalise_email};

/// Turns each step of an order into the one command that it takes next. The answer goes to the
/// order, which finds it by the command's id, so a reaction never has more than one command.
#[derive(Debug, Clone, Copy, Default)]
pub struct OrderPolicy;

impl Policy for OrderPolicy {
    type Aggregate = Order;

    const NAME: &'static str = "shop.policy.order";
    const TARGETS: &'static [&'static str] = &[User::NAME, Product::NAME];

    fn react(&self, id: &str, event: &EventEnvelope<OrderEvent>) -> Vec<FollowUp> {
        let asked = match &event.payload {
            OrderEvent::OrderPlaced(placed) => Some(require_active(placed)),
            OrderEvent::OrderUserConfirmed(confirmed) => reserve_stock(id, confirmed),
            OrderEvent::OrderConfirmed(OrderConfirmed { .. })
            | OrderEvent::OrderRejected(OrderRejected { .. }) => None,
        };
        let asked = asked.map(|command| command.answered_to::<Order>(id));
        asked.into_iter().collect()
    }
}

fn require_active(placed: &OrderPlaced) -> FollowUp {
    let user = normalise_email(&placed.user_email);
    FollowUp::to::<User>(user, &UserCommand::RequireActive {})
}

/// Nothing for an order whose own id is none, which no worker decides.
fn reserve_stock(id: &str, confirmed: &OrderUserConfirmed) -> Option<FollowUp> {
    let command = ProductCommand::ReserveStock {
        order_id: Id::try_from(id.to_owned()).ok()?,
        quantity: Some(confirmed.quantity),
    };
    Some(FollowUp::to::<Product>(&confirmed.product_id, &command))
}
