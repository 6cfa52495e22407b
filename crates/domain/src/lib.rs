//! The bounded contexts as pure business rules.
