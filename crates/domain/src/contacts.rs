//! The context `contacts`: names that come, change and go.

pub mod contact;
mod projection;

pub use projection::{CONTACTS, CONTACTS_BY_ADDED, Contacts};
