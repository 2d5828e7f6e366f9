//! A megabyte on the wire that is a gigabyte in memory, lengths of 4 GiB, and messages without a bottom: over
//! every protocol that takes a content coding, against the real program.

use bytes::{BufMut, Bytes};
use flate2::{Compress, Compression, FlushCompress};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use weft_tests::http::{Answer, framed};

use super::program::Program;

const UNARY: &str = "/weft.graph.v1.GraphService/ApplyChanges";
const STREAM: &str = "/weft.graph.v1.GraphService/WatchGraph";
/// The one that only HTTP/2 can carry.
const GRPC: &str = "application/grpc";
/// How many attack at once.
const AT_ONCE: usize = 4;

/// A gigabyte of zeros in about a megabyte. It has no end: whoever reads so far has read too much already.
fn bomb(head: &[u8]) -> Vec<u8> {
    let zeros = vec![0; 1 << 20];
    let mut compress = Compress::new(Compression::best(), false);
    let mut piece = Vec::with_capacity(64 << 10);
    // A piece that refers to nothing before it can be said again and again.
    compress.compress_vec(&zeros, &mut piece, FlushCompress::Full).expect("there is room");
    assert_eq!(compress.total_in(), 1 << 20);
    [head, &piece.repeat(1024)].concat()
}

fn gzip_bomb() -> Vec<u8> {
    bomb(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
}

/// What a protocol answers, in one text: status, headers, body, trailers.
fn said(answer: &Answer) -> String {
    let headers = answer.headers.iter().chain(&answer.trailers);
    let headers: Vec<_> =
        headers.map(|(name, value)| format!("{name}:{}", value.to_str().unwrap_or("?"))).collect();
    format!("{}\n{}\n{}", answer.status, headers.join("\n"), String::from_utf8_lossy(&answer.body))
}

/// How a message is sent in one protocol, and how that refuses one.
struct Protocol {
    content_type: &'static str,
    path: &'static str,
    /// The header that names the compression.
    coding: &'static str,
    framed: bool,
    too_large: &'static str,
    malformed: &'static str,
}

const PROTOCOLS: [Protocol; 7] = [
    Protocol {
        content_type: GRPC,
        path: UNARY,
        coding: "grpc-encoding",
        framed: true,
        too_large: "grpc-status:8",
        malformed: "grpc-status:3",
    },
    Protocol {
        content_type: GRPC,
        path: STREAM,
        coding: "grpc-encoding",
        framed: true,
        too_large: "grpc-status:8",
        malformed: "grpc-status:3",
    },
    Protocol {
        content_type: "application/grpc-web+proto",
        path: UNARY,
        coding: "grpc-encoding",
        framed: true,
        too_large: "grpc-status:8",
        malformed: "grpc-status:3",
    },
    Protocol {
        content_type: "application/grpc-web+proto",
        path: STREAM,
        coding: "grpc-encoding",
        framed: true,
        too_large: "grpc-status:8",
        malformed: "grpc-status:3",
    },
    Protocol {
        content_type: "application/proto",
        path: UNARY,
        coding: "content-encoding",
        framed: false,
        too_large: "resource_exhausted",
        malformed: "invalid_argument",
    },
    Protocol {
        content_type: "application/connect+proto",
        path: STREAM,
        coding: "connect-content-encoding",
        framed: true,
        too_large: "resource_exhausted",
        malformed: "invalid_argument",
    },
    // JSON of Connect and of REST are read by the same code.
    Protocol {
        content_type: "application/json",
        path: UNARY,
        coding: "content-encoding",
        framed: false,
        too_large: "resource_exhausted",
        malformed: "invalid_argument",
    },
];

impl Protocol {
    async fn send(&self, program: &Program, coding: &str, body: Vec<u8>) -> String {
        let headers = [("content-type", self.content_type), (self.coding, coding)];
        let headers = if coding.is_empty() { &headers[..1] } else { &headers[..] };
        let client = &program.client;
        if self.content_type == GRPC {
            return said(&client.try_grpc(self.path, headers, body).await.expect("the server answers"));
        }
        let line = format!("POST {}", self.path);
        said(&client.rest_raw(&line, headers, body).await)
    }

    fn message(&self, flag: u8, message: &[u8]) -> Vec<u8> {
        if self.framed { framed(flag, message) } else { message.to_vec() }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gigabyte_in_a_megabyte_stays_small() {
    let gzip = gzip_bomb();
    assert!(gzip.len() < 2 << 20, "{}", gzip.len());
    for protocol in &PROTOCOLS {
        // Each with a program of its own: what an allocator keeps of one protocol is not the next one's.
        let program = Program::start().await;
        let body = protocol.message(1, &gzip);
        let evil = (0..AT_ONCE).map(|_| protocol.send(&program, "gzip", body.clone()));
        for said in program.while_somebody_works(futures::future::join_all(evil)).await {
            assert!(said.contains(protocol.too_large), "{} {}: {said}", protocol.path, protocol.content_type);
        }
        // What nobody speaks is not unpacked at all.
        let said = protocol.send(&program, "deflate", protocol.message(1, &bomb(&[]))).await;
        let is_refused = ["grpc-status:12", "unimplemented", "415"].iter().any(|word| said.contains(word));
        assert!(is_refused, "{} {}: {said}", protocol.path, protocol.content_type);
        program.ends_unhurt().await;
    }
    let program = Program::start().await;
    let line = "POST /v1/projects/p/graphs/g:applyChanges";
    for coding in ["gzip", "deflate"] {
        let answer = program.client.rest_raw(line, &[("content-encoding", coding)], gzip.clone()).await;
        assert_eq!(answer.status, 415, "{}", said(&answer));
    }
    program.ends_unhurt().await;
}

/// Sends a compressed message over a WebSocket that nobody signed in to, and says what closed it.
async fn socket_bomb(address: String, packed: Vec<u8>) -> u16 {
    let mut socket = TcpStream::connect(&address).await.unwrap();
    let handshake = format!(
        "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: weft.v1.proto\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    );
    socket.write_all(handshake.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(socket.read_u8().await.unwrap());
    }
    assert!(String::from_utf8_lossy(&answer).contains("permessage-deflate"));
    // Last, compressed, binary; masked with zeros.
    let mut frame = vec![0xc2, 0xff];
    frame.extend_from_slice(&(packed.len() as u64).to_be_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(&packed);
    let (mut reading, mut writing) = socket.into_split();
    let closed = async {
        assert_eq!(reading.read_u8().await.unwrap(), 0x88, "a frame that closes");
        assert!(reading.read_u8().await.unwrap() >= 2, "it says why");
        reading.read_u16().await.unwrap()
    };
    let mut closed = std::pin::pin!(closed);
    // It is not read to its end.
    tokio::select! {
        code = &mut closed => code,
        _ = writing.write_all(&frame) => closed.await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gigabyte_in_a_message_of_a_socket_stays_small() {
    let program = Program::start().await;
    let evil = (0..AT_ONCE).map(|_| socket_bomb(program.address(), bomb(&[])));
    let codes = program.while_somebody_works(futures::future::join_all(evil)).await;
    assert_eq!(codes, [1009; AT_ONCE]);
    // What is no compressed message at all, and one that ends at once.
    assert_eq!(socket_bomb(program.address(), vec![0xff; 100]).await, 1007);
    program.ends_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lengths_of_four_gigabytes_are_not_believed() {
    let program = Program::start().await;
    for protocol in PROTOCOLS.iter().filter(|protocol| protocol.framed) {
        let mut body = framed(0, &[0; 16]);
        body[1..5].copy_from_slice(&u32::MAX.to_be_bytes());
        let said = protocol.send(&program, "", body).await;
        assert!(said.contains(protocol.too_large), "{} {}: {said}", protocol.path, protocol.content_type);
    }
    program.ends_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_have_a_bottom() {
    let program = Program::start().await;
    // Lists in lists in the properties of a node: ApplyChanges.changes.upsert_node.node.properties.fields.value.
    let mut list = Bytes::new();
    for _ in 0..2_000 {
        // A list's value is a list.
        list = field(1, &field(6, &list));
    }
    let entry = [field(1, b"a"), field(2, &field(6, &list))].concat();
    let node = [field(1, b"n"), field(5, &field(1, &entry))].concat();
    let request = [field(1, b"projects/p/graphs/g"), field(2, &field(1, &field(1, &node)))].concat();
    for protocol in PROTOCOLS.iter().filter(|protocol| protocol.path == UNARY) {
        let body = if protocol.content_type == "application/json" {
            let lists = ["[".repeat(10_000), "]".repeat(10_000)].concat();
            format!(
                r#"{{"graph":"projects/p/graphs/g","changes":[{{"upsertNode":{{"node":{{"key":"n","properties":{{"a":{lists}}}}}}}}}]}}"#
            )
            .into_bytes()
        } else {
            protocol.message(0, &request)
        };
        let said = protocol.send(&program, "", body).await;
        assert!(said.contains(protocol.malformed), "{}: {said}", protocol.content_type);
    }
    program.ends_unhurt().await;
}

/// A field of protobuf that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Bytes {
    let mut field = vec![number << 3 | 2];
    prost::encoding::encode_varint(bytes.len() as u64, &mut field);
    field.put_slice(bytes);
    field.into()
}
