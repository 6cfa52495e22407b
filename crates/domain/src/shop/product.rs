//! The aggregate `shop.product`: one product with its price and its stock. Stock is reserved here,
//! inside the product, so that no order can take what another one has.

mod rejection;
mod rules;

use millrace_eventsourcing::{Aggregate, Context, Decision, Schemas};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::id::Id;

pub use rejection::ProductRejection;

/// What the rules must know of a product. Field names and order are those of the published state
/// schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Of one piece, in minor units; above 0.
    pub price: i64,
    /// Pieces that nobody has reserved; never negative.
    pub stock: i64,
}

/// A command to one product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ProductCommand {
    /// Offers a product under an id that was never used.
    CreateProduct(CreateProduct),
    /// Says how many pieces there are.
    #[serde(alias = "UpdateProductStock")]
    SetStock {
        /// 0 or more.
        stock: Option<i64>,
    },
    /// Takes pieces for an order.
    ReserveStock {
        /// Whose they are; an order that names none cannot be read.
        order_id: Id,
        /// Above 0.
        quantity: Option<i64>,
    },
}

/// Offers a product.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateProduct {
    /// Not blank.
    pub name: Option<String>,
    /// Of one piece, in minor units; above 0.
    pub price: Option<i64>,
    /// 0 or more.
    pub stock: Option<i64>,
    /// Where it is shown; nothing while it has no place.
    pub category_id: Option<String>,
}

/// A fact about one product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProductEvent {
    /// See [`ProductCreated`].
    ProductCreated(ProductCreated),
    /// There are so many pieces.
    StockSet {
        /// Pieces.
        stock: i64,
    },
    /// See [`StockReserved`].
    StockReserved(StockReserved),
}

/// It is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductCreated {
    /// As typed.
    pub name: String,
    /// Of one piece, in minor units.
    pub price: i64,
    /// Pieces.
    pub stock: i64,
    /// Where it is shown.
    pub category_id: Option<String>,
}

/// Pieces belong to an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockReserved {
    /// Whose they are.
    pub order_id: String,
    /// How many.
    pub quantity: i64,
    /// What they cost together, in minor units.
    pub total_price: i64,
    /// Pieces that are left.
    pub stock: i64,
}

impl Aggregate for Product {
    const NAME: &'static str = "shop.product";
    const SCHEMAS: Schemas = Schemas {
        commands: include_str!("../../../../schemas/shop/product.commands.avsc"),
        events: include_str!("../../../../schemas/shop/product.events.avsc"),
        state: include_str!("../../../../schemas/shop/product.state.avsc"),
    };

    type Command = ProductCommand;
    type Event = ProductEvent;
    type Rejection = ProductRejection;

    /// A reservation tells what it costs and what is left.
    fn decide(
        state: Option<&Self>,
        command: &ProductCommand,
        context: &Context<'_>,
    ) -> Result<Decision<ProductEvent>, ProductRejection> {
        match command {
            ProductCommand::CreateProduct(command) => {
                let created = rules::create(state, command, context.id)?;
                Ok(ProductEvent::ProductCreated(created).into())
            }
            ProductCommand::SetStock { stock } => {
                let stock = rules::set_stock(state, *stock, context.id)?;
                Ok(ProductEvent::StockSet { stock }.into())
            }
            ProductCommand::ReserveStock { order_id, quantity } => {
                let order = (order_id, *quantity);
                let reserved = rules::reserve(state, order, context.id)?;
                let StockReserved {
                    total_price, stock, ..
                } = reserved;
                let result = json!({ "total_price": total_price, "stock": stock });
                let event = ProductEvent::StockReserved(reserved);
                Ok(Decision::from(event).with_result(result))
            }
        }
    }

    /// Events carry the stock that they lead to, so nothing is added up here. What happened to a
    /// product that was never created leaves it so; `decide` never says such a thing.
    fn evolve(state: Option<Self>, event: &ProductEvent) -> Option<Self> {
        match event {
            ProductEvent::ProductCreated(created) => Some(Self {
                price: created.price,
                stock: created.stock,
            }),
            ProductEvent::StockSet { stock }
            | ProductEvent::StockReserved(StockReserved { stock, .. }) => Some(Self {
                stock: *stock,
                ..state?
            }),
        }
    }
}
