//! The bare transactional producer: the records that a run has produced, once more.

use millrace_runtime::clock::{Clock, SystemClock};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::Result;
use crate::arguments::Arguments;
use crate::peer::{self, Bare};
use crate::spool::{self, Spool};

/// In the order in which a worker writes them.
const KINDS: [&str; 3] = ["events", "outcomes", "state"];

/// Writes the records of aggregate `from` to the topics of aggregate `to` in `transactions`
/// transactions over as many partitions each as those of the run had, with offsets of a group.
pub(crate) fn replay(arguments: &Arguments) -> Result<Value> {
    let brokers = arguments.text("brokers")?;
    let partitions: i32 = arguments.number("partitions")?;
    let (from, to) = (arguments.text("from")?, arguments.text("to")?);
    let transactions: usize = arguments.number("transactions")?;
    let mut run = Vec::new();
    for kind in KINDS {
        let records = spool::read(brokers, &format!("{from}.{kind}"), partitions)?;
        run.push((format!("{to}.{kind}"), records));
    }
    let group = peer::group(to);
    let consumer = peer::consumer(brokers, &group)?;
    let bare = Bare::new(brokers, &group)?;
    let parts = parts(&run);
    let clock = SystemClock::new();
    let (cpu_before, start) = (peer::cpu_ms()?, clock.now().elapsed);
    let made = write(&run, &bare, &consumer, (parts, transactions))?;
    let took = clock.now().elapsed.saturating_sub(start);
    let cpu_ms = peer::cpu_ms()?.saturating_sub(cpu_before);
    let records: usize = run
        .iter()
        .flat_map(|(_, spools)| spools.iter().map(Spool::len))
        .sum();
    Ok(
        json!({"records": records, "cpu_ms": cpu_ms, "wall_ms": took.as_millis(),
        "transactions": made, "parts": parts}),
    )
}

/// How many pieces of partitions the run's transactions had altogether.
fn parts(run: &[(String, Vec<Spool>)]) -> usize {
    let of_topic = |spools: &Vec<Spool>| spools.iter().map(|spool| spool.transactions).sum();
    run.iter()
        .map(|(_, spools)| of_topic(spools))
        .max()
        .unwrap_or(0)
}

fn write(
    run: &[(String, Vec<Spool>)],
    bare: &Bare,
    consumer: &BaseConsumer,
    (parts, transactions): (usize, usize),
) -> Result<usize> {
    let partitions = run.first().map_or(0, |(_, spools)| spools.len());
    let in_each = (parts / transactions.max(1)).clamp(1, partitions);
    let rounds = (transactions * in_each).div_ceil(partitions);
    let mut offsets = TopicPartitionList::new();
    let mut open = 0;
    let mut made = 0;
    for round in 0..rounds {
        for partition in 0..partitions {
            if open == 0 {
                bare.begin()?;
            }
            open += 1;
            for (topic, spools) in run {
                let spool = spools.get(partition).ok_or("partitions differ")?;
                let upto = |round: usize| spool.len() * round / rounds;
                for number in upto(round)..upto(round + 1) {
                    let record = spool.record(number).ok_or("a record is gone")?;
                    bare.send(topic, i32::try_from(partition)?, record)?;
                }
            }
            let position = Offset::Offset(i64::try_from(round + 1)?);
            let (topic, number) = (&group_topic(run), i32::try_from(partition)?);
            offsets.add_partition_offset(topic, number, position)?;
            let is_last = round + 1 == rounds && partition + 1 == partitions;
            if open == in_each || is_last {
                let group = consumer.group_metadata().ok_or("no group")?;
                bare.commit(&offsets, &group)?;
                offsets = TopicPartitionList::new();
                (open, made) = (0, made + 1);
            }
        }
    }
    Ok(made)
}

/// Whose positions are stored; any topic with as many partitions does.
fn group_topic(run: &[(String, Vec<Spool>)]) -> String {
    run.first()
        .map(|(topic, _)| topic.clone())
        .unwrap_or_default()
}
