//! The context `shop`: products with their stock, and orders that take from it.

pub mod order;
mod orders;
pub mod product;
mod products;

pub use orders::{ORDERS, ORDERS_BY_USER, Orders};
pub use products::{PRODUCTS, Products};
