//! Bombs against the real program: what is small on the wire and large in memory stays small.

use futures::future::join_all;
use prost::Message;
use tonic::Code;
use weft_proto::weft::graph::v1::GetGraphRequest;
use weft_tests::{
    graphs,
    http::{framed, gzip},
    process::Process,
    refused::{Refused, refused, refused_rest},
};

/// How many attack at once.
const AT_ONCE: usize = 8;
/// What the program may grow by, in MiB: far less than any one of these bombs unpacked.
const MAY_GROW: u64 = 160;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_do_not_go_off() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut process = Process::up(&folder.path().join("data"))
        .set("GRAPH__MAX_IMPORT_BYTES", "4000000")
        .set("GRAPH__MAX_IMPORT_CONTENT_BYTES", "8000000");
    process.start();
    let client = process.client();
    let graph = graphs::create(&client, "g").await;
    process.peak_memory();
    let before = process.peak_memory();

    // 256 MiB in 256 KiB, as a message, and as a file to be imported.
    let large = gzip(&vec![b'\n'; 256 << 20]);
    let bomb = framed(1, &large);
    let path = "/weft.graph.v1.GraphService/GetGraph";
    let calls = (0..AT_ONCE).map(|_| client.grpc_raw(path, &[("grpc-encoding", "gzip")], bomb.clone()));
    for answer in join_all(calls).await {
        refused(answer).is(Code::ResourceExhausted, "MESSAGE_TOO_LARGE", "");
    }
    let files = [("edges.tsv.gz", large.as_slice())];
    let imports = (0..AT_ONCE).map(|_| graphs::import(&client, &graph, &files));
    for answer in join_all(imports).await {
        refused(answer).is(Code::ResourceExhausted, "IMPORT_TOO_LARGE", "");
    }
    // JSON that opens and never closes, as large as a body may be.
    let open = "[".repeat(4 << 20);
    let line = format!("POST /v1/{graph}:applyChanges");
    let bodies = (0..AT_ONCE).map(|_| client.rest_raw(&line, &[], open.clone()));
    for answer in join_all(bodies).await {
        assert_eq!(refused_rest(&answer, 400).code, Code::InvalidArgument);
    }
    // A message that says it is large, and of which little comes: nothing is set aside for it.
    let mut promise = framed(0, &GetGraphRequest { name: graph.clone() }.encode_to_vec());
    promise[1..5].copy_from_slice(&(4_u32 << 20).to_be_bytes());
    let promises = (0..AT_ONCE).map(|_| client.grpc_raw(path, &[], promise.clone()));
    for answer in join_all(promises).await {
        let refusal = Refused::from(answer.expect_err("it is cut"));
        assert_eq!(refusal.code, Code::InvalidArgument, "{refusal:?}");
    }

    let after = process.peak_memory();
    eprintln!("peak of {before} MiB before, {after} MiB under attack");
    assert!(after <= before + MAY_GROW, "grown from {before} to {after} MiB");
    assert!(process.is_alive());
    assert_eq!(graphs::get(&client, &graph).await.revision, 1);
    assert_eq!(weft_tests::client::faults(&client.metrics().await), Vec::<&str>::new());
}
