//! The context `bank`: accounts, transfers between them, what follows from deposits, and what is
//! read about it all.

pub mod account;
pub mod accounts;
pub mod bonus;
pub mod thank_you;
pub mod transfer;
pub mod transfers;
