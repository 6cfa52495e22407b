//! The context `users`: who is registered under which e-mail address, and who is active.

mod projection;
pub mod user;

pub use projection::{USERS, USERS_BY_EMAIL, USERS_NEWEST_FIRST, Users};
