//! A password in plain text is refused before anything else, and goes nowhere.

use super::desk::{Desk, Sent, open, sent};

const SECRET: &str = "hunter2-geheim";

/// Records that have a field `password`, readable or not.
fn with_password() -> Vec<Sent> {
    let json = |data: &str| {
        sent(
            "a",
            format!(r#"{{"type":"OpenAccount","command_id":"c","data":{data}}}"#),
        )
    };
    let deep = |levels: usize| {
        format!(
            r#"{{"x":{}{}{},"password":"{SECRET}"}}"#,
            "[".repeat(levels),
            "1",
            "]".repeat(levels)
        )
    };
    let long = format!(r#"{{"password":"{SECRET}","x":"{}"}}"#, "x".repeat(400_000));
    vec![
        json(&format!(r#"{{"password":"{SECRET}"}}"#)),
        json(&format!(r#"{{"p\u0061ssword":"{SECRET}"}}"#)),
        json(&format!(
            r#"{{"\u0070\u0061\u0073\u0073\u0077\u006f\u0072\u0064":"{SECRET}"}}"#
        )),
        json(&format!(r#"{{"first_name":"x","password" : "{SECRET}"}}"#)),
        json(&format!(
            r#"{{"owner":[{{"login":{{"password":{{"is":"{SECRET}"}}}}}}]}}"#
        )),
        json(&format!(
            r#"{{"password":"{SECRET}","password":"{SECRET}"}}"#
        )),
        json(&format!(
            r#"{{"initial_balance":1e999,"password":"{SECRET}"}}"#
        )),
        json(&format!(
            r#"{{"initial_balance":99999999999999999999999,"password":"{SECRET}"}}"#
        )),
        json(&deep(40)),
        json(&deep(300)),
        json(&long),
        sent(
            "a",
            format!(r#"{{"password":"{SECRET}","command_id":"c"}}"#),
        ),
        sent(
            "a",
            format!(r#"{{"type":5,"password":["{SECRET}"],"command_id":"c"}}"#),
        ),
        sent("a", r#"{"type":"OpenAccount","command_id":"c"}"#)
            .header("data", format!(r#"{{"password":"{SECRET}"}}"#)),
        json(&format!(r#"{{"password":"{SECRET}"}}"#)).header("password", SECRET),
    ]
}

fn is_nowhere(reply: &super::desk::Reply, place: &str) {
    for written in &reply.0 {
        assert!(!written.holds(SECRET.as_bytes()), "{place}: {written:?}");
    }
}

#[test]
fn it_is_refused_in_every_disguise_and_its_value_is_nowhere() {
    for (index, record) in with_password().into_iter().enumerate() {
        for partition in 0..12 {
            let place = format!("record {index} on {partition}");
            let mut desk: Desk = Desk::new();
            let reply = desk.send(&record.clone().on(partition));
            assert_eq!(reply.letter_code(), "plaintext_password", "{place}");
            assert_eq!(reply.letter().value.as_deref(), Some(&b""[..]), "{place}");
            assert_eq!(reply.letter().partition, partition, "{place}");
            assert_eq!(reply.code(), "plaintext_password", "{place}");
            let (outcome, letter) = (reply.outcome(), reply.letter());
            assert_eq!(outcome["command_id"], "c", "{place}");
            let stands = (letter.partition.into(), "0");
            assert_eq!(
                (
                    outcome["partition"].clone(),
                    &*outcome["offset"].to_string()
                ),
                stands,
                "{place}"
            );
            assert!(reply.of_kind("commands").is_empty(), "never moved: {place}");
            is_nowhere(&reply, &place);
            is_nowhere(&desk.seal(), &place);
        }
    }
}

#[test]
fn what_names_one_and_cannot_be_read_is_never_copied() {
    let values = [
        format!(r#"{{"password":"{SECRET}""#),
        format!(r#"{{"password":"{SECRET}"}} x"#),
        format!("\u{feff}{{\"password\":\"{SECRET}\"}}"),
        format!(r#"nonsense "p\u0061ssword" {SECRET}"#),
        format!("\0\0\0\0\u{7}\"password\":{SECRET}"),
    ];
    for value in values {
        for partition in 0..12 {
            for record in [sent("a", &value), sent("", &value).without_key()] {
                let mut desk: Desk = Desk::new();
                let reply = desk.send(&record.header("command-id", "c").on(partition));
                assert_eq!(reply.letter().value.as_deref(), Some(&b""[..]), "{value}");
                is_nowhere(&reply, &value);
            }
        }
    }
    let reply = Desk::<millrace_domain::bank::account::Account>::new()
        .send(&sent("a", "x").header("data", format!(r#"{{"password":"{SECRET}"#)));
    is_nowhere(&reply, "half a header");
}

#[test]
fn a_hash_and_a_mere_mention_are_no_password() {
    let mut desk: Desk = Desk::new();
    let hash = "$2b$12$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
    let value = format!(
        r#"{{"type":"OpenAccount","command_id":"c","data":{{"first_name":"\"password\"",
        "last_name":"password","email":"a@b","password_hash":"{hash}"}}}}"#
    );
    assert_eq!(desk.json("a", &value).code(), "");
}

#[test]
fn nothing_is_decided_and_the_id_is_used_up() {
    let mut desk: Desk = Desk::new();
    let value =
        format!(r#"{{"type":"OpenAccount","command_id":"c","data":{{"password":"{SECRET}"}}}}"#);
    desk.json("a", &value);
    desk.restart();
    let again = desk.json("a", &open("c", 0)).outcome();
    assert_eq!(
        (&again["duplicate"], &again["code"]),
        (&true.into(), &"plaintext_password".into())
    );
    assert_eq!(desk.json("a", &open("d", 0)).code(), "");
}

#[test]
fn messages_never_show_a_hash() {
    let mut desk: Desk = Desk::new();
    desk.json("a", &open("c", 0));
    for data in [
        format!(r#"{{"password_hash":"{SECRET}"}}"#),
        format!(r#"{{"password_hash":["{SECRET}"]}}"#),
        format!(r#"{{"email":"x@y","password_hash":"{SECRET}","x":1}}"#),
    ] {
        let value = format!(r#"{{"type":"ChangePassword","data":{data}}}"#);
        let reply = desk.json("a", &value);
        for written in reply.of_kind("outcomes") {
            assert!(!written.holds(SECRET.as_bytes()), "{written:?}");
        }
        for (name, value) in reply
            .of_kind("dead-letters")
            .iter()
            .flat_map(|letter| &letter.headers)
        {
            let value = String::from_utf8_lossy(value.as_deref().unwrap_or_default());
            assert!(!value.contains(SECRET), "{name}: {value}");
        }
    }
}
