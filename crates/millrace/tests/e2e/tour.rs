//! The tour of the README, command by command as it stands there.

use std::process::{Command, Stdio};

use super::servers::Servers;
use super::world::World;

/// Commands that set the stage come from the test run; everything else runs as it is written.
const STAGE: &str = r#"
set -euo pipefail
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
cargo() {
  case "$*" in
    "xtask up --print-env") echo "TEST_KAFKA=$TEST_KAFKA TEST_CQL=$TEST_CQL" ;;
    "xtask up" | build) ;;
    *) echo "the tour says cargo $*, which this test does not know" >&2; exit 1 ;;
  esac
}
"#;

/// Nothing but the program, which is built already.
const LOCAL_STAGE: &str = r#"
set -euo pipefail
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
export MILLRACE_HTTP_LISTEN=off
cargo() {
  case "$*" in
    "run -- demo") millrace demo ;;
    build) ;;
    *) echo "the tour says cargo $*, which this test does not know" >&2; exit 1 ;;
  esac
}
"#;

/// The README's blocks of this kind, as they stand.
fn blocks(kind: &str) -> String {
    let readme = include_str!("../../../../README.md");
    let start = format!("```sh {kind}\n");
    let blocks: Vec<_> = readme
        .split(&start)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(blocks.len() >= 3, "the README has lost its tour `{kind}`");
    blocks.concat()
}

/// Runs them in an empty directory; what they printed.
fn run(stage: &str, blocks: &str, environment: &[(&str, &str)]) -> String {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_millrace"))
        .parent()
        .unwrap();
    let cqlsh = std::env::var("MILLRACE_CQLSH").expect("MILLRACE_CQLSH: cargo xtask test");
    let cqlsh = std::path::Path::new(&cqlsh).parent().unwrap();
    let path = format!(
        "{}:{}:{}",
        program.display(),
        cqlsh.display(),
        std::env::var("PATH").unwrap()
    );
    let home = tempfile::TempDir::new().unwrap();
    let mut bash = Command::new("bash");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MILLRACE_") {
            bash.env_remove(name);
        }
    }
    let output = bash
        .args(["-c", &format!("{stage}\n{blocks}")])
        .current_dir(home.path())
        .env("PATH", path)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    let status = output.status;
    assert!(status.success(), "{status}\n{text}\n{errors}");
    text
}

fn expect_words(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in:\n{text}");
    }
}

#[test]
fn the_tour_of_the_readme_works() {
    let world = World::on(Servers::shared(), &[]);
    let servers = [
        ("TEST_KAFKA", world.servers().kafka.as_str()),
        ("TEST_CQL", world.servers().cql.as_str()),
    ];
    let text = run(STAGE, &blocks("tour"), &servers);
    let words = [
        "5000",
        "insufficient_funds",
        "MoneyDeposited",
        "malformed_json",
        "TransferRequested",
    ];
    expect_words(&text, &words);
}

#[test]
fn the_first_command_and_the_tour_with_nothing_to_install_work() {
    let text = run(LOCAL_STAGE, &blocks("embedded"), &[]);
    let words = [
        "bank.policy.bonus because of",
        "Thank you for your deposit",
        "refused, exit code 3",
        "\"duplicate\":true",
        "acc-1|3500|",
    ];
    expect_words(&text, &words);
}
