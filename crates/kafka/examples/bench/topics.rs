//! The topics of some aggregates, empty.

use std::thread;
use std::time::Duration;

use millrace_kafka::{Config, KafkaAccess};
use millrace_runtime::access::LogAccess;
use millrace_runtime::topic_spec::{Layout, TopicSpec, aggregate_topics};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use serde_json::{Value, json};

use crate::Result;
use crate::arguments::Arguments;
use crate::peer;

const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS_MAX: usize = 600;

/// Deletes the topics of the `aggregates` and their command groups, if they exist, and makes the
/// topics as `millrace topics create` would.
pub(crate) fn make_anew(arguments: &Arguments) -> Result<Value> {
    let layout = Layout {
        partitions: arguments.number("partitions")?,
        replication_factor: 1,
    };
    let aggregates: Vec<&str> = arguments.text("aggregates")?.split(',').collect();
    let specs: Vec<TopicSpec> = aggregates
        .iter()
        .flat_map(|aggregate| aggregate_topics(aggregate, layout))
        .collect();
    let brokers = arguments.text("brokers")?;
    let access = KafkaAccess::new(Config::new(brokers));
    if delete(brokers, &access, &specs)? {
        delete_groups(brokers, &aggregates)?;
    }
    let created = access.create(&specs)?;
    Ok(json!({"topics": created.len()}))
}

/// Says whether there were any.
fn delete(brokers: &str, access: &KafkaAccess, specs: &[TopicSpec]) -> Result<bool> {
    let is_ours = |name: &String| specs.iter().any(|spec| spec.name == *name);
    let existing: Vec<String> = access.names()?.into_iter().filter(is_ours).collect();
    if existing.is_empty() {
        return Ok(false);
    }
    let names: Vec<&str> = existing.iter().map(String::as_str).collect();
    // Kept until the answer is there: an answer of a client that is gone never comes.
    let client = admin(brokers)?;
    let deleted = client.delete_topics(&names, &options());
    for result in futures::executor::block_on(deleted)? {
        result.map_err(|(topic, code)| format!("delete `{topic}`: {code}"))?;
    }
    for _ in 0..LOOKS_MAX {
        if !access.names()?.iter().any(is_ours) {
            return Ok(true);
        }
        thread::sleep(LOOK_EVERY);
    }
    Err("deleted topics do not go away".into())
}

/// A group that outlived its topics would send the next worker to where the last one ended.
fn delete_groups(brokers: &str, aggregates: &[&str]) -> Result<()> {
    let groups: Vec<String> = aggregates.iter().map(|one| peer::group(one)).collect();
    let names: Vec<&str> = groups.iter().map(String::as_str).collect();
    let client = admin(brokers)?;
    let deleted = client.delete_groups(&names, &options());
    for result in futures::executor::block_on(deleted)? {
        if let Err((group, code)) = result
            && code != RDKafkaErrorCode::GroupIdNotFound
        {
            return Err(format!("delete group `{group}`: {code}").into());
        }
    }
    Ok(())
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(peer::ANSWER_WITHIN))
}

fn admin(brokers: &str) -> Result<AdminClient<DefaultClientContext>> {
    Ok(peer::common(brokers).create()?)
}
