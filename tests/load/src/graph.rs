//! A real graph over gRPC on SQLite: import, look-ups, questions, the change stream, the first answer
//! after a restart.

use std::time::Duration;

use anyhow::{Context, Result};
use weft_proto::weft::graph::v1::{
    ApplyChangesRequest, Change, FindShortestPathRequest, GetNeighborhoodRequest, GetNodeRequest,
    ImportBegin, ImportFile, ImportGraphRequest, ListNodesRequest, ListRelatedNodesRequest,
    Node as GraphNode, NodeUpsert, SearchNodesRequest, WatchGraphRequest, change,
    import_graph_request::Piece, import_graph_response::Event, watch_graph_response,
};
use weft_tests::runtime::signed;

use crate::{
    files,
    mesh::Mesh,
    notes,
    report::{Better, Report, median, percentile},
    rpc::now,
};

const CHANGES: usize = 200;
const WORDS: [&str; 6] = ["python", "libssl", "gtk dev", "kernel", "perl json", "fonts"];

/// Calls a method one by one, each time with the next of its requests; the times in milliseconds.
macro_rules! times {
    ($mesh:expr, $method:ident, $count:literal, $request:expr) => {{
        let request = $request;
        let mut client = $mesh.graphs();
        let mut times = Vec::with_capacity($count);
        for index in 0..$count {
            let message = signed(request(index), &$mesh.key);
            let began = now();
            client.$method(message).await?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        times
    }};
}

pub(crate) async fn measure(rounds: u32) -> Result<Report> {
    let mut report = Report::new("graph");
    let mut mesh = Mesh::start().await?;
    let mut imports = Vec::new();
    let mut graph = String::new();
    for round in 0..rounds {
        graph = mesh.create_graph(&format!("debian-{round}")).await?;
        let began = now();
        import(&mesh, &graph, &files::DEBIAN).await?;
        imports.push(began.elapsed().as_secs_f64());
    }
    report.add("import of 63,436 nodes and 291,952 edges", median(imports), "s", 2.0, Better::Lower);

    let mut changes = Vec::new();
    let mut asked = Asked::default();
    for _ in 0..rounds {
        asked.ask(&mesh, &graph).await?;
        changes.push(median(watch(&mesh, &graph).await?));
    }
    asked.report(&mut report);
    report.add("change to watcher, fsync included, p50", median(changes), "ms", 10.0, Better::Lower);

    let mut firsts = Vec::new();
    for _ in 0..rounds {
        mesh = Box::pin(mesh.restart()).await?;
        let request = GetNodeRequest { graph: graph.clone(), key: "libc6".into() };
        let began = now();
        mesh.graphs().get_node(signed(request, &mesh.key)).await?;
        firsts.push(began.elapsed().as_secs_f64());
    }
    report.add("first answer of a new process", median(firsts), "s", 2.0, Better::Lower);
    notes::measure(&mesh, rounds, &mut report).await?;
    mesh.stop().await;

    files::measure(rounds, &mut report)?;
    Ok(report)
}

/// Brings files in over gRPC.
pub(crate) async fn import(mesh: &Mesh, graph: &str, files: &[(&str, &[u8])]) -> Result<()> {
    let begin = ImportBegin { graph: graph.to_owned(), ..ImportBegin::default() };
    let mut pieces = vec![Piece::Begin(begin)];
    for (path, bytes) in files {
        pieces.push(Piece::File(ImportFile { path: (*path).to_owned(), size_bytes: bytes.len() as i64 }));
        pieces.extend(bytes.chunks(256 * 1024).map(|chunk| Piece::Data(chunk.to_vec().into())));
    }
    let requests =
        tokio_stream::iter(pieces.into_iter().map(|piece| ImportGraphRequest { piece: Some(piece) }));
    let mut responses = mesh.graphs().import_graph(signed(requests, &mesh.key)).await?.into_inner();
    while let Some(response) = responses.message().await? {
        if let Some(Event::Result(_)) = response.event {
            return Ok(());
        }
    }
    anyhow::bail!("the import ended without a result")
}

/// Times of questions in milliseconds: of each round the median or the 99th percentile.
#[derive(Default)]
struct Asked {
    lookups_p99: Vec<f64>,
    searches_p50: Vec<f64>,
    searches_p99: Vec<f64>,
    neighborhoods: Vec<f64>,
    paths: Vec<f64>,
    weighted_paths: Vec<f64>,
    related: Vec<f64>,
    pages: Vec<f64>,
}

impl Asked {
    async fn ask(&mut self, mesh: &Mesh, graph: &str) -> Result<()> {
        let keys = files::keys()?;
        // A step that visits every node before it repeats one.
        let key = |index: usize| keys[index * 7_919 % keys.len()].clone();
        let graph = || graph.to_owned();
        let lookups =
            times!(mesh, get_node, 5_000, |index| GetNodeRequest { graph: graph(), key: key(index) });
        self.lookups_p99.push(percentile(lookups, 0.99));
        let searches = times!(mesh, search_nodes, 300, |index: usize| SearchNodesRequest {
            graph: graph(),
            query: WORDS[index % WORDS.len()].to_owned(),
            ..SearchNodesRequest::default()
        });
        self.searches_p50.push(median(searches.clone()));
        self.searches_p99.push(percentile(searches, 0.99));
        let neighborhoods = times!(mesh, get_neighborhood, 200, |index| GetNeighborhoodRequest {
            graph: graph(),
            keys: vec![key(index)],
            depth: 2,
            ..GetNeighborhoodRequest::default()
        });
        self.neighborhoods.push(median(neighborhoods));
        let path = |index: usize, weighted| FindShortestPathRequest {
            graph: graph(),
            source: key(index),
            target: key(index + 1),
            weighted,
            ..FindShortestPathRequest::default()
        };
        self.paths.push(median(times!(mesh, find_shortest_path, 200, |index| path(index, false))));
        self.weighted_paths.push(median(times!(mesh, find_shortest_path, 50, |index| path(index, true))));
        let related = times!(mesh, list_related_nodes, 200, |index| ListRelatedNodesRequest {
            graph: graph(),
            key: key(index),
            ..ListRelatedNodesRequest::default()
        });
        self.related.push(median(related));
        let pages = times!(mesh, list_nodes, 50, |_| ListNodesRequest {
            graph: graph(),
            filter: "type = \"libs\" AND degree > 10".into(),
            order_by: "degree desc".into(),
            ..ListNodesRequest::default()
        });
        self.pages.push(median(pages));
        Ok(())
    }

    fn report(self, report: &mut Report) {
        report.add("look-up of a node, p99", median(self.lookups_p99), "ms", 1.0, Better::Lower);
        report.add("search, p50", median(self.searches_p50), "ms", 5.0, Better::Lower);
        report.add("search, p99", median(self.searches_p99), "ms", 20.0, Better::Lower);
        report.add("neighbourhood of depth 2, p50", median(self.neighborhoods), "ms", 10.0, Better::Lower);
        report.add("shortest path, p50", median(self.paths), "ms", 5.0, Better::Lower);
        report.add("shortest weighted path, p50", median(self.weighted_paths), "ms", 50.0, Better::Lower);
        report.add("related nodes, p50", median(self.related), "ms", 20.0, Better::Lower);
        report.add("filtered and sorted page, p50", median(self.pages), "ms", 20.0, Better::Lower);
    }
}

/// Times from sending a change to a watcher having it, in milliseconds.
async fn watch(mesh: &Mesh, graph: &str) -> Result<Vec<f64>> {
    let request = WatchGraphRequest { graph: graph.to_owned(), ..WatchGraphRequest::default() };
    let mut events = mesh.graphs().watch_graph(signed(request, &mesh.key)).await?.into_inner();
    // The first thing said is that nothing old is left to say.
    tokio::time::timeout(Duration::from_secs(10), events.message()).await??;
    let mut client = mesh.graphs();
    let mut times = Vec::with_capacity(CHANGES);
    for index in 0..CHANGES {
        let node = GraphNode { key: format!("measured-{index}"), ..GraphNode::default() };
        let upsert = NodeUpsert { node: Some(node), update_mask: None };
        let request = ApplyChangesRequest {
            graph: graph.to_owned(),
            changes: vec![Change { change: Some(change::Change::UpsertNode(upsert)) }],
            ..ApplyChangesRequest::default()
        };
        let began = now();
        let revision = client.apply_changes(signed(request, &mesh.key)).await?.into_inner().revision;
        loop {
            let event = tokio::time::timeout(Duration::from_secs(10), events.message()).await??;
            match event.and_then(|event| event.event).context("the watch ended")? {
                watch_graph_response::Event::Changes(changes) => {
                    if changes.revision >= revision {
                        break;
                    }
                }
                watch_graph_response::Event::CaughtUpRevision(_) => {}
            }
        }
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}
