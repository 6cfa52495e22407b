//! The promises that every log makes, kept by this one.

use millrace_testkit::log_contract;

use crate::bench::File;

macro_rules! promises {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                log_contract::$name(&mut File::new());
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
