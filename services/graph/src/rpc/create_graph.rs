//! CreateGraph: an empty graph, with revision 1.

use std::collections::BTreeMap;

use weft_kit::Call;
use weft_proto::weft::graph::v1::{CreateGraphRequest, Graph, GraphKind};
use weft_store::{GraphRow, NewGraph, Remember, StoreError, Timestamp, Written};

use super::{fingerprint, once, reused};
use crate::{
    Error,
    domain::change::batch_parts,
    live::{decode_answer, graph_message, graph_name, new_batch_header},
    state::State,
};

pub(crate) async fn handle(state: &State, call: Call<CreateGraphRequest>) -> Result<Graph, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    let mut graph = request.graph.take().unwrap_or_default();
    let labels: BTreeMap<String, String> = std::mem::take(&mut graph.labels).into_iter().collect();
    request.graph = Some(graph.clone());
    // Labels are a map, which is encoded in no particular order: they are digested apart.
    let fingerprint = fold(fingerprint(&request), labels.iter().flat_map(|(key, value)| [key, value]));
    let store = &state.graphs.store;
    let once = once(&caller, "CreateGraph", &request_id, fingerprint);
    if let Some(once) = &once
        && let Some(answer) = store.recall(once).await.map_err(reused)?
    {
        return decode_answer(&answer);
    }

    let project = request.parent.strip_prefix("projects/").unwrap_or_default();
    let most = state.graphs.options.max_graphs_per_project;
    if store.count_graphs(project).await? >= most {
        return Err(Error::Quota {
            reason: "TOO_MANY_GRAPHS",
            subject: request.parent,
            description: format!("a project has at most {most} graphs"),
            passes: false,
        });
    }
    let id = if request.graph_id.is_empty() { state.ids.short() } else { request.graph_id };
    let at = Timestamp::from(state.graphs.clock.now());
    let kind = if graph.kind() == GraphKind::Workflow { GraphKind::Workflow } else { GraphKind::Knowledge };
    let row = GraphRow {
        project: project.to_owned(),
        id,
        uid: state.ids.uuid(),
        display_name: graph.display_name,
        description: graph.description,
        kind: kind.into(),
        labels,
        revision: 1,
        oldest_revision: 1,
        node_count: 0,
        edge_count: 0,
        next_ordinal: 0,
        created: at,
        updated: at,
        version: 1,
    };
    let answer = graph_message(&row);
    let header = new_batch_header(1, at, &caller.name, Some(answer.clone()));
    let new = NewGraph {
        project: row.project,
        id: row.id,
        uid: row.uid,
        display_name: row.display_name,
        description: row.description,
        kind: row.kind,
        labels: row.labels,
        parts: batch_parts(&header, &[]),
        at,
        actor: caller.name.to_string(),
    };
    let remember =
        once.map(|once| Remember { once, response: prost::Message::encode_to_vec(&answer).into() });
    let name = graph_name(&new.project, &new.id);
    match store.create_graph(new, remember).await {
        Ok(Written::Done(row)) => Ok(graph_message(&row)),
        Ok(Written::Replayed(answer)) => decode_answer(&answer),
        Err(StoreError::AlreadyExists { .. }) => Err(Error::GraphExists(name)),
        Err(error) => Err(reused(error)),
    }
}

/// A digest that also covers texts in their order.
fn fold<'a>(first: [u8; 32], texts: impl Iterator<Item = &'a String>) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    let mut digest = Sha256::new_with_prefix(first);
    for text in texts {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    }
    digest.finalize().into()
}
