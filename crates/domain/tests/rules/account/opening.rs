use super::*;

fn opening(command: OpenAccount) -> AccountCommand {
    AccountCommand::OpenAccount(command)
}

#[test]
fn an_account_opens_with_what_was_given() {
    given::<Account>([])
        .when(opening(open(0)))
        .then([opened(0)])
        .then_state(Account {
            first_name: "John".to_owned(),
            last_name: "Snow".to_owned(),
            email: EMAIL.to_owned(),
            password_hash: Some(hash(FIRST_HASH)),
            balance: 0,
            closed: false,
        });
}

#[test]
fn an_account_opens_without_password_and_balance() {
    let command = OpenAccount {
        password_hash: None,
        initial_balance: None,
        ..open(0)
    };
    let event = AccountEvent::AccountOpened(AccountOpened {
        first_name: "John".to_owned(),
        last_name: "Snow".to_owned(),
        email: EMAIL.to_owned(),
        password_hash: None,
        initial_balance: 0,
    });
    given::<Account>([]).when(opening(command)).then([event]);
}

#[test]
fn names_are_kept_as_typed() {
    let command = OpenAccount {
        first_name: Some(" Jo hn ".to_owned()),
        ..open(0)
    };
    let after = given::<Account>([]).when(opening(command)).then_accepted();
    assert_eq!(after.state().unwrap().first_name, " Jo hn ");
}

#[test]
fn an_id_is_taken_for_good() {
    account(5)
        .when(opening(open(0)))
        .then_rejected("already_exists");
    closed_account()
        .when(opening(open(0)))
        .then_rejected("already_exists");
}

#[test]
fn that_the_account_exists_is_said_before_anything_else() {
    account(0)
        .when(opening(OpenAccount::default()))
        .then_rejected("already_exists");
}

#[test]
fn blank_names_are_refused() {
    for blank in [None, Some(""), Some("  \t"), Some("\u{a0}"), Some("\0")] {
        let blank = blank.map(str::to_owned);
        let nameless = OpenAccount {
            first_name: blank.clone(),
            ..open(0)
        };
        let half_named = OpenAccount {
            last_name: blank,
            ..open(0)
        };
        for command in [nameless, half_named] {
            given::<Account>([])
                .when(opening(command))
                .then_rejected("invalid_name")
                .then_state(None);
        }
    }
}

#[test]
fn what_is_no_address_is_refused() {
    for text in [
        None,
        Some(""),
        Some("not-an-email"),
        Some("a@"),
        Some("@b"),
        Some("a@b@c"),
    ] {
        let command = OpenAccount {
            email: text.map(str::to_owned),
            ..open(0)
        };
        given::<Account>([])
            .when(opening(command))
            .then_rejected("invalid_email");
    }
}

#[test]
fn what_is_no_password_hash_is_refused() {
    for text in ["", " ", "$ThisIsMyPassword1"] {
        let command = OpenAccount {
            password_hash: Some(hash(text)),
            ..open(0)
        };
        given::<Account>([])
            .when(opening(command))
            .then_rejected("invalid_password");
    }
}

#[test]
fn the_first_balance_is_bounded_on_both_sides() {
    for balance in [-1, i64::MIN, 4_000_000_000_000_000_001, i64::MAX] {
        given::<Account>([])
            .when(opening(open(balance)))
            .then_rejected("invalid_amount");
    }
    for balance in [0, 1, 4_000_000_000_000_000_000] {
        given::<Account>([])
            .when(opening(open(balance)))
            .then([opened(balance)]);
    }
}

#[test]
fn several_faults_are_answered_in_the_published_order() {
    let mut command = OpenAccount {
        initial_balance: Some(-1),
        password_hash: Some(hash("")),
        ..OpenAccount::default()
    };
    let code = |command: &OpenAccount| {
        use millrace_eventsourcing::Rejection as _;
        given::<Account>([])
            .when(opening(command.clone()))
            .rejection()
            .code()
    };
    assert_eq!(code(&command), "invalid_name");
    command.first_name = Some("John".to_owned());
    command.last_name = Some("Snow".to_owned());
    assert_eq!(code(&command), "invalid_email");
    command.email = Some(EMAIL.to_owned());
    assert_eq!(code(&command), "invalid_password");
    command.password_hash = None;
    assert_eq!(code(&command), "invalid_amount");
}
