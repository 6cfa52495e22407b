//! What the accounts' answers lead to.

use millrace_domain::bank::transfer::TransferRejection;
use millrace_eventsourcing::Decision;

use super::*;

/// The answer to the command that the event with this version asked for.
fn answer(to_version: i64, refused_with: Option<&str>) -> Answered {
    let cause = event_id(Transfer::NAME, "t-1", Version::new(to_version));
    Answered {
        command_id: follow_up_id(TransferPolicy::NAME, &cause, 0),
        kind: "WithdrawMoney".to_owned(),
        status: refused_with.map_or(Status::Accepted, |_| Status::Rejected),
        code: refused_with.map(str::to_owned),
        message: None,
        version: 9,
        result: None,
    }
}

fn yes(to_version: i64) -> Answered {
    answer(to_version, None)
}

fn no(to_version: i64, code: &str) -> Answered {
    answer(to_version, Some(code))
}

#[test]
fn two_acceptances_complete_it() {
    let after = transfer([requested()])
        .when_answered(yes(1))
        .then([withdrawn()])
        .when_answered(yes(2))
        .then([completed()]);
    assert_eq!(after.state().unwrap().stage, Stage::Completed {});
}

#[test]
fn a_refused_withdrawal_fails_it_with_the_code() {
    for code in ["insufficient_funds", "not_found", "account_closed"] {
        let after = transfer([requested()])
            .when_answered(no(1, code))
            .then([failed(code)]);
        let reason = code.to_owned();
        assert_eq!(after.state().unwrap().stage, Stage::Failed { reason });
    }
}

#[test]
fn a_refused_deposit_is_refunded_and_fails_it_with_the_deposits_code() {
    let reason = || "account_closed".to_owned();
    let refused = transfer([requested(), withdrawn()])
        .when_answered(no(2, "account_closed"))
        .then([deposit_refused("account_closed")]);
    let stage = &refused.state().unwrap().stage;
    assert_eq!(*stage, Stage::DepositRefused { reason: reason() });
    let after = refused
        .when_answered(yes(3))
        .then([failed("account_closed")]);
    let stage = &after.state().unwrap().stage;
    assert_eq!(*stage, Stage::Failed { reason: reason() });
}

#[test]
fn a_refused_refund_leaves_it_withdrawn_and_is_counted() {
    let refused = || transfer([requested(), withdrawn(), deposit_refused("account_closed")]);
    let state = refused().state().cloned();
    refused()
        .when_answered(no(3, "balance_overflow"))
        .then_rejected("refund_refused")
        .then_state(state);
    let rejection = refused()
        .when_answered(no(3, "balance_overflow"))
        .rejection();
    assert_eq!(
        rejection,
        TransferRejection::RefundRefused {
            id: "t-1".to_owned(),
            account: "acc-1".to_owned(),
            amount: AMOUNT,
            code: "balance_overflow".to_owned(),
        }
    );
    assert_eq!(
        rejection.to_string(),
        "account `acc-1` refused the refund of 100 of transfer `t-1`: `balance_overflow`"
    );
}

#[test]
fn an_answer_without_code_is_still_a_refusal() {
    let refused = Answered {
        code: None,
        ..no(1, "")
    };
    transfer([requested()])
        .when_answered(refused)
        .then([failed("")]);
}

/// Every history that a transfer can have.
fn histories() -> [Vec<TransferEvent>; 7] {
    [
        vec![],
        vec![requested()],
        vec![requested(), failed("not_found")],
        vec![requested(), withdrawn()],
        vec![requested(), withdrawn(), completed()],
        vec![requested(), withdrawn(), deposit_refused("not_found")],
        vec![
            requested(),
            withdrawn(),
            deposit_refused("not_found"),
            failed("not_found"),
        ],
    ]
}

#[test]
fn only_the_answer_to_the_last_question_is_awaited() {
    for history in histories() {
        let asking = match history.last() {
            Some(
                TransferEvent::TransferRequested(_)
                | TransferEvent::TransferWithdrawn(_)
                | TransferEvent::TransferDepositRefused(_),
            ) => i64::try_from(history.len()).unwrap(),
            Some(TransferEvent::TransferCompleted(_) | TransferEvent::TransferFailed(_)) | None => {
                -1
            }
        };
        for version in (0..6).filter(|version| *version != asking) {
            for answer in [yes(version), no(version, "not_found")] {
                transfer(history.clone())
                    .when_answered(answer)
                    .then_not_awaited();
            }
        }
    }
}

#[test]
fn answers_to_others_are_not_awaited() {
    let cause = event_id(Transfer::NAME, "t-1", Version::new(1));
    let other_transfer = event_id(Transfer::NAME, "t-2", Version::new(1));
    for command_id in [
        String::new(),
        "c-1".to_owned(),
        cause.clone(),
        follow_up_id(TransferPolicy::NAME, &cause, 1),
        follow_up_id("bank.policy.bonus", &cause, 0),
        follow_up_id(TransferPolicy::NAME, &other_transfer, 0),
    ] {
        let answer = Answered {
            command_id,
            ..yes(1)
        };
        transfer([requested()])
            .when_answered(answer)
            .then_not_awaited();
    }
}

#[test]
fn the_same_answer_is_awaited_once() {
    transfer([requested()])
        .when_answered(yes(1))
        .then([withdrawn()])
        .when_answered(yes(1))
        .then_not_awaited()
        .when_answered(yes(2))
        .then([completed()])
        .when_answered(yes(2))
        .then_not_awaited();
}

#[test]
fn facts_are_taken_in_whatever_came_before() {
    for event in histories().concat() {
        let unrequested = Transfer::evolve(None, &event);
        let is_request = matches!(event, TransferEvent::TransferRequested(_));
        assert_eq!(unrequested.is_some(), is_request, "{event:?}");
    }
}

#[test]
fn what_is_awaited_is_what_the_policy_sends() {
    for history in histories() {
        let Some(last) = envelopes(&history).pop() else {
            continue;
        };
        let asked = TransferPolicy.react("t-1", &last);
        let answer = yes(last.version.get());
        let awaits = transfer(history).when_answered(answer);
        if asked.is_empty() {
            awaits.then_not_awaited();
        } else {
            assert_eq!(asked.len(), 1);
            awaits.then_accepted();
        }
    }
}

/// The type of what a transfer says to an answer.
#[test]
fn an_answer_leads_to_one_event_and_no_result() {
    let context = millrace_eventsourcing::Context {
        aggregate: Transfer::NAME,
        id: "t-1",
        version: Version::new(1),
        command_id: "answer:1",
        now: recorded_at(1),
    };
    let state = Transfer::evolve(None, &requested());
    let decision = Transfer::on_answer(state.as_ref(), &yes(1), &context);
    assert_eq!(
        decision.unwrap(),
        Ok(Decision {
            events: vec![withdrawn()],
            result: None
        })
    );
}
