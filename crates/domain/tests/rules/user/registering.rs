use std::borrow::Cow;

use millrace_domain::users::user::{USERNAME_CHARACTERS, UserRejection, normalise_email};
use millrace_eventsourcing::{Aggregate as _, Rejection as _};
use serde_json::json;

use super::*;

#[test]
fn a_user_is_registered_as_typed_and_active() {
    let after = user([])
        .when(register(Some(" Ada "), Some(" U@X ")))
        .then_accepted();
    let registered = registration(&after).clone();
    assert_eq!(registered.username, " Ada ");
    assert_eq!(registered.email, " U@X ");
    let user_id = registered.user_id.clone();
    assert_eq!(after.history(), [UserEvent::UserRegistered(registered)]);
    let active = true;
    after.then_state(User { user_id, active });
}

#[test]
fn the_answer_tells_the_id() {
    let after = user([])
        .when(register(Some("ada"), Some(ID)))
        .then_accepted();
    let user_id = registration(&after).user_id.clone();
    let told = user([])
        .when(register(Some("ada"), Some(ID)))
        .then_result(json!({ "user_id": user_id }))
        .then_accepted();
    assert_eq!(told.history().len(), 1);
}

#[test]
fn blank_usernames_are_missing() {
    for blank in [
        None,
        Some(""),
        Some("    "),
        Some("\t\r\n "),
        Some("\u{a0}\u{3000}\u{a0}"),
        Some("\0\0\0"),
    ] {
        user([])
            .when(register(blank, Some(ID)))
            .then_rejected("username_required")
            .then_state(None);
    }
}

#[test]
fn usernames_have_3_to_50_characters() {
    let e_acute = |count| "é".repeat(count);
    let family = |count| "👪".repeat(count);
    for (username, is_taken) in [
        ("a".to_owned(), false),
        ("ab".to_owned(), false),
        ("abc".to_owned(), true),
        ("x".repeat(50), true),
        ("x".repeat(51), false),
        ("x".repeat(8_192), false),
        (e_acute(2), false),
        (e_acute(3), true),
        (e_acute(50), true),
        (e_acute(51), false),
        (family(2), false),
        (family(3), true),
        (family(50), true),
        (family(51), false),
        ("a c".to_owned(), true),
    ] {
        let when = user([]).when(register(Some(&username), Some(ID)));
        if is_taken {
            when.then_accepted();
        } else {
            when.then_rejected("invalid_username").then_state(None);
        }
    }
}

#[test]
fn blanks_around_a_username_do_not_count() {
    for (username, is_taken) in [
        (" ab ".to_owned(), false),
        ("\u{a0}ab\t\n".to_owned(), false),
        (" abc ".to_owned(), true),
        (format!("  {}\n", "é".repeat(50)), true),
        (format!("  {}\n", "é".repeat(51)), false),
    ] {
        let when = user([]).when(register(Some(&username), Some(ID)));
        if is_taken {
            let after = when.then_accepted();
            assert_eq!(registration(&after).username, username);
        } else {
            when.then_rejected("invalid_username");
        }
    }
}

#[test]
fn blank_addresses_are_missing() {
    for blank in [None, Some(""), Some("  "), Some("\u{a0}\t"), Some("\0")] {
        user([])
            .when(register(Some("ada"), blank))
            .then_rejected("email_required")
            .then_state(None);
    }
}

#[test]
fn what_is_no_address_is_refused() {
    let too_long = format!("u@{}", "x".repeat(253));
    for text in [
        "not-an-email",
        "u",
        "@",
        "u@",
        "@x",
        "u@x@x",
        "u @x",
        "u@x\u{a0}y",
        "u@x\0",
        &too_long,
    ] {
        user([])
            .when(register(Some("ada"), Some(text)))
            .then_rejected("invalid_email")
            .then_state(None);
    }
}

#[test]
fn an_address_is_compared_trimmed_and_in_lower_case() {
    for typed in ["u@x", "U@x", "u@X", " u@x", "u@x\t", "\u{a0}U@X\n"] {
        let after = user([])
            .when(register(Some("ada"), Some(typed)))
            .then_accepted();
        assert_eq!(registration(&after).email, typed);
    }
}

#[test]
fn another_address_than_the_key_is_refused() {
    for typed in ["v@x", "u@xx", "uu@x", "ú@x"] {
        user([])
            .when(register(Some("ada"), Some(typed)))
            .then_rejected("key_mismatch")
            .then_state(None);
    }
    // Only ASCII letters have one lower case everywhere.
    given::<User>([])
        .id("é@x")
        .when(register(Some("ada"), Some("É@x")))
        .then_rejected("key_mismatch");
}

#[test]
fn ids_are_normalised_as_addresses_are() {
    for (typed, normalised) in [
        ("u@x", "u@x"),
        ("Test@Example.COM", "test@example.com"),
        ("  u@x\t", "u@x"),
        ("\u{a0}U@x\u{3000}", "u@x"),
        ("É@X", "É@x"),
        ("u b@X", "u b@x"),
        ("   ", ""),
        ("", ""),
    ] {
        assert_eq!(User::normalise_id(typed), normalised);
        assert_eq!(normalise_email(typed), normalised);
        assert_eq!(User::normalise_id(normalised), normalised);
    }
    assert!(matches!(normalise_email(" u@x "), Cow::Borrowed("u@x")));
}

#[test]
fn y11_an_address_is_taken_in_whatever_letters_it_is_typed() {
    let first = registered_as(ULID, "test", "test@example.com");
    given::<User>([first])
        .id(User::normalise_id("Test@Example.com"))
        .when(register(Some("Test"), Some("Test@Example.com")))
        .then_rejected("user_already_exists");
}

#[test]
fn an_address_is_taken_for_good() {
    for history in [
        vec![registered()],
        vec![registered(), deactivated()],
        vec![registered(), deactivated(), reactivated()],
    ] {
        let state = user(history.clone()).state().cloned();
        user(history)
            .when(register(Some("eve"), Some(ID)))
            .then_rejected("user_already_exists")
            .then_state(state);
    }
}

#[test]
fn y3_after_refusals_a_valid_registration_works() {
    user([])
        .when(register(None, Some(ID)))
        .then_rejected("username_required")
        .when(register(Some("ada"), None))
        .then_rejected("email_required")
        .when(register(Some("ada"), Some("not-an-email")))
        .then_rejected("invalid_email")
        .when(register(Some("ada"), Some(ID)))
        .then_accepted();
}

#[test]
fn several_faults_are_answered_in_the_published_order() {
    let code = |username, email| {
        let rejection = user([registered()])
            .when(register(username, email))
            .rejection();
        rejection.code()
    };
    assert_eq!(code(None, None), "username_required");
    assert_eq!(code(None, Some("not-an-email")), "username_required");
    assert_eq!(code(Some("ab"), None), "invalid_username");
    assert_eq!(code(Some("ab"), Some("not-an-email")), "invalid_username");
    assert_eq!(code(Some("abc"), None), "email_required");
    assert_eq!(code(Some("abc"), Some("not-an-email")), "invalid_email");
    assert_eq!(code(Some("abc"), Some("v@x")), "key_mismatch");
    assert_eq!(code(Some("abc"), Some("u@x")), "user_already_exists");
}

#[test]
fn sentences_show_the_values() {
    let sentence = |given: Given<User>, command| given.when(command).rejection().to_string();
    for (command, expected) in [
        (register(None, None), "username is missing or blank"),
        (
            register(Some(" éé "), None),
            "username has 2 characters, it must have 3 to 50",
        ),
        (register(Some("ada"), None), "email is missing or blank"),
        (
            register(Some("ada"), Some("u")),
            "email is no e-mail address",
        ),
        (
            register(Some("ada"), Some(" V@x ")),
            "email normalises to `v@x`, but the command was sent to `u@x`",
        ),
    ] {
        assert_eq!(sentence(user([]), command), expected);
    }
    let again = register(Some("ada"), Some("U@x"));
    assert_eq!(
        sentence(user([registered()]), again),
        "user `u@x` exists already"
    );
    assert_eq!(USERNAME_CHARACTERS, 3..=50);
}

#[test]
fn the_longest_sentence_fits_an_answer() {
    let id = "\u{7f}".repeat(128);
    let longest_address = format!("u@{}", "x".repeat(252));
    let command = register(Some("ada"), Some(&longest_address));
    let rejection = given::<User>([]).id(&id).when(command).rejection();
    assert!(matches!(rejection, UserRejection::KeyMismatch { .. }));
    let sentence = rejection.to_string();
    assert!(sentence.contains(&longest_address) && sentence.contains(&id));
    assert!(sentence.len() <= 1_024, "{} bytes", sentence.len());
    for command in [
        register(Some(&"x".repeat(8_192)), None),
        register(Some("ada"), Some(&"@".repeat(8_192))),
        deactivate(),
    ] {
        let sentence = given::<User>([]).id(&id).when(command).rejection();
        assert!(sentence.to_string().len() <= 1_024);
    }
}
