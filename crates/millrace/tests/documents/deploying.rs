//! Commands of `deploy/README.md` whose programs cannot be started here: stand-ins take their
//! places and write down what they were called with, so that the shell reads loops and braces.

use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_norway::{Deserializer, Value};

use super::pages;

const PAGE: &str = "deploy/README.md";
/// What `kubectl` is given on its standard input is kept; the words of a call end with a line of
/// their own, and so does the call.
const STAND_INS: &str = r#"
set -euo pipefail
call() { printf '%s\n' "$@" "" >&3; }
docker() { call docker "$@"; }
kubectl() { call kubectl "$@"; if [ "${*: -1}" = - ]; then cat >&4; fi; }
install() { call install "$@"; }
systemctl() { call systemctl "$@"; }
systemd-run() { call systemd-run "$@"; }
"#;

/// One call of a program.
type Call = Vec<String>;

/// Carries out all blocks with this tag; the calls, and what was piped into one.
fn calls(tag: &str) -> (Vec<Call>, String) {
    let home = tempfile::TempDir::new().unwrap();
    let blocks = pages::tagged(PAGE, tag);
    let text: String = blocks.into_iter().map(|block| block.text).collect();
    assert!(!text.is_empty(), "{PAGE} has lost its blocks `{tag}`");
    let (calls, input) = (home.path().join("calls"), home.path().join("input"));
    let script = format!("exec 3>>\"$1\" 4>>\"$2\"\n{STAND_INS}\n{text}");
    let output = Command::new("bash")
        .args(["-c", &script, "bash"])
        .args([&calls, &input])
        .current_dir(pages::root())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let calls = std::fs::read_to_string(calls).unwrap();
    let calls = calls.split_terminator("\n\n");
    let words = |call: &str| call.trim().lines().map(str::to_owned).collect();
    let input = std::fs::read_to_string(input).unwrap();
    (calls.map(words).collect(), input)
}

/// The program takes these arguments: asked for help, it does nothing else.
fn check_program(arguments: &[String]) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_millrace"));
    let taken = program.args(arguments).arg("--help").output().unwrap();
    assert!(taken.status.success(), "{arguments:?}: {taken:?}");
}

fn documents(text: &str) -> Vec<Value> {
    let documents = Deserializer::from_str(text);
    documents
        .map(|document| Value::deserialize(document).unwrap())
        .collect()
}

/// What stands behind an option, each time it is there.
fn values<'c>(call: &'c [String], option: &str) -> Vec<&'c str> {
    let pairs = call.windows(2).filter(|pair| pair[0] == option);
    pairs.map(|pair| pair[1].as_str()).collect()
}

#[test]
fn compose_is_told_of_services_that_there_are() {
    let compose = documents(&pages::read("docker-compose.yml")).remove(0);
    let is_service = |name: &str| compose["services"].get(name).is_some();
    assert!(is_service("kafka") && !is_service("kafkas"));
    let (calls, _) = calls("compose");
    assert!(calls.len() >= 3, "{calls:?}");
    for call in &calls {
        assert_eq!(call[..2], ["docker", "compose"], "{call:?}");
        for scaled in values(call, "--scale") {
            let (service, count) = scaled.split_once('=').unwrap();
            assert!(
                is_service(service) && count.parse::<u8>().is_ok(),
                "{call:?}"
            );
        }
        if call[2] == "run" {
            let service = call[3..].iter().position(|word| !word.starts_with('-'));
            let (service, arguments) = call[3 + service.unwrap()..].split_first().unwrap();
            assert!(is_service(service), "{call:?}");
            check_program(arguments);
        } else {
            assert_eq!(call[2], "up", "{call:?}");
        }
    }
}

#[test]
fn kubernetes_is_given_what_there_is() {
    const BASE: &str = "deploy/kubernetes/base";
    let (calls, piped) = calls("kubernetes");
    assert!(calls.len() >= 3, "{calls:?}");
    for call in &calls {
        assert_eq!(call[0], "kubectl", "{call:?}");
        for folder in values(call, "-k") {
            let file = pages::root().join(folder).join("kustomization.yaml");
            assert!(file.is_file(), "{call:?}");
        }
        for namespace in values(call, "-n") {
            assert!(has_object(BASE, "Namespace", namespace), "{call:?}");
        }
        for word in call {
            if let Some(job) = word.strip_prefix("job/") {
                assert!(has_object(BASE, "Job", job), "{call:?}");
            }
        }
    }
    let rules = documents(&piped).remove(0);
    let written = documents(&pages::read("deploy/prometheus/alerts.yml")).remove(0);
    assert_eq!(rules["kind"], Value::from("PrometheusRule"));
    assert!(has_object(
        BASE,
        "Namespace",
        rules["metadata"]["namespace"].as_str().unwrap()
    ));
    assert_eq!(rules["spec"], written);
}

/// Whether a file in this folder declares it.
fn has_object(folder: &str, kind: &str, name: &str) -> bool {
    let files = std::fs::read_dir(pages::root().join(folder)).unwrap();
    let yaml = files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "yaml"));
    yaml.into_iter()
        .flat_map(|path| documents(&std::fs::read_to_string(path).unwrap()))
        .any(|it| {
            it["kind"].as_str() == Some(kind) && it["metadata"]["name"].as_str() == Some(name)
        })
}

#[test]
fn systemd_is_given_files_and_roles_that_there_are() {
    let (calls, _) = calls("systemd");
    let mut services = Vec::new();
    for call in &calls {
        match call[0].as_str() {
            "install" => check_installed(call),
            "systemd-run" => {
                let program = call.iter().position(|word| word == "millrace").unwrap();
                check_program(&call[program + 1..]);
            }
            "systemctl" => {
                services.extend(call.iter().filter_map(|it| it.strip_prefix("millrace@")));
            }
            other => panic!("{other}: {call:?}"),
        }
    }
    assert!(services.len() >= 4, "{calls:?}");
    for role in services {
        check_program(&["run", "--role", role].map(str::to_owned));
        let variables = format!("/etc/millrace/{role}.env");
        let is_installed = calls.iter().any(|call| call.last() == Some(&variables));
        assert!(is_installed, "{variables}: {calls:?}");
    }
}

/// All that is installed, but for the program, is in the project.
fn check_installed(call: &[String]) {
    let files = call[1..call.len() - 1]
        .iter()
        .filter(|word| word.contains('/') || word.contains('.'));
    for file in files {
        assert!(pages::root().join(file).is_file(), "{call:?}");
    }
}
