//! The sender against a mail server that does what a script says.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails, and its deadlines are real time"
)]

#[path = "smtp/reuse.rs"]
mod reuse;
#[path = "smtp/server.rs"]
mod server;
#[path = "smtp/tls.rs"]
mod tls;

use std::time::Duration;

use millrace_eventsourcing::{Mail, Timestamp};
use millrace_runtime::reactor::{ActionError, Outside};
use millrace_smtp::{SmtpConfig, SmtpSender};
use server::{Act, Script, Server, Stage};

const STAGES: [Stage; 7] = [
    Stage::Greeting,
    Stage::Ehlo,
    Stage::Auth,
    Stage::Mail,
    Stage::Rcpt,
    Stage::Data,
    Stage::EndOfData,
];
/// Before these nobody has asked about a mail.
const STAGES_OF_THE_MAIL: [Stage; 4] = [Stage::Mail, Stage::Rcpt, Stage::Data, Stage::EndOfData];

fn mail(number: usize) -> Mail {
    Mail {
        id: format!("{number:032x}"),
        date: Timestamp::from_millis(1_795_000_000_123),
        to: format!("jon-{number}@example.com"),
        subject: "Thank you".to_owned(),
        body: format!("Mail {number}.\n.\n..hidden\n"),
    }
}

fn sender(url: &str) -> SmtpSender {
    SmtpSender::new(&SmtpConfig {
        url: url.to_owned(),
        from: "bank@millrace.example".to_owned(),
    })
    .unwrap()
}

/// With a user, so that there is a login.
fn known_sender(server: &Server) -> SmtpSender {
    sender(&format!("smtp://jon:hunter2@{}", server.address()))
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    let deadline = Duration::from_secs(20);
    let within = runtime.block_on(async { tokio::time::timeout(deadline, future).await });
    within.unwrap()
}

fn send(sender: &SmtpSender, mail: Mail) -> Result<(), ActionError> {
    run(sender.perform(mail))
}

fn is_refused(error: &ActionError) -> bool {
    matches!(
        error,
        ActionError::Refused {
            code: "mail_refused",
            ..
        }
    )
}

#[test]
fn a_mail_arrives_as_it_was_meant() {
    let server = Server::start([]);
    send(&known_sender(&server), mail(7)).unwrap();
    let seen = server.seen();
    assert_eq!(seen.mails.len(), 1);
    let received = &seen.mails[0];
    assert_eq!(received.from, "<bank@millrace.example>");
    assert_eq!(received.to, "<jon-7@example.com>");
    let (headers, body) = received.text.split_once("\r\n\r\n").unwrap();
    let id = "Message-ID: <00000000000000000000000000000007@millrace.example>";
    assert!(headers.contains(id), "{headers}");
    assert!(headers.contains("Date: Wed, 18 Nov 2026 "), "{headers}");
    assert_eq!(body, "Mail 7.\r\n.\r\n..hidden\r\n");
    assert_eq!(seen.commands[0], "EHLO millrace.example");
}

#[test]
fn the_same_mail_is_the_same_bytes_from_any_process() {
    let server = Server::start([]);
    let unicode = Mail {
        subject: "Dank für die Einzahlung 📬, und noch viel mehr, viel mehr Text".to_owned(),
        body: "Grüße\n".repeat(50),
        ..mail(1)
    };
    for mail in [mail(1), unicode] {
        send(&known_sender(&server), mail.clone()).unwrap();
        send(&known_sender(&server), mail).unwrap();
    }
    let mails = server.seen().mails;
    assert_eq!(mails.len(), 4);
    assert_eq!(mails[0], mails[1]);
    assert_eq!(mails[2], mails[3]);
    assert_ne!(mails[1], mails[2]);
    assert!(mails[3].text.is_ascii());
}

#[test]
fn what_fails_before_a_mail_is_named_says_nothing_about_the_mail() {
    for stage in [Stage::Greeting, Stage::Ehlo, Stage::Auth] {
        for said in ["421 later", "454 later", "535 no", "554 5.7.1 never"] {
            let server = Server::start([Script::at(stage, Act::Say(said))]);
            let error = send(&known_sender(&server), mail(1)).unwrap_err();
            let ActionError::Transient(reason) = &error else {
                panic!("{stage:?} {said}: {error}");
            };
            assert!(reason.contains("mail server `127.0.0.1:"), "{reason}");
            assert!(reason.contains(&said[..3]), "{stage:?} {said}: {reason}");
            assert!(server.seen().mails.is_empty());
        }
    }
}

#[test]
fn a_server_that_says_no_to_a_mail_is_believed() {
    for stage in STAGES_OF_THE_MAIL {
        for (said, expected) in [
            ("550 5.1.1 no such user", true),
            ("552 too large", true),
            ("450 4.2.1 try later", false),
            ("421 closing", false),
        ] {
            let server = Server::start([Script::at(stage, Act::Say(said))]);
            let sender = known_sender(&server);
            run(async {
                let error = sender.perform(mail(1)).await.unwrap_err();
                assert_eq!(is_refused(&error), expected, "{stage:?} {said}: {error}");
                assert!(error.to_string().contains(said), "{stage:?}: {error}");
                // And the next one goes out, over a connection of its own.
                sender.perform(mail(2)).await.unwrap();
            });
            let seen = server.seen();
            assert_eq!((seen.mails.len(), seen.connections), (1, 2));
        }
    }
}

#[test]
fn a_server_that_wants_to_know_us_first_says_nothing_about_the_mail() {
    for said in ["530 5.7.0 log in first", "535 no", "538 encrypt first"] {
        let server = Server::start([Script::at(Stage::Mail, Act::Say(said))]);
        let error = send(&sender(&server.url()), mail(1)).unwrap_err();
        assert!(matches!(error, ActionError::Transient(_)), "{error}");
    }
}

#[test]
fn a_lost_connection_is_worth_another_attempt_at_every_stage() {
    for stage in STAGES {
        let server = Server::start([Script::at(stage, Act::Close)]);
        let sender = known_sender(&server);
        let error = send(&sender, mail(1)).unwrap_err();
        assert!(
            matches!(error, ActionError::Transient(_)),
            "{stage:?}: {error}"
        );
        send(&sender, mail(1)).unwrap();
        let mails = server.seen().mails;
        // The only stage at which it had been taken: now it is there twice, and can be told so.
        let expected = if stage == Stage::EndOfData { 2 } else { 1 };
        assert_eq!(mails.len(), expected, "{stage:?}");
        assert_eq!(mails.first(), mails.last());
    }
}

#[test]
fn an_answer_that_cannot_follow_is_no_yes() {
    for (stage, said) in [
        (Stage::Greeting, "hello"),
        (Stage::Mail, "354 go on"),
        (Stage::Rcpt, "hello"),
        (Stage::Data, "250 ok"),
        (Stage::EndOfData, "354 go on"),
    ] {
        let server = Server::start([Script::at(stage, Act::Say(said))]);
        let error = send(&sender(&server.url()), mail(1)).unwrap_err();
        assert!(
            matches!(error, ActionError::Transient(_)),
            "{stage:?}: {error}"
        );
    }
}

#[test]
fn an_answer_too_many_does_not_count_for_the_next_mail() {
    // The second mail reads the superfluous answer as that to its sender, and so on.
    let server = Server::start([Script::at(
        Stage::EndOfData,
        Act::Say("250 queued\r\n250 once more"),
    )]);
    let sender = known_sender(&server);
    run(async {
        sender.perform(mail(1)).await.unwrap();
        let error = sender.perform(mail(2)).await.unwrap_err();
        assert!(matches!(error, ActionError::Transient(_)), "{error}");
        sender.perform(mail(2)).await.unwrap();
    });
    let mails = server.seen().mails;
    assert_eq!(mails.len(), 2, "{mails:#?}");
}

#[test]
fn who_gives_up_leaves_a_closed_connection_behind() {
    for stage in STAGES {
        let server = Server::start([Script::at(stage, Act::Hang)]);
        let sender = known_sender(&server);
        run(async {
            let giving_up =
                tokio::time::timeout(Duration::from_millis(200), sender.perform(mail(1)));
            assert!(giving_up.await.is_err(), "{stage:?}");
            server.wait(|seen| seen.closed == 1);
            sender.perform(mail(1)).await.unwrap();
        });
    }
}

#[test]
fn nobody_there_is_worth_another_attempt() {
    let url = Server::start([]).url();
    for url in [url.as_str(), "smtp://no-such-host.invalid"] {
        let error = send(&sender(url), mail(1)).unwrap_err();
        assert!(matches!(error, ActionError::Transient(_)), "{error}");
    }
}

#[test]
fn an_address_that_is_none_is_refused_without_asking() {
    let server = Server::start([]);
    for to in [
        "",
        "jon",
        "jon@example.com\r\nRCPT TO:<eve@example.com>",
        "\"jon\r\nDATA\"@example.com",
        "jon@example.com>\r\nRSET",
    ] {
        let wrong = Mail {
            to: to.to_owned(),
            ..mail(1)
        };
        let error = send(&sender(&server.url()), wrong).unwrap_err();
        assert!(is_refused(&error), "{error}");
        assert!(!error.to_string().contains("eve"), "{error}");
    }
    assert_eq!(server.seen().connections, 0);
}

#[test]
fn nothing_in_a_mail_becomes_a_header_or_a_command() {
    let server = Server::start([]);
    let hostile = Mail {
        id: "x>\r\nBcc: <eve@example.com".to_owned(),
        subject: "a\r\nBcc: eve@example.com\r\n\r\nbody".to_owned(),
        body: "a\r\n.\r\nMAIL FROM:<eve@example.com>\r\n\n.\n\r.\rb\r.\r\nc\n.\r\n".to_owned(),
        ..mail(1)
    };
    send(&sender(&server.url()), hostile).unwrap();
    let seen = server.wait(|seen| seen.mails.len() == 1);
    let words: Vec<_> = seen.commands.iter().map(|line| &line[..4]).collect();
    assert_eq!(words, ["EHLO", "MAIL", "RCPT", "DATA"]);
    let (headers, body) = seen.mails[0].text.split_once("\r\n\r\n").unwrap();
    assert!(!headers.contains("\nBcc"), "{headers}");
    assert!(body.contains("MAIL FROM:<eve@example.com>"), "{body}");
    assert!(!body.replace("\r\n", "").contains(['\r', '\n']), "{body:?}");
}

#[test]
fn letters_that_the_server_does_not_take_are_a_refusal() {
    let jurgen = || Mail {
        to: "jürgen@bücher.example".to_owned(),
        ..mail(1)
    };
    let server = Server::start([]);
    send(&sender(&server.url()), jurgen()).unwrap();
    let seen = server.seen();
    assert_eq!(seen.mails[0].to, "<jürgen@xn--bcher-kva.example>");
    assert!(seen.commands[1].contains("SMTPUTF8"), "{:?}", seen.commands);

    let server = Server::start([Script::at(Stage::Ehlo, Act::Say("250 test"))]);
    let error = send(&sender(&server.url()), jurgen()).unwrap_err();
    assert!(is_refused(&error), "{error}");
}

#[test]
fn without_the_encryption_that_is_required_nothing_is_told() {
    let server = Server::start([]);
    let offering = Script::at(Stage::Ehlo, Act::Say("250-test\r\n250 STARTTLS"));
    let refusing = Server::start([offering]);
    for server in [&server, &refusing] {
        let url = format!("smtp://jon:hunter2@{}?tls=required", server.address());
        let error = send(&sender(&url), mail(1)).unwrap_err();
        assert!(matches!(error, ActionError::Transient(_)), "{error}");
        let commands = server.seen().commands;
        let is_told = |line: &String| line.starts_with("AUTH") || line.starts_with("MAIL");
        assert!(!commands.iter().any(is_told), "{commands:?}");
    }
    let url = format!("smtp://{}?tls=opportunistic", server.address());
    send(&sender(&url), mail(1)).unwrap();
}

#[test]
fn a_password_is_in_no_text() {
    let echo = "535 not hunter2\r\n";
    let server = Server::start([
        Script::at(Stage::Auth, Act::Say(echo)),
        Script::at(Stage::Ehlo, Act::Say("250 test")),
    ]);
    let sender = known_sender(&server);
    for _ in 0..2 {
        let error = send(&sender, mail(1)).unwrap_err();
        assert!(
            !format!("{error} {error:?} {sender:?}").contains("hunter2"),
            "{error}"
        );
    }
}

#[test]
fn a_long_answer_is_cut() {
    let long: &'static str = format!("550 {}\u{1b}[2J", "no ".repeat(150)).leak();
    let server = Server::start([Script::at(Stage::Rcpt, Act::Say(long))]);
    let error = send(&sender(&server.url()), mail(1)).unwrap_err();
    let ActionError::Refused { reason, .. } = &error else {
        panic!("{error}");
    };
    assert!(reason.len() < 400, "{reason}");
    assert!(!reason.contains(char::is_control), "{reason}");
}
