//! Private servers as integration tests of other crates use them.
#![expect(
    clippy::unwrap_used,
    reason = "a test server that cannot be driven fails the test"
)]

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

const LOOK_EVERY: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(20);

fn xtask(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace-xtask"));
    command.args(arguments).arg("--dir").arg(directory);
    command
}

fn output(directory: &Path, arguments: &[&str]) -> Output {
    xtask(directory, arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn run(directory: &Path, arguments: &[&str]) {
    let output = output(directory, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
}

fn soon(condition: impl Fn() -> bool) -> bool {
    let looks = LIMIT.as_millis() / LOOK_EVERY.as_millis();
    (0..looks).any(|_| {
        thread::sleep(LOOK_EVERY);
        condition()
    })
}

/// A broker of its own that ends with the returned process's standard input.
fn broker(directory: &Path) -> (Child, SocketAddr) {
    let arguments = ["up", "kafka", "--until-stdin-closes", "--print-env"];
    let mut caller = xtask(directory, &arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    caller
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    // A server or guard that kept hold of our output would have kept us waiting above.
    let address = said
        .trim()
        .strip_prefix("TEST_KAFKA=")
        .unwrap()
        .parse()
        .unwrap();
    (caller, address)
}

#[test]
fn a_killed_node_comes_back_where_clients_expect_it() {
    let directory = TempDir::new().unwrap();
    let (mut caller, address) = broker(directory.path());
    assert!(TcpStream::connect(address).is_ok());

    run(directory.path(), &["node-kill", "kafka", "1"]);
    assert!(TcpStream::connect(address).is_err());
    let status = output(directory.path(), &["status", "kafka"]);
    assert!(!status.status.success());
    assert!(String::from_utf8_lossy(&status.stdout).contains("down"));

    run(directory.path(), &["node-up", "kafka", "1"]);
    assert!(TcpStream::connect(address).is_ok());
    run(directory.path(), &["status", "kafka"]);
    drop(caller.stdin.take());
    caller.wait().unwrap();
    run(directory.path(), &["down", "--wipe"]);
}

#[test]
fn servers_and_their_data_end_with_the_caller() {
    let directory = TempDir::new().unwrap();
    let (mut caller, address) = broker(directory.path());
    let stdin = caller.stdin.take();
    assert!(caller.wait().unwrap().success());
    assert!(
        TcpStream::connect(address).is_ok(),
        "it outlives the command that started it"
    );

    drop(stdin);
    let gone = || TcpStream::connect(address).is_err() && !directory.path().join("kafka").exists();
    assert!(soon(gone), "the broker at {address} is still there");
}

#[test]
fn servers_end_with_the_caller_also_when_their_data_went_first() {
    let directory = TempDir::new().unwrap();
    let (caller, address) = broker(directory.path());
    drop(directory);
    drop(caller.stdin);
    let gone = || TcpStream::connect(address).is_err();
    assert!(soon(gone), "the broker at {address} is still there");
}

#[test]
fn other_options_for_a_cluster_that_exists_are_refused() {
    let directory = TempDir::new().unwrap();
    let (mut caller, _) = broker(directory.path());
    let more = output(directory.path(), &["up", "kafka", "--nodes", "3"]);
    assert!(!more.status.success());
    assert!(String::from_utf8_lossy(&more.stderr).contains("other options"));
    drop(caller.stdin.take());
    caller.wait().unwrap();
    run(directory.path(), &["down", "--wipe"]);
}
