//! Rules that panic harm one command, and no other.

use millrace_eventsourcing::Version;

use super::desk::{Desk, deposit, open};
use super::moody::{DECIDE_PANICS, EVOLVE_PANICS, Moody};

#[test]
fn a_panic_is_answered_and_set_aside_and_the_next_command_is_decided() {
    for amount in [DECIDE_PANICS, EVOLVE_PANICS] {
        let mut desk: Desk<Moody> = Desk::new();
        desk.json("a", &open("c-1", 0));
        let reply = desk.json("a", &deposit("c-2", amount));
        assert_eq!(
            (reply.code().as_str(), reply.letter_code().as_str()),
            ("handler_panicked", "handler_panicked")
        );
        assert_eq!(reply.outcome()["version"], 1);
        assert!(
            reply.of_kind("events").is_empty(),
            "nothing of a half decision"
        );
        assert_eq!(
            reply.letter().value.as_deref(),
            Some(deposit("c-2", amount).as_bytes())
        );
        desk.restart();
        assert_eq!(desk.snapshot("a").unwrap().version, Version::new(1));
        assert_eq!(
            desk.json("a", &deposit("c-2", 5)).outcome()["duplicate"],
            true
        );
        let next = desk.json("a", &deposit("c-3", 5));
        assert_eq!(
            (next.code().as_str(), next.outcome()["version"].as_i64()),
            ("", Some(2))
        );
    }
}
