//! The projection `products`: every product as it stands.

use millrace_eventsourcing::{Cell, Column, EventEnvelope, Projection, Row, Stamp, Table};

use super::product::{Product, ProductEvent, StockReserved};

/// One row for each product.
pub static PRODUCTS: Table = Table {
    name: "products",
    columns: &[
        Column::text("id"),
        Column::text("name"),
        Column::bigint("price"),
        Column::bigint("stock"),
        Column::text("category_id"),
        Column::bigint("version"),
        Column::timestamp("updated_at"),
    ],
    partition_key: 1,
    clustering: &[],
    stamp: Stamp::Version,
};

/// Fills `shop.products`.
#[derive(Debug)]
pub struct Products;

impl Projection for Products {
    type Aggregate = Product;

    const NAME: &'static str = "products";
    const REVISION: i32 = 1;
    const TABLES: &'static [&'static Table] = &[&PRODUCTS];

    fn project(id: &str, event: &EventEnvelope<ProductEvent>) -> Vec<Row> {
        let row = match &event.payload {
            ProductEvent::ProductCreated(created) => Row::upsert(
                &PRODUCTS,
                [
                    ("id", id.into()),
                    ("name", Cell::from(&created.name)),
                    ("price", created.price.into()),
                    ("stock", created.stock.into()),
                    ("category_id", created.category_id.clone().into()),
                    ("version", event.version.into()),
                    ("updated_at", event.recorded_at.into()),
                ],
            ),
            ProductEvent::StockSet { stock }
            | ProductEvent::StockReserved(StockReserved { stock, .. }) => Row::upsert(
                &PRODUCTS,
                [
                    ("id", id.into()),
                    ("stock", (*stock).into()),
                    ("version", event.version.into()),
                    ("updated_at", event.recorded_at.into()),
                ],
            ),
        };
        vec![row]
    }
}
