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

#[test]
fn the_tour_of_the_readme_works() {
    let readme = include_str!("../../../../README.md");
    let blocks: Vec<_> = readme
        .split("```sh tour\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(blocks.len() >= 5, "the README has lost its tour");
    let world = World::on(Servers::shared(), &[]);
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
        .args(["-c", &format!("{STAGE}\n{}", blocks.concat())])
        .current_dir(home.path())
        .env("PATH", path)
        .env("TEST_KAFKA", &world.servers.kafka)
        .env("TEST_CQL", &world.servers.cql)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}\n{text}\n{errors}",
        output.status
    );
    for word in [
        "5000",
        "insufficient_funds",
        "MoneyDeposited",
        "malformed_json",
    ] {
        assert!(
            text.contains(word),
            "`{word}` is missing in:\n{text}\n{errors}"
        );
    }
}
