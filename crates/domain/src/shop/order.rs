//! The aggregate `shop.order`: one order, from its placing to its confirmation or rejection.
//!
//! A process manager: [`OrderPolicy`] asks the user and the product in its name, and their answers
//! move it on. Each step has its own exit.
//!
//! | stage | asked for | accepted | refused |
//! | --- | --- | --- | --- |
//! | placed | an active user | user confirmed | rejected |
//! | user confirmed | a reservation of stock | confirmed | rejected |

mod event;
mod policy;
mod rejection;
mod rules;
mod user_email;

use millrace_eventsourcing::{Aggregate, Answered, Context, Decision, Policy, Schemas};
use serde::{Deserialize, Serialize};

use crate::id::Id;

pub use event::{OrderConfirmed, OrderEvent, OrderPlaced, OrderRejected, OrderUserConfirmed};
pub use policy::OrderPolicy;
pub use rejection::OrderRejection;
pub use user_email::{UserEmail, UserEmailError};

/// An order that was placed. Field names and order are those of its published state schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Who ordered, as typed.
    pub user_email: String,
    /// What.
    pub product_id: String,
    /// How many pieces.
    pub quantity: i64,
    /// How far it has come.
    pub stage: Stage,
}

/// How far an order has come. Variants are records of the published state schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// The user is asked for.
    Placed {},
    /// The product is asked for stock.
    UserConfirmed {},
    /// The stock belongs to the order.
    Confirmed {},
    /// Somebody refused.
    Rejected {
        /// The code that the order gives for it.
        reason: String,
    },
}

/// A command to one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum OrderCommand {
    /// Places an order under an id that was never used.
    PlaceOrder {
        /// Who orders. A command that names nobody cannot be read.
        user_email: UserEmail,
        /// What. A command that names nothing cannot be read.
        product_id: Id,
        /// How many pieces; above 0.
        quantity: Option<i64>,
    },
}

impl Aggregate for Order {
    const NAME: &'static str = "shop.order";
    const SCHEMAS: Schemas = Schemas {
        commands: include_str!("../../../../schemas/shop/order.commands.avsc"),
        events: include_str!("../../../../schemas/shop/order.events.avsc"),
        state: include_str!("../../../../schemas/shop/order.state.avsc"),
    };

    type Command = OrderCommand;
    type Event = OrderEvent;
    type Rejection = OrderRejection;

    fn decide(
        state: Option<&Self>,
        command: &OrderCommand,
        context: &Context<'_>,
    ) -> Result<Decision<OrderEvent>, OrderRejection> {
        let OrderCommand::PlaceOrder {
            user_email,
            product_id,
            quantity,
        } = command;
        let quantity = rules::place(state, *quantity, context.id)?;
        let placed = OrderEvent::OrderPlaced(OrderPlaced {
            user_email: user_email.to_string(),
            product_id: product_id.to_string(),
            quantity,
        });
        Ok(Decision::from(placed))
    }

    /// Every event either asks for one command or ends the order, so the command that is awaited is
    /// the one that the last event asked for.
    fn on_answer(
        state: Option<&Self>,
        answer: &Answered,
        context: &Context<'_>,
    ) -> Option<Result<Decision<OrderEvent>, OrderRejection>> {
        let order = state?;
        let awaited = context.follow_up_id(OrderPolicy::NAME, context.version, 0);
        if answer.command_id != awaited {
            return None;
        }
        let event = rules::answered(order, answer, context.id)?;
        Some(event.map(Decision::from))
    }

    /// What happened to an order that was never placed leaves it so; `decide` never says such a
    /// thing.
    fn evolve(state: Option<Self>, event: &OrderEvent) -> Option<Self> {
        let reached = |stage| state.map(|order| Self { stage, ..order });
        match event {
            OrderEvent::OrderPlaced(placed) => Some(Self {
                user_email: placed.user_email.clone(),
                product_id: placed.product_id.clone(),
                quantity: placed.quantity,
                stage: Stage::Placed {},
            }),
            OrderEvent::OrderUserConfirmed(_) => reached(Stage::UserConfirmed {}),
            OrderEvent::OrderConfirmed(_) => reached(Stage::Confirmed {}),
            OrderEvent::OrderRejected(rejected) => reached(Stage::Rejected {
                reason: rejected.reason.clone(),
            }),
        }
    }
}
