//! StreamSnapshot: the whole graph at one revision, in columns. It is cut from a snapshot of the
//! memory piece by piece, as fast as the client takes it.

use std::sync::Arc;

use futures::{StreamExt, stream};
use tonic::Status;
use weft_kit::Call;
use weft_proto::weft::graph::v1::{
    EdgeColumns, Graph, NodeColumns, SnapshotEnd, SnapshotHeader, StreamSnapshotRequest,
    StreamSnapshotResponse, stream_snapshot_response::Piece,
};

use super::Answers;
use crate::{
    Error,
    domain::memory::{Names, Table},
    live::{blocking, graph_message},
    state::State,
};

/// A piece is closed when it has grown to this; one more element of the largest size fits besides.
const PIECE_BYTES: usize = 256 << 10;

pub(crate) async fn handle(
    state: &State,
    call: Call<StreamSnapshotRequest>,
) -> Result<Answers<StreamSnapshotResponse>, Error> {
    let request = call.message;
    let live = state.graphs.get(&request.graph).await?;
    let (graph, table) =
        live.read(|content| (graph_message(&content.row), content.memory.table().clone())).await?;
    let cut = Cut {
        table: Arc::new(table),
        texts: !request.topology_only,
        properties: request.include_properties,
        next: Next::Header(Box::new(graph)),
    };
    let pieces = stream::unfold(Some(cut), |cut| async move {
        let cut = cut?;
        match blocking(move || cut.advance()).await {
            Ok((piece, cut)) => Some((Ok(StreamSnapshotResponse { piece: Some(piece) }), cut)),
            Err(error) => Some((Err(Status::from(error)), None)),
        }
    });
    Ok(pieces.boxed())
}

/// How far a snapshot has been cut.
struct Cut {
    table: Arc<Table>,
    texts: bool,
    properties: bool,
    next: Next,
}

enum Next {
    Header(Box<Graph>),
    /// Nodes from this ordinal on.
    Nodes(u32),
    /// Edges from this slot on.
    Edges(u32),
}

impl Cut {
    /// The next piece, and what is left.
    fn advance(mut self) -> (Piece, Option<Self>) {
        if let Next::Header(graph) = self.next {
            let header = SnapshotHeader {
                graph: Some(*graph),
                node_types: names(self.table.node_types()),
                edge_types: names(self.table.edge_types()),
            };
            self.next = Next::Nodes(0);
            return (Piece::Header(header), Some(self));
        }
        if let Next::Nodes(first) = self.next {
            let (nodes, next) = self.nodes(first);
            self.next = next.map_or(Next::Edges(0), Next::Nodes);
            if !nodes.ordinals.is_empty() {
                return (Piece::Nodes(nodes), Some(self));
            }
        }
        if let Next::Edges(first) = self.next {
            let (edges, next) = self.edges(first);
            self.next = Next::Edges(next);
            if !edges.sources.is_empty() {
                return (Piece::Edges(edges), Some(self));
            }
        }
        (Piece::End(SnapshotEnd { revision: self.table.revision() }), None)
    }

    fn nodes(&self, first: u32) -> (NodeColumns, Option<u32>) {
        let mut columns = NodeColumns::default();
        let mut bytes = 0;
        for ordinal in self.table.ordinals(first) {
            if bytes >= PIECE_BYTES {
                return (columns, Some(ordinal));
            }
            let Some(node) = self.table.node(ordinal) else { continue };
            columns.ordinals.push(ordinal);
            columns.types.push(node.type_id());
            bytes += 8;
            if self.texts {
                let labels = node.labels().collect::<Vec<_>>().join("\u{1f}");
                bytes += node.key().len() + node.display_name().len() + labels.len() + 6;
                columns.keys.push(node.key().to_owned());
                columns.display_names.push(node.display_name().to_owned());
                columns.labels.push(labels);
            }
            if self.properties {
                bytes += node.properties().len() + 4;
                columns.properties.push(node.properties().to_vec().into());
            }
        }
        (columns, None)
    }

    fn edges(&self, first: u32) -> (EdgeColumns, u32) {
        let mut columns = EdgeColumns::default();
        let mut bytes = 0;
        let mut next = first;
        for slot in first..self.table.edge_slots() {
            if bytes >= PIECE_BYTES {
                break;
            }
            next = slot + 1;
            let Some(edge) = self.table.edge(slot) else { continue };
            columns.sources.push(edge.source);
            columns.targets.push(edge.target);
            columns.types.push(edge.type_id);
            columns.weights.push(edge.weight as f32);
            bytes += 12;
            if self.texts {
                bytes += edge.key.len() + 2;
                columns.keys.push(edge.key.to_owned());
            }
            if self.properties {
                bytes += edge.properties.len() + 2;
                columns.properties.push(edge.properties.to_vec().into());
            }
        }
        if columns.weights.iter().all(|weight| weight.to_bits() == 1.0_f32.to_bits()) {
            columns.weights.clear();
        }
        if columns.keys.iter().all(String::is_empty) {
            columns.keys.clear();
        }
        (columns, next)
    }
}

fn names(names: &Names) -> Vec<String> {
    (0..names.bound()).map(|id| names.name(id as u32).to_owned()).collect()
}
