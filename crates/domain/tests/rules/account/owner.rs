use millrace_eventsourcing::Rejection as _;

use super::*;

#[test]
fn an_address_is_replaced_and_the_previous_one_named() {
    account(0)
        .when(change_email("john.snow@the.wall"))
        .then([email_changed(EMAIL, "john.snow@the.wall")])
        .when(change_email("u@x"))
        .then([email_changed("john.snow@the.wall", "u@x")]);
}

#[test]
fn what_is_no_address_replaces_nothing() {
    for text in ["", " ", "not-an-email", "a@", "@b", "a@b@c", " a@b", "a@b "] {
        account(0)
            .when(change_email(text))
            .then_rejected("invalid_email")
            .then_state(account(0).state().cloned());
    }
    let nothing = AccountCommand::ChangeEmailAddress(ChangeEmailAddress::default());
    account(0).when(nothing).then_rejected("invalid_email");
}

#[test]
fn a_password_is_replaced() {
    let after = account(0)
        .when(change_password(SECOND_HASH))
        .then([password_changed(SECOND_HASH)]);
    assert_eq!(
        after.state().unwrap().password_hash,
        Some(hash(SECOND_HASH))
    );
}

#[test]
fn what_is_no_password_hash_replaces_nothing() {
    for text in ["", " ", "$ThisIsANOTHERPassword"] {
        account(0)
            .when(change_password(text))
            .then_rejected("invalid_password");
    }
    let nothing = AccountCommand::ChangePassword(ChangePassword::default());
    account(0).when(nothing).then_rejected("invalid_password");
}

#[test]
fn an_unknown_account_has_no_owner() {
    for command in [change_email(""), change_password("")] {
        given::<Account>([])
            .when(command)
            .then_rejected("not_found");
    }
}

#[test]
fn a_closed_account_keeps_its_owner() {
    for command in [change_email(""), change_password("")] {
        closed_account()
            .when(command)
            .then_rejected("account_closed");
    }
}

#[test]
fn answers_stay_short_and_show_no_password_hash() {
    let id = "x".repeat(128);
    let long_email = "@".repeat(8_192);
    let broken_hash = format!("{SECOND_HASH}x");
    for command in [change_email(&long_email), change_password(&broken_hash)] {
        let debug = format!("{command:?}");
        assert!(!debug.contains(&broken_hash), "{debug}");
        let sentence = account(0).id(&id).when(command).rejection().to_string();
        assert!(sentence.len() <= 1_024, "{} bytes", sentence.len());
        assert!(!sentence.contains("$2b$"), "{sentence}");
    }
    let rejection = given::<Account>([]).id(&id).when(close()).rejection();
    assert_eq!(rejection.code(), "not_found");
    assert_eq!(
        rejection.to_string(),
        format!("account `{id}` does not exist")
    );
}
