//! The bounded contexts as pure business rules.
//!
//! Each context is a module; in it one file for each aggregate and each projection. Nothing here
//! reads a clock, waits, or knows how events are stored: the same command on the same state is
//! always decided the same way.

pub mod bank;
pub mod contacts;
mod email;
pub mod id;
pub mod shop;
mod text;
pub mod users;
