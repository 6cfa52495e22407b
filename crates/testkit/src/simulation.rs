//! Workers on a broker in memory, moved step by step by a test or by chance.

mod worker;

pub use worker::Worker;
