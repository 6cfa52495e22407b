//! What this program serves.

use millrace_domain::bank::account::Account;
use millrace_domain::bank::accounts::Accounts;
use millrace_domain::bank::bonus::Bonus;
use millrace_domain::bank::thank_you::ThankYou;
use millrace_domain::bank::transfer::{Transfer, TransferPolicy};
use millrace_domain::bank::transfers::Transfers;
use millrace_domain::contacts::Contacts;
use millrace_domain::contacts::contact::Contact;
use millrace_domain::shop::order::{Order, OrderPolicy};
use millrace_domain::shop::product::Product;
use millrace_domain::shop::{Orders, Products};
use millrace_domain::users::Users;
use millrace_domain::users::user::User;

use crate::cli::Post;
use crate::registry::{Context, Registry};

/// The contexts of this program.
pub fn contexts() -> Registry {
    Registry::new([bank().mail_reactor(ThankYou), users(), contacts(), shop()])
}

/// The same, with mails going to a post in this process.
pub(crate) fn with_post(post: Post) -> Registry {
    Registry::new([bank().reactor(ThankYou, post), users(), contacts(), shop()])
}

fn bank() -> Context {
    Context::new("bank")
        .aggregate::<Account>()
        .aggregate::<Transfer>()
        .projection::<Accounts>()
        .projection::<Transfers>()
        .policy_from(|settings| Bonus {
            account: settings.bonus.account.clone(),
            divisor: settings.bonus.divisor,
            cap: settings.bonus.cap,
        })
        .policy(TransferPolicy)
}

fn users() -> Context {
    Context::new("users")
        .aggregate::<User>()
        .projection::<Users>()
}

fn contacts() -> Context {
    Context::new("contacts")
        .aggregate::<Contact>()
        .projection::<Contacts>()
}

fn shop() -> Context {
    Context::new("shop")
        .aggregate::<Product>()
        .aggregate::<Order>()
        .projection::<Products>()
        .projection::<Orders>()
        .policy(OrderPolicy)
}
