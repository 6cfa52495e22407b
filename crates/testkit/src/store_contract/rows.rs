//! Rows on their way there and back.

use std::collections::BTreeMap;

use millrace_eventsourcing::{Cell, Timestamp};

use super::{SINGLE, StoreUnderTest, WIDE, apply, cells_of, single, try_apply, wide};

/// The ends of every range, and text that is easily spoiled.
pub async fn every_type_comes_back_to_the_millisecond(under_test: &impl StoreUnderTest) {
    let long = "x".repeat(100_000);
    let texts = ["", "é\u{0}\n'\"\\", "\u{1f600}", long.as_str()];
    let bigints = [i64::MIN, i64::MAX, 0, -1];
    let ints = [i32::MIN, i32::MAX, 0, -1];
    let micros = [-1, 0, 1_999, 1_700_000_000_123_456];
    let millis = [-1, 0, 1, 1_700_000_000_123];
    for (index, text) in texts.into_iter().enumerate() {
        let id = format!("types {index}");
        let number = bigints.get(index).copied().unwrap_or_default();
        let small = ints.get(index).copied().unwrap_or_default();
        let time = micros.get(index).copied().unwrap_or_default();
        let columns = [
            ("type", text.into()),
            ("offset", number.into()),
            ("partition", small.into()),
            ("token", (index % 2 == 0).into()),
            ("timestamp", Timestamp::from_micros(time).into()),
        ];
        apply(under_test, "types", &[single(&id, 1, columns.clone())]).await;
        let time = millis.get(index).copied().unwrap_or_default();
        let mut expected: Vec<Cell> = columns.into_iter().map(|(_, cell)| cell).collect();
        expected.truncate(4);
        expected.push(Timestamp::from_millis(time).into());
        assert_eq!(cells_of(under_test, &id).await, expected, "{id}");
    }
}

/// Descending and ascending clustering columns, whatever order rows came in.
pub async fn rows_come_in_the_order_of_the_table(under_test: &impl StoreUnderTest) {
    const NAME: &str = "order";
    let rows = [(1, "b"), (3, "a"), (2, "z"), (1, "a"), (2, "A")];
    let rows = rows.map(|place| wide(NAME, place, "x"));
    assert_eq!(try_apply(under_test, NAME, rows.to_vec()).await, Ok(()));
    let found = under_test.rows(&WIDE, &[NAME.into(), 0.into()]).await;
    let places = found
        .into_iter()
        .map(|row| (row.get(2).cloned(), row.get(3).cloned()));
    let places: Vec<_> = places.collect();
    let expected = [(3, "a"), (2, "A"), (2, "z"), (1, "a"), (1, "b")];
    let expected = expected.map(|(order, key)| {
        let order = Timestamp::from_millis(order);
        (Some(order.into()), Some(key.into()))
    });
    assert_eq!(places, expected);
}

/// Rows of many tables and partitions in one batch, more in one partition than go together at
/// once, and more than stand on a page.
pub async fn ten_thousand_rows_arrive(under_test: &impl StoreUnderTest) {
    const NAME: &str = "many";
    const SINGLES: usize = 4_000;
    let mut rows = Vec::new();
    for number in 0..SINGLES {
        let offset = i64::try_from(number).unwrap_or_default();
        let id = format!("many {number}");
        rows.push(single(&id, 1, [("offset", offset.into())]));
    }
    // Partitions of one row, of two, … of 100, and one of 950: 6,000 rows.
    let mut sizes: BTreeMap<String, i64> = BTreeMap::new();
    for size in (1..=100).chain([950]) {
        let group = format!("many {size}");
        for order in 0..size {
            rows.push(wide(&group, (order, "k"), &format!("{size}/{order}")));
        }
        sizes.insert(group, size);
    }
    assert_eq!(rows.len(), 10_000);
    assert_eq!(try_apply(under_test, NAME, rows).await, Ok(()));
    for (group, size) in sizes {
        let found = under_test
            .rows(&WIDE, &[group.as_str().into(), 0.into()])
            .await;
        let data: Vec<_> = found.iter().filter_map(|row| row.get(4).cloned()).collect();
        let orders = (0..size).rev();
        let expected: Vec<Cell> = orders
            .map(|order| format!("{size}/{order}").into())
            .collect();
        assert_eq!(data, expected, "{group}");
    }
    for number in [0, 1, SINGLES / 2, SINGLES - 1] {
        let key = [Cell::from(format!("many {number}"))];
        assert_eq!(under_test.rows(&SINGLE, &key).await.len(), 1, "{number}");
    }
}
