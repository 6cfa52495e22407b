//! `deploy/topics/` and the consumer groups by whose lag pods are scaled.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use millrace_runtime::topic_spec::TopicSpec;
use serde_norway::Value;

use super::{Variables, app, assignments, documents, documents_below, map, read, roles, text};
use crate::contexts;

const TOPICS: &str = "deploy/topics/topics.yaml";
const OPERATORS: &str = "deploy/kubernetes/with-operators";

/// Groups that the contract promises and the program does not have yet: take a name out when it
/// does.
const PROMISED: &[&str] = &[];

/// The settings under which `millrace topics create` makes what the file lists.
fn layout(file: &Value) -> Variables {
    let setting = |key: &str, name: &str| (name.to_owned(), text(&file[key]));
    Variables::from([
        setting("partitions", "MILLRACE_PARTITIONS"),
        setting("replication-factor", "MILLRACE_REPLICATION_FACTOR"),
    ])
}

/// Topics with their settings.
type Topics = BTreeMap<String, BTreeMap<String, String>>;

fn listed(file: &Value) -> Topics {
    let topics = file["topics"].as_mapping().unwrap().iter();
    topics
        .map(|(name, settings)| (text(name), map(settings)))
        .collect()
}

fn wanted(specs: &[TopicSpec]) -> Topics {
    let settings = |spec: &TopicSpec| {
        let settings = spec.settings.iter();
        settings
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect()
    };
    specs
        .iter()
        .map(|spec| (spec.name.clone(), settings(spec)))
        .collect()
}

/// Lines for the file.
fn lines(specs: &[TopicSpec]) -> String {
    let mut lines = String::from("topics:\n");
    for spec in specs {
        writeln!(lines, "  {}:", spec.name).unwrap();
        for (key, value) in &spec.settings {
            writeln!(lines, "    {key}: \"{value}\"").unwrap();
        }
    }
    lines
}

/// The triggers of all scalers: name of the scaler, metadata.
fn triggers() -> Vec<(String, Value)> {
    let mut triggers = Vec::new();
    for scaler in scalers() {
        let name = text(&scaler["metadata"]["name"]);
        for trigger in scaler["spec"]["triggers"].as_sequence().unwrap() {
            assert_eq!(trigger["type"].as_str(), Some("kafka"), "{name}");
            triggers.push((name.clone(), trigger["metadata"].clone()));
        }
    }
    triggers
}

fn scalers() -> Vec<Value> {
    let documents = documents_below(OPERATORS).into_iter();
    documents
        .map(|(_, document)| document)
        .filter(|document| document["kind"].as_str() == Some("ScaledObject"))
        .collect()
}

/// The role whose workers are members of a group.
fn role_of(group: &str) -> &'static str {
    match group.split('.').nth(1) {
        Some("projection") => "projections",
        Some("policy") => "policies",
        Some("reactor") => "reactors",
        _ => "commands",
    }
}

#[test]
fn the_listed_topics_are_those_that_the_program_makes() {
    let file = documents(TOPICS).remove(0);
    let app = app(&layout(&file));
    let specs = app.registry.topics(&app.settings);
    assert!(
        specs
            .iter()
            .all(|spec| spec.partitions.to_string() == text(&file["partitions"]))
    );
    assert!(
        listed(&file) == wanted(&specs),
        "{TOPICS} should go on with\n{}",
        lines(&specs)
    );
}

#[test]
fn kubernetes_makes_the_listed_topics() {
    let settings = assignments(&read("deploy/kubernetes/base/settings.env"));
    let made = app(&settings).settings;
    let file = documents(TOPICS).remove(0);
    assert_eq!(made.partitions.to_string(), text(&file["partitions"]));
    assert_eq!(
        made.replication_factor.to_string(),
        text(&file["replication-factor"])
    );
}

#[test]
fn pods_are_scaled_by_every_group_of_their_role() {
    let known: BTreeSet<String> = contexts().names().groups;
    let mut left = known.clone();
    for (scaler, trigger) in triggers() {
        let group = text(&trigger["consumerGroup"]);
        let is_known = known.contains(&group) || PROMISED.contains(&group.as_str());
        assert!(is_known, "{scaler}: there is no group `{group}`");
        assert_eq!(role_of(&group), scaler, "{group}");
        left.remove(&group);
    }
    assert!(
        left.is_empty(),
        "in {OPERATORS}/scaling-….yaml no trigger asks for {left:#?}"
    );
    let served: Vec<_> = PROMISED
        .iter()
        .filter(|name| known.contains(**name))
        .collect();
    assert!(
        served.is_empty(),
        "take out of PROMISED what is served now: {served:?}"
    );
}

#[test]
fn a_trigger_on_a_topic_names_one_that_its_group_reads() {
    for (scaler, trigger) in triggers() {
        if let Some(topic) = trigger["topic"].as_str() {
            // Only the group of an aggregate reads one topic, whose name it has.
            assert_eq!(topic, text(&trigger["consumerGroup"]), "{scaler}");
        }
    }
}

#[test]
fn pods_are_not_scaled_beyond_the_partitions() {
    let file = documents(TOPICS).remove(0);
    let mut unscaled = roles();
    for scaler in scalers() {
        let spec = &scaler["spec"];
        let name = text(&spec["scaleTargetRef"]["name"]);
        assert_eq!(spec["maxReplicaCount"], file["partitions"], "{name}");
        unscaled.retain(|role| *role != name);
    }
    assert!(unscaled.is_empty(), "{unscaled:?}");
}

#[test]
fn scalers_ask_the_brokers_that_the_program_asks() {
    let settings = assignments(&read("deploy/kubernetes/base/settings.env"));
    for (scaler, trigger) in triggers() {
        let asked = text(&trigger["bootstrapServers"]);
        assert_eq!(
            Some(&asked),
            settings.get("MILLRACE_KAFKA_BROKERS"),
            "{scaler}"
        );
    }
}
