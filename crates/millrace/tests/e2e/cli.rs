//! The command line: results, exit codes, and messages that say what to do.

use serde_json::json;

use super::place::{Place, in_both_places, shared};
use super::wait::{EVENTUALLY, until_equal};
use super::world::unique;

in_both_places! {
    send_waits_and_tells_by_its_exit_code
    send_hashes_a_password
    wait_shows_when_a_command_is_visible
    wrong_usage_names_the_place
    dead_letters_are_listed
    topics_are_as_they_should_be_and_a_group_stands_still_at_its_end
}

const OWNER: &str = r#"{"first_name":"A","last_name":"B","email":"a@b","initial_balance":10}"#;

fn send_waits_and_tells_by_its_exit_code(place: Place) {
    let world = shared(place);
    let account = unique("acc");
    let send = |kind: &str, data: &str| {
        world.output(&["send", "bank.account", &account, kind, data, "--wait"])
    };
    let opened = send("OpenAccount", OWNER);
    assert_eq!(opened.status.code(), Some(0), "{opened:?}");
    let refused = send("WithdrawMoney", r#"{"amount":11}"#);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stdout).contains("insufficient_funds"));
}

fn send_hashes_a_password(place: Place) {
    let world = shared(place);
    let account = unique("acc");
    let data = r#"{"first_name":"A","last_name":"B","email":"a@b","password":"hunter-2"}"#;
    world.expect(&[
        "send",
        "bank.account",
        &account,
        "OpenAccount",
        data,
        "--wait",
    ]);
    let commands = world.bytes("bank.account.commands");
    assert!(!String::from_utf8_lossy(&commands).contains("hunter-2"));
}

fn wait_shows_when_a_command_is_visible(place: Place) {
    let world = shared(place);
    let (account, id) = (unique("acc"), unique("wait"));
    world.expect(&[
        "send",
        "bank.account",
        &account,
        "OpenAccount",
        OWNER,
        "--command-id",
        &id,
    ]);
    world.expect(&["wait", &id, "--projection", "bank.accounts"]);
    let rows = world.json(&["query", "bank.accounts", &account, "--json"]);
    assert_eq!(rows[0]["balance"], 10);
    let nobody = unique("nobody");
    let late = world.output(&["wait", &nobody, "--timeout", "2s"]);
    assert_eq!(late.status.code(), Some(1));
    // How long it may still take is no result.
    assert_eq!(String::from_utf8_lossy(&late.stdout), "");
    let told = String::from_utf8_lossy(&late.stderr);
    let yet = format!("no outcome of `{nobody}` yet, ");
    assert!(told.starts_with(&yet), "{told}");
}

fn wrong_usage_names_the_place(place: Place) {
    let world = shared(place);
    for (arguments, named) in [
        (["check-config", "--set", "no.such.key=1"], "no.such.key"),
        (["check-config", "--set", "partitions=0"], "partitions"),
        (["query", "bank.accounts", "--limit=0"], "limit"),
        (["query", "bank.nothing", "x"], "bank.nothing"),
    ] {
        let output = world.output(&arguments);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(named), "{arguments:?}: {errors}");
    }
}

fn dead_letters_are_listed(place: Place) {
    let world = shared(place);
    let account = unique("acc");
    let unknown = json!({"type": "RobBank"});
    world.send("bank.account.commands", &[(&account, unknown)]);
    let list = || {
        let letters = world.json(&["dead-letters", "list", "--json"]);
        let letter = letters.iter().find(|letter| letter["key"] == *account);
        letter.is_some_and(|letter| letter.to_string().contains("unknown_command"))
    };
    until_equal("the letter in the list", EVENTUALLY, &true, list);
}

fn topics_are_as_they_should_be_and_a_group_stands_still_at_its_end(place: Place) {
    let world = shared(place);
    world.expect(&["topics", "check"]);
    world.expect(&["schemas", "check"]);
    world.expect(&["status"]);
    let listed = world.expect(&["list"]);
    for word in [
        "bank.account",
        "DepositMoney",
        "AccountOpened",
        "accounts",
        "journal",
    ] {
        assert!(listed.contains(word), "{word}: {listed}");
    }
    let hash = {
        use std::io::Write;
        let mut command = world.millrace(&["hash-password"]);
        command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"secret\n").unwrap();
        let output = child.wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    let changed = json!({
        "type": "ChangePassword",
        "data": {"password_hash": hash.trim()},
        "command_id": unique("hash"),
    });
    let account = unique("acc");
    world.expect(&[
        "send",
        "bank.account",
        &account,
        "OpenAccount",
        OWNER,
        "--wait",
    ]);
    assert_eq!(world.ask(&account, changed)["status"], "accepted");
}
