//! What a running process serves: health, metrics, and its schemas as a registry would.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use millrace_avro::{Catalogue, Refusal};
use serde::Serialize;
use tokio::net::TcpListener;
use tracing::warn;

use crate::board::Board;
use crate::schemas::{KnownSchemas, Registration};
use crate::settings::{HttpSettings, Listen};

/// How many ports above the default one are tried.
const PORTS_MAX: u16 = 100;

const TEXT: &str = "text/plain; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const SCHEMA_REGISTRY: &str = "application/vnd.schemaregistry.v1+json";

/// What the answers come from.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) board: Board,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) schemas: Arc<Registration>,
}

impl Served {
    fn catalogue(&self) -> Result<&Catalogue, Refusal> {
        let schemas = self.schemas.done();
        schemas.map(KnownSchemas::catalogue).ok_or_else(|| Refusal {
            error_code: 50302,
            message: "The schemas are not registered yet.".to_owned(),
        })
    }
}

/// All addresses that are answered.
pub(crate) fn router(served: Served) -> Router {
    Router::new()
        .route("/live", get(live))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/schemas/ids/{id}", get(schema))
        .route("/subjects", get(subjects))
        .route("/subjects/{subject}/versions", get(versions))
        .route("/subjects/{subject}/versions/{version}", get(version))
        .method_not_allowed_fallback(read_only)
        .fallback(not_found)
        .with_state(served)
}

async fn live() -> Response {
    respond(StatusCode::OK, TEXT, "live\n")
}

async fn ready(State(served): State<Served>) -> Response {
    let reasons = served.board.reasons();
    if reasons.is_empty() {
        return respond(StatusCode::OK, TEXT, "ready\n");
    }
    let lines = reasons.join("\n") + "\n";
    respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, lines)
}

async fn metrics(State(served): State<Served>) -> Response {
    respond(StatusCode::OK, PROMETHEUS, served.metrics.render())
}

async fn schema(State(served): State<Served>, Path(id): Path<String>) -> Response {
    registry_answer(served.catalogue().and_then(|known| known.schema(&id)))
}

async fn subjects(State(served): State<Served>) -> Response {
    registry_answer(served.catalogue().map(Catalogue::subjects))
}

async fn versions(State(served): State<Served>, Path(subject): Path<String>) -> Response {
    registry_answer(
        served
            .catalogue()
            .and_then(|known| known.versions(&subject)),
    )
}

async fn version(
    State(served): State<Served>,
    Path((subject, version)): Path<(String, String)>,
) -> Response {
    registry_answer(
        served
            .catalogue()
            .and_then(|known| known.version(&subject, &version)),
    )
}

async fn read_only(method: Method) -> Response {
    refuse(
        405,
        &format!("{method} is not served: this registry is read-only"),
    )
}

async fn not_found() -> Response {
    refuse(404, "HTTP 404 Not Found")
}

fn refuse(error_code: u32, message: &str) -> Response {
    let status = u16::try_from(error_code).unwrap_or(500);
    json(
        status,
        &Refusal {
            error_code,
            message: message.to_owned(),
        },
    )
}

fn registry_answer<T: Serialize>(answer: Result<T, Refusal>) -> Response {
    match answer {
        Ok(found) => json(200, &found),
        Err(refusal) => json(refusal.status(), &refusal),
    }
}

fn json(status: u16, body: &impl Serialize) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match serde_json::to_vec(body) {
        Ok(bytes) => respond(status, SCHEMA_REGISTRY, bytes),
        Err(error) => {
            warn!(%error, "an answer could not be written");
            respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "")
        }
    }
}

fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let value = header::HeaderValue::from_static(content_type);
    response.headers_mut().insert(header::CONTENT_TYPE, value);
    response
}

/// Opens the port. Nothing when nobody wants one.
///
/// # Errors
/// When the port that was asked for is taken, naming the setting; when nobody asked for one, only
/// if no port nearby is free either.
pub(crate) async fn listen(settings: &HttpSettings) -> Result<Option<TcpListener>, ListenError> {
    let Listen::Address(address) = &settings.listen else {
        return Ok(None);
    };
    let failed = |source| ListenError {
        address: address.clone(),
        source,
    };
    let first = match TcpListener::bind(address).await {
        Ok(listener) => return Ok(Some(listener)),
        Err(error) => error,
    };
    if settings.is_listen_given || first.kind() != io::ErrorKind::AddrInUse {
        return Err(failed(first));
    }
    let taken: SocketAddr = address.parse().map_err(|_| failed(first))?;
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for port in (taken.port().saturating_add(1)..).take(usize::from(PORTS_MAX)) {
        match TcpListener::bind((taken.ip(), port)).await {
            Ok(listener) => {
                warn!(%taken, port, "the default port is taken; serving on the next free one");
                return Ok(Some(listener));
            }
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

/// The port cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("`http.listen`: cannot listen on `{address}`")]
pub(crate) struct ListenError {
    address: String,
    #[source]
    source: io::Error,
}

#[cfg(test)]
mod tests;
