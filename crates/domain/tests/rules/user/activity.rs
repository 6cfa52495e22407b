use millrace_eventsourcing::{Aggregate as _, Answered, Status};
use serde_json::json;

use super::*;

fn told() -> serde_json::Value {
    json!({ "user_id": ULID })
}

#[test]
fn a_user_is_deactivated_and_reactivated() {
    let state = |active| User {
        user_id: ULID.to_owned(),
        active,
    };
    user([registered()])
        .then_state(state(true))
        .when(deactivate())
        .then_result(told())
        .then([deactivated()])
        .then_state(state(false))
        .when(reactivate())
        .then_result(told())
        .then([reactivated()])
        .then_state(state(true))
        .when(deactivate())
        .then([deactivated()]);
}

#[test]
fn what_is_so_already_is_refused() {
    let inactive = || user([registered(), deactivated()]);
    user([registered()])
        .when(reactivate())
        .then_rejected("already_active");
    inactive()
        .when(deactivate())
        .then_rejected("already_inactive")
        .then_state(inactive().state().cloned());
    user([registered(), deactivated(), reactivated()])
        .when(reactivate())
        .then_rejected("already_active");
}

#[test]
fn an_active_user_may_act_and_nothing_changes() {
    for history in [
        vec![registered()],
        vec![registered(), deactivated(), reactivated()],
    ] {
        let state = user(history.clone()).state().cloned();
        user(history)
            .when(require_active())
            .then_result(told())
            .then([])
            .then_state(state);
    }
}

#[test]
fn an_inactive_user_may_not_act() {
    user([registered(), deactivated()])
        .when(require_active())
        .then_rejected("user_inactive");
}

#[test]
fn nobody_can_be_asked_for_nothing() {
    for command in [deactivate(), reactivate(), require_active()] {
        user([])
            .when(command)
            .then_rejected("not_found")
            .then_state(None);
    }
}

#[test]
fn sentences_name_the_user() {
    let sentence = |given: Given<User>, command| given.when(command).rejection().to_string();
    let inactive = || user([registered(), deactivated()]);
    for (sentence, expected) in [
        (
            sentence(user([]), require_active()),
            "there is no user `u@x`",
        ),
        (
            sentence(inactive(), deactivate()),
            "user `u@x` is inactive already",
        ),
        (
            sentence(user([registered()]), reactivate()),
            "user `u@x` is active already",
        ),
        (
            sentence(inactive(), require_active()),
            "user `u@x` is inactive",
        ),
    ] {
        assert_eq!(sentence, expected);
    }
}

#[test]
fn facts_are_taken_in_whatever_came_before() {
    for event in [registered(), deactivated(), reactivated()] {
        let is_registration = matches!(event, UserEvent::UserRegistered(_));
        assert_eq!(User::evolve(None, &event).is_some(), is_registration);
    }
}

#[test]
fn a_user_awaits_no_answer() {
    for history in [vec![], vec![registered()]] {
        let answer = Answered {
            command_id: "c-1".to_owned(),
            kind: "RequireActive".to_owned(),
            status: Status::Accepted,
            code: None,
            message: None,
            version: 1,
            result: None,
        };
        user(history).when_answered(answer).then_not_awaited();
    }
}
