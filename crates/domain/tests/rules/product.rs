//! `shop.product`.

mod creating;
mod decoding;
mod published;
mod reserving;
mod rows;
mod stock;

use millrace_domain::id::Id;
use millrace_domain::shop::product::{
    CreateProduct, Product, ProductCommand, ProductCreated, ProductEvent, StockReserved,
};
use millrace_testkit::{Given, given};

const PRICE: i64 = 129_999;

/// `p-1`, to which this has happened.
fn product(events: impl IntoIterator<Item = ProductEvent>) -> Given<Product> {
    given(events).id("p-1")
}

/// `p-1` at a price, with so many pieces.
fn priced(price: i64, stock: i64) -> Given<Product> {
    product([created(price, stock)])
}

fn laptop(price: i64, stock: i64) -> CreateProduct {
    CreateProduct {
        name: Some("Laptop".to_owned()),
        price: Some(price),
        stock: Some(stock),
        category_id: None,
    }
}

fn create(command: CreateProduct) -> ProductCommand {
    ProductCommand::CreateProduct(command)
}

fn set_stock(stock: Option<i64>) -> ProductCommand {
    ProductCommand::SetStock { stock }
}

fn reserve(quantity: Option<i64>) -> ProductCommand {
    ProductCommand::ReserveStock {
        order_id: Id::try_from("o-1".to_owned()).unwrap(),
        quantity,
    }
}

fn created(price: i64, stock: i64) -> ProductEvent {
    ProductEvent::ProductCreated(ProductCreated {
        name: "Laptop".to_owned(),
        price,
        stock,
        category_id: None,
    })
}

fn stock_set(stock: i64) -> ProductEvent {
    ProductEvent::StockSet { stock }
}

fn reserved(quantity: i64, total_price: i64, stock: i64) -> ProductEvent {
    ProductEvent::StockReserved(StockReserved {
        order_id: "o-1".to_owned(),
        quantity,
        total_price,
        stock,
    })
}
