//! Which life of each node we are talking to.

use std::sync::Arc;

use futures::future::try_join_all;
use millrace_runtime::store::{Mark, StoreError};
use scylla::cluster::Node;
use scylla::frame::types::Consistency;
use scylla::policies::load_balancing::{NodeIdentifier, SingleTargetLoadBalancingPolicy};
use scylla::response::query_result::QueryResult;
use scylla::statement::Statement;
use scylla::value::{CqlValue, Row};

use crate::connection::{Connection, Live};
use crate::fault::Fault;

/// Both servers count `gossip_generation` up in each start, and keep it in their own table.
const MARK: &str = "SELECT host_id, gossip_generation FROM system.local WHERE key = 'local'";

/// Asks every node of the cluster; one that does not answer is an error.
pub(crate) async fn marks(connection: &Connection) -> Result<Vec<Mark>, StoreError> {
    let live = connection.live().await?;
    let cluster = live.session.get_cluster_state();
    let nodes = cluster.get_nodes_info().iter();
    let mut marks = try_join_all(nodes.map(|node| mark(connection, &live, node))).await?;
    marks.sort();
    Ok(marks)
}

async fn mark(
    connection: &Connection,
    live: &Arc<Live>,
    node: &Arc<Node>,
) -> Result<Mark, StoreError> {
    let action = || format!("read the start mark of node `{}`", node.address);
    let mut statement = Statement::new(MARK);
    let target = NodeIdentifier::Node(Arc::clone(node));
    statement.set_load_balancing_policy(Some(SingleTargetLoadBalancingPolicy::new(target, None)));
    statement.set_consistency(Consistency::LocalOne);
    let answer = live.session.query_unpaged(statement, &[]).await;
    answer
        .map_err(Fault::from)
        .and_then(parse)
        .map_err(|fault| connection.failed(live, action(), fault))
}

fn parse(answer: QueryResult) -> Result<Mark, Fault> {
    let rows = answer.into_rows_result().map_err(Fault::answer)?;
    let row: Row = rows.single_row().map_err(Fault::answer)?;
    match row.columns.as_slice() {
        [Some(CqlValue::Uuid(node)), Some(CqlValue::Int(generation))] => Ok(Mark {
            node: node.to_string(),
            generation: i64::from(*generation),
        }),
        _ => Err(Fault::answer("the node has no `gossip_generation`")),
    }
}
