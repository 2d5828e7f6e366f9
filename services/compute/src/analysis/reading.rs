//! The graph as an analysis takes it: columns, at one revision, nothing that it does not need.

use std::{sync::Arc, time::Duration};

use prost::Message;
use prost_types::{Struct, value::Kind};
use tonic::{Code, Status, Streaming};
use uuid::Uuid;
use weft_kernels::Edge;
use weft_kit::Peer;
use weft_proto::weft::graph::v1::{
    EdgeColumns, NodeColumns, StreamSnapshotRequest, StreamSnapshotResponse,
    graph_service_client::GraphServiceClient, stream_snapshot_response::Piece,
};

use super::{control::Control, words::Words};
use crate::{Error, domain::graph_copy::finite};

/// After this long without a piece the connection is taken as dead.
const SILENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether to go on, while nothing comes.
const LOOK: Duration = Duration::from_millis(50);

/// What an analysis reads besides topology and keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The edge property that is the weight; the edge's own weight when empty.
    pub(super) weight_property: String,
    /// Node properties that are numbers.
    pub(super) numbers: Vec<String>,
    /// What nodes say.
    pub(super) texts: Option<Texts>,
    /// Edges of this type are not looked at, but told apart; none when empty.
    pub(super) set_aside: String,
}

/// Which texts of nodes are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Texts {
    /// Properties; everything that a search looks through when empty.
    pub(super) properties: Vec<String>,
}

/// An edge that is not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SetAside {
    /// Ordinals of its ends.
    pub(super) ends: (u32, u32),
    pub(super) key: Box<str>,
}

/// A graph at one revision. Everything of nodes is in the order of `ordinals`.
#[derive(Debug, Default)]
pub(super) struct GraphColumns {
    pub(super) revision: i64,
    /// Ascending.
    pub(super) ordinals: Vec<u32>,
    pub(super) keys: Vec<Arc<str>>,
    pub(super) edges: Vec<Edge>,
    /// A column for each of the wanted numbers; not a number where a node has none.
    pub(super) numbers: Vec<Vec<f64>>,
    /// The wanted texts.
    pub(super) words: Words,
    /// The edges that were not to be looked at.
    pub(super) set_aside: Vec<SetAside>,
}

/// Reads the graph `graph`, if it is still the one with that identity. `fits` is asked as soon as its size is
/// known.
pub(super) async fn read(
    client: &GraphServiceClient<Peer>,
    (graph, uid): (&str, Uuid),
    wanted: &Wanted,
    control: &Control,
    fits: &(dyn Fn(usize, usize) -> Result<(), Error> + Sync),
) -> Result<GraphColumns, Error> {
    let request = StreamSnapshotRequest {
        graph: graph.to_owned(),
        topology_only: false,
        include_properties: !wanted.weight_property.is_empty()
            || !wanted.numbers.is_empty()
            || wanted.texts.is_some(),
    };
    let gone = || Error::GraphNotFound(graph.to_owned());
    let failed = |status: Status| match status.code() {
        Code::NotFound => gone(),
        _ => Error::GraphUnavailable(status.message().to_owned()),
    };
    let broken = |what: &str| Error::GraphUnavailable(what.to_owned());
    let answer = client.clone().stream_snapshot(request).await.map_err(failed)?;
    let mut pieces: Streaming<StreamSnapshotResponse> = answer.into_inner();
    let mut columns = None;
    let mut set_aside = None;
    loop {
        let piece = next(&mut pieces, control).await?.map_err(failed)?.and_then(|message| message.piece);
        match (piece, &mut columns) {
            (Some(Piece::Header(header)), None) => {
                let found = header.graph.as_ref().filter(|found| found.uid == uid.to_string());
                let found = found.ok_or_else(gone)?;
                // Before the elements come, so that a graph that is much too large costs nothing.
                fits(found.node_count.max(0) as usize, found.edge_count.max(0) as usize)?;
                let numbers = vec![Vec::new(); wanted.numbers.len()];
                set_aside = header.edge_types.iter().position(|name| *name == wanted.set_aside);
                set_aside = set_aside.filter(|_| !wanted.set_aside.is_empty());
                columns = Some(GraphColumns { revision: found.revision, numbers, ..GraphColumns::default() });
            }
            (Some(Piece::Nodes(nodes)), Some(columns)) => {
                columns.add_nodes(nodes, wanted).ok_or_else(|| broken("its nodes do not fit together"))?;
                if columns.words.are_too_many(columns.ordinals.len()) {
                    return Err(Error::TooMuchText(graph.to_owned()));
                }
            }
            (Some(Piece::Edges(edges)), Some(columns)) => {
                columns
                    .add_edges(&edges, wanted, set_aside)
                    .ok_or_else(|| broken("its edges do not fit together"))?;
            }
            (Some(Piece::End(_)), Some(_)) => break,
            _ => return Err(broken("the snapshot has no end")),
        }
    }
    columns.ok_or_else(|| broken("the snapshot is empty"))
}

type Next = Result<Option<StreamSnapshotResponse>, Status>;

/// The next piece, unless the job is to end.
async fn next(pieces: &mut Streaming<StreamSnapshotResponse>, control: &Control) -> Result<Next, Error> {
    let mut silent = Duration::ZERO;
    loop {
        control.check()?;
        match tokio::time::timeout(LOOK, pieces.message()).await {
            Ok(piece) => return Ok(piece),
            Err(_) if silent < SILENCE => silent += LOOK,
            Err(_) => return Err(Error::GraphUnavailable("it fell silent".into())),
        }
    }
}

impl GraphColumns {
    fn add_nodes(&mut self, nodes: NodeColumns, wanted: &Wanted) -> Option<()> {
        if nodes.keys.len() != nodes.ordinals.len() {
            return None;
        }
        let properties = |at: usize| Struct::decode(&nodes.properties.get(at)?[..]).ok();
        if let Some(texts) = &wanted.texts {
            for at in 0..nodes.ordinals.len() {
                self.words.add(&nodes, at, &properties(at).unwrap_or_default(), &texts.properties);
            }
        }
        for (name, column) in wanted.numbers.iter().zip(&mut self.numbers) {
            column.extend((0..nodes.ordinals.len()).map(|at| {
                properties(at).and_then(|properties| number(&properties, name)).unwrap_or(f64::NAN)
            }));
        }
        self.ordinals.extend(nodes.ordinals);
        self.keys.extend(nodes.keys.into_iter().map(Arc::from));
        Some(())
    }

    fn add_edges(&mut self, edges: &EdgeColumns, wanted: &Wanted, set_aside: Option<usize>) -> Option<()> {
        let count = edges.sources.len();
        if edges.targets.len() != count || !(edges.weights.is_empty() || edges.weights.len() == count) {
            return None;
        }
        self.edges.reserve(count);
        for at in 0..count {
            if set_aside.is_some() && edges.types.get(at).map(|index| *index as usize) == set_aside {
                let key = edges.keys.get(at).map(|key| key.as_str().into()).unwrap_or_default();
                self.set_aside.push(SetAside { ends: (edges.sources[at], edges.targets[at]), key });
                continue;
            }
            let weight = if wanted.weight_property.is_empty() {
                edges.weights.get(at).copied().map_or(1.0, f64::from)
            } else {
                let properties = Struct::decode(&edges.properties.get(at)?[..]).ok()?;
                number(&properties, &wanted.weight_property).filter(|weight| *weight >= 0.0).unwrap_or(1.0)
            };
            let (source, target) = (edges.sources[at], edges.targets[at]);
            self.edges.push(Edge { source, target, weight: finite(weight) });
        }
        Some(())
    }

    /// The slot of the node with a key.
    pub(super) fn slot(&self, key: &str, field: &str) -> Result<usize, Error> {
        let missing = || Error::NodeNotFound { field: field.to_owned(), node: key.to_owned() };
        self.keys.iter().position(|known| &**known == key).ok_or_else(missing)
    }
}

/// A property that is a finite number.
fn number(properties: &Struct, name: &str) -> Option<f64> {
    match properties.fields.get(name)?.kind {
        Some(Kind::NumberValue(number)) if number.is_finite() => Some(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(number: f64) -> Vec<u8> {
        let kind = Some(Kind::NumberValue(number));
        Struct { fields: [("n".to_owned(), prost_types::Value { kind })].into() }.encode_to_vec()
    }

    #[test]
    fn a_property_is_a_weight_where_it_is_one() {
        let wanted = Wanted { weight_property: "n".into(), numbers: vec!["n".into()], ..Wanted::default() };
        let mut columns = GraphColumns { numbers: vec![Vec::new()], ..GraphColumns::default() };
        let edges = EdgeColumns {
            sources: vec![1, 1, 1],
            targets: vec![2, 2, 2],
            types: vec![0; 3],
            properties: [properties(2.5).into(), properties(-1.0).into(), Vec::new().into()].into(),
            ..EdgeColumns::default()
        };
        columns.add_edges(&edges, &wanted, None).unwrap();
        let weights: Vec<f32> = columns.edges.iter().map(|edge| edge.weight).collect();
        assert_eq!(weights, [2.5, 1.0, 1.0]);

        let nodes = NodeColumns {
            ordinals: vec![1, 2],
            keys: vec!["a".into(), "b".into()],
            properties: [properties(-3.0).into(), Vec::new().into()].into(),
            ..NodeColumns::default()
        };
        columns.add_nodes(nodes, &wanted).unwrap();
        assert_eq!(columns.numbers[0][0].to_bits(), (-3.0_f64).to_bits());
        assert!(columns.numbers[0][1].is_nan());
        assert_eq!(columns.slot("b", "source").unwrap(), 1);
        assert!(matches!(columns.slot("c", "source"), Err(Error::NodeNotFound { .. })));
    }
}
