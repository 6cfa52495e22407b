//! The arrows between the crates, and the size and shape of their files.
//!
//! `deny.toml` holds the arrows too, for tools that read it; this test says which rule broke.
#![expect(
    clippy::unwrap_used,
    reason = "a tree that cannot be read fails the test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Whom a crate may name. A crate that is not listed here is a new one: decide where it stands.
const ARROWS: &[(&str, &[&str])] = &[
    ("millrace-eventsourcing", &[]),
    ("millrace-domain", &["millrace-eventsourcing"]),
    ("millrace-runtime", &["millrace-eventsourcing"]),
    ("millrace-avro", &["millrace-eventsourcing"]),
    (
        "millrace-kafka",
        &["millrace-eventsourcing", "millrace-runtime"],
    ),
    (
        "millrace-scylla",
        &["millrace-eventsourcing", "millrace-runtime"],
    ),
    (
        "millrace-smtp",
        &["millrace-eventsourcing", "millrace-runtime"],
    ),
    (
        "millrace-embedded",
        &["millrace-eventsourcing", "millrace-runtime"],
    ),
    (
        "millrace-testkit",
        &["millrace-eventsourcing", "millrace-runtime"],
    ),
    (
        "millrace",
        &[
            "millrace-eventsourcing",
            "millrace-domain",
            "millrace-runtime",
            "millrace-avro",
            "millrace-kafka",
            "millrace-scylla",
            "millrace-smtp",
            "millrace-embedded",
        ],
    ),
    ("millrace-xtask", &[]),
];

/// Vendors, each with the one crate that may name it.
const VENDORS: &[(&str, &str)] = &[
    ("rdkafka", "millrace-kafka"),
    ("scylla", "millrace-scylla"),
    ("rusqlite", "millrace-embedded"),
    ("lettre", "millrace-smtp"),
    ("apache-avro", "millrace-avro"),
    ("serde_avro_fast", "millrace-avro"),
];

/// What a crate of pure functions may name beside its own kind: values, their text
/// and their digest, no more.
const PURE: &[&str] = &["serde", "serde_json", "sha2", "thiserror", "ulid"];
const PURE_CRATES: &[&str] = &["millrace-eventsourcing", "millrace-domain"];

/// A longer file has more than one idea in it.
const LINES_MAX: usize = 400;

#[test]
fn a_crate_names_only_the_crates_below_it() {
    let metadata = metadata();
    let ours: BTreeSet<&str> = packages(&metadata)
        .map(|package| package.name.as_str())
        .collect();
    let mut wrong = Vec::new();
    for package in packages(&metadata) {
        let name = package.name.as_str();
        let Some((_, below)) = ARROWS.iter().find(|(crate_name, _)| *crate_name == name) else {
            wrong.push(format!("{name} has no place in the layers"));
            continue;
        };
        for dependency in dependencies(package, DependencyKind::Normal) {
            if ours.contains(dependency) && !below.contains(&dependency) {
                wrong.push(format!("{name} -> {dependency}"));
            }
        }
    }
    assert!(wrong.is_empty(), "against the layers: {wrong:#?}");
}

#[test]
fn a_vendor_is_named_by_its_adapter_alone() {
    let metadata = metadata();
    let mut wrong = Vec::new();
    for package in packages(&metadata) {
        for (vendor, adapter) in VENDORS {
            if package.name.as_str() != *adapter && names(package, vendor) {
                wrong.push(format!("{} -> {vendor}", package.name));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "only its adapter may name a vendor: {wrong:#?}"
    );
}

#[test]
fn the_pure_crates_name_nothing_that_could_do_input_or_output() {
    let metadata = metadata();
    let mut wrong = Vec::new();
    for package in packages(&metadata).filter(|it| PURE_CRATES.contains(&it.name.as_str())) {
        for dependency in dependencies(package, DependencyKind::Normal) {
            if !PURE.contains(&dependency) && !dependency.starts_with("millrace-") {
                wrong.push(format!("{} -> {dependency}", package.name));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "not pure, or not yet known to be: {wrong:#?}"
    );
}

#[test]
fn versions_stand_in_the_root_manifest_only() {
    let mut wrong = Vec::new();
    for package in packages(&metadata()) {
        let manifest = fs::read_to_string(&package.manifest_path).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(section) = manifest.get(section).and_then(|it| it.as_table()) else {
                continue;
            };
            for (name, dependency) in section {
                if dependency.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                    wrong.push(format!("{}: {name}", package.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "not from the workspace: {wrong:#?}");
}

#[test]
fn a_file_has_at_most_four_hundred_lines_before_its_tests() {
    let mut wrong = Vec::new();
    for file in sources().into_iter().filter(|file| !is_test(file)) {
        let text = fs::read_to_string(&file).unwrap();
        let lines = lines_before_tests(&text);
        if lines > LINES_MAX {
            wrong.push(format!("{}: {lines}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "too long: {wrong:#?}");
}

#[test]
fn a_module_is_named_by_its_file() {
    let wrong: Vec<PathBuf> = sources()
        .into_iter()
        .filter(|file| file.ends_with("mod.rs"))
        .collect();
    assert!(
        wrong.is_empty(),
        "`name.rs` and `name/` instead: {wrong:#?}"
    );
}

#[test]
fn lines_are_counted_up_to_the_test_module() {
    let attribute = "#[cfg(test)]";
    assert_eq!(lines_before_tests("one\ntwo\n"), 2);
    assert_eq!(
        lines_before_tests(&format!("one\n{attribute}\nmod tests {{\n}}\n")),
        1
    );
    assert_eq!(
        lines_before_tests(&format!("one\n    {attribute}\n    fn only() {{}}\ntwo\n")),
        4
    );
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .unwrap()
}

fn packages(metadata: &Metadata) -> impl Iterator<Item = &Package> {
    let packages = metadata.packages.iter();
    assert!(packages.len() > 5, "where is the workspace?");
    packages
}

fn dependencies(package: &Package, kind: DependencyKind) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(move |it| it.kind == kind)
        .map(|it| it.name.as_str())
}

fn names(package: &Package, dependency: &str) -> bool {
    package.dependencies.iter().any(|it| it.name == dependency)
}

fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut directories = vec![crates.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 20, "where are the sources?");
    files
}

fn is_test(file: &Path) -> bool {
    file.ends_with("tests.rs") || file.components().any(|part| part.as_os_str() == "tests")
}

fn lines_before_tests(text: &str) -> usize {
    text.lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .count()
}
