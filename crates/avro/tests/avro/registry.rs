//! The registry client against a stub, and the catalogue as the registry's stand-in.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use millrace_avro::{AvroCodec, CatalogueError, Registry, SchemaId};
use millrace_eventsourcing::Codec;
use serde_json::{Value, json};

use crate::account::{Event, SCHEMAS, catalogue, deposit, event_codec};

const EVENTS: &str = "bank.account.events-value";

/// A registry on loopback that answers as many requests as there are in `answers`, in any order.
struct Stub {
    registry: Registry,
    url: String,
    thread: JoinHandle<Vec<(String, String)>>,
}

impl Stub {
    fn answering(answers: &[(&str, u16, Value)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers: HashMap<String, (u16, String)> = answers
            .iter()
            .map(|(path, status, body)| ((*path).to_owned(), (*status, body.to_string())))
            .collect();
        let thread = std::thread::spawn(move || {
            (0..answers.len())
                .map(|_| answer(&listener, &answers))
                .collect()
        });
        Self {
            registry: Registry::new(&format!("{url}/")).unwrap(),
            url,
            thread,
        }
    }

    /// What was asked: request line and body.
    fn requests(self) -> Vec<(String, String)> {
        self.thread.join().unwrap()
    }
}

fn answer(listener: &TcpListener, answers: &HashMap<String, (u16, String)>) -> (String, String) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut len = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            len = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; len];
    reader.read_exact(&mut body).unwrap();
    let path = line.split(' ').nth(1).unwrap();
    let (status, answer) = &answers[path];
    write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
        answer.len()
    )
    .unwrap();
    (line, String::from_utf8(body).unwrap())
}

#[test]
fn ids_come_from_the_registry_and_the_derived_ones_stay_readable() {
    let stub = Stub::answering(&[
        (
            "/subjects/bank.account.commands-value/versions",
            200,
            json!({"id": 1}),
        ),
        (
            "/subjects/bank.account.events-value/versions",
            200,
            json!({"id": 2}),
        ),
        (
            "/subjects/bank.account.state-value/versions",
            200,
            json!({"id": 3}),
        ),
    ]);
    let registered = catalogue().with_registry(&stub.registry).unwrap();
    assert_eq!(registered.current_id(EVENTS), Some(SchemaId::new(2)));
    let codec = AvroCodec::<Event>::new(EVENTS, &registered).unwrap();
    let mut record = Vec::new();
    codec.encode(&deposit(), &mut record).unwrap();
    assert_eq!(record[..5], [0, 0, 0, 0, 2]);
    assert_eq!(codec.decode(&record), Ok(deposit()));

    let mut derived = Vec::new();
    event_codec().encode(&deposit(), &mut derived).unwrap();
    assert_eq!(codec.decode(&derived), Ok(deposit()));

    let requests = stub.requests();
    assert_eq!(requests.len(), 3);
    for (line, body) in requests {
        assert!(line.starts_with("POST /subjects/bank.account."), "{line}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert!(
            body["schema"]
                .as_str()
                .unwrap()
                .contains("millrace.bank.account")
        );
    }
}

#[test]
fn one_id_for_two_schemas_is_refused() {
    let stub = Stub::answering(&[
        (
            "/subjects/bank.account.commands-value/versions",
            200,
            json!({"id": 1}),
        ),
        (
            "/subjects/bank.account.events-value/versions",
            200,
            json!({"id": 1}),
        ),
    ]);
    let refused = catalogue().with_registry(&stub.registry);
    assert!(matches!(refused, Err(CatalogueError::Collision { .. })));
    stub.requests();
}

#[test]
fn a_schema_is_looked_up_by_id() {
    let stub = Stub::answering(&[
        ("/schemas/ids/7", 200, json!({"schema": SCHEMAS.events})),
        (
            "/schemas/ids/8",
            404,
            json!({"error_code": 40403, "message": "Schema not found"}),
        ),
    ]);
    let text = stub.registry.schema(SchemaId::new(7)).unwrap();
    assert_eq!(text.as_deref(), Some(SCHEMAS.events));
    assert_eq!(stub.registry.schema(SchemaId::new(8)).unwrap(), None);
    stub.requests();
}

#[test]
fn a_refusal_names_registry_subject_and_reason() {
    let message = "Schema being registered is incompatible";
    let stub = Stub::answering(&[
        (
            "/subjects/a-value/versions",
            409,
            json!({"error_code": 409, "message": message}),
        ),
        ("/subjects/b-value/versions", 503, json!("busy")),
        ("/subjects/c-value/versions", 200, json!({"identity": 1})),
    ]);
    let error = stub.registry.register("a-value", "\"int\"").unwrap_err();
    let url = &stub.url;
    assert_eq!(
        error.to_string(),
        format!(
            "cannot register a schema of subject `a-value` at schema registry `{url}`: \
             409, {message} (409)"
        )
    );
    assert!(!error.is_transient());
    let error = stub.registry.register("b-value", "\"int\"").unwrap_err();
    assert!(error.is_transient());
    let error = stub.registry.register("c-value", "\"int\"").unwrap_err();
    assert!(error.to_string().contains("not that of a schema registry"));
    stub.requests();
}

#[test]
fn a_registry_that_is_away_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let error = Registry::new(&url)
        .unwrap()
        .register("a-value", "1")
        .unwrap_err();
    assert!(error.is_transient());
    assert!(error.to_string().contains(&url), "{error}");
    assert!(error.to_string().contains("`a-value`"), "{error}");
}

#[test]
fn an_address_that_cannot_be_used_is_refused_without_its_password() {
    for url in [
        "",
        "registry:8081",
        "https://r",
        "http://",
        "http://u:secret@r:8081",
    ] {
        let error = Registry::new(url).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn the_catalogue_answers_like_a_registry() {
    let catalogue = catalogue();
    let id = catalogue.current_id(EVENTS).unwrap();
    let subjects = ["commands", "events", "state"].map(|k| format!("bank.account.{k}-value"));
    assert_eq!(catalogue.subjects(), subjects);
    assert_eq!(catalogue.versions(EVENTS).unwrap(), [1]);
    let expected = json!({
        "subject": EVENTS, "version": 1, "id": id.get(), "schema": SCHEMAS.events,
    });
    for version in ["1", "latest"] {
        let answer = catalogue.version(EVENTS, version).unwrap();
        assert_eq!(serde_json::to_value(answer).unwrap(), expected);
    }
    let answer = catalogue.schema(&id.to_string()).unwrap();
    assert_eq!(
        serde_json::to_value(answer).unwrap(),
        json!({"schema": SCHEMAS.events})
    );
}

#[test]
fn the_catalogue_refuses_like_a_registry() {
    let catalogue = catalogue();
    let refusals = [
        (catalogue.schema("7").unwrap_err(), 404, 40403),
        (catalogue.schema("seven").unwrap_err(), 404, 40403),
        (catalogue.versions("nobody").unwrap_err(), 404, 40401),
        (catalogue.version("nobody", "1").unwrap_err(), 404, 40401),
        (catalogue.version(EVENTS, "0").unwrap_err(), 404, 40402),
        (catalogue.version(EVENTS, "2").unwrap_err(), 404, 40402),
        (catalogue.version(EVENTS, "one").unwrap_err(), 422, 42202),
    ];
    for (refusal, status, code) in refusals {
        assert_eq!((refusal.status(), refusal.error_code), (status, code));
    }
}
