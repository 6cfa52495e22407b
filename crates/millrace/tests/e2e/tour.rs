//! Commands of the project's pages, carried out as they stand there.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use super::pages;
use super::servers::Servers;
use super::world::World;

/// Blocks of a page that are carried out together, one behind the other.
struct Tour {
    page: &'static str,
    tag: &'static str,
    /// What the page promises of what goes on behind the commands, waited for at the end.
    promises: &'static [&'static str],
    /// What it must have printed.
    words: &'static [&'static str],
}

const ON_SERVERS: Tour = Tour {
    page: "README.md",
    tag: "tour",
    // The processes share the work, and none has ended.
    promises: &[
        "shared bank.account.commands bank.projection.accounts bank.policy.bonus",
        "test $(jobs -pr | wc -l) = 4",
    ],
    words: &[
        "5000",
        "insufficient_funds",
        "MoneyDeposited",
        "malformed_json",
        "TransferRequested",
    ],
};
const LOCAL: Tour = Tour {
    page: "README.md",
    tag: "embedded",
    promises: &[],
    words: &[
        "bank.policy.bonus because of",
        "Thank you for your deposit",
        "refused, exit code 3",
        "\"duplicate\":true",
        "acc-1|3500|",
    ],
};
const BLOG: Tour = Tour {
    page: "docs/library.md",
    tag: "embedded",
    promises: &[
        "blog query blog.posts_by_author ada | grep retracted",
        "blog history blog.post p-1 | grep PostRetracted",
    ],
    words: &["PostWritten", "PostPublished"],
};
const CONTEXT: Tour = Tour {
    page: "docs/add-a-context.md",
    tag: "embedded",
    promises: &["millrace query contacts.contacts c-1 | grep Ann"],
    words: &["contacts.contact"],
};
const TOURS: [&Tour; 4] = [&ON_SERVERS, &LOCAL, &BLOG, &CONTEXT];

/// Commands that set the stage come from the test run; everything else runs as it is written.
const STAGE: &str = r#"
set -euo pipefail
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
cargo() {
  case "$*" in
    "run -- demo") millrace demo ;;
    "xtask up --print-env") echo "TEST_KAFKA=$TEST_KAFKA TEST_CQL=$TEST_CQL" ;;
    "xtask up" | build | "build --example blog") ;;
    *) echo "the page says cargo $*, which this test does not know" >&2; exit 1 ;;
  esac
}
# Whether each of these groups has several members.
shared() {
  local status group
  status=$(millrace status --json)
  for group in "$@"; do
    grep "\"group\":\"$group\"" <<<"$status" | grep -q '"members":\["[^]]*","' || return 1
  done
}
promise() {
  local limit=$((SECONDS + 60))
  until eval "$1" >/dev/null; do
    if ((SECONDS > limit)); then
      echo "not kept within a minute: $1" >&2
      exit 1
    fi
    sleep 0.1
  done
}
"#;

impl Tour {
    fn script(&self) -> String {
        let blocks = pages::tagged(self.page, self.tag);
        let mut script = STAGE.to_owned();
        script.extend(blocks.into_iter().map(|block| block.text));
        let promises = self.promises.iter();
        script.extend(promises.map(|promise| format!("promise {}\n", quoted(promise))));
        script
    }

    /// Carries it out in a directory that has nothing but the schemas of the project.
    fn check(&self, environment: &[(&str, &str)]) {
        let home = tempfile::TempDir::new().unwrap();
        let schemas = pages::root().join("schemas");
        std::os::unix::fs::symlink(schemas, home.path().join("schemas")).unwrap();
        let mut bash = Command::new("bash");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MILLRACE_") {
                bash.env_remove(name);
            }
        }
        let output = bash
            .args(["-c", &self.script()])
            .current_dir(home.path())
            .env("PATH", path())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        let status = output.status;
        assert!(status.success(), "{status}\n{text}\n{errors}");
        for word in self.words {
            assert!(text.contains(word), "`{word}` is missing in:\n{text}");
        }
    }
}

/// As one word of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The programs are built already.
fn path() -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_millrace")).parent().unwrap();
    let cqlsh = std::env::var("MILLRACE_CQLSH").expect("MILLRACE_CQLSH: cargo xtask test");
    let cqlsh = Path::new(&cqlsh).parent().unwrap();
    format!(
        "{}:{}:{}:{}",
        program.display(),
        program.join("examples").display(),
        cqlsh.display(),
        std::env::var("PATH").unwrap()
    )
}

#[test]
fn the_tour_of_the_readme_works() {
    let world = World::on(Servers::shared(), &[]);
    ON_SERVERS.check(&[
        ("TEST_KAFKA", world.servers().kafka.as_str()),
        ("TEST_CQL", world.servers().cql.as_str()),
    ]);
}

#[test]
fn the_first_command_and_the_tour_with_nothing_to_install_work() {
    LOCAL.check(&[("MILLRACE_HTTP_LISTEN", "off")]);
}

#[test]
fn the_program_of_ones_own_works_as_its_page_says() {
    BLOG.check(&[("MILLRACE_HTTP_LISTEN", "off")]);
}

#[test]
fn the_context_that_is_added_works_as_its_page_says() {
    CONTEXT.check(&[("MILLRACE_HTTP_LISTEN", "off")]);
}

#[test]
fn no_page_has_commands_to_be_carried_out_that_are_not() {
    let mut found = BTreeSet::new();
    for page in pages::all() {
        let blocks = pages::blocks(&page);
        let tags = blocks.iter().filter_map(|block| block.tag());
        let carried_out = tags.filter(|tag| ["embedded", "tour"].contains(tag));
        found.extend(carried_out.map(|tag| (page.clone(), tag.to_owned())));
    }
    let known = TOURS.map(|tour| (tour.page.to_owned(), tour.tag.to_owned()));
    assert_eq!(found, BTreeSet::from(known));
}
