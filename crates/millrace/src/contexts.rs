//! What this program serves.

use millrace_domain::bank::account::Account;
use millrace_domain::bank::accounts::Accounts;

use crate::registry::{Context, Registry};

/// The contexts of this program.
pub fn contexts() -> Registry {
    Registry::new([bank()])
}

fn bank() -> Context {
    Context::new("bank")
        .aggregate::<Account>()
        .projection::<Accounts>()
}
