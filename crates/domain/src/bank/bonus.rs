//! The policy `bank.policy.bonus`: who runs the bank gets a share of what its customers pay in.

use millrace_eventsourcing::{Aggregate as _, EventEnvelope, FollowUp, Policy, event_id};

use super::account::{
    Account, AccountClosed, AccountCommand, AccountEvent, DepositMoney, MoneyDeposited, Reference,
};

/// For every deposit without a reference, a share of it goes to one account, until that account
/// holds enough. It refuses the share by itself then, and that ends it: nobody awaits the answer.
///
/// A deposit with a reference was itself a consequence, of a transfer or of this policy, and a
/// direct one to the bonus account is no customer's: neither has a bonus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bonus {
    /// The account that gets it.
    pub account: String,
    /// One part in how many is its share; below 1: none.
    pub divisor: i64,
    /// The balance from which on it gets no more.
    pub cap: i64,
}

impl Policy for Bonus {
    type Aggregate = Account;

    const NAME: &'static str = "bank.policy.bonus";
    const TARGETS: &'static [&'static str] = &[Account::NAME];

    fn react(&self, id: &str, event: &EventEnvelope<AccountEvent>) -> Vec<FollowUp> {
        let deposited = match &event.payload {
            AccountEvent::MoneyDeposited(deposited) => deposited,
            AccountEvent::AccountOpened(_)
            | AccountEvent::MoneyWithdrawn(_)
            | AccountEvent::MoneyRefunded(_)
            | AccountEvent::EmailAddressChanged(_)
            | AccountEvent::PasswordChanged(_)
            | AccountEvent::AccountClosed(AccountClosed {}) => return Vec::new(),
        };
        if id == self.account || deposited.reference.is_some() {
            return Vec::new();
        }
        let Some(share) = self.share(deposited) else {
            return Vec::new();
        };
        let cause = event_id(Account::NAME, id, event.version);
        let command = AccountCommand::DepositMoney(DepositMoney {
            amount: Some(share),
            reference: Some(Reference::of("bonus", &cause)),
            below_balance: Some(self.cap),
        });
        vec![FollowUp::to::<Account>(&self.account, &command)]
    }
}

impl Bonus {
    /// Rounded down; nothing when that leaves nothing.
    fn share(&self, deposited: &MoneyDeposited) -> Option<i64> {
        let share = deposited.amount.checked_div(self.divisor)?;
        (share > 0).then_some(share)
    }
}
