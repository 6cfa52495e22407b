//! The promises that every log makes, kept by the twin in memory.

use millrace_runtime::outbox::Outbox;
use millrace_runtime::topic::{Topic, TopicPartition};
use millrace_testkit::log_contract::{self, Bench};
use millrace_testkit::memory_log::{MemoryBroker, MemoryLog};

/// A broker in memory for each test.
#[derive(Default)]
struct InMemory {
    broker: MemoryBroker,
    names: u32,
}

impl Bench for InMemory {
    type Log = MemoryLog;

    fn fresh(&mut self, name: &str) -> String {
        self.names += 1;
        format!("{name}.{}", self.names)
    }

    fn create_topic(&mut self, topic: Topic, partitions: i32) {
        self.broker.create_topic(topic, partitions);
    }

    fn open(&mut self, group: &str, topics: &[Topic]) -> MemoryLog {
        self.broker.join(group, topics, group)
    }

    fn produce(&mut self, records: &Outbox) {
        for record in records.iter() {
            self.broker.produce(record);
        }
    }

    fn transact(&mut self, records: &Outbox, committed: bool) {
        self.broker.transact(records, committed);
    }

    fn leave_open(&mut self, transactional_id: &str, records: &Outbox) {
        self.broker.leave_open(transactional_id, records);
    }

    fn delete_before(&mut self, at: TopicPartition, offset: i64) {
        self.broker.delete_before(at, offset);
    }
}

macro_rules! promises {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                log_contract::$name(&mut InMemory::default());
            }
        )*
    };
}

promises!(
    a_position_that_the_log_lacks_is_named,
    nothing_is_read_twice_or_skipped_while_others_come,
    without_room_for_records_a_revocation_still_comes,
    records_come_in_order_after_the_start,
    a_paused_partition_is_silent_and_can_be_started_anywhere,
    a_commit_makes_everything_visible,
    a_stale_part_stops_the_whole_commit,
    a_partition_moves_when_it_is_released,
    who_leaves_is_replaced_at_once,
    fencing_ends_an_open_transaction,
    tails_tell_committed_from_open,
    a_restore_ends_at_its_target_over_markers,
    a_restore_waits_for_what_stands_behind_an_open_transaction,
    positions_advance_over_markers_only,
    stored_offsets_keep_their_metadata,
    published_records_are_there,
    commits_go_on_after_a_renewal,
    a_fenced_producer_says_so_and_a_new_one_goes_on,
);
