use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use millrace_domain::bank::account::{AccountClosed, AccountEvent};
use millrace_eventsourcing::{EventEnvelope, Timestamp, Version};
use serde_json::json;

use super::*;

const SUBJECT: &str = "bank.account.events-value";
/// What the registry calls the schema of somebody else.
const THEIRS: u32 = 77;

/// A registry that gives ids from 1 on, and knows our events schema as [`THEIRS`] besides.
struct FakeRegistry {
    url: String,
    lookups: Arc<AtomicU32>,
    _runtime: tokio::runtime::Runtime,
}

impl FakeRegistry {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (ids, lookups) = (Arc::new(AtomicU32::new(1)), Arc::new(AtomicU32::new(0)));
        let counted = Arc::clone(&lookups);
        let register =
            move || async move { json!({"id": ids.fetch_add(1, Ordering::Relaxed)}).to_string() };
        let lookup = move |Path(id): Path<u32>| async move {
            counted.fetch_add(1, Ordering::Relaxed);
            let text = catalogue().version(SUBJECT, "latest").unwrap().schema;
            match id {
                THEIRS => json!({"schema": text}),
                _ => json!({"error_code": 40403, "message": "Schema not found"}),
            }
            .to_string()
        };
        let router = Router::new()
            .route("/subjects/{subject}/versions", post(register))
            .route("/schemas/ids/{id}", get(lookup));
        runtime.spawn(axum::serve(listener, router).into_future());
        Self {
            url,
            lookups,
            _runtime: runtime,
        }
    }

    fn schemas(&self) -> KnownSchemas {
        let registration = Registration::new(catalogue(), Some(&self.url)).unwrap();
        assert!(registration.done().is_none());
        let schemas = registration.complete().unwrap();
        assert!(registration.done().is_some());
        schemas
    }
}

fn catalogue() -> Catalogue {
    crate::contexts().catalogue().unwrap()
}

fn closed() -> EventEnvelope<AccountEvent> {
    EventEnvelope {
        version: Version::new(2),
        command_id: "c".to_owned(),
        causation_id: None,
        correlation_id: "k".to_owned(),
        actor: None,
        on_behalf_of: None,
        recorded_at: Timestamp::from_millis(2),
        created_at: Timestamp::from_millis(1),
        command_offset: 1,
        payload: AccountEvent::AccountClosed(AccountClosed {}),
    }
}

fn with_id(record: &[u8], id: u32) -> Vec<u8> {
    let mut changed = record.to_vec();
    changed[1..5].copy_from_slice(&id.to_be_bytes());
    changed
}

#[test]
fn records_carry_the_ids_of_the_registry() {
    let registry = FakeRegistry::start();
    let schemas = registry.schemas();
    let codec = schemas
        .codec::<EventEnvelope<AccountEvent>>(SUBJECT)
        .unwrap();
    let mut record = Vec::new();
    codec.encode(&closed(), &mut record).unwrap();
    let id = u32::from_be_bytes(record[1..5].try_into().unwrap());
    let given = schemas.catalogue().current_id(SUBJECT).unwrap();
    assert_eq!(SchemaId::new(id), given);
    assert_ne!(Some(given), catalogue().current_id(SUBJECT));
}

#[test]
fn an_unknown_id_is_looked_up_once() {
    let registry = FakeRegistry::start();
    let codec = registry
        .schemas()
        .codec::<EventEnvelope<AccountEvent>>(SUBJECT)
        .unwrap();
    let mut record = Vec::new();
    codec.encode(&closed(), &mut record).unwrap();
    let theirs = with_id(&record, THEIRS);
    assert_eq!(codec.decode(&theirs), Ok(closed()));
    assert_eq!(codec.decode(&theirs), Ok(closed()));
    assert_eq!(registry.lookups.load(Ordering::Relaxed), 1);
    let nobodys = with_id(&record, THEIRS + 1);
    for _ in 0..3 {
        assert_eq!(
            codec.decode(&nobodys),
            Err(DecodeError::UnknownSchema(THEIRS + 1))
        );
    }
    assert_eq!(registry.lookups.load(Ordering::Relaxed), 2);
}

#[test]
fn a_registry_that_is_away_may_answer_later() {
    let registration = Registration::new(catalogue(), Some("http://127.0.0.1:1")).unwrap();
    assert!(is_transient(&registration.complete().unwrap_err()));
    assert!(registration.done().is_none());
    let without = Registration::new(catalogue(), None).unwrap();
    let id = without.done().unwrap().catalogue().current_id(SUBJECT);
    assert_eq!(id, catalogue().current_id(SUBJECT));
}
