//! Scenario S3: the thank-you mail, through a mail server that refuses, hangs and dies.

use millrace_runtime::breaker::FAILURES_MAX;
use serde_json::{Value, json};

use super::follower::header;
use super::lifecycle::try_reset;
use super::place::{Place, in_both_places};
use super::policies::{READY, open};
use super::process::Process;
use super::smtp_server::{Act, Received, Script, Seen, Server, Stage};
use super::wait::{AFTER_CRASH, EVENTUALLY, until, until_equal};
use super::world::{World, unique};

in_both_places! {
    s3_a_mail_is_tried_until_it_is_taken_or_refused_and_never_sent_again
    s3_a_mail_whose_answer_was_lost_is_repeated_as_the_same_mail
    a_mail_server_that_is_down_opens_the_breaker_and_delays_nobody_else
}

const ROLES: [&str; 2] = ["--role", "commands,reactors"];
const ACCOUNT: &str = "acc-1";
const GROUP: &str = "bank.reactor.thank-you";

fn deposit(world: &World, amount: i64) -> Value {
    let deposit = json!({
        "type": "DepositMoney", "data": {"amount": amount}, "command_id": unique("deposit"),
    });
    let answer = world.ask(ACCOUNT, deposit);
    assert_eq!(answer["status"], "accepted", "{answer}");
    answer
}

fn message_id(mail: &Received) -> &str {
    let line = mail
        .text
        .lines()
        .find(|line| line.starts_with("Message-ID:"));
    line.expect("a Message-ID")
}

fn is_about(amount: i64) -> impl Fn(&Received) -> bool {
    move |mail| mail.text.contains(&format!("deposit of {amount} "))
}

fn mails_about(seen: &Seen, amount: i64) -> usize {
    seen.mails
        .iter()
        .filter(|mail| is_about(amount)(mail))
        .count()
}

fn attempts(seen: &Seen) -> usize {
    seen.commands
        .iter()
        .filter(|command| command.starts_with("MAIL"))
        .count()
}

struct Post {
    process: Process,
    world: World,
    server: Server,
}

/// A bank that sends mails to this server, one process for all of it. What happened before the
/// reactor came is nobody's mail.
fn post(place: Place, scripts: impl IntoIterator<Item = Script>) -> Post {
    let server = Server::start(scripts);
    let url = format!("smtp.url={}", server.url());
    let settings = [
        url.as_str(),
        "smtp.from=bank@example.org",
        "smtp.timeout=1s",
    ];
    let world = World::own_topics(place, &settings);
    let mut commands = world.run(&["--role", "commands"]);
    commands.wait_ready(READY);
    open(&world, ACCOUNT, 0);
    deposit(&world, 1);
    assert!(commands.stop().success(), "{}", commands.log());
    let process = world.run(&ROLES);
    process.wait_ready(READY);
    Post {
        process,
        world,
        server,
    }
}

fn s3_a_mail_is_tried_until_it_is_taken_or_refused_and_never_sent_again(place: Place) {
    let busy = || Script::at(Stage::Rcpt, Act::Say("450 busy, try again"));
    let refusing_the_second = Script::at(Stage::Rcpt, Act::Say("250 ok"))
        .and(Stage::Rcpt, Act::Say("550 nobody of that name"));
    let mut post = post(place, [busy(), busy(), refusing_the_second]);
    deposit(&post.world, 500);
    let seen = post.server.wait(|seen| mails_about(seen, 500) == 1);
    assert!(attempts(&seen) >= 3, "{seen:#?}");
    assert_eq!(seen.mails[0].to, "<a@b>", "the owner's address");

    deposit(&post.world, 600);
    deposit(&post.world, 700);
    post.server.wait(|seen| mails_about(seen, 700) == 1);
    let letters = post.world.follow("bank.account.dead-letters");
    let letter = until("the dead letter", EVENTUALLY, || {
        let code = |record: &Value| header(record, "dead-letter-code") == Some("mail_refused");
        letters.records(code).into_iter().next().ok_or(())
    });
    assert_eq!(header(&letter, "dead-letter-task"), Some(GROUP));
    assert!(
        header(&letter, "dead-letter-message")
            .unwrap()
            .contains("550"),
        "{letter}"
    );

    assert!(post.process.stop().success(), "{}", post.process.log());
    if place == Place::Servers {
        until("a group without members", AFTER_CRASH, || {
            try_reset(&post.world, GROUP, "bank.account.events", 0)
        });
    }
    let again = post.world.run(&ROLES);
    again.wait_ready(READY);
    deposit(&post.world, 800);
    let seen = post.server.wait(|seen| mails_about(seen, 800) == 1);
    let counts = [1, 500, 600, 700, 800].map(|amount| mails_about(&seen, amount));
    assert_eq!(counts, [0, 1, 0, 1, 1], "{seen:#?}");
}

fn s3_a_mail_whose_answer_was_lost_is_repeated_as_the_same_mail(place: Place) {
    let hang = || Script::at(Stage::EndOfData, Act::Hang);
    let mut post = post(place, [hang(), Script::accept(), hang()]);
    deposit(&post.world, 500);
    post.server.wait(|seen| mails_about(seen, 500) == 1);
    post.process.crash();
    let again = post.world.run(&ROLES);
    again.wait_ready(AFTER_CRASH);
    let seen = until("the mail again", AFTER_CRASH, || {
        let seen = post.server.seen();
        if mails_about(&seen, 500) == 2 {
            Ok(seen)
        } else {
            Err(seen)
        }
    });
    assert_eq!(seen.mails[0], seen.mails[1], "byte by byte");
    assert!(
        message_id(&seen.mails[0]).ends_with("@example.org>"),
        "{:?}",
        seen.mails[0]
    );
    // The next one is another mail.
    deposit(&post.world, 600);
    let seen = post.server.wait(|seen| mails_about(seen, 600) == 1);
    assert_ne!(message_id(&seen.mails[0]), message_id(&seen.mails[2]));
}

fn a_mail_server_that_is_down_opens_the_breaker_and_delays_nobody_else(place: Place) {
    let down = || Script::at(Stage::Greeting, Act::Close);
    // The connection that works in the end takes two mails and refuses one; the next refuse, too.
    let refusal = || Act::Say("550 nobody of that name");
    let working = Script::at(Stage::Rcpt, Act::Say("250 ok"))
        .and(Stage::Rcpt, Act::Say("250 ok"))
        .and(Stage::Rcpt, refusal());
    let mut scripts = Vec::from([(); 7].map(|()| down()));
    scripts.push(working);
    scripts.extend((1..FAILURES_MAX).map(|_| Script::at(Stage::Rcpt, refusal())));
    let post = post(place, scripts);
    deposit(&post.world, 500);
    let breaker = || World::metric(&post.process, &["millrace_breaker_open", "mail server"]);
    until_equal("the breaker is open", EVENTUALLY, &1.0, breaker);
    let (status, body) = post.process.get("/ready").unwrap();
    assert!(
        status == 503 && body.contains("mail server"),
        "{status} {body}"
    );
    assert!(post.server.seen().mails.is_empty());
    // Commands are decided all the while.
    deposit(&post.world, 600);
    until("both mails", AFTER_CRASH, || {
        let seen = post.server.seen();
        if seen.mails.len() == 2 {
            Ok(())
        } else {
            Err(seen)
        }
    });
    until_equal("the breaker is closed", EVENTUALLY, &0.0, breaker);
    post.process.wait_ready(EVENTUALLY);
    let seen = post.server.seen();
    let mails = [500, 600].map(|amount| mails_about(&seen, amount));
    assert_eq!(mails, [1, 1], "nothing is lost or doubled");

    for amount in 0..FAILURES_MAX {
        deposit(&post.world, 700 + i64::from(amount));
    }
    let letters = ["millrace_dead_letters_total", "mail_refused"];
    let refused = || World::metric(&post.process, &letters);
    until_equal("refusals", EVENTUALLY, &f64::from(FAILURES_MAX), refused);
    assert!(breaker() < 0.5, "a refusal is an answer");
}
