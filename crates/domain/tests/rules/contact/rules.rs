use millrace_eventsourcing::{Aggregate as _, Rejection as _};

use super::*;

const BLANKS: [Option<&str>; 5] = [None, Some(""), Some(" \t\n"), Some("\u{a0}"), Some("\0")];

fn state(name: &str, deleted: bool) -> Contact {
    Contact {
        name: name.to_owned(),
        deleted,
    }
}

#[test]
fn r5_a_contact_is_added_updated_twice_and_deleted() {
    let after = contact([])
        .when(add(Some("Ada")))
        .then_result(None)
        .then([added("Ada")])
        .then_state(state("Ada", false))
        .when(update(Some("Ada L.")))
        .then_result(None)
        .then([updated("Ada L.")])
        .then_state(state("Ada L.", false))
        .when(update(Some(" Ada\tLovelace ")))
        .then([updated(" Ada\tLovelace ")])
        .when(delete())
        .then_result(None)
        .then([deleted()])
        .then_state(state(" Ada\tLovelace ", true));
    assert_eq!(after.history().len(), 4);
}

#[test]
fn names_are_kept_as_typed() {
    for name in [" Ada ", "é", "x\0", &"x".repeat(8_192)] {
        contact([]).when(add(Some(name))).then([added(name)]);
        contact([added("Ada")])
            .when(update(Some(name)))
            .then([updated(name)]);
    }
}

#[test]
fn the_same_name_again_is_an_event_again() {
    contact([added("Ada")])
        .when(update(Some("Ada")))
        .then([updated("Ada")]);
}

#[test]
fn blank_names_are_missing() {
    for blank in BLANKS {
        contact([])
            .when(add(blank))
            .then_rejected("name_required")
            .then_state(None);
        contact([added("Ada")])
            .when(update(blank))
            .then_rejected("name_required")
            .then_state(state("Ada", false));
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    for history in [vec![], vec![added("Ada"), deleted()]] {
        let state = contact(history.clone()).state().cloned();
        for command in [update(Some("Ada")), delete()] {
            contact(history.clone())
                .when(command)
                .then_rejected("not_found")
                .then_state(state.clone());
        }
    }
}

#[test]
fn an_id_stays_taken_after_deletion() {
    for history in [
        vec![added("Ada")],
        vec![added("Ada"), updated("Eve")],
        vec![added("Ada"), deleted()],
        vec![added("Ada"), updated("Eve"), deleted()],
    ] {
        let state = contact(history.clone()).state().cloned();
        contact(history)
            .when(add(Some("Eve")))
            .then_rejected("already_exists")
            .then_state(state);
    }
}

#[test]
fn a_blank_name_is_said_before_anything_else() {
    for blank in BLANKS {
        contact([added("Ada")])
            .when(add(blank))
            .then_rejected("name_required");
        contact([added("Ada"), deleted()])
            .when(add(blank))
            .then_rejected("name_required");
        contact([])
            .when(update(blank))
            .then_rejected("name_required");
    }
}

#[test]
fn sentences_name_the_contact_and_fit_an_answer() {
    let sentence = |given: Given<Contact>, command| given.when(command).rejection().to_string();
    let there = || contact([added("Ada")]);
    assert_eq!(
        sentence(there(), add(Some("Ada"))),
        "contact `k-1` exists already, or did"
    );
    assert_eq!(sentence(contact([]), delete()), "there is no contact `k-1`");
    assert_eq!(sentence(contact([]), add(None)), "name is missing or blank");
    let longest = "x".repeat(128);
    for (history, command) in [
        (vec![added("Ada")], add(Some("Ada"))),
        (vec![], update(Some("Ada"))),
        (vec![], delete()),
    ] {
        let rejection = contact(history).id(&longest).when(command).rejection();
        let sentence = rejection.to_string();
        assert!(sentence.contains(&longest), "{}", rejection.code());
        assert!(sentence.len() <= 1_024);
    }
}

#[test]
fn facts_are_taken_in_whatever_came_before() {
    for event in [added("Ada"), updated("Ada"), deleted()] {
        let is_adding = matches!(event, ContactEvent::ContactAdded { .. });
        assert_eq!(Contact::evolve(None, &event).is_some(), is_adding);
    }
}
