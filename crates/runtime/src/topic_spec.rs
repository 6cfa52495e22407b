//! The topics of an aggregate as the contract wants them, and how found ones differ.

use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

use crate::access::FoundTopic;

/// What a topic is for. The words are persisted: the last part of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TopicKind {
    /// What is asked; anyone writes.
    Commands,
    /// What happened; kept for ever.
    Events,
    /// Snapshots and task records; compacted.
    State,
    /// The answers.
    Outcomes,
    /// What could not be used.
    DeadLetters,
}

impl TopicKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::Commands,
        Self::Events,
        Self::State,
        Self::Outcomes,
        Self::DeadLetters,
    ];

    /// The last part of a topic's name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Commands => "commands",
            Self::Events => "events",
            Self::State => "state",
            Self::Outcomes => "outcomes",
            Self::DeadLetters => "dead-letters",
        }
    }

    /// Splits `<aggregate>.<kind>`; nothing when the last part is no kind.
    pub fn split(topic: &str) -> Option<(&str, Self)> {
        let (aggregate, word) = topic.rsplit_once('.')?;
        let kind = Self::ALL.into_iter().find(|kind| kind.word() == word)?;
        (!aggregate.is_empty()).then_some((aggregate, kind))
    }

    /// What makes the kind, without regard to the number of replicas.
    fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Commands | Self::Outcomes => ANSWERED,
            Self::Events => KEPT,
            Self::State => COMPACTED,
            Self::DeadLetters => SET_ASIDE,
        }
    }
}

const SEVEN_DAYS_MS: &str = "604800000";
const THIRTY_DAYS_MS: &str = "2592000000";
const FOR_EVER: &str = "-1";

/// Commands and outcomes. The broker stamps them, because derived command ids and retention must
/// not depend on a sender's clock. The size limit stays the broker's default, about 1 MiB: what is
/// over our own bound of 256 KiB but below it is dead-lettered with a reason, which a sender never
/// sees from a broker's refusal.
const ANSWERED: &[(&str, &str)] = &[
    ("cleanup.policy", "delete"),
    ("retention.ms", SEVEN_DAYS_MS),
    ("message.timestamp.type", "LogAppendTime"),
];

/// Events are the truth; everything else can be made again from them.
const KEPT: &[(&str, &str)] = &[
    ("cleanup.policy", "delete"),
    ("retention.ms", FOR_EVER),
    ("retention.bytes", FOR_EVER),
];

/// State is read whole by every restore, so superseded records are to go soon.
const COMPACTED: &[(&str, &str)] = &[
    ("cleanup.policy", "compact"),
    // A tenth superseded is worth a cleaning; the default waits for half.
    ("min.cleanable.dirty.ratio", "0.1"),
    // The segment being written is never cleaned: 64 MiB or an hour, instead of 1 GiB or a week.
    ("segment.bytes", "67108864"),
    ("segment.ms", "3600000"),
    // A quiet partition is cleaned too, once a day.
    ("max.compaction.lag.ms", "86400000"),
    // A restore that was interrupted and goes on later must still meet the tombstones.
    ("delete.retention.ms", SEVEN_DAYS_MS),
];

/// Dead letters are looked at by people, who have holidays.
const SET_ASIDE: &[(&str, &str)] = &[
    ("cleanup.policy", "delete"),
    ("retention.ms", THIRTY_DAYS_MS),
];

/// What the topics of one aggregate share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Partitions of each topic.
    pub partitions: i32,
    /// Copies of each partition.
    pub replication_factor: i32,
}

/// A topic as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// Copies of each partition.
    pub replication_factor: i32,
    /// What is set explicitly.
    pub settings: BTreeMap<&'static str, String>,
}

impl TopicSpec {
    /// The topic of this kind of `owner`, an aggregate, a policy or a reactor.
    pub fn of(owner: &str, kind: TopicKind, layout: Layout) -> Self {
        let mut settings: BTreeMap<&'static str, String> = kind
            .settings()
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        settings.insert(
            "min.insync.replicas",
            in_sync_min(layout.replication_factor).to_string(),
        );
        Self {
            name: format!("{owner}.{}", kind.word()),
            partitions: layout.partitions,
            replication_factor: layout.replication_factor,
            settings,
        }
    }
}

/// A majority, so that what one broker acknowledged survives it; with fewer than three copies a
/// majority would stop everything with the first broker.
fn in_sync_min(replication_factor: i32) -> i32 {
    if replication_factor >= 3 {
        replication_factor / 2 + 1
    } else {
        1
    }
}

/// All topics of one aggregate.
pub fn aggregate_topics(aggregate: &str, layout: Layout) -> Vec<TopicSpec> {
    TopicKind::ALL
        .into_iter()
        .map(|kind| TopicSpec::of(aggregate, kind, layout))
        .collect()
}

/// One way in which a topic is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// It is not there.
    Missing {
        /// Its name.
        topic: String,
    },
    /// It is set otherwise.
    Differs {
        /// Its name.
        topic: String,
        /// What differs: `partitions`, `replication factor`, or a setting's key.
        setting: &'static str,
        /// As it is.
        found: String,
        /// As it should be.
        wanted: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { topic } => write!(formatter, "topic `{topic}` is missing"),
            Self::Differs {
                topic,
                setting,
                found,
                wanted,
            } => write!(
                formatter,
                "topic `{topic}`: {setting} is `{found}`, should be `{wanted}`"
            ),
        }
    }
}

/// Every difference between what should be and what was found, in the order of `specs`.
pub fn compare(specs: &[TopicSpec], found: &[FoundTopic]) -> Vec<Difference> {
    let mut differences = Vec::new();
    for spec in specs {
        match found.iter().find(|topic| topic.name == spec.name) {
            Some(topic) => compare_one(spec, topic, &mut differences),
            None => differences.push(Difference::Missing {
                topic: spec.name.clone(),
            }),
        }
    }
    differences
}

/// Every difference between the settings of these topics and those of their kinds; partitions and
/// copies are taken as they are. Topics whose name tells no kind are left out.
pub fn compare_settings(found: &[FoundTopic]) -> Vec<Difference> {
    let mut differences = Vec::new();
    for topic in found {
        let Some((owner, kind)) = TopicKind::split(&topic.name) else {
            continue;
        };
        let replication_factor = topic.replication_factor.unwrap_or(1);
        let layout = Layout {
            partitions: topic.partitions,
            replication_factor,
        };
        compare_one(&TopicSpec::of(owner, kind, layout), topic, &mut differences);
    }
    differences
}

impl Difference {
    /// Whether records that are still needed would be lost: state that is not compacted, or
    /// anything else that is.
    pub fn loses_records(&self) -> bool {
        match self {
            Self::Missing { .. } => false,
            Self::Differs { setting, .. } => *setting == "cleanup.policy",
        }
    }
}

fn compare_one(spec: &TopicSpec, found: &FoundTopic, into: &mut Vec<Difference>) {
    let mut check = |setting, wanted: String, found: String| {
        if !same(&wanted, &found) {
            into.push(Difference::Differs {
                topic: spec.name.clone(),
                setting,
                found,
                wanted,
            });
        }
    };
    check(
        "partitions",
        spec.partitions.to_string(),
        found.partitions.to_string(),
    );
    if let Some(replicas) = found.replication_factor {
        check(
            "replication factor",
            spec.replication_factor.to_string(),
            replicas.to_string(),
        );
    }
    for (setting, wanted) in &spec.settings {
        let value = found.settings.get(*setting).map_or("unset", String::as_str);
        check(setting, wanted.clone(), value.to_owned());
    }
}

/// Lists in any order, and numbers however they are written, mean the same.
fn same(wanted: &str, found: &str) -> bool {
    fn parts(list: &str) -> Vec<&str> {
        let mut parts: Vec<_> = list.split(',').map(str::trim).collect();
        parts.sort_unstable();
        parts
    }
    parts(wanted) == parts(found)
        || matches!(
            (wanted.parse::<f64>(), found.parse::<f64>()),
            (Ok(wanted), Ok(found)) if wanted.total_cmp(&found).is_eq()
        )
}

/// Why the topics of one aggregate cannot be worked on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PartitionFault {
    /// One is not there.
    #[error("topic `{0}` is missing: make it with `millrace topics create`")]
    Missing(String),
    /// A key would have different owners in two of them.
    #[error(
        "topic `{topic}` has {partitions} partitions, but topic `{other}` has {other_partitions}"
    )]
    Disagree {
        /// One topic.
        topic: String,
        /// Its partitions.
        partitions: i32,
        /// The other topic.
        other: String,
        /// Its partitions.
        other_partitions: i32,
    },
}

/// The number of partitions that all topics of one aggregate have. Workers ask at their start,
/// because one worker must own a key in all of them.
///
/// # Errors
/// When a topic of `wanted` was not found, or two have different numbers.
pub fn common_partitions(wanted: &[&str], found: &[FoundTopic]) -> Result<i32, PartitionFault> {
    let mut first: Option<&FoundTopic> = None;
    for name in wanted {
        let topic = found
            .iter()
            .find(|topic| topic.name == *name)
            .ok_or_else(|| PartitionFault::Missing((*name).to_owned()))?;
        match first {
            Some(first) if first.partitions != topic.partitions => {
                return Err(PartitionFault::Disagree {
                    topic: first.name.clone(),
                    partitions: first.partitions,
                    other: topic.name.clone(),
                    other_partitions: topic.partitions,
                });
            }
            Some(_) => {}
            None => first = Some(topic),
        }
    }
    Ok(first.map_or(0, |topic| topic.partitions))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout {
        partitions: 12,
        replication_factor: 3,
    };

    fn as_wanted(spec: &TopicSpec) -> FoundTopic {
        FoundTopic {
            name: spec.name.clone(),
            partitions: spec.partitions,
            replication_factor: Some(spec.replication_factor),
            settings: spec
                .settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        }
    }

    #[test]
    fn an_aggregate_has_five_topics_with_the_same_partitions() {
        let specs = aggregate_topics("bank.account", LAYOUT);
        let names: Vec<_> = specs.iter().map(|spec| spec.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "bank.account.commands",
                "bank.account.events",
                "bank.account.state",
                "bank.account.outcomes",
                "bank.account.dead-letters",
            ]
        );
        assert!(specs.iter().all(|spec| spec.partitions == 12));
        assert_eq!(specs[0].settings["message.timestamp.type"], "LogAppendTime");
        assert_eq!(specs[1].settings["retention.ms"], "-1");
        assert_eq!(specs[2].settings["cleanup.policy"], "compact");
    }

    #[test]
    fn a_majority_must_be_in_sync_from_three_copies_on() {
        let majorities: Vec<_> = (1..=5).map(in_sync_min).collect();
        assert_eq!(majorities, [1, 1, 2, 3, 3]);
    }

    #[test]
    fn topics_as_wanted_do_not_differ() {
        let specs = aggregate_topics("bank.account", LAYOUT);
        let found: Vec<_> = specs.iter().map(as_wanted).collect();
        assert_eq!(compare(&specs, &found), []);
    }

    #[test]
    fn every_difference_names_the_topic_the_setting_and_both_values() {
        let specs = aggregate_topics("bank.account", LAYOUT);
        let mut found: Vec<_> = specs.iter().map(as_wanted).collect();
        found[0].partitions = 4;
        found[1].replication_factor = Some(1);
        found[2]
            .settings
            .insert("cleanup.policy".to_owned(), "delete".to_owned());
        found[3].settings.remove("retention.ms");
        found.pop();
        let texts: Vec<_> = compare(&specs, &found)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            texts,
            [
                "topic `bank.account.commands`: partitions is `4`, should be `12`",
                "topic `bank.account.events`: replication factor is `1`, should be `3`",
                "topic `bank.account.state`: cleanup.policy is `delete`, should be `compact`",
                "topic `bank.account.outcomes`: retention.ms is `unset`, should be `604800000`",
                "topic `bank.account.dead-letters` is missing",
            ]
        );
    }

    #[test]
    fn the_same_value_may_be_written_otherwise() {
        assert!(same("0.1", "0.10"));
        assert!(same("compact,delete", "delete, compact"));
        assert!(!same("compact", "compact,delete"));
        assert!(!same("-1", "1"));
    }

    #[test]
    fn a_cleanup_policy_that_loses_records_is_told_apart_from_other_differences() {
        let specs = aggregate_topics("bank.account", LAYOUT);
        let mut found: Vec<_> = specs.iter().map(as_wanted).collect();
        assert_eq!(compare_settings(&found), []);
        for (topic, setting, value) in [
            (2, "cleanup.policy", "delete"),
            (1, "cleanup.policy", "compact"),
            (0, "retention.ms", "1"),
        ] {
            found[topic]
                .settings
                .insert(setting.to_owned(), value.to_owned());
        }
        let differences = compare_settings(&found);
        let losses = differences
            .iter()
            .filter(|difference| difference.loses_records());
        let losses: Vec<_> = losses.map(ToString::to_string).collect();
        assert_eq!(differences.len(), 3);
        assert_eq!(losses.len(), 2);
        assert!(losses[1].contains("bank.account.state") && losses[1].contains("compact"));
    }

    #[test]
    fn a_topic_of_ours_tells_its_owner_and_kind() {
        assert_eq!(
            TopicKind::split("bank.account.dead-letters"),
            Some(("bank.account", TopicKind::DeadLetters))
        );
        assert_eq!(TopicKind::split("bank.account"), None);
        assert_eq!(TopicKind::split(".events"), None);
    }

    #[test]
    fn disagreeing_partitions_are_refused_with_both_topics_and_numbers() {
        let specs = aggregate_topics("bank.account", LAYOUT);
        let mut found: Vec<_> = specs.iter().map(as_wanted).collect();
        let names: Vec<_> = specs.iter().map(|spec| spec.name.as_str()).collect();
        assert_eq!(common_partitions(&names, &found), Ok(12));

        found[1].partitions = 6;
        let text = common_partitions(&names, &found).unwrap_err().to_string();
        assert_eq!(
            text,
            "topic `bank.account.commands` has 12 partitions, \
             but topic `bank.account.events` has 6"
        );

        found.remove(0);
        let fault = common_partitions(&names, &found).unwrap_err();
        assert_eq!(
            fault,
            PartitionFault::Missing("bank.account.commands".to_owned())
        );
    }
}
