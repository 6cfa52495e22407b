//! The example `blog`: a program that somebody else could have written, on the embedded default.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::Process;
use super::wait::{EVENTUALLY, until_equal};
use super::world::{example, free_address};

/// What an aggregate, a projection and a policy may take, with their wiring.
const LINES_MAX: usize = 150;

#[test]
fn the_example_is_short() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/blog.rs");
    let lines = std::fs::read_to_string(source).unwrap().lines().count();
    assert!(lines <= LINES_MAX, "{lines} lines");
}

#[test]
fn a_program_of_ones_own_decides_projects_and_reacts() {
    let blog = Blog::start();
    let text = r#"{"author":"ada","title":"You have won the lottery"}"#;
    blog.accepts("p-1", "WritePost", text);
    blog.accepts("p-2", "WritePost", r#"{"author":"ada","title":"Engines"}"#);
    blog.refuses("p-1", "WritePost", text, "id_taken");
    blog.refuses("p-3", "PublishPost", "{}", "not_found");
    blog.refuses(
        "p-2",
        "PublishPost",
        r#"{"loudly":true}"#,
        "invalid_command",
    );
    blog.accepts("p-1", "PublishPost", "{}");
    blog.accepts("p-2", "PublishPost", "{}");
    blog.refuses("p-2", "PublishPost", "{}", "published");

    let expected = vec![
        json!({"author": "ada", "id": "p-1", "title": "You have won the lottery", "status": "retracted"}),
        json!({"author": "ada", "id": "p-2", "title": "Engines", "status": "published"}),
    ];
    let rows = || blog.json(&["query", "blog.posts_by_author", "ada", "--json"]);
    until_equal("the rows of both posts", EVENTUALLY, &expected, rows);

    let history = blog.json(&["history", "blog.post", "p-1", "--json"]);
    let state = &history.last().unwrap()["state"];
    assert_eq!(state["published"], false, "{history:?}");
    let retracted = &history[history.len() - 2];
    assert!(
        retracted.to_string().contains("blog.policy.house-rules"),
        "{retracted}"
    );
    assert!(
        blog.json(&["dead-letters", "list", "--json"])
            .iter()
            .all(|letter| letter["code"] == "invalid_command")
    );
}

/// The example's program, at work in a folder of its own.
struct Blog {
    home: TempDir,
    _process: Process,
}

impl Blog {
    fn start() -> Self {
        let home = TempDir::new().unwrap();
        let http = free_address();
        let listen = format!("http.listen={http}");
        let run = program(home.path(), &["run", "--set", &listen]);
        let process = Process::spawn(run, http, home.path().join("run.log"));
        process.wait_ready(Duration::from_mins(1));
        Self {
            home,
            _process: process,
        }
    }

    fn output(&self, arguments: &[&str]) -> Output {
        program(self.home.path(), arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.output(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn send(&self, id: &str, kind: &str, data: &str) -> Output {
        self.output(&["send", "blog.post", id, kind, data, "--wait"])
    }

    fn accepts(&self, id: &str, kind: &str, data: &str) {
        let output = self.send(id, kind, data);
        assert_eq!(output.status.code(), Some(0), "{kind} {id}: {output:?}");
    }

    fn refuses(&self, id: &str, kind: &str, data: &str, code: &str) {
        let output = self.send(id, kind, data);
        assert_eq!(output.status.code(), Some(3), "{kind} {id}: {output:?}");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(told.contains(code), "{kind} {id}: {told}");
    }
}

fn program(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(example("blog"));
    let ours =
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MILLRACE_"));
    for (name, _) in ours {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(home);
    command
}
