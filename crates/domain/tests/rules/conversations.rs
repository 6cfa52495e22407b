//! Whole conversations of accounts, transfers, orders and policies, in any order and repeatedly.

mod bonus;
mod money;
mod shop;
mod transfers;

use millrace_domain::bank::account::{
    Account, AccountCommand, CloseAccount, DepositMoney, OpenAccount, WithdrawMoney,
};
use millrace_domain::bank::bonus::Bonus;
use millrace_domain::bank::transfer::{
    Stage, Transfer, TransferCommand, TransferMoney, TransferPolicy,
};
use millrace_domain::id::Id;
use millrace_testkit::{Order, World};

/// The bank, with nobody in it.
fn bank() -> World {
    World::new()
        .with_aggregate::<Account>()
        .with_aggregate::<Transfer>()
        .with_policy(TransferPolicy)
        .with_policy(Bonus {
            account: "CEO".to_owned(),
            divisor: 100,
            cap: 100_000,
        })
}

/// The bank with these open accounts.
fn bank_of(accounts: &[(&str, i64)]) -> World {
    with_accounts(bank(), accounts)
}

/// The same, where every message arrives twice.
fn repeating_bank_of(accounts: &[(&str, i64)]) -> World {
    with_accounts(bank().delivering_twice(), accounts)
}

fn with_accounts(mut bank: World, accounts: &[(&str, i64)]) -> World {
    for (id, balance) in accounts {
        let open = AccountCommand::OpenAccount(OpenAccount {
            first_name: Some("John".to_owned()),
            last_name: Some("Snow".to_owned()),
            email: Some("john.snow@the.wall".to_owned()),
            password_hash: None,
            initial_balance: Some(*balance),
        });
        bank.send::<Account>(id, &format!("open {id}"), &open);
    }
    bank.run(Order::Sent);
    bank
}

/// The orders in which a conversation must come to the same end.
fn orders() -> impl Iterator<Item = Order> {
    let random = (0..20).flat_map(|seed| [Order::Any(seed), Order::PerKey(seed)]);
    [Order::Sent, Order::Reversed].into_iter().chain(random)
}

/// A conversation told in every order, with and without repetitions, must end well.
fn in_any_order(accounts: &[(&str, i64)], conversation: impl Fn(&mut World, Order)) {
    for order in orders() {
        conversation(&mut bank_of(accounts), order);
        conversation(&mut repeating_bank_of(accounts), order);
    }
}

fn deposit(amount: i64) -> AccountCommand {
    AccountCommand::DepositMoney(DepositMoney {
        amount: Some(amount),
        ..DepositMoney::default()
    })
}

fn withdraw(amount: i64) -> AccountCommand {
    AccountCommand::WithdrawMoney(WithdrawMoney {
        amount: Some(amount),
        reference: None,
    })
}

fn close() -> AccountCommand {
    AccountCommand::CloseAccount(CloseAccount {})
}

fn transfer_money(from: &str, to: &str, amount: i64) -> TransferCommand {
    let id = |text: &str| Id::try_from(text.to_owned()).unwrap();
    TransferCommand::TransferMoney(TransferMoney {
        from_account: id(from),
        to_account: id(to),
        amount: Some(amount),
    })
}

fn balance(bank: &World, account: &str) -> i64 {
    bank.state::<Account>(account).unwrap().balance
}

fn stage(bank: &World, transfer: &str) -> Option<Stage> {
    let transfer = bank.state::<Transfer>(transfer)?;
    Some(transfer.stage)
}

fn failed(reason: &str) -> Stage {
    Stage::Failed {
        reason: reason.to_owned(),
    }
}

/// The code with which the command with this id was refused.
fn code<'a>(bank: &'a World, command_id: &str) -> Option<&'a str> {
    bank.outcome(command_id).unwrap().code.as_deref()
}
