//! The other process: this very program, told by its environment to do one thing.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use millrace_embedded::{Database, EmbeddedAccess};
use millrace_runtime::topic::Topic;

use crate::bench::{append, quick, record};
use crate::killed;

const TASK: &str = "MILLRACE_TEST_TASK";
const DIR: &str = "MILLRACE_TEST_DIR";

/// A process that does a task on a directory, with the lines that it says.
pub(crate) struct Other {
    process: Child,
    said: BufReader<ChildStdout>,
}

impl Other {
    pub(crate) fn start(task: &str, dir: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["child::task", "--exact", "--nocapture", "--test-threads=1"])
            .env(TASK, task)
            .env(DIR, dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        Self { process, said }
    }

    /// The next line of its own, without what the test runner says.
    pub(crate) fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.said.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some((_, own)) = line.split_once("> ") {
                return Some(own.trim_end().to_owned());
            }
        }
    }

    pub(crate) fn tell(&mut self, line: &str) {
        let stdin = self.process.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends it as a power switch would, and says what it still said.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        std::iter::from_fn(|| self.hear()).collect()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // Already gone in most tests.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Does what the environment says; nothing in an ordinary run.
#[test]
fn task() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let dir = PathBuf::from(std::env::var(DIR).unwrap());
    let mut lines = std::io::stdin().lines().map(Result::unwrap);
    match task.as_str() {
        "commit" => killed::commit_for_ever(&dir),
        "send" => {
            let database = Database::open_with(&dir, quick()).unwrap();
            let log = EmbeddedAccess::new(&database);
            println!("> ready");
            for line in lines {
                let at = Topic::intern(line).partition(0);
                append(&log, &record(at, "k", Some("from another process")));
                println!("> sent");
            }
        }
        "work" => {
            let database = Database::open_with(&dir, quick()).unwrap();
            match database.claim() {
                Ok(()) => println!("> works"),
                Err(error) => println!("> {error}"),
            }
            lines.next();
        }
        other => panic!("no task `{other}`"),
    }
}
