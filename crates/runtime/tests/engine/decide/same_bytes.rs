//! The same records at the same times give the same bytes, and batches do not show.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::desk::{Desk, Reply, Sent, deposit, open, sent, withdraw};

fn any_record() -> impl Strategy<Value = Sent> {
    let key = prop::sample::select(vec!["a", "b", "c"]);
    let id = 0..12_u8;
    let value = (0..7_u8, 0..50_i64);
    (key, id, value, prop::option::of(0..12_i32)).prop_map(|(key, id, (kind, amount), place)| {
        let id = format!("c-{id}");
        let value = match kind {
            0 => open(&id, amount),
            1 | 2 => deposit(&id, amount),
            3 | 4 => withdraw(&id, amount),
            5 => format!(r#"{{"type":"Nonsense","command_id":"{id}"}}"#),
            _ => r#"{"type":"CloseAccount"}"#.to_owned(),
        };
        let record = sent(key, value);
        match place {
            Some(place) if place < 2 => record.on(place),
            _ => record,
        }
    })
}

/// Everything that was written, with a seal after each batch.
fn run(records: &[Sent], batches: &[usize]) -> (Vec<Reply>, Vec<Reply>, Desk) {
    let mut desk: Desk = Desk::new();
    let (mut outputs, mut sealed) = (Vec::new(), Vec::new());
    let mut sizes = batches.iter().cycle();
    let mut left = *sizes.next().unwrap();
    for record in records {
        desk.now += 1_000;
        outputs.push(desk.send(record));
        left -= 1;
        if left == 0 {
            sealed.push(desk.seal());
            left = *sizes.next().unwrap();
        }
    }
    sealed.push(desk.seal());
    (outputs, sealed, desk)
}

/// The last state record of every key.
fn last_states(sealed: &[Reply]) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
    let records = sealed.iter().flat_map(|reply| &reply.0);
    records
        .map(|written| (written.key.clone().unwrap(), written.value.clone()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_same_records_give_the_same_bytes(
        records in prop::collection::vec(any_record(), 1..60),
        batches in prop::collection::vec(1..9_usize, 1..5),
    ) {
        let (first, second) = (run(&records, &batches), run(&records, &batches));
        prop_assert_eq!(first.0, second.0);
        prop_assert_eq!(first.1, second.1);
    }

    #[test]
    fn other_batches_give_the_same_outputs_and_the_same_states(
        records in prop::collection::vec(any_record(), 1..60),
        batches in prop::collection::vec(1..9_usize, 1..5),
        others in prop::collection::vec(1..9_usize, 1..5),
    ) {
        let (first, second) = (run(&records, &batches), run(&records, &others));
        prop_assert_eq!(first.0, second.0);
        prop_assert_eq!(last_states(&first.1), last_states(&second.1));
    }

    #[test]
    fn restored_state_decides_as_the_living_one(
        records in prop::collection::vec(any_record(), 1..40),
        place in 0..40_usize,
    ) {
        let (live, ..) = run(&records, &[1]);
        let mut desk: Desk = Desk::new();
        let mut outputs = Vec::new();
        for (index, record) in records.iter().enumerate() {
            if index == place {
                desk.restart();
            }
            desk.now += 1_000;
            outputs.push(desk.send(record));
        }
        prop_assert_eq!(live, outputs);
    }
}
