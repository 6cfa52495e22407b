use std::io::{Read, Write};
use std::net::TcpStream;

use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};

use super::*;

fn catalogue() -> Catalogue {
    crate::contexts().catalogue().unwrap()
}

struct Server {
    address: SocketAddr,
    board: Board,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    fn start() -> Self {
        Self::with_registry(None)
    }

    fn with_registry(url: Option<&str>) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("millrace_events_total").increment(1);
        });
        let served = Served {
            board: Board::default(),
            metrics: recorder.handle(),
            schemas: Arc::new(Registration::new(catalogue(), url).unwrap()),
        };
        let board = served.board.clone();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(axum::serve(listener, router(served)).into_future());
        Self {
            address,
            board,
            _runtime: runtime,
        }
    }

    /// Status, content type and body.
    fn ask(&self, method: &str, path: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let content_type = head
            .lines()
            .find_map(|line| line.strip_prefix("content-type: "))
            .unwrap_or_default();
        (status, content_type.to_owned(), body.to_owned())
    }

    fn json(&self, path: &str) -> (u16, Value) {
        let (status, content_type, body) = self.ask("GET", path);
        assert_eq!(content_type, SCHEMA_REGISTRY, "{path}");
        (status, serde_json::from_str(&body).unwrap())
    }
}

#[test]
fn a_process_is_live_also_while_it_is_not_ready() {
    let server = Server::start();
    server.board.announce("bank.account.commands");
    assert_eq!(server.ask("GET", "/live").0, 200);
    let (status, _, body) = server.ask("GET", "/ready");
    assert_eq!(
        (status, body.as_str()),
        (503, "bank.account.commands: starting\n")
    );
    server.board.post("bank.account.commands", &[]);
    assert_eq!(server.ask("GET", "/ready").0, 200);
}

#[test]
fn metrics_are_in_the_form_of_prometheus() {
    let (status, content_type, body) = Server::start().ask("GET", "/metrics");
    assert_eq!((status, content_type.as_str()), (200, PROMETHEUS));
    assert!(body.contains("millrace_events_total 1"), "{body}");
}

#[test]
fn schemas_are_found_by_id_subject_and_version() {
    let server = Server::start();
    let subject = "bank.account.events-value";
    let id = catalogue().current_id(subject).unwrap();
    let (status, by_id) = server.json(&format!("/schemas/ids/{id}"));
    assert_eq!(status, 200);
    let (_, latest) = server.json(&format!("/subjects/{subject}/versions/latest"));
    assert_eq!(latest["id"].to_string(), id.to_string());
    assert_eq!(latest["subject"], subject);
    assert_eq!(latest["schema"], by_id["schema"]);
    let (_, versions) = server.json(&format!("/subjects/{subject}/versions"));
    assert_eq!(versions, json!([1]));
    let (_, subjects) = server.json("/subjects");
    assert!(
        subjects.as_array().unwrap().contains(&json!(subject)),
        "{subjects}"
    );
}

#[test]
fn schemas_that_are_not_registered_yet_are_not_served() {
    let server = Server::with_registry(Some("http://127.0.0.1:1"));
    let (status, body) = server.json("/subjects");
    assert_eq!((status, &body["error_code"]), (503, &json!(50302)));
}

#[test]
fn a_refusal_has_the_registrys_code() {
    let server = Server::start();
    let versions = "/subjects/bank.account.events-value/versions";
    for (path, status, code) in [
        ("/schemas/ids/1", 404, 40403),
        ("/schemas/ids/x", 404, 40403),
        ("/subjects/none/versions", 404, 40401),
        (&format!("{versions}/9"), 404, 40402),
        (&format!("{versions}/x"), 422, 42202),
        ("/no/such/path", 404, 404),
    ] {
        let (found, body) = server.json(path);
        assert_eq!(found, status, "{path}");
        assert_eq!(body["error_code"], code, "{path}");
        assert!(body["message"].is_string(), "{path}");
    }
    assert_eq!(server.ask("POST", versions).0, 405);
}

#[tokio::test]
async fn only_the_default_port_gives_way() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let settings = |given| HttpSettings {
        listen: Listen::Address(address.to_string()),
        is_listen_given: given,
    };
    let next = listen(&settings(false)).await.unwrap().unwrap();
    assert_ne!(next.local_addr().unwrap().port(), address.port());
    let error = listen(&settings(true)).await.unwrap_err();
    assert!(error.to_string().contains("http.listen"), "{error}");
    let off = HttpSettings {
        listen: Listen::Off,
        is_listen_given: true,
    };
    assert!(listen(&off).await.unwrap().is_none());
}
