//! Commands that a page names, in a block or between backticks: the programs take them.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use super::pages;

/// Behind these words stand arguments of another program, or a place of output.
const ENDS: [&str; 6] = ["|", "||", "&&", "&", ">", ">>"];

/// What stands between backticks in the prose of a page.
fn spans(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (number, line) in pages::prose(page) {
        let code = line.split('`').skip(1).step_by(2);
        found.extend(code.map(|code| (format!("{page}:{number}"), code.to_owned())));
    }
    found
}

/// Lines of all blocks of commands.
fn lines(page: &str) -> Vec<(String, String)> {
    let blocks = pages::blocks(page).into_iter();
    let commands = blocks.filter(|block| block.tag().is_some());
    let lines = commands.flat_map(|block| {
        let place = block.place();
        let lines: Vec<_> = block.text.lines().map(str::to_owned).collect();
        lines.into_iter().map(move |line| (place.clone(), line))
    });
    lines.collect()
}

/// Everything that a page says behind the name of a program.
fn named(program: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for page in pages::all() {
        for (place, line) in spans(&page).into_iter().chain(lines(&page)) {
            if let Some(arguments) = line.strip_prefix(program) {
                let words = arguments.split_whitespace();
                let words = words.take_while(|word| !ENDS.contains(word));
                // The shell has quotes of its own; what is in them is data.
                let words = words.take_while(|word| !word.starts_with(['\'', '"']));
                found.push((place, words.map(str::to_owned).collect()));
            }
        }
    }
    assert!(found.len() > 5, "{program}: {found:?}");
    found
}

/// The project's own tool, which the test run names.
fn xtask() -> PathBuf {
    let program = std::env::var_os("MILLRACE_XTASK");
    program
        .expect("MILLRACE_XTASK is not set: run `cargo xtask test`")
        .into()
}

/// A program reads its arguments from the left, and asked for help it does nothing else: whatever
/// it does not know stands before that.
fn help(program: &PathBuf, arguments: &[String]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).arg("--help").stdin(Stdio::null());
    command.output().unwrap()
}

fn is_taken(program: &PathBuf, arguments: &[&str]) -> bool {
    let arguments: Vec<_> = arguments.iter().map(|word| (*word).to_owned()).collect();
    help(program, &arguments).status.success()
}

fn check_all(program: &PathBuf, name: &str) {
    for (place, arguments) in named(name) {
        let output = help(program, &arguments);
        assert!(
            output.status.success(),
            "{place}: {name}{}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn what_the_pages_say_of_the_program_it_takes() {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_millrace"));
    assert!(!is_taken(&program, &["rum"]));
    assert!(!is_taken(&program, &["run", "--rolle", "commands"]));
    assert!(!is_taken(&program, &["run", "--role", "comands"]));
    check_all(&program, "millrace ");
}

#[test]
fn what_the_pages_say_of_the_projects_own_tool_it_takes() {
    let program = xtask();
    assert!(!is_taken(&program, &["tests"]));
    assert!(!is_taken(
        &program,
        &["bench", "smoke", "--only", "nothing"]
    ));
    check_all(&program, "cargo xtask ");
}

#[test]
fn the_table_of_commands_in_the_readme_is_complete() {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_millrace"));
    let readme = pages::read("README.md");
    let table = readme.lines().filter(|line| line.starts_with("| `"));
    let first_cells: String = table.filter_map(|line| line.split('|').nth(1)).collect();
    let output = help(&program, &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    let commands = text.split("Commands:\n").nth(1).unwrap();
    let commands: Vec<_> = commands
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help")
        .collect();
    assert!(commands.len() > 10, "{text}");
    for command in commands {
        let is_there = first_cells
            .split('`')
            .any(|cell| cell.split(' ').next() == Some(command));
        assert!(is_there, "`{command}` is missing in the README's table");
    }
}
