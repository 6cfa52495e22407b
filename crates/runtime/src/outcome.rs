//! The one answer to a command, as it stands in an outcomes topic.

use std::borrow::Cow;

pub use millrace_eventsourcing::Status;
use millrace_eventsourcing::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

/// An outcome; contract §3. Absent fields are left out of the JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome<'a> {
    /// The command that is answered.
    pub command_id: Cow<'a, str>,
    /// The conversation it belongs to.
    pub correlation_id: Cow<'a, str>,
    /// What caused the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Cow<'a, str>>,
    /// `<context>.<aggregate>`.
    pub aggregate: Cow<'a, str>,
    /// Whom it was for.
    pub aggregate_id: Cow<'a, str>,
    /// The canonical type; as its sender wrote it when nobody knows it.
    #[serde(rename = "type")]
    pub kind: Cow<'a, str>,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Cow<'a, str>>,
    /// Accepted or rejected.
    pub status: Status,
    /// Why it was rejected, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Cow<'a, str>>,
    /// Why it was rejected, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Cow<'a, str>>,
    /// Version of the first event it led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_version: Option<i64>,
    /// Version of the last event it led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_version: Option<i64>,
    /// The aggregate's version after it; 0: does not exist.
    pub version: i64,
    /// What an accepted command tells besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Whether this repeats the answer to an earlier command with the same id.
    pub duplicate: bool,
    /// When it was decided.
    #[serde(serialize_with = "as_text", deserialize_with = "of_text")]
    pub decided_at: Timestamp,
    /// Where the decided command stood.
    pub partition: i32,
    /// Where the decided command stood.
    pub offset: i64,
}

/// RFC 3339 in UTC with milliseconds: `2026-11-20T12:00:00.000Z`.
pub fn rfc3339(time: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(time.as_millis()) {
        Ok(moment) => format!("{moment:.3}"),
        // Outside the years -9999 to 9999: no calendar has a name for it.
        Err(_) => format!("{}ms", time.as_millis()),
    }
}

/// The time that an RFC 3339 text names.
pub fn of_rfc3339(text: &str) -> Option<Timestamp> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_micros(moment.as_microsecond()))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn as_text<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*time))
}

fn of_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    of_rfc3339(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no time")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_milliseconds() {
        let time = Timestamp::from_micros(1_795_176_000_000_999);
        assert_eq!(rfc3339(time), "2026-11-20T12:00:00.000Z");
        assert_eq!(
            of_rfc3339("2026-11-20T12:00:00.000Z"),
            Some(Timestamp::from_millis(1_795_176_000_000))
        );
    }

    #[test]
    fn absent_fields_are_left_out_and_the_rest_comes_back() {
        let outcome = Outcome {
            command_id: "c".into(),
            correlation_id: "k".into(),
            causation_id: None,
            aggregate: "bank.account".into(),
            aggregate_id: "acc-1".into(),
            kind: "DepositMoney".into(),
            actor: None,
            status: Status::Rejected,
            code: Some("invalid_amount".into()),
            message: Some("no".into()),
            first_version: None,
            last_version: None,
            version: 8,
            result: None,
            duplicate: false,
            decided_at: Timestamp::from_millis(1_795_176_000_000),
            partition: 3,
            offset: 1234,
        };
        let json = serde_json::to_string(&outcome).unwrap();
        assert!(!json.contains("null") && !json.contains("actor"), "{json}");
        assert_eq!(serde_json::from_str::<Outcome<'_>>(&json).unwrap(), outcome);
    }
}
