//! Which life of each node we are talking to.
//!
//! Every node of the cluster is asked about itself, and about its peers: one that only its peers
//! know yet may hold rows too, so it is an error until it can be asked.

use std::sync::Arc;

use futures::future::try_join_all;
use millrace_runtime::store::{Mark, StoreError};
use scylla::cluster::Node;
use scylla::errors::ExecutionError;
use scylla::policies::load_balancing::{NodeIdentifier, SingleTargetLoadBalancingPolicy};
use scylla::statement::{Consistency, Statement};
use scylla::value::{CqlValue, Row};

use crate::connection::{Connection, Live};
use crate::fault::{Fault, store_error};

/// Both servers count `gossip_generation` up in each start, and keep it in their own table.
const MARK: &str = "SELECT host_id, gossip_generation FROM system.local WHERE key = 'local'";
/// Whom a node knows beside itself.
const PEERS: &str = "SELECT host_id FROM system.peers";

/// Asks every node; one that does not answer is an error.
pub(crate) async fn marks(connection: &Connection) -> Result<Vec<Mark>, StoreError> {
    let live = connection.live().await?;
    let cluster = live.session.get_cluster_state();
    let nodes = cluster.get_nodes_info().iter();
    let answers = try_join_all(nodes.map(|node| ask(connection, &live, node))).await?;
    let (mut marks, peers): (Vec<_>, Vec<_>) = answers.into_iter().unzip();
    let is_known = |peer: &String| marks.iter().any(|mark| mark.node == *peer);
    if let Some(new) = peers.iter().flatten().find(|peer| !is_known(peer)) {
        let action = format!("read the start mark of node `{new}`");
        let refreshed = live.session.refresh_metadata().await;
        refreshed
            .map_err(|error| connection.failed(&live, &action, ExecutionError::from(error)))?;
        return Err(store_error(action, "it joined just now"));
    }
    marks.sort();
    Ok(marks)
}

/// The mark of a node, and its peers.
async fn ask(
    connection: &Connection,
    live: &Arc<Live>,
    node: &Arc<Node>,
) -> Result<(Mark, Vec<String>), StoreError> {
    let answers = async {
        let mark = mark(&ask_node(live, node, MARK).await?)?;
        let peers = ask_node(live, node, PEERS).await?;
        Ok((mark, peers.iter().filter_map(host_id).collect()))
    };
    let action = || format!("read the start mark of node `{}`", node.address);
    let answers: Result<_, Fault> = answers.await;
    answers.map_err(|fault| connection.failed(live, action(), fault))
}

/// Rows of a node's own table.
async fn ask_node(live: &Live, node: &Arc<Node>, question: &str) -> Result<Vec<Row>, Fault> {
    let mut statement = Statement::new(question);
    let target = NodeIdentifier::Node(Arc::clone(node));
    let policy = SingleTargetLoadBalancingPolicy::new(target, None);
    statement.set_load_balancing_policy(Some(policy));
    statement.set_consistency(Consistency::LocalOne);
    let answer = live.session.query_unpaged(statement, &[]).await?;
    let rows = answer.into_rows_result().map_err(Fault::answer)?;
    let rows = rows.rows::<Row>().map_err(Fault::answer)?;
    rows.map(|row| row.map_err(Fault::answer)).collect()
}

fn mark(rows: &[Row]) -> Result<Mark, Fault> {
    match rows.first().map(|row| row.columns.as_slice()) {
        Some([Some(CqlValue::Uuid(node)), Some(CqlValue::Int(generation))]) => Ok(Mark {
            node: node.to_string(),
            generation: i64::from(*generation),
        }),
        Some(_) | None => Err(Fault::answer("the node has no `gossip_generation`")),
    }
}

/// Nothing for a peer that is not yet, or not any more, a member.
fn host_id(row: &Row) -> Option<String> {
    match row.columns.first() {
        Some(Some(CqlValue::Uuid(id))) => Some(id.to_string()),
        _ => None,
    }
}
