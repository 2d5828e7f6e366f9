//! How is a whole graph written to the store and read back? As columns, in parts of at most
//! 1 MiB. Fields are only ever added, so that later versions read what earlier ones wrote.

use prost::Message;
use prost_types::Struct;
use weft_proto::{
    Lazy,
    weft::graph::v1::{Edge, Node},
};

use super::{ApplyError, Memory, Table, table::properties_message};

/// The version of the format that is written here.
const VERSION: u32 = 1;

/// A part is closed when it has grown to this, so that it stays below 1 MiB with one more element
/// of the largest size.
const PART_BYTES: usize = 256 * 1024;

/// One part: the first one has the header, each has nodes or edges, all nodes before all edges.
#[derive(Clone, PartialEq, Message)]
struct Part {
    #[prost(message, optional, tag = "1")]
    header: Option<Header>,
    #[prost(message, optional, tag = "2")]
    nodes: Option<NodePart>,
    #[prost(message, optional, tag = "3")]
    edges: Option<EdgePart>,
}

#[derive(Clone, PartialEq, Message)]
struct Header {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(int64, tag = "2")]
    revision: i64,
    #[prost(uint32, tag = "3")]
    next_ordinal: u32,
    #[prost(uint64, tag = "4")]
    node_count: u64,
    #[prost(uint64, tag = "5")]
    edge_count: u64,
}

/// Columns of nodes. Types are indexes into the part's own list of names.
#[derive(Clone, PartialEq, Message)]
struct NodePart {
    #[prost(string, repeated, tag = "1")]
    type_names: Vec<String>,
    #[prost(uint32, repeated, tag = "2")]
    ordinals: Vec<u32>,
    #[prost(uint32, repeated, tag = "3")]
    types: Vec<u32>,
    #[prost(int64, repeated, tag = "4")]
    revisions: Vec<i64>,
    #[prost(string, repeated, tag = "5")]
    keys: Vec<String>,
    #[prost(string, repeated, tag = "6")]
    display_names: Vec<String>,
    /// Labels joined by U+001F.
    #[prost(string, repeated, tag = "7")]
    labels: Vec<String>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    properties: Vec<Vec<u8>>,
    /// Sources that brought the nodes in, indexes into a list of their names; both are empty where no
    /// node of the part has one.
    #[prost(string, repeated, tag = "9")]
    origin_names: Vec<String>,
    #[prost(uint32, repeated, tag = "10")]
    origins: Vec<u32>,
}

/// Columns of edges. Those from the weights on are empty where no edge of the part has such a thing.
#[derive(Clone, PartialEq, Message)]
struct EdgePart {
    #[prost(string, repeated, tag = "1")]
    type_names: Vec<String>,
    #[prost(uint32, repeated, tag = "2")]
    sources: Vec<u32>,
    #[prost(uint32, repeated, tag = "3")]
    targets: Vec<u32>,
    #[prost(uint32, repeated, tag = "4")]
    types: Vec<u32>,
    #[prost(int64, repeated, tag = "5")]
    revisions: Vec<i64>,
    #[prost(double, repeated, tag = "6")]
    weights: Vec<f64>,
    #[prost(string, repeated, tag = "7")]
    keys: Vec<String>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    properties: Vec<Vec<u8>>,
    #[prost(string, repeated, tag = "9")]
    origin_names: Vec<String>,
    #[prost(uint32, repeated, tag = "10")]
    origins: Vec<u32>,
}

/// A checkpoint that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Not the bytes that were written.
    #[error("a part of the checkpoint cannot be decoded")]
    Decode(#[from] prost::DecodeError),
    /// Written by a version of the program that this one does not know.
    #[error("the checkpoint has version {0}; this program reads version {VERSION}")]
    Version(u32),
    /// Columns that do not fit together.
    #[error("the checkpoint is damaged: {0}")]
    Damaged(&'static str),
    /// Elements that do not fit together.
    #[error("the checkpoint is damaged")]
    Apply(#[from] ApplyError),
}

/// The parts of a checkpoint of this snapshot, one by one.
pub fn checkpoint_parts(table: &Table) -> impl Iterator<Item = Vec<u8>> + '_ {
    let header = Part {
        header: Some(Header {
            version: VERSION,
            revision: table.revision,
            next_ordinal: table.next_ordinal,
            node_count: table.node_count,
            edge_count: table.edge_count,
        }),
        ..Part::default()
    };
    let mut nodes = table.nodes().peekable();
    let node_parts = std::iter::from_fn(move || {
        nodes.peek()?;
        let mut part = NodePart::default();
        let mut numbers = PartNames::new(table.node_types.bound());
        let mut origins = PartNames::new(table.origins.bound());
        let mut size = 0;
        while size < PART_BYTES {
            let Some(node) = nodes.next() else { break };
            let labels = node.labels().collect::<Vec<_>>().join("\u{1f}");
            size +=
                16 + node.key().len() + node.display_name().len() + labels.len() + node.properties().len();
            part.ordinals.push(node.ordinal());
            part.types.push(numbers.number(node.type_id(), node.type_name(), &mut part.type_names));
            part.revisions.push(node.revision());
            part.keys.push(node.key().to_owned());
            part.display_names.push(node.display_name().to_owned());
            part.labels.push(labels);
            part.properties.push(node.properties().to_vec());
            part.origins.push(origins.number(node.origin_id(), node.origin(), &mut part.origin_names));
        }
        clear_origins(&mut part.origins, &mut part.origin_names);
        Some(Part { nodes: Some(part), ..Part::default() })
    });
    let mut edges = table.edges().peekable();
    let edge_parts = std::iter::from_fn(move || {
        edges.peek()?;
        let mut part = EdgePart::default();
        let mut numbers = PartNames::new(table.edge_types.bound());
        let mut origins = PartNames::new(table.origins.bound());
        let mut size = 0;
        while size < PART_BYTES {
            let Some(edge) = edges.next() else { break };
            size += 24 + edge.key.len() + edge.properties.len();
            part.sources.push(edge.source);
            part.targets.push(edge.target);
            let name = table.edge_types.name(edge.type_id);
            part.types.push(numbers.number(edge.type_id, name, &mut part.type_names));
            part.revisions.push(edge.revision);
            part.weights.push(edge.weight);
            part.keys.push(edge.key.to_owned());
            part.properties.push(edge.properties.to_vec());
            let origin = table.origins.name(edge.origin_id);
            part.origins.push(origins.number(edge.origin_id, origin, &mut part.origin_names));
        }
        clear_origins(&mut part.origins, &mut part.origin_names);
        clear_if(&mut part.weights, |weight| weight.to_bits() == 1.0_f64.to_bits());
        clear_if(&mut part.keys, String::is_empty);
        clear_if(&mut part.properties, Vec::is_empty);
        Some(Part { edges: Some(part), ..Part::default() })
    });
    std::iter::once(header).chain(node_parts).chain(edge_parts).map(|part| part.encode_to_vec())
}

fn clear_if<T>(column: &mut Vec<T>, is_default: impl Fn(&T) -> bool) {
    if column.iter().all(is_default) {
        column.clear();
    }
}

/// Most graphs have no source, and say nothing about it.
fn clear_origins(origins: &mut Vec<u32>, names: &mut Vec<String>) {
    if names.iter().all(String::is_empty) {
        origins.clear();
        names.clear();
    }
}

/// Gives the names that a part uses their places in its list.
struct PartNames(Vec<u32>);

impl PartNames {
    fn new(bound: usize) -> Self {
        Self(vec![u32::MAX; bound])
    }

    fn number(&mut self, id: u32, name: &str, names: &mut Vec<String>) -> u32 {
        let number = &mut self.0[id as usize];
        if *number == u32::MAX {
            *number = names.len() as u32;
            names.push(name.to_owned());
        }
        *number
    }
}

/// Builds a memory from the parts of a checkpoint, in order.
#[derive(Default)]
pub struct CheckpointReader {
    memory: Memory,
    header: Option<Header>,
}

impl CheckpointReader {
    /// Takes the next part.
    ///
    /// # Errors
    /// If it cannot be read or does not fit to those before.
    pub fn part(&mut self, bytes: &[u8]) -> Result<(), CheckpointError> {
        let part = Part::decode(bytes)?;
        match (&self.header, part.header) {
            (None, Some(header)) if header.version == VERSION => self.header = Some(header),
            (None, Some(header)) => return Err(CheckpointError::Version(header.version)),
            (None, None) => return Err(CheckpointError::Damaged("the first part has no header")),
            (Some(_), Some(_)) => return Err(CheckpointError::Damaged("there is a second header")),
            (Some(_), None) => {}
        }
        if let Some(nodes) = part.nodes {
            self.nodes(nodes)?;
        }
        if let Some(edges) = part.edges {
            self.edges(&edges)?;
        }
        Ok(())
    }

    /// The memory, when all parts are there.
    ///
    /// # Errors
    /// If parts are missing.
    pub fn finish(self) -> Result<Memory, CheckpointError> {
        let header = self.header.ok_or(CheckpointError::Damaged("there is no part"))?;
        let mut memory = self.memory;
        let table = &mut memory.table;
        if (table.node_count, table.edge_count) != (header.node_count, header.edge_count) {
            return Err(CheckpointError::Damaged("nodes or edges are missing"));
        }
        table.revision = header.revision;
        table.next_ordinal = table.next_ordinal.max(header.next_ordinal);
        Ok(memory)
    }

    fn nodes(&mut self, part: NodePart) -> Result<(), CheckpointError> {
        let length = part.ordinals.len();
        let lengths = [
            part.types.len(),
            part.revisions.len(),
            part.keys.len(),
            part.display_names.len(),
            part.labels.len(),
            part.properties.len(),
        ];
        if lengths.iter().any(|other| *other != length) || !is_sparse(&part.origins, length) {
            return Err(CheckpointError::Damaged("columns of nodes differ in length"));
        }
        let texts = part.keys.into_iter().zip(part.display_names).zip(part.labels).zip(part.properties);
        for (index, (((key, display_name), labels), properties)) in texts.enumerate() {
            let type_name = part.type_names.get(part.types[index] as usize);
            let origin = origin(&part.origins, &part.origin_names, index)?.to_owned();
            let node = Node {
                key,
                r#type: type_name.ok_or(CheckpointError::Damaged("a type has no name"))?.clone(),
                display_name,
                labels: split_labels(&labels),
                properties: decode_properties(&properties)?,
                ordinal: part.ordinals[index],
                revision: part.revisions[index],
                origin,
            };
            if self.memory.table.node(node.ordinal).is_some() {
                return Err(CheckpointError::Damaged("an ordinal occurs twice"));
            }
            self.memory.put_node(node.revision, &node)?;
        }
        Ok(())
    }

    fn edges(&mut self, part: &EdgePart) -> Result<(), CheckpointError> {
        let length = part.sources.len();
        let whole = [part.targets.len(), part.types.len(), part.revisions.len()];
        let sparse = is_sparse(&part.weights, length)
            && is_sparse(&part.keys, length)
            && is_sparse(&part.properties, length)
            && is_sparse(&part.origins, length);
        if whole.iter().any(|other| *other != length) || !sparse {
            return Err(CheckpointError::Damaged("columns of edges differ in length"));
        }
        let mut edge = Edge::default();
        for index in 0..length {
            let type_name = part.type_names.get(part.types[index] as usize);
            type_name.ok_or(CheckpointError::Damaged("a type has no name"))?.clone_into(&mut edge.r#type);
            edge.key = part.keys.get(index).cloned().unwrap_or_default();
            edge.weight = part.weights.get(index).copied();
            edge.properties =
                part.properties.get(index).map_or(Ok(None), |encoded| decode_properties(encoded))?;
            edge.revision = part.revisions[index];
            origin(&part.origins, &part.origin_names, index)?.clone_into(&mut edge.origin);
            let ends = (part.sources[index], part.targets[index]);
            if self.memory.table.node(ends.0).is_none() || self.memory.table.node(ends.1).is_none() {
                return Err(CheckpointError::Damaged("an edge has no node at its end"));
            }
            self.memory.put_edge_between(edge.revision, &edge, ends)?;
        }
        Ok(())
    }
}

/// Whether a column is whole, or left out.
fn is_sparse<T>(column: &[T], length: usize) -> bool {
    column.is_empty() || column.len() == length
}

fn origin<'n>(origins: &[u32], names: &'n [String], index: usize) -> Result<&'n str, CheckpointError> {
    let Some(number) = origins.get(index) else { return Ok("") };
    let name = names.get(*number as usize).ok_or(CheckpointError::Damaged("an origin has no name"))?;
    Ok(name)
}

fn split_labels(labels: &str) -> Vec<String> {
    if labels.is_empty() { Vec::new() } else { labels.split('\u{1f}').map(str::to_owned).collect() }
}

fn decode_properties(encoded: &[u8]) -> Result<Option<Lazy<Struct>>, CheckpointError> {
    // Checked here, so that nothing that is in memory can fail to decode later.
    Struct::decode(encoded)?;
    Ok(properties_message(encoded))
}
