//! What the answers of the user and the product lead to.

use millrace_eventsourcing::{
    Aggregate as _, Answered, Policy as _, Status, Version, event_id, follow_up_id,
};
use serde_json::{Value, json};

use super::*;
use crate::topics::envelopes;

/// The answer to the command that the event with this version asked for.
fn answer(to_version: i64) -> Answered {
    let cause = event_id(Order::NAME, "o-1", Version::new(to_version));
    let (kind, result) = match to_version {
        2 => ("ReserveStock", json!({"total_price": 259_998, "stock": 8})),
        _ => ("RequireActive", json!({ "user_id": ULID })),
    };
    Answered {
        command_id: follow_up_id(OrderPolicy::NAME, &cause, 0),
        kind: kind.to_owned(),
        status: Status::Accepted,
        code: None,
        message: None,
        version: 9,
        result: Some(result),
    }
}

fn no(to_version: i64, code: &str) -> Answered {
    Answered {
        status: Status::Rejected,
        code: Some(code.to_owned()),
        message: Some("no".to_owned()),
        result: None,
        ..answer(to_version)
    }
}

fn telling(to_version: i64, result: Option<Value>) -> Answered {
    Answered {
        result,
        ..answer(to_version)
    }
}

#[test]
fn two_acceptances_confirm_it() {
    order([placed(2)])
        .when_answered(answer(1))
        .then_result(None)
        .then([user_confirmed(2)])
        .then_state(state(2, Stage::UserConfirmed {}))
        .when_answered(answer(2))
        .then_result(None)
        .then([confirmed(259_998)])
        .then_state(state(2, Stage::Confirmed {}));
}

fn stage_rejected(reason: &str) -> Stage {
    Stage::Rejected {
        reason: reason.to_owned(),
    }
}

#[test]
fn a_refusing_user_rejects_it() {
    for (code, reason) in [
        ("not_found", "user_not_found"),
        ("user_inactive", "user_inactive"),
        ("insufficient_stock", "insufficient_stock"),
        ("handler_panicked", "handler_panicked"),
        ("Not_Found", "Not_Found"),
    ] {
        order([placed(2)])
            .when_answered(no(1, code))
            .then([rejected(reason)])
            .then_state(state(2, stage_rejected(reason)));
    }
}

#[test]
fn a_refusing_product_rejects_it() {
    for (code, reason) in [
        ("not_found", "product_not_found"),
        ("insufficient_stock", "insufficient_stock"),
        ("amount_overflow", "amount_overflow"),
        ("invalid_quantity", "invalid_quantity"),
        ("user_inactive", "user_inactive"),
    ] {
        order([placed(2), user_confirmed(2)])
            .when_answered(no(2, code))
            .then([rejected(reason)])
            .then_state(state(2, stage_rejected(reason)));
    }
}

#[test]
fn an_answer_without_code_is_still_a_refusal() {
    for (history, version) in [
        (vec![placed(2)], 1),
        (vec![placed(2), user_confirmed(2)], 2),
    ] {
        let refused = Answered {
            code: None,
            ..no(version, "")
        };
        order(history).when_answered(refused).then([rejected("")]);
    }
}

#[test]
fn the_status_alone_says_yes_or_no() {
    let yes = Answered {
        code: Some("not_found".to_owned()),
        ..answer(1)
    };
    order([placed(2)])
        .when_answered(yes)
        .then([user_confirmed(2)]);
    let no = Answered {
        result: answer(2).result,
        ..no(2, "not_found")
    };
    order([placed(2), user_confirmed(2)])
        .when_answered(no)
        .then([rejected("product_not_found")]);
}

#[test]
fn a_user_without_id_leaves_the_order_as_it_is() {
    for result in [
        None,
        Some(json!(null)),
        Some(json!(ULID)),
        Some(json!([ULID])),
        Some(json!({})),
        Some(json!({"user_id": null})),
        Some(json!({"user_id": 1})),
        Some(json!({"total_price": 1})),
    ] {
        order([placed(2)])
            .when_answered(telling(1, result))
            .then_rejected("unusable_answer")
            .then_state(state(2, Stage::Placed {}))
            .when_answered(answer(1))
            .then([user_confirmed(2)]);
    }
}

#[test]
fn a_reservation_without_price_leaves_the_order_as_it_is() {
    for result in [
        None,
        Some(json!(1)),
        Some(json!({"stock": 8})),
        Some(json!({"total_price": null, "stock": 8})),
        Some(json!({"total_price": "1", "stock": 8})),
        Some(json!({"total_price": 1.0, "stock": 8})),
        Some(json!({"total_price": u64::MAX, "stock": 8})),
        Some(json!({ "user_id": ULID })),
    ] {
        order([placed(2), user_confirmed(2)])
            .when_answered(telling(2, result))
            .then_rejected("unusable_answer")
            .then_state(state(2, Stage::UserConfirmed {}));
    }
}

#[test]
fn what_is_missing_is_named() {
    let sentence = |history: Vec<OrderEvent>, version| {
        let when = order(history).when_answered(telling(version, None));
        when.rejection().to_string()
    };
    assert_eq!(
        sentence(vec![placed(2)], 1),
        "the answer to `RequireActive` for order `o-1` has no `user_id`"
    );
    assert_eq!(
        sentence(vec![placed(2), user_confirmed(2)], 2),
        "the answer to `ReserveStock` for order `o-1` has no `total_price`"
    );
}

#[test]
fn the_price_is_taken_as_it_is_told() {
    for total_price in [1, i64::MAX] {
        let told = telling(2, Some(json!({ "total_price": total_price })));
        order([placed(2), user_confirmed(2)])
            .when_answered(told)
            .then([confirmed(total_price)]);
    }
}

#[test]
fn only_the_answer_to_the_last_question_is_awaited() {
    for history in histories() {
        let asking = match history.last() {
            Some(OrderEvent::OrderPlaced(_) | OrderEvent::OrderUserConfirmed(_)) => {
                i64::try_from(history.len()).unwrap()
            }
            Some(OrderEvent::OrderConfirmed(_) | OrderEvent::OrderRejected(_)) | None => -1,
        };
        for version in (0..6).filter(|version| *version != asking) {
            for answer in [
                answer(version),
                no(version, "not_found"),
                telling(version, None),
            ] {
                let state = order(history.clone()).state().cloned();
                order(history.clone())
                    .when_answered(answer)
                    .then_not_awaited()
                    .then_state(state);
            }
        }
    }
}

#[test]
fn answers_to_others_are_not_awaited() {
    let cause = event_id(Order::NAME, "o-1", Version::new(1));
    let other_order = event_id(Order::NAME, "o-2", Version::new(1));
    for command_id in [
        String::new(),
        "c-1".to_owned(),
        cause.clone(),
        follow_up_id(OrderPolicy::NAME, &cause, 1),
        follow_up_id("bank.policy.transfer", &cause, 0),
        follow_up_id(OrderPolicy::NAME, &other_order, 0),
        answer(1).command_id.to_uppercase(),
    ] {
        let answer = Answered {
            command_id,
            ..answer(1)
        };
        order([placed(2)]).when_answered(answer).then_not_awaited();
    }
}

#[test]
fn the_same_answer_is_awaited_once() {
    order([placed(2)])
        .when_answered(answer(1))
        .then([user_confirmed(2)])
        .when_answered(answer(1))
        .then_not_awaited()
        .when_answered(answer(2))
        .then([confirmed(259_998)])
        .when_answered(answer(2))
        .then_not_awaited()
        .when_answered(no(2, "insufficient_stock"))
        .then_not_awaited();
    order([placed(2)])
        .when_answered(no(1, "not_found"))
        .then([rejected("user_not_found")])
        .when_answered(answer(1))
        .then_not_awaited();
}

#[test]
fn facts_are_taken_in_whatever_came_before() {
    for event in histories().concat() {
        let unplaced = Order::evolve(None, &event);
        let is_placing = matches!(event, OrderEvent::OrderPlaced(_));
        assert_eq!(unplaced.is_some(), is_placing, "{event:?}");
    }
}

#[test]
fn what_is_awaited_is_what_the_policy_sends() {
    for history in histories() {
        let Some(last) = envelopes(&history).pop() else {
            continue;
        };
        let asked = OrderPolicy.react("o-1", &last);
        let awaits = order(history).when_answered(answer(last.version.get()));
        if asked.is_empty() {
            awaits.then_not_awaited();
        } else {
            assert_eq!(asked.len(), 1);
            assert_eq!(asked[0].kind, answer(last.version.get()).kind);
            awaits.then_accepted();
        }
    }
}
