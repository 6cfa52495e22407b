//! When a worker has committed everything.

use std::thread;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::Result;
use crate::arguments::Arguments;
use crate::peer;

/// Short beside the seconds that are measured, and cheap for the broker.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Returns once the group's positions are at the end of the aggregate's commands topic.
pub(crate) fn until_all_is_consumed(arguments: &Arguments) -> Result<Value> {
    let aggregate = arguments.text("aggregate")?;
    let partitions: i32 = arguments.number("partitions")?;
    let consumer = peer::consumer(arguments.text("brokers")?, &peer::group(aggregate))?;
    let topic = format!("{aggregate}.commands");
    let mut wanted = 0;
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        wanted += peer::end_of(&consumer, &topic, partition)?;
        list.add_partition(&topic, partition);
    }
    loop {
        let stored = consumer.committed_offsets(list.clone(), peer::ANSWER_WITHIN)?;
        let offsets = stored
            .elements()
            .into_iter()
            .map(|element| element.offset());
        let sum: i64 = offsets
            .map(|offset| match offset {
                Offset::Offset(offset) => offset,
                Offset::Beginning
                | Offset::End
                | Offset::Stored
                | Offset::Invalid
                | Offset::OffsetTail(_) => 0,
            })
            .sum();
        if sum >= wanted {
            return Ok(json!({"consumed": sum}));
        }
        thread::sleep(LOOK_EVERY);
    }
}
