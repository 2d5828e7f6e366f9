//! CreateLayout: a new layout of a graph, which starts at once.

use std::sync::Arc;

use prost::Message;
use tonic::Code;
use uuid::Uuid;
use weft_kit::Call;
use weft_proto::weft::{
    compute::v1::{CreateLayoutRequest, Dimensions, Layout},
    graph::v1::{GetGraphRequest, Graph},
};
use weft_store::{DesiredState, LayoutRow, NewLayout, StoreError, Written, once};

use crate::{
    Error,
    domain::name::{GraphName, LayoutName},
    session::{Layouts, live::Live},
};

pub(crate) async fn handle(layouts: &Arc<Layouts>, call: Call<CreateLayoutRequest>) -> Result<Layout, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    let once = once::request(&caller.name, "CreateLayout", &request_id, &request);
    let parent = GraphName::parse(&request.parent, "parent")?;
    if let Some(once) = &once
        && let Some(answer) = layouts.store.recall(once).await.map_err(Error::store(&parent))?
    {
        return once::replay(&answer).map_err(Error::Store);
    }

    let graph = graph(layouts, &parent).await?;
    check_limits(layouts, &parent, &graph).await?;
    let new = plan(layouts, &parent, &graph, request)?;
    let answer = Live::unloaded(Arc::new(row(&new))).layout(0)?;
    let name = LayoutName { graph: parent, layout: new.id.clone() };
    let mut cleared = false;
    let row = loop {
        let remember = once::remember(once.clone(), &answer);
        match layouts.store.create_layout(new.clone(), remember).await {
            Ok(Written::Done(row)) => break row,
            Ok(Written::Replayed(answer)) => return once::replay(&answer).map_err(Error::Store),
            Err(StoreError::AlreadyExists { .. })
                if !cleared && is_left_over(layouts, &name, &new).await? =>
            {
                cleared = true;
            }
            Err(error) => return Err(Error::store(&name)(error)),
        }
    };
    if layouts.placement.is_shared() {
        // It is begun by the process that it belongs to: whoever answers the call asks for it.
        return Ok(answer);
    }
    match layouts.open(row) {
        // It is created; it starts when there is room and somebody looks.
        Ok(_) | Err(Error::Limit { .. } | Error::Draining) => Ok(answer),
        Err(error) => Err(error),
    }
}

async fn graph(layouts: &Layouts, name: &GraphName) -> Result<Graph, Error> {
    let request = GetGraphRequest { name: name.to_string() };
    let answer = layouts.graph.clone().get_graph(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| match status.code() {
        Code::NotFound => Error::GraphNotFound(name.to_string()),
        _ => Error::GraphUnavailable(status.message().to_owned()),
    })
}

async fn check_limits(layouts: &Layouts, parent: &GraphName, graph: &Graph) -> Result<(), Error> {
    let options = &layouts.options;
    let (nodes, edges) = (graph.node_count.max(0) as usize, graph.edge_count.max(0) as usize);
    options.check_size(&parent.to_string(), nodes, edges)?;
    let limit = options.max_layouts_per_graph;
    let ask = u32::try_from(limit).unwrap_or(u32::MAX);
    let rows = layouts.store.list_layouts(&parent.project, Some(&parent.graph), ("", ""), ask).await;
    if rows.map_err(Error::store(parent))?.len() >= limit {
        let (subject, limit) = (parent.to_string(), limit as u64);
        return Err(Error::Limit { reason: "TOO_MANY_LAYOUTS", subject, limit, what: "layouts" });
    }
    Ok(())
}

fn plan(
    layouts: &Layouts,
    parent: &GraphName,
    graph: &Graph,
    request: CreateLayoutRequest,
) -> Result<NewLayout, Error> {
    let layout = request.layout.unwrap_or_default();
    let dimensions = match layout.dimensions() {
        Dimensions::Unspecified => Dimensions::Two,
        given => given,
    };
    let graph_uid = Uuid::parse_str(&graph.uid)
        .map_err(|_| Error::GraphUnavailable("it gave a graph without an identity".into()))?;
    Ok(NewLayout {
        project: parent.project.clone(),
        graph: parent.graph.clone(),
        graph_uid,
        id: if request.layout_id.is_empty() { layouts.ids.short() } else { request.layout_id },
        uid: layouts.ids.uuid(),
        dimensions: dimensions.into(),
        parameters: layout.parameters.unwrap_or_default().encode_to_vec().into(),
        seed: layout.seed,
        desired_state: DesiredState::Running,
        at: layouts.now(),
    })
}

/// The row as the store will have it, for the answer that is remembered with it.
fn row(new: &NewLayout) -> LayoutRow {
    LayoutRow {
        project: new.project.clone(),
        graph: new.graph.clone(),
        graph_uid: new.graph_uid,
        id: new.id.clone(),
        uid: new.uid,
        dimensions: new.dimensions,
        parameters: new.parameters.clone(),
        seed: new.seed,
        desired_state: new.desired_state,
        pins: bytes::Bytes::new(),
        version: 1,
        constraints: bytes::Bytes::new(),
        constraints_version: 0,
        created: new.at,
        updated: new.at,
    }
}

/// Whether the name was taken by a layout of an earlier graph of the same name. It is deleted then.
async fn is_left_over(layouts: &Layouts, name: &LayoutName, new: &NewLayout) -> Result<bool, Error> {
    let row = match super::row(layouts, name).await {
        Ok(row) => row,
        // Its session was quicker.
        Err(Error::LayoutNotFound(_)) => return Ok(true),
        Err(error) => return Err(error),
    };
    if row.graph_uid == new.graph_uid {
        return Ok(false);
    }
    let saved = layouts.positions.saved(row.uid).await;
    layouts.delete(row.uid, saved).await;
    layouts.delete_of_graph(&row).await.map_err(Error::store(name))?;
    Ok(true)
}
