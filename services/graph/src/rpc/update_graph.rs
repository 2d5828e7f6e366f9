//! UpdateGraph: a graph's own fields. That is a revision too.

use std::sync::Arc;

use tokio::time::Instant;
use weft_kit::Call;
use weft_proto::weft::graph::v1::{Graph, UpdateGraphRequest};
use weft_store::{GraphRow, GraphUpdate, StoreError, Timestamp, Versioned, Written};

use crate::{
    Error,
    domain::change::batch_parts,
    live::{Graphs, Live, PATIENCE, Revision, graph_message, new_batch_header, version_of_etag},
    state::State,
};

pub(crate) async fn handle(state: &State, call: Call<UpdateGraphRequest>) -> Result<Graph, Error> {
    let UpdateGraphRequest { graph, update_mask } = call.message;
    let graph = graph.unwrap_or_default();
    let fields = Fields::of(&graph, update_mask.map(|mask| mask.paths).unwrap_or_default())?;
    let expected = match graph.etag.as_str() {
        "" => None,
        etag => Some(version_of_etag(etag).ok_or_else(|| Error::EtagMismatch(graph.name.clone()))?),
    };
    let live = state.graphs.get(&graph.name).await?;
    let (graphs, actor) = (Arc::clone(&state.graphs), call.caller.name.to_string());
    let (send, receive) = tokio::sync::oneshot::channel();
    // Once begun it is finished, even if the client does not wait.
    state.graphs.life.spawn_future(async move {
        let result = update(&graphs, &live, &graph, fields, expected, &actor).await;
        // The client may have gone.
        let _ = send.send(result);
    });
    receive.await.map_err(|_| Error::TaskEnded)?
}

async fn update(
    graphs: &Arc<Graphs>,
    live: &Arc<Live>,
    new: &Graph,
    fields: Fields,
    expected: Option<i64>,
    actor: &str,
) -> Result<Graph, Error> {
    let _writer = live.lock_writer().await;
    let give_up = Instant::now() + PATIENCE;
    while Instant::now() < give_up {
        let mut row = live.read(|content| content.row.clone()).await?;
        let base_revision = row.revision;
        fields.write(new, &mut row);
        let at = Timestamp::from(graphs.clock.now());
        row.revision += 1;
        row.version += 1;
        row.updated = at;
        let header = new_batch_header(row.revision, at, actor, Some(graph_message(&row)));
        let parts = batch_parts(&header, &[]);
        let update = GraphUpdate {
            uid: row.uid,
            expected_version: expected,
            base_revision,
            display_name: row.display_name,
            description: row.description,
            labels: row.labels,
            parts: parts.clone(),
            at,
            actor: actor.to_owned(),
        };
        match graphs.store.update_graph(update, None).await {
            Ok(Written::Done(row)) => {
                let answer = graph_message(&row);
                let revision = Revision {
                    number: row.revision,
                    changes: Vec::new(),
                    graph: Some(answer.clone()),
                    at,
                    parts: parts.into(),
                };
                graphs.applied(live, revision).await?;
                return Ok(answer);
            }
            Ok(Written::Replayed(_)) => return Err(Error::RequestIdReused),
            Err(StoreError::Stale { of: Versioned::Version, .. }) => {
                return Err(Error::EtagMismatch(live.name.clone()));
            }
            Err(StoreError::Stale { .. }) => graphs.catch_up(live).await?,
            Err(error) => return Err(graphs.failed(live, error)),
        }
    }
    Err(Error::RevisionMismatch { current: live.head().revision })
}

/// Which fields are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fields {
    display_name: bool,
    description: bool,
    labels: bool,
}

impl Fields {
    fn of(graph: &Graph, paths: Vec<String>) -> Result<Self, Error> {
        if paths.is_empty() {
            return Ok(Self {
                display_name: !graph.display_name.is_empty(),
                description: !graph.description.is_empty(),
                labels: !graph.labels.is_empty(),
            });
        }
        let mut fields = Self::default();
        for (index, path) in paths.into_iter().enumerate() {
            match path.as_str() {
                "*" => fields = Self { display_name: true, description: true, labels: true },
                "display_name" => fields.display_name = true,
                "description" => fields.description = true,
                "labels" => fields.labels = true,
                // Which graph and which state of it, not what is written.
                "name" | "etag" => {}
                _ => {
                    let field = format!("update_mask.paths[{index}]");
                    return Err(Error::field(field, "must be display_name, description or labels"));
                }
            }
        }
        Ok(fields)
    }

    fn write(self, new: &Graph, row: &mut GraphRow) {
        if self.display_name {
            row.display_name.clone_from(&new.display_name);
        }
        if self.description {
            row.description.clone_from(&new.description);
        }
        if self.labels {
            row.labels = new.labels.clone().into_iter().collect();
        }
    }
}
