//! The context `bank`: accounts, and what is read about them.

pub mod account;
pub mod accounts;
