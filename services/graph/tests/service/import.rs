//! Imports and exports: files become one revision or nothing, and come out as they went in.

use futures::StreamExt;
use tonic::{Code, Status};
use weft_graph::{GraphLimits, Options};
use weft_proto::weft::graph::v1::{
    ExportGraphRequest, GetGraphRequest, Graph, GraphFormat, ImportBegin, ImportFile, ImportGraphRequest,
    ImportMode, ImportResult, import_graph_request::Piece, import_graph_response::Event,
};

use super::support::{Client, GRAPH, World, apply, create, edge, node, refused, soon};

fn begin(mode: ImportMode) -> ImportBegin {
    ImportBegin { graph: GRAPH.into(), mode: mode.into(), ..ImportBegin::default() }
}

fn message(piece: Piece) -> ImportGraphRequest {
    ImportGraphRequest { piece: Some(piece) }
}

fn messages(begin: ImportBegin, files: &[(&str, &[u8])]) -> Vec<ImportGraphRequest> {
    let mut all = vec![message(Piece::Begin(begin))];
    for (path, data) in files {
        all.push(message(Piece::File(ImportFile { path: (*path).to_owned(), size_bytes: 0 })));
        all.extend(data.chunks(100_000).map(|chunk| message(Piece::Data(chunk.to_vec().into()))));
    }
    all
}

async fn import(client: &mut Client, messages: Vec<ImportGraphRequest>) -> Result<ImportResult, Status> {
    let mut answers = client.import_graph(tokio_stream::iter(messages)).await?.into_inner();
    let mut result = None;
    while let Some(answer) = answers.message().await? {
        match answer.event.expect("it tells something") {
            Event::Progress(_) => assert!(result.is_none(), "the result comes last"),
            Event::Result(done) => result = Some(done),
        }
    }
    Ok(result.expect("there is a result"))
}

async fn graph(client: &mut Client) -> Graph {
    client.get_graph(GetGraphRequest { name: GRAPH.into() }).await.expect("it is there").into_inner()
}

async fn export(client: &mut Client, format: GraphFormat, filter: &str) -> Vec<u8> {
    let request =
        ExportGraphRequest { graph: GRAPH.into(), format: format.into(), filter: filter.into(), gzip: false };
    let chunks = client.export_graph(request).await.expect("it begins").into_inner();
    chunks.map(|chunk| chunk.expect("a chunk").data.to_vec()).concat().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merge_adds_and_replace_deletes_the_rest() {
    let (_world, mut client) = World::with_graph().await;
    apply(&mut client, vec![edge("old", "a"), node("lonely")]).await;
    let files: &[(&str, &[u8])] = &[("edges.tsv", b"a\tb\nb\tc\n")];
    let merged = import(&mut client, messages(begin(ImportMode::Merge), files)).await.expect("it is good");
    assert_eq!((merged.revision, merged.created_node_count, merged.created_edge_count), (3, 2, 2));
    assert_eq!((graph(&mut client).await.node_count, graph(&mut client).await.edge_count), (5, 3));
    let replaced =
        import(&mut client, messages(begin(ImportMode::Replace), files)).await.expect("it is good");
    assert_eq!((replaced.deleted_node_count, replaced.deleted_edge_count), (2, 1));
    assert_eq!((replaced.created_node_count, replaced.updated_edge_count), (0, 2));
    let after = graph(&mut client).await;
    assert_eq!((after.revision, after.node_count, after.edge_count), (4, 3, 2));
    let less = import(&mut client, messages(begin(ImportMode::Replace), &[("edges.tsv", b"a\tc\n")])).await;
    let less = less.expect("it is good");
    assert_eq!((less.deleted_node_count, less.deleted_edge_count, less.created_edge_count), (1, 2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_off_or_is_wrong_applies_nothing() {
    let (_world, mut client) = World::with_graph().await;
    let good = messages(begin(ImportMode::Merge), &[("edges.tsv", b"a\tb\n")]);
    // The client goes away before its end.
    let (send, receive) = tokio::sync::mpsc::channel(4);
    for message in good.clone() {
        send.send(message).await.expect("there is room");
    }
    let answers =
        client.import_graph(tokio_stream::wrappers::ReceiverStream::new(receive)).await.expect("it begins");
    drop(answers);
    drop(send);

    let bad = [
        vec![],
        good[1..].to_vec(),
        [good.clone(), good[..1].to_vec()].concat(),
        messages(begin(ImportMode::Merge), &[("../edges.tsv", b"a\tb\n")]),
        messages(begin(ImportMode::Merge), &[("edges.tsv", b"a\xff\tb\n")]),
        messages(begin(ImportMode::Merge), &[("graph.graphml", b"<graphml><graph><node id='a'/>")]),
    ];
    for messages in bad {
        let status = import(&mut client, messages).await.expect_err("it is wrong");
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    }
    let nowhere = ImportBegin { graph: "projects/p/graphs/none".into(), ..ImportBegin::default() };
    refused(import(&mut client, messages(nowhere, &[])).await, Code::NotFound, "GRAPH_NOT_FOUND");
    let stale = ImportBegin { expected_revision: Some(7), ..begin(ImportMode::Merge) };
    let stale = messages(stale, &[("edges.tsv", b"a\tb\n")]);
    refused(import(&mut client, stale).await, Code::Aborted, "REVISION_MISMATCH");
    assert_eq!((graph(&mut client).await.revision, graph(&mut client).await.node_count), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_import_is_applied_once_however_it_is_cut() {
    let (_world, mut client) = World::with_graph().await;
    let begin =
        ImportBegin { request_id: "6a1f0f5e-8f3c-4ac6-9a57-000000000004".into(), ..begin(ImportMode::Merge) };
    let first = import(&mut client, messages(begin.clone(), &[("edges.tsv", b"a\tb\nb\tc\n")]))
        .await
        .expect("it is good");
    let mut again = messages(begin.clone(), &[("edges.tsv", b"a\tb")]);
    again.push(message(Piece::Data(b"\nb\tc\n".to_vec().into())));
    assert_eq!(import(&mut client, again).await.expect("a repeat"), first);
    let other = messages(begin, &[("edges.tsv", b"a\tb\n")]);
    refused(import(&mut client, other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert_eq!(graph(&mut client).await.revision, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imports_are_bounded() {
    let world = World::new().await;
    let options = Options {
        limits: GraphLimits { max_nodes: 10, ..GraphLimits::default() },
        max_import_bytes: 10_000,
        max_import_content_bytes: 20_000,
        ..Options::default()
    };
    let mut client = world.process(options).await;
    create(&mut client, "g").await;
    let lines = |count: usize| {
        (0..count).map(|index| format!("n{index}\tm{index}\n")).collect::<Vec<_>>().concat().into_bytes()
    };
    let send = |data: &[u8]| messages(begin(ImportMode::Merge), &[("edges.tsv", data)]);
    refused(import(&mut client, send(&lines(8))).await, Code::ResourceExhausted, "TOO_MANY_NODES");
    refused(
        import(&mut client, send(&vec![b'\n'; 10_001])).await,
        Code::ResourceExhausted,
        "IMPORT_TOO_LARGE",
    );
    // Small when it is sent, large when it is read.
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut bomb, &vec![b'\n'; 1_000_000]).expect("a vector grows");
    let bomb = bomb.finish().expect("a vector grows");
    let bomb = messages(begin(ImportMode::Merge), &[("edges.tsv.gz", &bomb)]);
    refused(import(&mut client, bomb).await, Code::ResourceExhausted, "IMPORT_TOO_LARGE");
    assert_eq!(graph(&mut client).await.revision, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_out_can_go_in_again() {
    let (_world, mut client) = World::with_graph().await;
    let lines: Vec<String> = (0..3_000).map(|index| format!("n{index}\tn{}\n", index * 7 % 3_000)).collect();
    let lines = lines.concat();
    let files: &[(&str, &[u8])] = &[("edges.tsv", lines.as_bytes())];
    import(&mut client, messages(begin(ImportMode::Replace), files)).await.expect("it is good");
    let before = graph(&mut client).await;
    for (format, path) in [
        (GraphFormat::Graphml, "g.graphml"),
        (GraphFormat::Gexf, "g.gexf"),
        (GraphFormat::JsonGraph, "g.json"),
        (GraphFormat::Csv, "g.tar"),
        (GraphFormat::EdgeList, "g.tsv"),
    ] {
        let file = export(&mut client, format, "").await;
        let result = import(&mut client, messages(begin(ImportMode::Replace), &[(path, &file)])).await;
        let result = result.unwrap_or_else(|status| panic!("{path}: {status:?}"));
        let after = graph(&mut client).await;
        assert_eq!((after.node_count, after.edge_count), (before.node_count, before.edge_count), "{path}");
        assert_eq!((result.created_node_count, result.deleted_node_count), (0, 0), "{path}");
    }
    let part = export(&mut client, GraphFormat::EdgeList, "key = n1 OR key = n7").await;
    assert!(String::from_utf8(part).expect("it is text").contains("n1\tn7"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_stops_does_not_hold_the_turn_of_others() {
    let world = World::new().await;
    let idle = std::time::Duration::from_millis(300);
    let options = Options { max_imports: 1, max_exports: 1, transfer_idle: idle, ..Options::default() };
    let mut client = world.process(options).await;
    create(&mut client, "g").await;
    let silent = tokio_stream::iter(messages(begin(ImportMode::Merge), &[("e.tsv", b"a\tb\n")]))
        .chain(tokio_stream::pending());
    let mut answers = client.import_graph(silent).await.expect("it begins").into_inner();
    let stalled = soon(async {
        loop {
            match answers.message().await {
                Ok(answer) => assert!(answer.is_some(), "it has a result"),
                Err(status) => break status,
            }
        }
    })
    .await;
    refused::<()>(Err(stalled), Code::Aborted, "IMPORT_STALLED");

    let lines: Vec<String> =
        (0..60_000).map(|index| format!("node number {index}\tthe hub of all the nodes\n")).collect();
    let files: &[(&str, &[u8])] = &[("edges.tsv", &lines.concat().into_bytes())];
    import(&mut client, messages(begin(ImportMode::Merge), files)).await.expect("its turn has come");
    let request =
        ExportGraphRequest { graph: GRAPH.into(), format: GraphFormat::Graphml.into(), ..Default::default() };
    let unread = client.export_graph(request.clone()).await.expect("it begins");
    refused(
        client.export_graph(request.clone()).await.map(|_| ()),
        Code::ResourceExhausted,
        "TOO_MANY_EXPORTS",
    );
    // Nobody reads the first: it is given up, and the next one has its turn.
    soon(async {
        while client.export_graph(request.clone()).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(unread);
}
