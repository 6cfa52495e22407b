//! An account that cannot always be relied on: some amounts make its rules panic, or do what no
//! account does.

use std::borrow::Cow;
use std::fmt;

use millrace_domain::bank::account::{
    Account, AccountCommand, AccountEvent, AccountRejection, DepositMoney,
};
use millrace_eventsourcing::{Aggregate, Context, Decision, Rejection, Schemas};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// `decide` panics.
pub(crate) const DECIDE_PANICS: i64 = 666;
/// `decide` says yes, and `evolve` panics at its event.
pub(crate) const EVOLVE_PANICS: i64 = 667;
/// Accepted without event, with a result.
pub(crate) const NOTHING: i64 = 700;
/// Accepted with three events and a result.
pub(crate) const THREE: i64 = 703;
/// Refused with a very long sentence.
pub(crate) const LONG_WORDS: i64 = 710;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Moody(Account);

#[derive(Debug)]
pub(crate) enum MoodyRejection {
    Account(AccountRejection),
    LongWords,
}

impl fmt::Display for MoodyRejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(rejection) => rejection.fmt(formatter),
            Self::LongWords => formatter.write_str(&"é".repeat(1_000)),
        }
    }
}

impl Rejection for MoodyRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Account(rejection) => rejection.code(),
            Self::LongWords => "long_words",
        }
    }
}

impl Aggregate for Moody {
    const NAME: &'static str = "test.moody";
    const SCHEMAS: Schemas = Account::SCHEMAS;
    type Command = AccountCommand;
    type Event = AccountEvent;
    type Rejection = MoodyRejection;

    fn normalise_id(id: &str) -> Cow<'_, str> {
        id.trim().to_ascii_lowercase().into()
    }

    fn decide(
        state: Option<&Self>,
        command: &AccountCommand,
        context: &Context<'_>,
    ) -> Result<Decision<AccountEvent>, MoodyRejection> {
        let account = state.map(|Self(account)| account);
        let amount = match command {
            AccountCommand::DepositMoney(DepositMoney { amount, .. }) => amount.unwrap_or(0),
            AccountCommand::OpenAccount(_)
            | AccountCommand::WithdrawMoney(_)
            | AccountCommand::RefundMoney(_)
            | AccountCommand::ChangeEmailAddress(_)
            | AccountCommand::ChangePassword(_)
            | AccountCommand::CloseAccount(_) => 0,
        };
        match amount {
            DECIDE_PANICS => panic!("the rules are broken"),
            LONG_WORDS => return Err(MoodyRejection::LongWords),
            NOTHING => return Ok(Decision::nothing().with_result(json!({"seen": true}))),
            _ => {}
        }
        let mut decision =
            Account::decide(account, command, context).map_err(MoodyRejection::Account)?;
        if amount == THREE {
            let event = decision.events[0].clone();
            decision.events.extend([event.clone(), event]);
            decision = decision.with_result(json!({"events": [1, 2, 3]}));
        }
        Ok(decision)
    }

    fn evolve(state: Option<Self>, event: &AccountEvent) -> Option<Self> {
        if let AccountEvent::MoneyDeposited(deposited) = event {
            assert!(deposited.amount != EVOLVE_PANICS, "evolve is broken");
        }
        Account::evolve(state.map(|Self(account)| account), event).map(Self)
    }
}
