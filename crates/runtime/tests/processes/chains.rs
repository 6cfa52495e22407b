//! What led to what: every event has its command, every command of a policy its event, every
//! answer its question, and none of them twice.

use std::collections::{BTreeMap, BTreeSet};

use millrace_domain::bank::transfer::TransferEvent;

use super::facts::{Facts, Happened, Sent};

/// Everything that should not be.
pub(super) fn breaks(facts: &Facts) -> Vec<String> {
    let mut wrong = Vec::new();
    if facts.dead_letters > 0 {
        wrong.push(format!("{} dead letters", facts.dead_letters));
    }
    wrong.extend(commands_are_decided_once(facts));
    wrong.extend(events_have_their_commands(facts));
    wrong.extend(commands_have_their_causes(facts));
    wrong.extend(transfers_ask_and_are_answered(facts));
    wrong.extend(who_asks_is_answered(facts));
    wrong
}

fn commands_are_decided_once(facts: &Facts) -> Vec<String> {
    let mut first = BTreeSet::new();
    let mut wrong = Vec::new();
    for outcome in facts.outcomes.iter().filter(|it| it["duplicate"] == false) {
        let key = ["aggregate", "aggregate_id", "command_id"].map(|name| outcome[name].to_string());
        if !first.insert(key.clone()) {
            wrong.push(format!("{key:?} was decided twice"));
        }
    }
    for sent in &facts.commands {
        let id = sent.text("command_id");
        let count = facts.answers(sent.aggregate, &sent.id, id).len();
        if count != 1 {
            wrong.push(format!("{count} first answers to {sent:?}"));
        }
    }
    wrong
}

fn events_have_their_commands(facts: &Facts) -> Vec<String> {
    let mut wrong = Vec::new();
    for event in &facts.happened {
        let (id, command_id) = (&event.id, &event.command_id);
        let sent = facts.commands_called(event.aggregate, id, command_id);
        let Some(sent) = sent.first() else {
            wrong.push(format!("no command led to {event:?}"));
            continue;
        };
        let correlation_id = sent.body["correlation_id"].as_str();
        let is_same = sent.body["causation_id"].as_str() == event.causation_id.as_deref()
            && correlation_id.unwrap_or(&event.command_id) == event.correlation_id
            && sent.trace == event.trace;
        if !is_same {
            wrong.push(format!("{event:?} is not of the conversation of {sent:?}"));
        }
    }
    wrong
}

/// What a worker has written of its own accord, it has written because of something.
fn commands_have_their_causes(facts: &Facts) -> Vec<String> {
    let events: BTreeMap<_, _> = facts
        .happened
        .iter()
        .map(|it| (it.event_id(), it))
        .collect();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for sent in facts.commands.iter().filter(|sent| !sent.by_client) {
        let cause = sent.text("causation_id");
        let is_answer = sent.text("type") == "Answered";
        // Commands that clients sent to a wrong place were moved by a worker.
        if cause.is_empty() {
            continue;
        }
        if !is_answer && !seen.insert((sent.aggregate, &sent.id, sent.text("command_id"))) {
            wrong.push(format!("sent twice: {sent:?}"));
        }
        match events.get(cause) {
            Some(event) if !is_answer => wrong.extend(strays(sent, event)),
            None if is_answer => {}
            _ => wrong.push(format!("nothing has caused {sent:?}")),
        }
    }
    wrong
}

/// How a follow-up differs from what it must be of its event.
fn strays(sent: &Sent, event: &Happened) -> Option<String> {
    let id = sent.text("command_id");
    let is_derived = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_whole = is_derived
        && sent.text("correlation_id") == event.correlation_id
        && sent.body["on_behalf_of"].as_str() == event.asker.as_deref()
        && sent.text("actor").starts_with("bank.policy.")
        && sent.trace == event.trace;
    (!is_whole).then(|| format!("{sent:?} is not what follows from {event:?}"))
}

/// Each step of a transfer but the last asks for one command, and its answer makes the next step.
fn transfers_ask_and_are_answered(facts: &Facts) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, events) in &facts.transfers {
        for (version, event) in (1..).zip(events) {
            let asks = match event {
                TransferEvent::TransferRequested(_) => Some("WithdrawMoney"),
                TransferEvent::TransferWithdrawn(_) => Some("DepositMoney"),
                TransferEvent::TransferDepositRefused(_) => Some("RefundMoney"),
                TransferEvent::TransferCompleted(_) | TransferEvent::TransferFailed(_) => None,
            };
            let event_id = format!("bank.transfer/{id}/{version}");
            let sent = facts.caused_by(&event_id);
            let kinds: Vec<_> = sent.iter().map(|sent| sent.text("type")).collect();
            if kinds != Vec::from_iter(asks) {
                wrong.push(format!("{event_id} has asked for {kinds:?}"));
            }
            for sent in sent {
                let next = next_step(facts, sent, (id, version + 1));
                wrong.extend(next.map(|what| format!("{event_id}: {what}: {sent:?}")));
            }
        }
    }
    wrong
}

/// What is missing between a transfer's question and its next event.
fn next_step(facts: &Facts, sent: &Sent, (id, version): (&str, i64)) -> Option<&'static str> {
    if sent.text("reply_to") != format!("bank.transfer/{id}") {
        return Some("the answer goes to somebody else");
    }
    let command_id = sent.text("command_id");
    let outcomes = facts.answers(sent.aggregate, &sent.id, command_id);
    let [outcome] = outcomes[..] else {
        return Some("not decided once");
    };
    let is_next = |event: &&Happened| {
        event.aggregate == "bank.transfer" && event.id == id && event.version == version
    };
    let Some(next) = facts.happened.iter().find(is_next) else {
        return Some("nothing came of it");
    };
    if next.causation_id.as_deref() != Some(command_id) {
        return Some("the next event has another cause");
    }
    let answers = facts.commands_called("bank.transfer", id, &next.command_id);
    let is_answer = |answer: &&&Sent| answer.text("type") == "Answered";
    let Some(answer) = answers.iter().find(is_answer) else {
        return Some("there is no answer");
    };
    let told = &answer.body["data"];
    let fields = ["command_id", "type", "status", "code", "version", "result"];
    let is_told = fields.iter().all(|name| told[*name] == outcome[*name]);
    (!is_told).then_some("the answer tells something else than the outcome")
}

/// Whoever awaits an answer gets one for each outcome, all under one id.
fn who_asks_is_answered(facts: &Facts) -> Vec<String> {
    let mut wrong = Vec::new();
    for sent in &facts.commands {
        let Some(reply_to) = sent.body["reply_to"].as_str() else {
            continue;
        };
        let (aggregate, id) = reply_to.split_once('/').unwrap();
        let command_id = sent.text("command_id");
        let answers = facts.caused_by(command_id).into_iter();
        let answers: Vec<_> = answers.filter(|it| it.text("type") == "Answered").collect();
        let ids: BTreeSet<_> = answers.iter().map(|it| it.text("command_id")).collect();
        let at_home = answers
            .iter()
            .all(|it| it.aggregate == aggregate && it.id == id);
        let is_it = |outcome: &&serde_json::Value| outcome["command_id"] == command_id;
        let outcomes = facts.outcomes.iter().filter(is_it).count();
        if ids.len() != 1 || !at_home || answers.len() != outcomes {
            wrong.push(format!("{outcomes} outcomes of {sent:?} had {answers:?}"));
        }
    }
    wrong
}
