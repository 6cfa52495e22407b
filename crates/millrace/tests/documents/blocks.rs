//! Every block of commands is carried out by a test, or held against the program another way.

use std::process::Command;

use super::pages;

/// What a block of commands may be tagged with, and how it is held against the program.
const TAGS: [(&str, &str); 6] = [
    ("embedded", "carried out by `e2e::tour`, on a local file"),
    ("tour", "carried out by `e2e::tour`, on real servers"),
    ("tests", "the command that runs this test: see `names`"),
    ("compose", "carried out with stand-ins: see `deploying`"),
    ("kubernetes", "carried out with stand-ins: see `deploying`"),
    ("systemd", "carried out with stand-ins: see `deploying`"),
];
/// Programs whose names begin lines of commands.
const PROGRAMS: [&str; 10] = [
    "cargo",
    "millrace",
    "docker",
    "kubectl",
    "kcat",
    "cqlsh",
    "sqlite3",
    "systemctl",
    "export",
    "echo",
];

#[test]
fn every_block_of_commands_has_a_tag_that_says_how_it_is_checked() {
    for block in pages::all().iter().flat_map(|page| pages::blocks(page)) {
        let place = block.place();
        let Some(tag) = block.tag() else {
            // Quotations are held against their source; a sketch says that it is none.
            let is_code = ["rust,ignore", "rust,ignore sketch"].contains(&block.info.as_str());
            assert!(is_code, "{place}: neither commands nor code");
            continue;
        };
        assert!(
            TAGS.iter().any(|(known, _)| *known == tag),
            "{place}: a block of commands with the tag `{tag}`; these are known: {TAGS:#?}"
        );
    }
}

#[test]
fn every_block_of_commands_can_be_read_by_the_shell() {
    for block in pages::all().iter().flat_map(|page| pages::blocks(page)) {
        if block.tag().is_some() {
            let read = Command::new("bash")
                .args(["-n", "-c", &block.text])
                .output();
            let read = read.unwrap();
            assert!(read.status.success(), "{}: {read:?}", block.place());
        }
    }
}

#[test]
fn commands_stand_in_fenced_blocks() {
    for page in pages::all() {
        for (number, line) in pages::prose(&page) {
            let Some(code) = line.strip_prefix("    ") else {
                continue;
            };
            let program = code.split_whitespace().next().unwrap_or_default();
            assert!(
                !PROGRAMS.contains(&program),
                "{page}:{number}: a command that nothing checks: {code}"
            );
        }
    }
}
