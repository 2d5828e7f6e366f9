//! gRPC messages that are not: malformed, too large, compressed bombs, of unknown methods.

use prost::Message;
use tonic::Code;
use weft_proto::weft::graph::v1::{
    ApplyChangesRequest, CreateGraphRequest, GetGraphRequest, Graph, ImportBegin, ImportGraphRequest, Node,
    import_graph_request::Piece,
};
use weft_tests::{
    client::Client,
    graphs::{self, put_node},
    http::{framed, gzip},
    mesh::Mesh,
    refused::{Refused, refused},
};

const GET: &str = "/weft.graph.v1.GraphService/GetGraph";
const CREATE: &str = "/weft.graph.v1.GraphService/CreateGraph";
const APPLY: &str = "/weft.graph.v1.GraphService/ApplyChanges";
const GZIP: [(&str, &str); 1] = [("grpc-encoding", "gzip")];

async fn call(client: &Client, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Refused {
    refused(client.grpc_raw(path, headers, body).await)
}

fn create(id: &str) -> Vec<u8> {
    let request = CreateGraphRequest {
        parent: "projects/p".into(),
        graph_id: id.into(),
        graph: Some(Graph::default()),
        ..CreateGraphRequest::default()
    };
    request.encode_to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_messages_are_invalid_arguments() {
    let mesh = Mesh::start().await;
    let client = mesh.client();
    // A good parent, so that the message comes as far as its decoder; then all kinds of nonsense.
    let good = create("g");
    let tails: [&[u8]; 8] = [
        b"\x1a",                                             // a field without its length
        b"\x1a\xff\xff\xff\xff\x0f",                         // a length of 4 GiB
        b"\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", // a varint that does not end
        b"\x1a\x02\x12\x05",                                 // a message inside that is cut
        b"\x12\x02\xff\xfe",                                 // text that is not UTF-8
        b"\x1b",                                             // a group that does not end
        b"\x07",                                             // a wire type that does not exist
        b"\x00\x01",                                         // field 0
    ];
    for tail in tails {
        let refusal = call(&client, CREATE, &[], framed(0, &[&good, tail].concat())).await;
        refusal.is(Code::InvalidArgument, "MALFORMED_MESSAGE", "");
    }
    // Messages inside each other, deeper than anybody needs: groups that nobody knows, and properties.
    let groups = [&good[..], &b"\xfb\x07".repeat(100_000)].concat();
    call(&client, CREATE, &[], framed(0, &groups)).await.is(Code::InvalidArgument, "MALFORMED_MESSAGE", "");
    let field = |tag: u8, inside: &[u8]| [&[tag][..], &length(inside.len()), inside].concat();
    let mut structure = Vec::new();
    for _ in 0..2_000 {
        // Value.struct_value, in an entry of Struct.fields whose key is "x".
        structure = field(0x0a, &[&b"\x0a\x01x"[..], &field(0x12, &field(0x2a, &structure))].concat());
    }
    let node = [&b"\x0a\x01k"[..], &field(0x2a, &structure)].concat();
    let apply =
        [field(0x0a, b"projects/p/graphs/g"), field(0x12, &field(0x0a, &field(0x0a, &node)))].concat();
    call(&client, APPLY, &[], framed(0, &apply)).await.is(Code::InvalidArgument, "MALFORMED_MESSAGE", "");

    // Nothing at all is no message, where there must be one.
    call(&client, CREATE, &[], vec![]).await.is(Code::Unimplemented, "ONE_MESSAGE", "");
    // Bytes that are no message: half a prefix, less than was announced, a flag that does not exist.
    for body in [
        b"\0\0".to_vec(),
        framed(0, &good)[..12].to_vec(),
        framed(7, &good),
        framed(1, &good),
        framed(1, &gzip(&good)),
    ] {
        let refusal = call(&client, CREATE, &[], body).await;
        assert_eq!(refusal.code, Code::InvalidArgument, "{refusal:?}");
    }
    // Also where no policy has to look into the message first.
    let who = "/weft.identity.v1.IdentityService/WhoAmI";
    call(&client, who, &[], vec![]).await.is(Code::Unimplemented, "ONE_MESSAGE", "");
    for body in [framed(0, b"\x0a"), framed(1, b""), framed(7, b""), framed(0, b"x")[..5].to_vec()] {
        call(&client, who, &[], body).await.is(Code::InvalidArgument, "MALFORMED_MESSAGE", "");
    }
    // And in the middle of a stream.
    let begin = ImportGraphRequest {
        piece: Some(Piece::Begin(ImportBegin {
            graph: graphs::create(&client, "s").await,
            ..ImportBegin::default()
        })),
    };
    let import = "/weft.graph.v1.GraphService/ImportGraph";
    for second in [framed(0, b"\x0a\xff"), framed(1, b"x"), framed(7, b""), b"\0\0".to_vec()] {
        let body = [framed(0, &begin.encode_to_vec()), second].concat();
        call(&client, import, &[], body).await.is(Code::InvalidArgument, "MALFORMED_MESSAGE", "");
    }
    // Fields that nobody knows are passed over, as protobuf wants it: old servers, new clients.
    let answer = client
        .grpc_raw(CREATE, &[], framed(0, &[&create("kept")[..], b"\xfa\x7f\x03abc\xf8\x7f\x01"].concat()))
        .await;
    answer.expect("unknown fields are no fault");
    mesh.stop_unhurt().await;
}

/// A length as protobuf writes it.
fn length(length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_varint(length as u64, &mut bytes);
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_methods_and_content_types_are_told_apart() {
    let mesh = Mesh::start().await;
    let client = mesh.client();
    for path in [
        "/weft.graph.v1.GraphService/Nothing",
        "/weft.none.v1.NoService/GetGraph",
        "/x",
        "/",
        "//",
        "/a/b/c",
        "/%00/x",
    ] {
        let refusal = call(&client, path, &[], framed(0, b"")).await;
        assert_eq!(refusal.code, Code::Unimplemented, "{path}: {refusal:?}");
    }
    for (content_type, http) in [
        ("application/grpc-web+json", 415),
        // A Connect call whose body is no JSON.
        ("application/json", 400),
        ("application/connect+json", 415),
        ("text/plain", 415),
        ("application/x-protobuf", 415),
        ("", 415),
    ] {
        let answer =
            client.rest_raw(&format!("POST {GET}"), &[("content-type", content_type)], framed(0, b"")).await;
        assert_eq!(answer.status, http, "{content_type}");
    }
    // Methods of HTTP that gRPC does not have.
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        let answer =
            client.rest_raw(&format!("{method} {GET}"), &[("content-type", "application/grpc")], "").await;
        assert_eq!(
            (answer.status, &answer.headers["allow"]),
            (405, &http::HeaderValue::from_static("POST")),
            "{method}"
        );
    }
    for path in [GET, "/weft.identity.v1.IdentityService/WhoAmI"] {
        let refusal = call(&client, path, &[("grpc-encoding", "br")], framed(1, &create("g"))).await;
        refusal.is(Code::Unimplemented, "COMPRESSION_UNKNOWN", "");
    }
    mesh.stop_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_over_the_limit_are_refused_before_they_are_read() {
    let mesh = Mesh::start().await;
    let client = mesh.client();
    let graph = graphs::create(&client, "g").await;
    // What is announced is enough.
    let mut announced = framed(0, &create("g"));
    announced[1..5].copy_from_slice(&u32::MAX.to_be_bytes());
    call(&client, CREATE, &[], announced).await.is(Code::ResourceExhausted, "MESSAGE_TOO_LARGE", "");
    let nodes: Vec<_> =
        (0..9_000).map(|index| put_node(Node { key: format!("{index:0>500}"), ..Node::default() })).collect();
    let large: ApplyChangesRequest = graphs::changes(&graph, nodes);
    let bytes = large.encode_to_vec();
    assert!(bytes.len() > 4 << 20);
    call(&client, APPLY, &[], framed(0, &bytes)).await.is(Code::ResourceExhausted, "MESSAGE_TOO_LARGE", "");
    // Small when it is sent, too large when it is read.
    call(&client, APPLY, &GZIP, framed(1, &gzip(&bytes))).await.is(
        Code::ResourceExhausted,
        "MESSAGE_TOO_LARGE",
        "",
    );
    assert_eq!(graphs::get(&client, &graph).await.revision, 1);
    mesh.stop_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compressed_first_message_is_read_and_still_authorised() {
    let mesh = Mesh::start().await;
    let client = mesh.client();
    let graph = graphs::create(&client, "g").await;
    let request = framed(1, &gzip(&GetGraphRequest { name: graph.clone() }.encode_to_vec()));
    client.grpc_raw(GET, &GZIP, request.clone()).await.expect("compression is spoken");
    let viewer_of_q =
        mesh.client().new_key("projects/q", weft_proto::weft::identity::v1::Role::Admin, &[]).await;
    let stranger = client.as_other(Some(&viewer_of_q));
    call(&stranger, GET, &GZIP, request).await.is(Code::PermissionDenied, "ROLE_REQUIRED", "");
    // It says that it is compressed, and is not; or is cut.
    let cut = gzip(&GetGraphRequest { name: graph }.encode_to_vec());
    for broken in [b"not gzip".to_vec(), cut[..cut.len() / 2].to_vec(), vec![0x1f, 0x8b]] {
        call(&client, GET, &GZIP, framed(1, &broken)).await.is(
            Code::InvalidArgument,
            "MALFORMED_MESSAGE",
            "",
        );
    }
    mesh.stop_unhurt().await;
}
