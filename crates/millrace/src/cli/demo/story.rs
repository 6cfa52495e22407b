//! What is told: an account and its owner, what is refused and why, and what follows by itself.

use millrace_domain::bank::account::Account;
use millrace_domain::bank::bonus::Bonus;
use millrace_domain::bank::thank_you::ThankYou;
use millrace_domain::bank::transfer::{Transfer, TransferPolicy};
use millrace_eventsourcing::{
    Aggregate as _, Policy as _, Reactor as _, Version, answer_id, event_id, follow_up_id,
};
use serde_json::{Value, json};

use super::screen::Screen;
use super::stage::Stage;

const JOHN: &str = "acc-1";
const TRANSFER: &str = "t-1";

/// Tells it from its first to its last line.
pub(super) fn tell(stage: &Stage, screen: &mut Screen) -> anyhow::Result<()> {
    let mut teller = Teller {
        stage,
        screen,
        refused: String::new(),
    };
    teller.an_account()?;
    teller.what_is_refused()?;
    teller.what_follows()?;
    teller.a_conversation()?;
    teller.rows()
}

struct Teller<'a> {
    stage: &'a Stage,
    screen: &'a mut Screen,
    /// The command whose refusal is shown as its row.
    refused: String,
}

impl Teller<'_> {
    fn an_account(&mut self) -> anyhow::Result<()> {
        self.screen
            .chapter("An account, decided from commands, kept as events")?;
        let ceo = self.stage.settings().bonus.account.clone();
        let boss = json!({
            "first_name": "Tywin", "last_name": "Lannister", "email": "ceo@bank.example",
        });
        self.account(&ceo, "OpenAccount", &boss)?;
        let john = json!({
            "first_name": "John", "last_name": "Snow", "email": "John.Snow@thewall.eu",
            "password": "$ThisIsMyPassword1",
        });
        self.account(JOHN, "OpenAccount", &john)?;
        let steps = [
            (
                "ChangePassword",
                json!({"password": "$ThisIsANOTHERPassword"}),
            ),
            ("ChangeEmailAddress", json!({"email": "john.snow@the.wall"})),
            ("DepositMoney", json!({"amount": 5_000})),
            ("DepositMoney", json!({"amount": 5_000})),
            (
                "ChangeEmailAddress",
                json!({"email": "john.snow@golang.example"}),
            ),
            ("DepositMoney", json!({"amount": 15_000})),
            ("WithdrawMoney", json!({"amount": 20_000})),
        ];
        for (kind, data) in steps {
            self.account(JOHN, kind, &data)?;
        }
        Ok(())
    }

    fn what_is_refused(&mut self) -> anyhow::Result<()> {
        self.screen
            .chapter("What is refused, and why; nothing changes, and the answer is kept")?;
        let steps = [
            (JOHN, "ChangeEmailAddress", json!({"email": ""})),
            (JOHN, "DepositMoney", json!({"amount": -1})),
            (JOHN, "WithdrawMoney", json!({"amount": 5_001})),
            ("acc-none", "DepositMoney", json!({"amount": 1})),
            (
                JOHN,
                "OpenAccount",
                json!({"first_name": "J", "last_name": "S", "email": "j@s"}),
            ),
        ];
        for (id, kind, data) in steps {
            let outcome = self.account(id, kind, &data)?;
            let text = |name: &str| outcome.get(name).and_then(Value::as_str);
            if text("code") == Some("insufficient_funds") {
                text("command_id")
                    .unwrap_or_default()
                    .clone_into(&mut self.refused);
            }
        }
        Ok(())
    }

    fn what_follows(&mut self) -> anyhow::Result<()> {
        self.screen
            .chapter("What follows by itself: a bonus from a policy, a mail from a reactor")?;
        let ceo = self.stage.settings().bonus.account.clone();
        let outcome = self.account(JOHN, "DepositMoney", &json!({"amount": 10_000}))?;
        let version = outcome.get("last_version").and_then(Value::as_i64);
        let cause = event_id(
            Account::NAME,
            JOHN,
            Version::new(version.unwrap_or_default()),
        );
        let bonus = self
            .stage
            .outcome((Account::NAME, &ceo), &follow_up_id(Bonus::NAME, &cause, 0))?;
        self.screen
            .follows(&format!("{} because of {cause}", Bonus::NAME))?;
        self.screen.outcome(&bonus)?;
        self.show_events((Account::NAME, &ceo), &bonus)?;
        let mail = self.stage.mail(&follow_up_id(ThankYou::NAME, &cause, 0))?;
        self.screen
            .follows(&format!("{} because of {cause}", ThankYou::NAME))?;
        self.screen.mail(&mail)
    }

    fn a_conversation(&mut self) -> anyhow::Result<()> {
        self.screen
            .chapter("A conversation: a transfer asks two accounts, and awaits their answers")?;
        let ceo = self.stage.settings().bonus.account.clone();
        let data = json!({"from_account": JOHN, "to_account": ceo, "amount": 2_500});
        self.command((Transfer::NAME, TRANSFER), "TransferMoney", &data)?;
        for (version, account) in [(1, JOHN), (2, ceo.as_str())] {
            let cause = event_id(Transfer::NAME, TRANSFER, Version::new(version));
            let asked = follow_up_id(TransferPolicy::NAME, &cause, 0);
            let outcome = self.stage.outcome((Account::NAME, account), &asked)?;
            self.screen
                .follows(&format!("{} because of {cause}", TransferPolicy::NAME))?;
            self.screen.outcome(&outcome)?;
            self.show_events((Account::NAME, account), &outcome)?;
            let answer = answer_id(Account::NAME, account, &asked);
            let outcome = self.stage.outcome((Transfer::NAME, TRANSFER), &answer)?;
            self.screen.follows(&format!("the answer of {account}"))?;
            self.screen.outcome(&outcome)?;
            self.show_events((Transfer::NAME, TRANSFER), &outcome)?;
        }
        Ok(())
    }

    fn rows(&mut self) -> anyhow::Result<()> {
        self.screen
            .chapter("What readers see: rows, each exactly as the events say")?;
        let shown = [
            (
                ("bank.accounts", JOHN),
                &["id", "email", "balance", "status", "version", "updated_at"][..],
                "12500",
            ),
            (
                ("bank.transfers", TRANSFER),
                &[
                    "id",
                    "from_account",
                    "to_account",
                    "amount",
                    "status",
                    "version",
                ],
                "completed",
            ),
            (
                ("bank.outcomes", self.refused.as_str()),
                &["type", "status", "code", "message"],
                "insufficient_funds",
            ),
        ];
        for (rows, columns, awaited) in shown {
            let text = self.stage.rows(rows, columns, awaited)?;
            self.screen.table(rows.0, &text)?;
        }
        Ok(())
    }

    fn account(&mut self, id: &str, kind: &str, data: &Value) -> anyhow::Result<Value> {
        self.command((Account::NAME, id), kind, data)
    }

    /// Sends a command; shows it, its outcome and its events.
    fn command(
        &mut self,
        aggregate: (&str, &str),
        kind: &str,
        data: &Value,
    ) -> anyhow::Result<Value> {
        let correlation_id = self.screen.command(aggregate, kind, data)?;
        let outcome = self.stage.send(aggregate, (kind, data), &correlation_id)?;
        self.screen.outcome(&outcome)?;
        self.show_events(aggregate, &outcome)?;
        Ok(outcome)
    }

    fn show_events(&mut self, aggregate: (&str, &str), outcome: &Value) -> anyhow::Result<()> {
        let version = |name: &str| outcome.get(name).and_then(Value::as_i64);
        let (Some(first), Some(last)) = (version("first_version"), version("last_version")) else {
            return Ok(());
        };
        for event in self.stage.events(aggregate, first..=last)? {
            self.screen.event(&event)?;
        }
        Ok(())
    }
}
