//! A command on its way out.

use millrace_runtime::id::{ID_BYTES_MAX, fault_of_id};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use crate::cli::{App, find};
use crate::password;

/// A command as its record holds it; contract §2. Its data stays as it was written: the worker is
/// to judge the sender's numbers, not ours.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) command_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) correlation_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    causation_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expected_version: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_behalf_of: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply_to: Option<String>,
    /// Only in a line: where it goes.
    #[serde(default, skip_serializing)]
    aggregate: Option<String>,
    /// Only in a line: the record's key.
    #[serde(default, skip_serializing)]
    aggregate_id: Option<String>,
}

impl Envelope {
    /// Without anything that a sender may leave out.
    pub(super) fn new(kind: String, data: Option<Box<RawValue>>) -> Self {
        Self {
            kind,
            data,
            command_id: None,
            correlation_id: None,
            causation_id: None,
            expected_version: None,
            actor: None,
            on_behalf_of: None,
            reply_to: None,
            aggregate: None,
            aggregate_id: None,
        }
    }
}

/// A command, ready to be sent.
#[derive(Debug)]
pub(in crate::cli) struct Command {
    pub(in crate::cli) aggregate: &'static str,
    /// The id, normalised.
    pub(in crate::cli) key: String,
    pub(in crate::cli) id: String,
    pub(in crate::cli) value: String,
}

impl Command {
    /// From a JSON line.
    pub(in crate::cli) fn of_line(app: &App, line: &str) -> Result<Self, String> {
        let mut envelope: Envelope =
            serde_json::from_str(line).map_err(|error| error.to_string())?;
        let aggregate = envelope.aggregate.take().ok_or("`aggregate` is missing")?;
        let id = envelope
            .aggregate_id
            .take()
            .ok_or("`aggregate_id` is missing")?;
        Self::new(app, &aggregate, &id, envelope)
    }

    /// Refuses what could never be decided.
    pub(super) fn new(
        app: &App,
        aggregate: &str,
        id: &str,
        mut envelope: Envelope,
    ) -> Result<Self, String> {
        let entry = find::aggregate(app, aggregate).map_err(|error| error.to_string())?;
        let key = entry.normalise_id(id).into_owned();
        let command_id = envelope.command_id.take().unwrap_or_else(random_id);
        for (what, id) in [
            ("the aggregate's id", &key),
            ("the command id", &command_id),
        ] {
            if let Some(fault) = fault_of_id(id, ID_BYTES_MAX) {
                return Err(format!("{what} {fault}"));
            }
        }
        envelope.data = envelope.data.map(without_password).transpose()?;
        envelope.command_id = Some(command_id.clone());
        let value = serde_json::to_string(&envelope).map_err(|error| error.to_string())?;
        Ok(Self {
            aggregate: entry.name(),
            key,
            id: command_id,
            value,
        })
    }
}

/// 128 random bits as hex digits.
fn random_id() -> String {
    format!("{:032x}", fastrand::u128(..))
}

/// A password never leaves this process: its hash takes its place.
fn without_password(data: Box<RawValue>) -> Result<Box<RawValue>, String> {
    const PASSWORD: &str = "password";
    const HASH: &str = "password_hash";
    let mut fields: Map<String, Value> = serde_json::from_str(data.get())
        .map_err(|_| "the command's data is not a JSON object".to_owned())?;
    let password = match fields.remove(PASSWORD) {
        None => return Ok(data),
        Some(Value::String(password)) => password,
        Some(_) => return Err(format!("`{PASSWORD}` is not a text")),
    };
    if fields.contains_key(HASH) {
        return Err(format!("there may be `{PASSWORD}` or `{HASH}`, not both"));
    }
    let hash = password::hash(&password).map_err(|error| error.to_string())?;
    fields.insert(HASH.to_owned(), hash.into());
    to_raw_value(&fields).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn app() -> App {
        App::new(crate::contexts(), Settings::default())
    }

    fn of_line(line: &str) -> Result<Command, String> {
        Command::of_line(&app(), line)
    }

    #[test]
    fn a_line_becomes_the_value_of_a_record_and_its_data_stays_as_written() {
        let line = r#"{"aggregate": "bank.account", "aggregate_id": "acc-1",
            "type": "DepositMoney", "data": {"amount": 1.50, "amount": 99999999999999999999},
            "command_id": "c-1", "actor": "jon", "expected_version": 3}"#;
        let command = of_line(line).unwrap();
        assert_eq!(
            (command.aggregate, command.key.as_str()),
            ("bank.account", "acc-1")
        );
        assert_eq!(
            command.value,
            r#"{"type":"DepositMoney","data":{"amount": 1.50, "amount": 99999999999999999999},"command_id":"c-1","expected_version":3,"actor":"jon"}"#
        );
    }

    #[test]
    fn a_command_without_an_id_gets_a_random_one() {
        let line = r#"{"aggregate":"bank.account","aggregate_id":"a","type":"CloseAccount"}"#;
        let (one, other) = (of_line(line).unwrap(), of_line(line).unwrap());
        assert_ne!(one.id, other.id);
        assert_eq!(one.id.len(), 32);
        assert!(one.value.contains(&one.id), "{}", one.value);
    }

    #[test]
    fn a_password_is_replaced_by_its_hash() {
        let line = r#"{"aggregate":"bank.account","aggregate_id":"a","type":"ChangePassword",
            "data":{"password":"$ThisIsMyPassword1"}}"#;
        let value = of_line(line).unwrap().value;
        assert!(value.contains(r#""password_hash":"$argon2id$"#), "{value}");
        assert!(!value.contains("ThisIsMyPassword1"), "{value}");
    }

    #[test]
    fn a_wrong_line_says_what_is_wrong() {
        let long = "x".repeat(129);
        for (line, reason) in [
            ("no json", "expected"),
            (r#"{"type":"T"}"#, "`aggregate` is missing"),
            (
                r#"{"aggregate":"bank.account","type":"T"}"#,
                "`aggregate_id` is missing",
            ),
            (
                r#"{"aggregate":"bank.account","aggregate_id":"a"}"#,
                "missing field `type`",
            ),
            (
                r#"{"aggregate":"x.y","aggregate_id":"a","type":"T"}"#,
                "no aggregate `x.y`",
            ),
            (
                r#"{"aggregate":"bank.account","aggregate_id":"a","type":"T","colour":1}"#,
                "unknown field `colour`",
            ),
            (
                r#"{"aggregate":"bank.account","aggregate_id":"a","type":"T","data":[]}"#,
                "not a JSON object",
            ),
            (
                r#"{"aggregate":"bank.account","aggregate_id":"a","type":"T","data":{"password":1}}"#,
                "`password` is not a text",
            ),
            (
                &format!(r#"{{"aggregate":"bank.account","aggregate_id":"{long}","type":"T"}}"#),
                "the aggregate's id has 129 bytes",
            ),
        ] {
            let error = of_line(line).unwrap_err();
            assert!(error.contains(reason), "{line}: {error}");
        }
    }
}
