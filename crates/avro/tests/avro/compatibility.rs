//! `schemas check`: what may change in a schema, and what not.

use std::path::Path;

use millrace_avro::{Catalogue, Finding, SchemaFiles};

const CURRENT: &str = "bank/account.events.avsc";

/// The published files, with some changed.
fn files(changes: &[(&str, &str)]) -> SchemaFiles {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    let read = |path: &str| std::fs::read_to_string(folder.join(path)).unwrap();
    let mut files = vec![];
    for path in [CURRENT, "bank/history/account.events.v1.avsc"] {
        files.push((path.to_owned(), read(path)));
    }
    let ids = r#"{"account.events": [ID]}"#.replace("ID", &id(&read(CURRENT)));
    files.push(("bank/history/ids.json".to_owned(), ids));
    for (path, text) in changes {
        files.push(((*path).to_owned(), (*text).to_owned()));
    }
    files.into_iter().collect()
}

fn events() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    std::fs::read_to_string(folder.join(CURRENT)).unwrap()
}

fn id(text: &str) -> String {
    let mut catalogue = Catalogue::new();
    catalogue.publish("s", &[text]).unwrap();
    catalogue.current_id("s").unwrap().to_string()
}

/// What is found when the current schema has `from` replaced by `to`.
fn findings(from: &str, to: &str) -> Vec<String> {
    let changed = events().replace(from, to);
    assert_ne!(changed, events(), "nothing replaced");
    let report = files(&[(CURRENT, &changed)]).check();
    let findings = &report.topics[0].findings;
    findings.iter().map(Finding::to_string).collect()
}

const PUBLISH: &str = "the schema is not the newest published version: publish v2";

#[test]
fn the_published_schemas_are_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    let report = SchemaFiles::read(&folder).unwrap().check();
    assert!(report.is_sound(), "{report}");
    assert!(!report.topics.is_empty());
}

#[test]
fn the_program_holds_the_files_of_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    assert_eq!(
        SchemaFiles::read(&folder).unwrap(),
        SchemaFiles::published()
    );
}

#[test]
fn the_catalogue_of_the_files_ends_with_the_current_schema() {
    let catalogue = Catalogue::published().unwrap();
    let subject = "bank.account.events-value";
    assert_eq!(catalogue.versions(subject).unwrap(), [1]);

    let newer = events().replace(
        r#""name": "previous""#,
        r#""name": "before", "default": """#,
    );
    let catalogue = files(&[(CURRENT, &newer)]).catalogue().unwrap();
    assert_eq!(catalogue.versions(subject).unwrap(), [1, 2]);
    assert_eq!(catalogue.version(subject, "latest").unwrap().schema, newer);
}

#[test]
fn a_change_of_words_in_doc_is_none() {
    let changed = events().replace("What happened.", "What has happened.");
    assert!(files(&[(CURRENT, &changed)]).check().is_sound());
}

#[test]
fn a_compatible_change_asks_to_be_published() {
    let field = r#"{"name": "previous", "type": "string"},"#;
    let more = format!(r#"{field} {{"name": "why", "type": "string", "default": ""}},"#);
    assert_eq!(findings(field, &more), [PUBLISH]);
    let renamed = field.replace("previous", "former");
    let renamed = renamed.replace('}', r#", "aliases": ["previous"]}"#);
    assert_eq!(findings(field, &renamed), [PUBLISH]);
    assert_eq!(
        findings(
            r#""name": "AccountClosed""#,
            r#""name": "Closed", "aliases": ["AccountClosed"]"#
        ),
        [PUBLISH]
    );
    assert_eq!(
        findings(
            r#"{"type": "record", "name": "AccountClosed", "fields": []}"#,
            r#"{"type": "record", "name": "AccountClosed", "fields": []},
               {"type": "record", "name": "AccountFrozen", "fields": []}"#,
        ),
        [PUBLISH]
    );
}

#[test]
fn a_published_change_is_sound() {
    let newer = events().replace(
        r#"{"name": "previous", "type": "string"},"#,
        r#"{"name": "previous", "type": "string"},
           {"name": "why", "type": "string", "default": ""},"#,
    );
    let ids = format!(
        r#"{{"account.events": [{}, {}]}}"#,
        id(&events()),
        id(&newer)
    );
    let report = files(&[
        (CURRENT, &newer),
        ("bank/history/account.events.v2.avsc", &newer),
        ("bank/history/ids.json", &ids),
    ])
    .check();
    assert!(report.is_sound(), "{report}");
    assert_eq!(report.topics[0].versions, 2);
}

#[test]
fn an_incompatible_change_is_refused_with_field_and_reason() {
    let refused = |from: &str, to: &str| {
        let mut findings = findings(from, to);
        assert_eq!(findings.pop().as_deref(), Some(PUBLISH));
        findings
    };
    let unreadable = |what: &str| vec![format!("records of v1 cannot be read: {what}")];
    assert_eq!(
        refused(
            r#"{"name": "previous", "type": "string"}"#,
            r#"{"name": "former", "type": "string"}"#
        ),
        unreadable("payload.EmailAddressChanged.former: a new field without a default")
    );
    assert_eq!(
        refused(
            r#""name": "initial_balance", "type": "long""#,
            r#""name": "initial_balance", "type": "int""#
        ),
        unreadable("payload.AccountOpened.initial_balance: long cannot be read as int")
    );
    assert_eq!(
        refused(
            r#""name": "command_offset", "type": "long""#,
            r#""name": "command_offset", "type": "string""#
        ),
        unreadable("command_offset: long cannot be read as string")
    );
    assert_eq!(
        refused(
            r#""logicalType": "timestamp-micros"}, "doc": "When version 1"#,
            r#""logicalType": "timestamp-millis"}, "doc": "When version 1"#,
        ),
        unreadable("created_at: timestamp-micros cannot be read as timestamp-millis")
    );
    assert_eq!(
        refused(
            r#""name": "causation_id", "type": ["null", "string"], "default": null"#,
            r#""name": "causation_id", "type": "string""#,
        ),
        unreadable("causation_id: null cannot be read as string")
    );
    assert_eq!(
        refused(r#""name": "AccountClosed""#, r#""name": "Closed""#),
        unreadable("payload.AccountClosed: no branch for record AccountClosed")
    );
}

#[test]
fn a_published_version_must_not_change() {
    let v1 = "bank/history/account.events.v1.avsc";
    let changed = events().replace("previous", "former");
    let report = files(&[(CURRENT, &changed), (v1, &changed)]).check();
    let noted = id(&events()).parse().map(millrace_avro::SchemaId::new).ok();
    assert!(matches!(
        report.topics[0].findings[..],
        [Finding::Changed { version: 1, noted: id, .. }] if id == noted
    ));

    let report = files(&[("bank/history/ids.json", "{}")]).check();
    let unnoted = format!(
        "the id of v1 is not noted in history/ids.json: it is {}",
        id(&events())
    );
    assert_eq!(report.topics[0].findings[0].to_string(), unnoted);
}

#[test]
fn a_version_that_is_gone_is_missed() {
    let ids = format!(r#"{{"account.events": [{0}, {0}, {0}]}}"#, id(&events()));
    let v3 = "bank/history/account.events.v3.avsc";
    let report = files(&[("bank/history/ids.json", &ids), (v3, &events())]).check();
    assert_eq!(report.topics[0].findings, [Finding::Missing { version: 2 }]);
}

#[test]
fn files_that_mean_nothing_are_named() {
    let misplaced = [
        "account.events.avsc",
        "bank/deeper/account.events.avsc",
        "bank/history/account.events.avsc",
        "bank/history/account.events.v0.avsc",
        "bank/history/deeper/ids.json",
        "bank/notes.txt",
    ];
    let changes: Vec<_> = misplaced.iter().map(|path| (*path, "{}")).collect();
    let report = files(&changes).check();
    assert_eq!(report.misplaced, misplaced);
    assert!(!report.is_sound());
    let report = files(&[("bank/history/ids.json", "[]")]).check();
    assert_eq!(report.misplaced, ["bank/history/ids.json"]);
}

#[test]
fn a_text_that_is_no_schema_is_named() {
    let report = files(&[(CURRENT, r#"{"type": "record"}"#)]).check();
    assert!(matches!(
        &report.topics[0].findings[..],
        [Finding::Unusable { version: None, .. }]
    ));
    assert!(
        report
            .to_string()
            .contains("bank.account.events: 1 published, refused\n")
    );
    // Two names that differ only in their namespaces.
    let twice = r#"[{"type": "record", "name": "a.R", "fields": []},
        {"type": "record", "name": "b.R", "fields": []}]"#;
    let report = files(&[(CURRENT, twice)]).check();
    assert!(matches!(
        &report.topics[0].findings[..],
        [Finding::Unusable { version: None, .. }]
    ));
}
