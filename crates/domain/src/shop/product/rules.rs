//! The rules of a product. They check in the order in which the codes are published.

use super::{CreateProduct, Product, ProductCreated, ProductRejection, StockReserved};
use crate::id::Id;
use crate::text::filled;

pub(super) fn create(
    product: Option<&Product>,
    command: &CreateProduct,
    id: &str,
) -> Result<ProductCreated, ProductRejection> {
    let name = filled(command.name.as_deref()).ok_or(ProductRejection::NameRequired)?;
    let price = at_least(1, command.price, ("price", "invalid_price"))?;
    let stock = at_least(0, command.stock, ("stock", "invalid_stock"))?;
    if product.is_some() {
        return Err(ProductRejection::AlreadyExists(id.to_owned()));
    }
    Ok(ProductCreated {
        name: name.to_owned(),
        price,
        stock,
        category_id: command.category_id.clone(),
    })
}

pub(super) fn set_stock(
    product: Option<&Product>,
    stock: Option<i64>,
    id: &str,
) -> Result<i64, ProductRejection> {
    let stock = at_least(0, stock, ("stock", "invalid_stock"))?;
    known(product, id)?;
    Ok(stock)
}

pub(super) fn reserve(
    product: Option<&Product>,
    (order_id, quantity): (&Id, Option<i64>),
    id: &str,
) -> Result<StockReserved, ProductRejection> {
    let Product { price, stock } = *known(product, id)?;
    let quantity = at_least(1, quantity, ("quantity", "invalid_quantity"))?;
    if quantity > stock {
        return Err(ProductRejection::InsufficientStock {
            id: id.to_owned(),
            needed: quantity,
            available: stock,
        });
    }
    let total_price = price.checked_mul(quantity);
    let total_price = total_price.ok_or(ProductRejection::AmountOverflow { quantity, price })?;
    Ok(StockReserved {
        order_id: order_id.to_string(),
        quantity,
        total_price,
        stock: stock - quantity,
    })
}

fn known<'a>(product: Option<&'a Product>, id: &str) -> Result<&'a Product, ProductRejection> {
    product.ok_or_else(|| ProductRejection::NotFound(id.to_owned()))
}

fn at_least(
    min: i64,
    given: Option<i64>,
    (field, code): (&'static str, &'static str),
) -> Result<i64, ProductRejection> {
    given
        .filter(|given| *given >= min)
        .ok_or(ProductRejection::OutOfRange {
            code,
            field,
            given,
            min,
        })
}
