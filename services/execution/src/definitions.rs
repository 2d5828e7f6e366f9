//! Workflows: read from their graphs, compiled, kept as they were when a run began.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use jsonschema::Validator;
use prost::Message;
use prost_types::Struct;
use quick_cache::sync::Cache;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use tonic::{Code, Status};
use weft_kit::Peer;
use weft_proto::weft::graph::v1::{
    EdgeColumns, GetGraphRequest, GraphKind, NodeColumns, SnapshotHeader, StreamSnapshotRequest,
    graph_service_client::GraphServiceClient, stream_snapshot_response::Piece,
};
use weft_store::{ExecutionStore, StoreError};

use crate::{
    Error,
    domain::{
        fault::Fault,
        name,
        plan::Plan,
        workflow::{Definition, Edge, Graph, Node},
    },
};

/// Plans that are kept compiled, by number.
const PLANS: usize = 1_024;
/// Graphs of which it is known how they were run last; beyond it all are forgotten.
const KNOWN: usize = 10_000;
/// Graphs of one workflow, sub-graphs included.
const GRAPHS: usize = 64;

/// Workflows by number, and by graph.
pub(crate) struct Definitions {
    store: Arc<dyn ExecutionStore>,
    graph: GraphServiceClient<Peer>,
    plans: Cache<i64, Arc<Plan>>,
    newest: Mutex<HashMap<String, Arc<Ready>>>,
}

/// A workflow that can be run.
pub(crate) struct Ready {
    pub(crate) number: i64,
    pub(crate) revision: i64,
    pub(crate) plan: Arc<Plan>,
    /// What the run's input must follow.
    schemas: Vec<Validator>,
    /// Each of its graphs, with identity and revision.
    graphs: Vec<(String, String, i64)>,
}

impl Ready {
    /// Whether a run may be given this.
    pub(crate) fn check(&self, input: &Json) -> Result<(), Error> {
        let mut violations = Vec::new();
        for schema in &self.schemas {
            for error in schema.iter_errors(input).take(20) {
                let path = error.instance_path().to_string().replace('/', ".");
                violations.push((format!("execution.input{path}"), error.to_string()));
            }
        }
        if violations.is_empty() { Ok(()) } else { Err(Error::BadInput { violations }) }
    }
}

impl Definitions {
    pub(crate) fn new(store: Arc<dyn ExecutionStore>, graph: GraphServiceClient<Peer>) -> Self {
        let graph = graph.max_decoding_message_size(64 << 20);
        Self { store, graph, plans: Cache::new(PLANS), newest: Mutex::default() }
    }

    /// The plan of a number.
    pub(crate) async fn plan(&self, number: i64) -> Result<Arc<Plan>, StoreError> {
        if let Some(plan) = self.plans.get(&number) {
            return Ok(plan);
        }
        let corrupt = |why: String| StoreError::Corrupt {
            table: "execution_definitions",
            column: "bytes",
            row: number.to_string(),
            reason: why,
        };
        let bytes = self.store.get_definition(number).await?;
        let json = zstd::decode_all(&bytes[..]).map_err(|error| corrupt(error.to_string()))?;
        let definition: Definition =
            serde_json::from_slice(&json).map_err(|error| corrupt(error.to_string()))?;
        let (_, plan, faults) = compile(definition).await?;
        let plan = plan.ok_or_else(|| corrupt(format!("{faults:?}")))?;
        let plan = Arc::new(plan);
        self.plans.insert(number, Arc::clone(&plan));
        Ok(plan)
    }

    /// The workflow of a graph as it is now.
    pub(crate) async fn newest(&self, graph: &str) -> Result<Arc<Ready>, Error> {
        let known = self.newest.lock().expect("nothing panics with it").get(graph).cloned();
        if let Some(known) = known
            && self.is_newest(&known).await?
        {
            return Ok(known);
        }
        let definition = self.read(graph).await?;
        let (definition, plan, faults) = compile(definition).await?;
        let plan = Arc::new(plan.ok_or_else(|| Error::workflow(graph, &faults))?);
        let json = serde_json::to_vec(&definition).map_err(|error| Error::workflow(graph, &[odd(&error)]))?;
        let packed =
            zstd::encode_all(&json[..], 3).map_err(|error| Error::workflow(graph, &[odd(&error)]))?;
        let digest = Sha256::digest(&json).into();
        let number = self.store.put_definition(digest, Bytes::from(packed)).await?;
        self.plans.insert(number, Arc::clone(&plan));
        let first = definition.graphs.first();
        let inputs = first.into_iter().flat_map(|graph| &graph.nodes);
        let inputs = inputs.filter(|node| node.kind == "input" && node.parent.is_empty());
        let schemas = inputs.filter_map(|node| jsonschema::validator_for(node.settings.get("schema")?).ok());
        let schemas = schemas.collect();
        let revision = first.map_or(0, |graph| graph.revision);
        let graphs = definition.graphs.into_iter().map(|graph| (graph.name, graph.uid, graph.revision));
        let ready = Arc::new(Ready { number, revision, plan, schemas, graphs: graphs.collect() });
        let mut newest = self.newest.lock().expect("nothing panics with it");
        if newest.len() >= KNOWN {
            newest.clear();
        }
        newest.insert(graph.to_owned(), Arc::clone(&ready));
        Ok(ready)
    }

    async fn is_newest(&self, known: &Ready) -> Result<bool, Error> {
        for (graph, uid, revision) in &known.graphs {
            let request = GetGraphRequest { name: graph.clone() };
            let found =
                self.graph.clone().get_graph(request).await.map_err(|status| refused(graph, status))?;
            let found = found.into_inner();
            if found.uid != *uid || found.revision != *revision {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What is wrong with the workflow of a graph, and at which revision.
    pub(crate) async fn faults(&self, graph: &str) -> Result<(Vec<Fault>, i64), Error> {
        let definition = match self.read(graph).await {
            Ok(definition) => definition,
            Err(Error::WorkflowInvalid { faults, .. }) => {
                let fault = |(node, message): (String, String)| Fault {
                    reason: "BAD_SUBGRAPH",
                    message,
                    node,
                    property: "graph".to_owned(),
                    ..Fault::default()
                };
                return Ok((faults.into_iter().map(fault).collect(), 0));
            }
            Err(error) => return Err(error),
        };
        let revision = definition.graphs.first().map_or(0, |graph| graph.revision);
        Ok((compile(definition).await?.2, revision))
    }

    /// A graph and its sub-graphs.
    async fn read(&self, graph: &str) -> Result<Definition, Error> {
        let project = name::graph(graph).map(|(project, _)| project);
        let mut graphs = vec![self.snapshot(graph).await?];
        let mut known = HashSet::from([graph.to_owned()]);
        let mut at = 0;
        while let Some(found) = graphs.get(at) {
            let named = found.nodes.iter().filter(|node| node.kind == "graph");
            let named = named.filter_map(|node| {
                Some((node.key.clone(), node.settings.get("graph")?.as_str()?.to_owned()))
            });
            for (node, name) in named.collect::<Vec<_>>() {
                let wrong = |problem: String| Error::WorkflowInvalid {
                    graph: graph.to_owned(),
                    faults: vec![(node.clone(), problem)],
                };
                if name::graph(&name).map(|(project, _)| project) != project {
                    return Err(wrong(format!("{name:?} is no graph of the same project")));
                }
                if !known.insert(name.clone()) {
                    continue;
                }
                if known.len() > GRAPHS {
                    return Err(wrong(format!("more than {GRAPHS} graphs")));
                }
                match self.snapshot(&name).await {
                    Ok(found) => graphs.push(found),
                    Err(error @ (Error::GraphNotFound(_) | Error::NotAWorkflow(_))) => {
                        return Err(wrong(error.to_string()));
                    }
                    Err(error) => return Err(error),
                }
            }
            at += 1;
        }
        if let Some((graph, node)) = circle(&graphs) {
            return Err(Error::WorkflowInvalid {
                graph: graph.to_owned(),
                faults: vec![(node, "runs a graph that this one is run by".to_owned())],
            });
        }
        Ok(Definition { graphs })
    }

    /// One graph as it is now.
    async fn snapshot(&self, graph: &str) -> Result<Graph, Error> {
        let request =
            StreamSnapshotRequest { graph: graph.to_owned(), topology_only: false, include_properties: true };
        let failed = |status| refused(graph, status);
        let broken = || Error::Status(Box::new(Status::unavailable("the graph's snapshot broke off")));
        let mut pieces = self.graph.clone().stream_snapshot(request).await.map_err(failed)?.into_inner();
        let mut header = SnapshotHeader::default();
        let mut read = Graph { name: graph.to_owned(), ..Graph::default() };
        let mut places = HashMap::new();
        loop {
            let piece = pieces.message().await.map_err(failed)?.and_then(|message| message.piece);
            match piece {
                Some(Piece::Header(begins)) => {
                    let found = begins.graph.clone().unwrap_or_default();
                    if found.kind() != GraphKind::Workflow {
                        return Err(Error::NotAWorkflow(graph.to_owned()));
                    }
                    (read.uid, read.revision) = (found.uid, found.revision);
                    header = begins;
                }
                Some(Piece::Nodes(nodes)) => {
                    add_nodes(&mut read, &mut places, &header, nodes).ok_or_else(broken)?;
                }
                Some(Piece::Edges(edges)) => {
                    add_edges(&mut read, &places, &header, &edges).ok_or_else(broken)?;
                }
                Some(Piece::End(_)) => return Ok(read),
                None => return Err(broken()),
            }
        }
    }
}

/// Compiles a workflow on a thread that may take its time: modules of code are compiled, too.
async fn compile(definition: Definition) -> Result<(Definition, Option<Plan>, Vec<Fault>), StoreError> {
    let work = move || {
        let (plan, faults) = Plan::compile(&definition);
        (definition, plan, faults)
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::Bug(error.to_string()))
}

fn odd(error: &dyn std::fmt::Display) -> Fault {
    Fault { reason: "TOO_LARGE", message: error.to_string(), ..Fault::default() }
}

fn refused(graph: &str, status: Status) -> Error {
    match status.code() {
        Code::NotFound => Error::GraphNotFound(graph.to_owned()),
        _ => Error::Status(Box::new(status)),
    }
}

fn properties(bytes: Option<&Bytes>) -> Option<Json> {
    match bytes {
        None => Some(Json::Null),
        Some(bytes) => Some(weft_kit::json::of_struct(&Struct::decode(bytes.clone()).ok()?)),
    }
}

fn add_nodes(
    graph: &mut Graph,
    places: &mut HashMap<u32, u32>,
    header: &SnapshotHeader,
    nodes: NodeColumns,
) -> Option<()> {
    for (at, (key, ordinal)) in nodes.keys.into_iter().zip(nodes.ordinals).enumerate() {
        let kind = header.node_types.get(*nodes.types.get(at)? as usize)?.clone();
        places.insert(ordinal, graph.nodes.len() as u32);
        graph.nodes.push(Node::new(key, kind, properties(nodes.properties.get(at))?));
    }
    Some(())
}

fn add_edges(
    graph: &mut Graph,
    places: &HashMap<u32, u32>,
    header: &SnapshotHeader,
    edges: &EdgeColumns,
) -> Option<()> {
    for (at, (source, target)) in edges.sources.iter().zip(&edges.targets).enumerate() {
        let kind = header.edge_types.get(*edges.types.get(at)? as usize)?;
        let properties = properties(edges.properties.get(at))?;
        graph.edges.push(Edge::new(*places.get(source)?, *places.get(target)?, kind, &properties));
    }
    Some(())
}

/// A node that runs a graph which its own is run by.
fn circle(graphs: &[Graph]) -> Option<(&str, String)> {
    let calls = |graph: &Graph| -> Vec<(String, String)> {
        let named = graph.nodes.iter().filter(|node| node.kind == "graph");
        named
            .filter_map(|node| Some((node.key.clone(), node.settings.get("graph")?.as_str()?.to_owned())))
            .collect()
    };
    let by_name: HashMap<&str, Vec<(String, String)>> =
        graphs.iter().map(|graph| (graph.name.as_str(), calls(graph))).collect();
    for graph in graphs {
        let mut seen: HashSet<&str> = HashSet::new();
        let mut next: Vec<(&str, &str)> =
            by_name[graph.name.as_str()].iter().map(|(node, name)| (node.as_str(), name.as_str())).collect();
        while let Some((node, name)) = next.pop() {
            if name == graph.name {
                return Some((&graph.name, node.to_owned()));
            }
            if seen.insert(name) {
                let more = by_name.get(name).into_iter().flatten();
                next.extend(more.map(|(_, name)| (node, name.as_str())));
            }
        }
    }
    None
}
