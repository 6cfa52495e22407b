//! One session at a time, made when it is needed.
//!
//! The driver connects again by itself, but waits up to ten seconds between attempts. A session
//! none of whose nodes is connected is therefore given up after a failed call, and the next call
//! makes a new one: callers back off by themselves, and are not kept waiting for a server that is
//! back.

use std::collections::HashMap;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use millrace_runtime::store::StoreError;
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::errors::ExecutionError;
use scylla::response::PagingState;
use scylla::serialize::row::SerializeRow;
use scylla::statement::prepared::PreparedStatement;
use scylla::value::Row;
use tracing::{info, warn};

use crate::Config;
use crate::fault::{Fault, connect_reason, store_error};

/// A server that accepts no connection for this long is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than servers work on a request (Cassandra: 2 s, or 10 s where it is slow).
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// A connection silent for twice this is dead, also where nothing says so.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// Rows a page: with large rows of 256 KiB still a bearable answer.
const PAGE_ROWS: i32 = 500;

/// A session and what was prepared in it.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) session: Session,
    /// By text; there are as many as tables and kinds of statement.
    prepared: Mutex<HashMap<String, Arc<PreparedStatement>>>,
}

impl Live {
    /// Prepares a statement that may be sent twice, or takes it from the last time.
    pub(crate) async fn prepare(
        &self,
        text: String,
    ) -> Result<Arc<PreparedStatement>, ExecutionError> {
        if let Some(known) = self.lock().get(&text) {
            return Ok(Arc::clone(known));
        }
        let mut statement = self.session.prepare(text.as_str()).await?;
        statement.set_is_idempotent(true);
        statement.set_page_size(PAGE_ROWS);
        let statement = Arc::new(statement);
        self.lock().insert(text, Arc::clone(&statement));
        Ok(statement)
    }

    /// All rows of the answer, page after page. A page may be empty and not the last.
    pub(crate) async fn rows(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<Vec<Row>, Fault> {
        let mut rows = Vec::new();
        let mut place = PagingState::start();
        loop {
            let page = self
                .session
                .execute_single_page(statement, &values, place)
                .await;
            let (page, next) = page?;
            let page = page.into_rows_result().map_err(Fault::answer)?;
            for row in page.rows::<Row>().map_err(Fault::answer)? {
                rows.push(row.map_err(Fault::answer)?);
            }
            match next.into_paging_control_flow() {
                ControlFlow::Break(()) => return Ok(rows),
                ControlFlow::Continue(after) => place = after,
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<PreparedStatement>>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_connected(&self) -> bool {
        let cluster = self.session.get_cluster_state();
        cluster
            .get_nodes_info()
            .iter()
            .any(|node| node.is_connected())
    }
}

type Attempt = Shared<BoxFuture<'static, Result<Arc<Live>, StoreError>>>;

enum State {
    Idle,
    /// Shared by all who wait; goes on only while one of them does.
    Connecting(Attempt),
    Live(Arc<Live>),
}

/// The way to the servers.
pub(crate) struct Connection {
    pub(crate) config: Config,
    state: Mutex<State>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Connection")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(crate) const fn new(config: Config) -> Self {
        Self {
            config,
            state: Mutex::new(State::Idle),
        }
    }

    /// The session; connects first where there is none. Cancel-safe.
    pub(crate) async fn live(&self) -> Result<Arc<Live>, StoreError> {
        let attempt = match &mut *self.lock() {
            State::Live(live) => return Ok(Arc::clone(live)),
            State::Connecting(attempt) => attempt.clone(),
            idle @ State::Idle => {
                let attempt = connect(self.config.clone()).boxed().shared();
                *idle = State::Connecting(attempt.clone());
                attempt
            }
        };
        let result = attempt.clone().await;
        let mut state = self.lock();
        if matches!(&*state, State::Connecting(current) if current.ptr_eq(&attempt)) {
            *state = match &result {
                Ok(live) => State::Live(Arc::clone(live)),
                Err(_) => State::Idle,
            };
        }
        result
    }

    /// The error of a call in the port's terms; gives up a session that has lost every node.
    pub(crate) fn failed(
        &self,
        live: &Arc<Live>,
        action: impl Into<String>,
        fault: impl Into<Fault>,
    ) -> StoreError {
        if !live.is_connected() {
            self.give_up(live);
        }
        store_error(action, fault.into())
    }

    fn give_up(&self, live: &Arc<Live>) {
        let mut state = self.lock();
        if matches!(&*state, State::Live(current) if Arc::ptr_eq(current, live)) {
            *state = State::Idle;
            warn!(nodes = ?self.config.nodes, "connection to the read tables lost");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn connect(config: Config) -> Result<Arc<Live>, StoreError> {
    let profile = ExecutionProfile::builder()
        .consistency(config.consistency.level())
        .request_timeout(Some(REQUEST_TIMEOUT))
        .build();
    let mut builder = SessionBuilder::new()
        .known_nodes(&config.nodes)
        .connection_timeout(CONNECT_TIMEOUT)
        .keepalive_interval(KEEPALIVE)
        .keepalive_timeout(KEEPALIVE)
        .default_execution_profile_handle(profile.into_handle());
    if !config.user.is_empty() {
        builder = builder.user(&config.user, &config.password);
    }
    let session = builder.build().await.map_err(|error| {
        let nodes = config.nodes.join(", ");
        store_error(
            format!("connect to `{nodes}`"),
            connect_reason(&error, &config),
        )
    })?;
    info!(nodes = ?config.nodes, "connected to the read tables");
    Ok(Arc::new(Live {
        session,
        prepared: Mutex::default(),
    }))
}
