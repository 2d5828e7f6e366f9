//! Calls that no service has seen, over real HTTP/2: refused streams, and connections that their server
//! let go while a call was on its way.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, Response};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tonic::{Code, Status};
use weft_kit::{Ids, Lifecycle, client::remote, config::ClientOptions, problem};
use weft_proto::weft::graph::v1::{
    CreateGraphRequest, GetGraphRequest, Graph, graph_service_client::GraphServiceClient,
};

/// What became of a call: its code and reason where it failed.
type Outcome = Result<(), (Code, String)>;

/// What a server does with a connection, one after the other; the last one counts for all that follow.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// Answers every call with an empty message.
    Answer,
    /// Says REFUSED_STREAM to so many calls, and answers those that follow.
    Refuse(usize),
    /// Says GOAWAY when the first call comes: it takes none any more, not even this one.
    GoAway,
    /// Takes a call, and dies.
    Die,
}

/// A server with a script.
struct Server {
    address: SocketAddr,
    /// Calls that came, whatever happened to them.
    calls: Arc<AtomicUsize>,
    lifecycle: Lifecycle,
}

impl Server {
    async fn start(script: &'static [Does]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (calls, lifecycle) = (Arc::new(AtomicUsize::new(0)), Lifecycle::new());
        let (counter, life) = (Arc::clone(&calls), lifecycle.clone());
        lifecycle.spawn_future(async move {
            for connection in 0.. {
                let (socket, _) = listener.accept().await.expect("it listens");
                let does = script[connection.min(script.len() - 1)];
                let counter = Arc::clone(&counter);
                life.spawn_future(async move {
                    match does {
                        Does::GoAway => go_away(socket, &counter).await,
                        does => serve(socket, does, &counter).await,
                    }
                });
            }
        });
        Self { address, calls, lifecycle }
    }

    fn client(&self) -> GraphServiceClient<weft_kit::Peer> {
        // One connection to an address. The resolved address is another one than the name, so there may be a
        // second connection from the start: a script ends with what holds for all.
        let options = ClientOptions { connections: 1, ..ClientOptions::default() };
        let address = format!("http://{}", self.address);
        let methods = weft_proto::methods();
        let peer = remote(&address, methods, &options, Ids::system(), &self.lifecycle).expect("an address");
        GraphServiceClient::new(peer)
    }

    /// Creates a graph, which may not be repeated; how often it came, and what was answered.
    async fn create(&self) -> (usize, Outcome) {
        let request = CreateGraphRequest {
            parent: "projects/p".into(),
            graph: Some(Graph::default()),
            ..CreateGraphRequest::default()
        };
        let answer = self.client().create_graph(request).await;
        (self.calls.load(Ordering::SeqCst), outcome(answer))
    }

    /// Reads a graph, which may be repeated.
    async fn get(&self) -> (usize, Outcome) {
        let answer = self.client().get_graph(GetGraphRequest { name: "projects/p/graphs/g".into() }).await;
        (self.calls.load(Ordering::SeqCst), outcome(answer))
    }
}

fn outcome<T>(answer: Result<T, Status>) -> Outcome {
    answer.map(drop).map_err(|status| (status.code(), problem::reason(&status).unwrap_or_default()))
}

/// Nobody has seen it.
fn unreachable() -> Outcome {
    Err((Code::Unavailable, "PEER_UNREACHABLE".into()))
}

async fn serve(socket: TcpStream, does: Does, calls: &AtomicUsize) {
    let mut connection = h2::server::handshake(socket).await.expect("a client of HTTP/2");
    let mut refusals = if let Does::Refuse(count) = does { count } else { 0 };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        calls.fetch_add(1, Ordering::SeqCst);
        if refusals > 0 {
            refusals -= 1;
            respond.send_reset(h2::Reason::REFUSED_STREAM);
            continue;
        }
        if matches!(does, Does::Die) {
            return;
        }
        drop(request);
        let head = Response::builder().header("content-type", "application/grpc").body(()).expect("headers");
        let mut body = respond.send_response(head, false).expect("the client waits");
        // A message that is empty: no compression, no bytes.
        body.send_data(Bytes::from_static(&[0; 5]), false).expect("the client waits");
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().expect("a number"));
        body.send_trailers(trailers).expect("the client waits");
    }
}

/// Reads frames (RFC 9113, section 4.1) until a call begins, and takes its connection away from it.
async fn go_away(mut socket: TcpStream, calls: &AtomicUsize) {
    const PREFACE: usize = 24;
    const HEADERS: u8 = 1;
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    // The last stream that is taken: 0, which is none. The reason: NO_ERROR.
    const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    socket.write_all(&SETTINGS).await.expect("the client reads");
    socket.read_exact(&mut [0; PREFACE]).await.expect("the client begins");
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await.expect("the client goes on");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        socket.read_exact(&mut vec![0; length as usize]).await.expect("the frame is whole");
        if head[3] == HEADERS {
            break;
        }
    }
    calls.fetch_add(1, Ordering::SeqCst);
    socket.write_all(&GOAWAY).await.expect("the client reads");
    // It is the client that closes, once it has read that.
    let _ = socket.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn a_refused_call_is_made_again_once_whatever_it_does() {
    assert_eq!(Server::start(&[Does::Answer]).await.create().await, (1, Ok(())));
    assert_eq!(Server::start(&[Does::Refuse(1), Does::Answer]).await.create().await, (2, Ok(())));
    let refused = Server::start(&[Does::Refuse(9)]).await.create().await;
    assert_eq!(refused, (2, unreachable()));
}

#[tokio::test]
async fn a_call_that_crosses_the_end_of_its_connection_finds_another() {
    assert_eq!(Server::start(&[Does::GoAway, Does::Answer]).await.create().await, (2, Ok(())));
    // Every connection that it finds is closing: at some time it must be enough.
    let gone = Server::start(&[Does::GoAway]).await.create().await;
    assert_eq!(gone, (5, unreachable()));
}

#[tokio::test]
async fn a_call_that_a_service_may_have_seen_is_made_again_only_if_it_may_be_repeated() {
    let died = Server::start(&[Does::Die, Does::Answer]).await.create().await;
    assert_eq!(died, (1, Err((Code::Unavailable, "PEER_LOST".into()))), "it may have been done");
    assert_eq!(Server::start(&[Does::Die, Does::Answer]).await.get().await, (2, Ok(())));
}
