//! Connections that are used again.

use std::collections::BTreeSet;

use millrace_runtime::reactor::Outside;

use crate::server::{Act, Script, Server, Stage};
use crate::{is_refused, mail, run, sender};

#[test]
fn one_connection_carries_many_mails() {
    let server = Server::start([]);
    let sender = sender(&server.url());
    run(async {
        for number in 0..100 {
            sender.clone().perform(mail(number)).await.unwrap();
        }
    });
    let seen = server.seen();
    assert_eq!((seen.mails.len(), seen.connections), (100, 1));
    let distinct: BTreeSet<_> = seen.mails.iter().map(|it| &it.text).collect();
    assert_eq!(distinct.len(), 100);
}

#[test]
fn a_connection_that_grew_old_costs_no_attempt() {
    let server = Server::start([
        Script::accept().closing_after(1),
        Script::accept()
            .and(Stage::Mail, Act::Say("250 ok"))
            .and(Stage::Mail, Act::Say("421 idle for too long")),
    ]);
    let sender = sender(&server.url());
    run(async {
        sender.perform(mail(1)).await.unwrap();
        server.wait(|seen| seen.closed == 1);
        // The first was closed behind our back, the second says so.
        sender.perform(mail(2)).await.unwrap();
        sender.perform(mail(3)).await.unwrap();
        server.close_all();
        sender.perform(mail(4)).await.unwrap();
    });
    let seen = server.seen();
    assert_eq!((seen.mails.len(), seen.connections), (4, 4));
}

#[test]
fn a_refusal_on_an_old_connection_is_not_asked_again() {
    let server = Server::start([Script::accept()
        .and(Stage::Mail, Act::Say("250 ok"))
        .and(Stage::Mail, Act::Say("550 not from you"))]);
    let sender = sender(&server.url());
    run(async {
        sender.perform(mail(1)).await.unwrap();
        let error = sender.perform(mail(2)).await.unwrap_err();
        assert!(is_refused(&error), "{error}");
    });
    assert_eq!(server.seen().connections, 1);
}

#[test]
fn mails_at_once_share_a_few_connections() {
    let server = Server::start([]);
    let sender = sender(&server.url());
    run(async {
        for round in 0..3 {
            let sending = (0..20).map(|number| {
                let (sender, mail) = (sender.clone(), mail(round * 20 + number));
                tokio::spawn(async move { sender.perform(mail).await })
            });
            for sent in sending.collect::<Vec<_>>() {
                sent.await.unwrap().unwrap();
            }
        }
    });
    let seen = server.wait(|seen| seen.connections - seen.closed <= 8);
    assert_eq!(seen.mails.len(), 60);
}
