//! The projection `accounts`: every account as it stands, and every user beside it.
//!
//! `version` and `updated_at` are those of the last event that changed a row of that table. A new
//! password is none of what `accounts` shows, and money is none of what `users` shows, so these
//! events leave the other table's row alone, its version included.

use millrace_eventsourcing::{Cell, Column, EventEnvelope, Projection, Row, Stamp, Table};

use super::account::{Account, AccountClosed, AccountEvent, AccountOpened, PasswordHash};

/// One row for each account, open or closed.
pub static ACCOUNTS: Table = Table {
    name: "accounts",
    columns: &[
        Column::text("id"),
        Column::text("first_name"),
        Column::text("last_name"),
        Column::text("email"),
        Column::bigint("balance"),
        Column::text("status"),
        Column::timestamp("opened_at"),
        Column::bigint("version"),
        Column::timestamp("updated_at"),
    ],
    partition_key: 1,
    clustering: &[],
    stamp: Stamp::Version,
};

/// One row for each owner, under the account's id.
pub static USERS: Table = Table {
    name: "users",
    columns: &[
        Column::text("id"),
        Column::text("first_name"),
        Column::text("last_name"),
        Column::text("email"),
        Column::text("password_hash"),
        Column::bigint("version"),
        Column::timestamp("updated_at"),
    ],
    partition_key: 1,
    clustering: &[],
    stamp: Stamp::Version,
};

/// Persisted: what `status` says of an account.
const OPEN: &str = "open";
/// Persisted: what `status` says of a closed account.
const CLOSED: &str = "closed";

/// Fills `bank.accounts` and `bank.users`.
#[derive(Debug)]
pub struct Accounts;

impl Projection for Accounts {
    type Aggregate = Account;

    const NAME: &'static str = "accounts";
    const REVISION: i32 = 1;
    const TABLES: &'static [&'static Table] = &[&ACCOUNTS, &USERS];

    fn project(id: &str, event: &EventEnvelope<AccountEvent>) -> Vec<Row> {
        let changed = |table, column, value| changed(table, id, event, (column, value));
        match &event.payload {
            AccountEvent::AccountOpened(opened) => {
                vec![
                    opened_account(id, event, opened),
                    opened_user(id, event, opened),
                ]
            }
            AccountEvent::MoneyDeposited(deposited) => {
                vec![changed(&ACCOUNTS, "balance", deposited.balance.into())]
            }
            AccountEvent::MoneyWithdrawn(withdrawn) => {
                vec![changed(&ACCOUNTS, "balance", withdrawn.balance.into())]
            }
            AccountEvent::MoneyRefunded(refunded) => {
                vec![changed(&ACCOUNTS, "balance", refunded.balance.into())]
            }
            AccountEvent::EmailAddressChanged(replaced) => vec![
                changed(&ACCOUNTS, "email", Cell::from(&replaced.email)),
                changed(&USERS, "email", Cell::from(&replaced.email)),
            ],
            AccountEvent::PasswordChanged(replaced) => {
                let hash = replaced.password_hash.as_str().into();
                vec![changed(&USERS, "password_hash", hash)]
            }
            AccountEvent::AccountClosed(AccountClosed {}) => {
                vec![changed(&ACCOUNTS, "status", CLOSED.into())]
            }
        }
    }
}

type Envelope = EventEnvelope<AccountEvent>;

fn opened_account(id: &str, event: &Envelope, opened: &AccountOpened) -> Row {
    Row::upsert(
        &ACCOUNTS,
        [
            ("id", id.into()),
            ("first_name", Cell::from(&opened.first_name)),
            ("last_name", Cell::from(&opened.last_name)),
            ("email", Cell::from(&opened.email)),
            ("balance", opened.initial_balance.into()),
            ("status", OPEN.into()),
            ("opened_at", event.created_at.into()),
            ("version", event.version.into()),
            ("updated_at", event.recorded_at.into()),
        ],
    )
}

fn opened_user(id: &str, event: &Envelope, opened: &AccountOpened) -> Row {
    let password_hash = opened.password_hash.as_ref().map(PasswordHash::as_str);
    Row::upsert(
        &USERS,
        [
            ("id", id.into()),
            ("first_name", Cell::from(&opened.first_name)),
            ("last_name", Cell::from(&opened.last_name)),
            ("email", Cell::from(&opened.email)),
            ("password_hash", password_hash.into()),
            ("version", event.version.into()),
            ("updated_at", event.recorded_at.into()),
        ],
    )
}

/// The row with one column changed.
fn changed(table: &'static Table, id: &str, event: &Envelope, column: (&str, Cell)) -> Row {
    Row::upsert(
        table,
        [
            ("id", id.into()),
            column,
            ("version", event.version.into()),
            ("updated_at", event.recorded_at.into()),
        ],
    )
}

#[cfg(test)]
mod tests {
    use millrace_eventsourcing::{Timestamp, Version};

    use super::*;
    use crate::bank::account::{
        EmailAddressChanged, MoneyDeposited, MoneyRefunded, MoneyWithdrawn, PasswordChanged,
    };

    const OPENED_AT: Timestamp = Timestamp::from_millis(1_000);
    const RECORDED_AT: Timestamp = Timestamp::from_millis(2_000);

    fn rows(payload: AccountEvent) -> Vec<Row> {
        let event = EventEnvelope {
            version: Version::new(9),
            command_id: "c-9".to_owned(),
            causation_id: None,
            correlation_id: "k-9".to_owned(),
            actor: None,
            on_behalf_of: None,
            recorded_at: RECORDED_AT,
            created_at: OPENED_AT,
            command_offset: 8,
            payload,
        };
        Accounts::project("acc-1", &event)
    }

    fn touched(row: &Row) -> (&'static str, Vec<(&'static str, Cell)>) {
        let columns = row.table.columns.iter().zip(&row.cells);
        let touched = columns
            .filter(|(_, cell)| **cell != Cell::Unset)
            .map(|(column, cell)| (column.name, cell.clone()));
        (row.table.name, touched.collect())
    }

    fn assert_changes(payload: AccountEvent, expected: &[(&'static str, &'static str, Cell)]) {
        let rows = rows(payload);
        assert_eq!(rows.len(), expected.len());
        for (row, (table, column, cell)) in rows.iter().zip(expected) {
            let columns = vec![
                ("id", Cell::from("acc-1")),
                (*column, cell.clone()),
                ("version", Cell::Bigint(9)),
                ("updated_at", Cell::Timestamp(RECORDED_AT)),
            ];
            assert_eq!(touched(row), (*table, columns));
        }
    }

    fn opened(password_hash: Option<&str>) -> AccountEvent {
        AccountEvent::AccountOpened(AccountOpened {
            first_name: "John".to_owned(),
            last_name: "Snow".to_owned(),
            email: "john.snow@the.wall".to_owned(),
            password_hash: password_hash.map(|hash| PasswordHash::from(hash.to_owned())),
            initial_balance: 7,
        })
    }

    #[test]
    fn an_opening_writes_every_column_of_both_tables() {
        let rows = rows(opened(Some("$2b$hash")));
        let [account, user] = rows.as_slice() else {
            panic!("{rows:?}")
        };
        assert_eq!(account.table, &ACCOUNTS);
        assert_eq!(
            account.cells,
            [
                Cell::from("acc-1"),
                Cell::from("John"),
                Cell::from("Snow"),
                Cell::from("john.snow@the.wall"),
                Cell::Bigint(7),
                Cell::from("open"),
                Cell::Timestamp(OPENED_AT),
                Cell::Bigint(9),
                Cell::Timestamp(RECORDED_AT),
            ]
        );
        assert_eq!(user.table, &USERS);
        assert_eq!(
            user.cells,
            [
                Cell::from("acc-1"),
                Cell::from("John"),
                Cell::from("Snow"),
                Cell::from("john.snow@the.wall"),
                Cell::from("$2b$hash"),
                Cell::Bigint(9),
                Cell::Timestamp(RECORDED_AT),
            ]
        );
    }

    #[test]
    fn an_owner_without_password_has_none_in_the_row() {
        let rows = rows(opened(None));
        let place = USERS.position("password_hash").unwrap();
        assert_eq!(rows[1].cells[place], Cell::Null);
    }

    #[test]
    fn money_changes_the_balance_of_the_account_alone() {
        let balance = Cell::Bigint(12);
        let deposited = AccountEvent::MoneyDeposited(MoneyDeposited {
            amount: 5,
            balance: 12,
            email: "other@x".to_owned(),
            reference: None,
        });
        assert_changes(deposited, &[("accounts", "balance", balance.clone())]);
        let withdrawn = AccountEvent::MoneyWithdrawn(MoneyWithdrawn {
            amount: 5,
            balance: 12,
            reference: None,
        });
        assert_changes(withdrawn, &[("accounts", "balance", balance.clone())]);
        let refunded = AccountEvent::MoneyRefunded(MoneyRefunded {
            amount: 5,
            balance: 12,
            reference: "transfer:t-1".to_owned(),
        });
        assert_changes(refunded, &[("accounts", "balance", balance)]);
    }

    #[test]
    fn an_address_changes_in_both_tables() {
        let changed = AccountEvent::EmailAddressChanged(EmailAddressChanged {
            previous: "a@b".to_owned(),
            email: "u@x".to_owned(),
        });
        let email = Cell::from("u@x");
        assert_changes(
            changed,
            &[
                ("accounts", "email", email.clone()),
                ("users", "email", email),
            ],
        );
    }

    #[test]
    fn a_password_changes_the_user_alone() {
        let changed = AccountEvent::PasswordChanged(PasswordChanged {
            password_hash: PasswordHash::from("$2b$other".to_owned()),
        });
        assert_changes(changed, &[("users", "password_hash", "$2b$other".into())]);
    }

    #[test]
    fn a_closed_account_keeps_its_row() {
        let closed = AccountEvent::AccountClosed(AccountClosed {});
        assert_changes(closed, &[("accounts", "status", "closed".into())]);
    }
}
