//! The aggregate `bank.transfer`: one movement of money from an account to another.
//!
//! A process manager: [`TransferPolicy`] asks the accounts in its name, and their answers move it
//! on. The sender is asked first, so no money is created; what the receiver refuses goes back to
//! the sender, so none is lost.
//!
//! | stage | asked for | accepted | refused |
//! | --- | --- | --- | --- |
//! | requested | a withdrawal | withdrawn | failed |
//! | withdrawn | a deposit | completed | deposit refused |
//! | deposit refused | a refund | failed | stays, and is counted as `refund_refused` |

mod command;
mod event;
mod policy;
mod rejection;
mod rules;

use millrace_eventsourcing::{Aggregate, Answered, Context, Decision, Policy, Schemas};
use serde::{Deserialize, Serialize};

pub use command::{TransferCommand, TransferMoney};
pub use event::{
    TransferCompleted, TransferDepositRefused, TransferEvent, TransferFailed, TransferRequested,
    TransferWithdrawn,
};
pub use policy::TransferPolicy;
pub use rejection::TransferRejection;

/// A transfer that was requested. Field names and order are those of its published state schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// The sender.
    pub from_account: String,
    /// The receiver.
    pub to_account: String,
    /// How much.
    pub amount: i64,
    /// How far it has come.
    pub stage: Stage,
}

/// How far a transfer has come. Variants are records of the published state schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// The sender is asked for the money.
    Requested {},
    /// The sender has paid, the receiver is asked to take it.
    Withdrawn {},
    /// The receiver has refused, the sender is asked to take it back.
    DepositRefused {
        /// The code with which the receiver refused.
        reason: String,
    },
    /// The receiver has the money.
    Completed {},
    /// The sender has the money.
    Failed {
        /// The code with which the sender or the receiver refused.
        reason: String,
    },
}

impl Aggregate for Transfer {
    const NAME: &'static str = "bank.transfer";
    const SCHEMAS: Schemas = Schemas {
        commands: include_str!("../../../../schemas/bank/transfer.commands.avsc"),
        events: include_str!("../../../../schemas/bank/transfer.events.avsc"),
        state: include_str!("../../../../schemas/bank/transfer.state.avsc"),
    };

    type Command = TransferCommand;
    type Event = TransferEvent;
    type Rejection = TransferRejection;

    fn decide(
        state: Option<&Self>,
        command: &TransferCommand,
        context: &Context<'_>,
    ) -> Result<Decision<TransferEvent>, TransferRejection> {
        let event = match command {
            TransferCommand::TransferMoney(command) => {
                TransferEvent::TransferRequested(rules::request(state, command, context.id)?)
            }
        };
        Ok(Decision::from(event))
    }

    /// Every event either asks for one command or ends the transfer, so the command that is awaited
    /// is the one that the last event asked for.
    fn on_answer(
        state: Option<&Self>,
        answer: &Answered,
        context: &Context<'_>,
    ) -> Option<Result<Decision<TransferEvent>, TransferRejection>> {
        let transfer = state?;
        let awaited = context.follow_up_id(TransferPolicy::NAME, context.version, 0);
        if answer.command_id != awaited {
            return None;
        }
        let event = rules::answered(transfer, answer.accepted(), context.id)?;
        Some(event.map(Decision::from))
    }

    /// What happened to a transfer that was never requested leaves it so; `decide` never says such
    /// a thing.
    fn evolve(state: Option<Self>, event: &TransferEvent) -> Option<Self> {
        let reached = |stage| state.map(|transfer| Self { stage, ..transfer });
        match event {
            TransferEvent::TransferRequested(requested) => Some(Self {
                from_account: requested.from_account.clone(),
                to_account: requested.to_account.clone(),
                amount: requested.amount,
                stage: Stage::Requested {},
            }),
            TransferEvent::TransferWithdrawn(_) => reached(Stage::Withdrawn {}),
            TransferEvent::TransferCompleted(TransferCompleted {}) => reached(Stage::Completed {}),
            TransferEvent::TransferDepositRefused(refused) => reached(Stage::DepositRefused {
                reason: refused.reason.clone(),
            }),
            TransferEvent::TransferFailed(failed) => reached(Stage::Failed {
                reason: failed.reason.clone(),
            }),
        }
    }
}
