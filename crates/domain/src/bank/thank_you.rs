//! The reactor `bank.reactor.thank-you`: a mail to the owner for every deposit.

use millrace_eventsourcing::{
    Aggregate as _, EventEnvelope, Mail, Reactor, event_id, follow_up_id,
};

use super::account::{Account, AccountClosed, AccountEvent, MoneyDeposited};

/// One mail for every deposit without a reference, to the owner's address at that time. A deposit
/// with a reference is a consequence of something else, and nobody to thank for.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThankYou;

impl Reactor for ThankYou {
    type Aggregate = Account;
    type Action = Mail;

    const NAME: &'static str = "bank.reactor.thank-you";
    const DEPENDENCY: &'static str = "mail server";

    fn react(&self, id: &str, event: &EventEnvelope<AccountEvent>) -> Option<Mail> {
        let deposited = match &event.payload {
            AccountEvent::MoneyDeposited(deposited) => deposited,
            AccountEvent::AccountOpened(_)
            | AccountEvent::MoneyWithdrawn(_)
            | AccountEvent::MoneyRefunded(_)
            | AccountEvent::EmailAddressChanged(_)
            | AccountEvent::PasswordChanged(_)
            | AccountEvent::AccountClosed(AccountClosed {}) => return None,
        };
        if deposited.reference.is_some() {
            return None;
        }
        let cause = event_id(Account::NAME, id, event.version);
        Some(Mail {
            id: follow_up_id(Self::NAME, &cause, 0),
            date: event.recorded_at,
            to: deposited.email.clone(),
            subject: "Thank you for your deposit".to_owned(),
            body: body(id, deposited),
        })
    }
}

/// The id is the one text in it that others chose: it is short and of one line, and stands in the
/// middle of ours. What was typed as a name or a reference stays out.
fn body(id: &str, deposited: &MoneyDeposited) -> String {
    let MoneyDeposited {
        amount, balance, ..
    } = deposited;
    format!(
        "Thank you for your deposit of {amount} to the account {id}.\n\
         The new balance is {balance}.\n\
         \n\
         Both are counted in minor units, such as cents.\n"
    )
}
