//! The published Avro schemas hold whatever the rules say.

use super::*;
use crate::topics::assert_read_again;

#[test]
fn whatever_the_rules_say_can_be_written_and_read() {
    let events = [
        requested(),
        withdrawn(),
        completed(),
        deposit_refused("account_closed"),
        failed("insufficient_funds"),
    ];
    let after = |event: &TransferEvent| transfer([requested(), event.clone()]).state().cloned();
    let commands = [None, Some(0), Some(i64::MAX)];
    let commands = commands.map(|amount| transfer_money("acc-1", "acc-2", amount));
    assert_read_again::<Transfer>(&events, events.iter().filter_map(after), commands);
}
