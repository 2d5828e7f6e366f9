//! Connections to a service on another machine: when they are made, what they take at once, what becomes of a
//! call that is given up, and how they end.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use futures::{future::join_all, stream};
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tonic::{Code, Status, body::Body};
use tower::ServiceExt;
use weft_kit::{
    Ids, Lifecycle, Peer,
    client::{Circuit, ClientTls, Remote},
    config::ClientOptions,
};
use weft_proto::Methods;

/// How long anything may take before a test says that it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it does not hang")
}

/// One connection to `address`, over which nothing is repeated.
fn peer(address: SocketAddr, lifecycle: &Lifecycle) -> Peer {
    let options = ClientOptions { connections: 1, ..ClientOptions::default() };
    let (address, tls) = (format!("http://{address}"), ClientTls::default());
    let remote = Remote::open(&address, &tls, &options, Ids::system(), lifecycle, Circuit::Absent);
    remote.expect("an address").peer(std::sync::Arc::new(Methods::default()))
}

async fn call(peer: &Peer, body: Body) -> (Option<Code>, Bytes) {
    let request = Request::post("/a.B/C").body(body).expect("well formed");
    let answer = peer.clone().oneshot(request).await.expect("an answer");
    let early = Status::from_header_map(answer.headers()).map(|status| status.code());
    let answer = answer.into_body().collect().await.expect("it does not break off");
    let late = answer.trailers().and_then(Status::from_header_map).map(|status| status.code());
    (early.or(late), answer.to_bytes())
}

async fn accept(listener: &TcpListener, most: u32) -> h2::server::Connection<TcpStream, Bytes> {
    let (socket, _) = listener.accept().await.expect("it listens");
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(most);
    builder.handshake(socket).await.expect("a client of HTTP/2")
}

fn answer(mut respond: SendResponse<Bytes>, data: Bytes) {
    let mut body = respond.send_response(Response::new(()), false).expect("the client waits");
    body.send_data(data, false).expect("the client waits");
    let trailers =
        HeaderMap::from_iter([("grpc-status".parse().expect("a name"), "0".parse().expect("a value"))]);
    body.send_trailers(trailers).expect("the client waits");
}

#[tokio::test]
async fn no_more_calls_are_begun_than_the_server_takes_at_once() {
    const CALLS: usize = 20;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let lifecycle = Lifecycle::new();
    let peer = peer(listener.local_addr().expect("it is bound"), &lifecycle);
    let serve = async {
        let mut connection = accept(&listener, 2).await;
        // Until its answer is said a call holds its place; h2 itself refuses one more.
        for _ in 0..CALLS {
            let (_, respond) = connection.accept().await.expect("one more").expect("no error");
            answer(respond, Bytes::from_static(b"here"));
        }
        // What is answered must still be written.
        while connection.accept().await.is_some() {}
    };
    let calls = join_all((0..CALLS).map(|_| call(&peer, Body::empty())));
    tokio::select! {
        () = serve => panic!("the connection ended"),
        answers = soon(calls) => {
            assert!(answers.iter().all(|answer| *answer == (Some(Code::Ok), Bytes::from_static(b"here"))));
        }
    }
}

#[tokio::test]
async fn a_connection_that_has_ended_is_made_anew_by_the_next_call() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let lifecycle = Lifecycle::new();
    let peer = peer(listener.local_addr().expect("it is bound"), &lifecycle);
    for _ in 0..3 {
        let serve = async {
            let mut connection = accept(&listener, 100).await;
            let (_, respond) = connection.accept().await.expect("a call").expect("no error");
            answer(respond, Bytes::new());
            connection.graceful_shutdown();
            while connection.accept().await.is_some() {}
        };
        let (answered, ()) = soon(async { tokio::join!(call(&peer, Body::empty()), serve) }).await;
        assert_eq!(answered.0, Some(Code::Ok));
    }
}

/// A request's body that has begun, and goes on as `more` says.
fn unfinished() -> (mpsc::Sender<Result<Frame<Bytes>, Status>>, Body) {
    let (more, body) = mpsc::channel(1);
    let body = stream::unfold(body, |mut body| async move { Some((body.recv().await?, body)) });
    (more, Body::new(StreamBody::new(body)))
}

#[tokio::test]
async fn a_request_goes_out_while_it_is_made_and_the_answer_may_come_first() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let lifecycle = Lifecycle::new();
    let peer = peer(listener.local_addr().expect("it is bound"), &lifecycle);
    // More than any window: it goes out only as it is read.
    let piece = Bytes::from(vec![7; 3 << 20]);
    let serve = async {
        let mut connection = accept(&listener, 100).await;
        let (request, respond) = connection.accept().await.expect("a call").expect("no error");
        let echo = async {
            let (mut respond, mut request) = (respond, request.into_body());
            let mut body = respond.send_response(Response::new(()), false).expect("the client waits");
            let mut read = 0;
            while let Some(data) = request.data().await {
                let data = data.expect("the client goes on");
                request.flow_control().release_capacity(data.len()).expect("it was read");
                read += data.len();
            }
            body.send_data(read.to_string().into(), true).expect("the client waits");
        };
        tokio::join!(echo, async { while connection.accept().await.is_some() {} });
    };
    let ask = async {
        let (more, body) = unfinished();
        let request = Request::post("/a.B/C").body(body).expect("well formed");
        let answer = peer.clone().oneshot(request).await.expect("it answers before the request is whole");
        for _ in 0..2 {
            more.send(Ok(Frame::data(piece.clone()))).await.expect("it is sent on");
        }
        drop(more);
        answer.into_body().collect().await.expect("no error").to_bytes()
    };
    tokio::select! {
        () = serve => panic!("the connection ended"),
        read = soon(ask) => assert_eq!(read, (2 * piece.len()).to_string()),
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_is_reset_and_one_that_breaks_off_is_no_end() {
    for is_given_up in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let lifecycle = Lifecycle::new();
        let peer = peer(listener.local_addr().expect("it is bound"), &lifecycle);
        let (begun, mut has_begun) = mpsc::channel(1);
        let serve = async {
            let mut connection = accept(&listener, 100).await;
            let (request, _respond) = connection.accept().await.expect("a call").expect("no error");
            let read = async {
                let mut request = request.into_body();
                request.data().await.expect("it has begun").expect("no error");
                begun.send(()).await.expect("the test waits");
                request.data().await.expect("it is no end").expect_err("it is reset").reason()
            };
            let driven = async {
                // It may end with its last call: the name was looked up meanwhile.
                while connection.accept().await.is_some() {}
                std::future::pending::<()>().await;
            };
            tokio::select! {
                reason = read => reason,
                () = driven => unreachable!("it waits for ever"),
            }
        };
        let ask = async {
            let (more, body) = unfinished();
            more.send(Ok(Frame::data("half".into()))).await.expect("there is room");
            let asked = call(&peer, body);
            if is_given_up {
                tokio::select! {
                    _ = asked => panic!("there is no answer"),
                    _ = has_begun.recv() => None,
                }
            } else {
                let breaks_off = async {
                    has_begun.recv().await;
                    more.send(Err(Status::aborted("gone"))).await.expect("it is asked for");
                };
                tokio::join!(asked, breaks_off).0.0
            }
        };
        let (reason, code) = soon(async { tokio::join!(serve, ask) }).await;
        let (expected, told) = if is_given_up {
            (h2::Reason::CANCEL, None)
        } else {
            // Never CANCEL, which some take for the end of a request.
            (h2::Reason::INTERNAL_ERROR, Some(Code::Aborted))
        };
        assert_eq!((reason, code), (Some(expected), told));
    }
}

#[tokio::test]
async fn connections_are_let_go_when_the_process_ends_and_no_call_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let lifecycle = Lifecycle::new();
    let peer = peer(listener.local_addr().expect("it is bound"), &lifecycle);
    let serve = async {
        let mut connection = accept(&listener, 100).await;
        let (_, respond) = connection.accept().await.expect("a call").expect("no error");
        let late = async {
            // The process ends in the middle of the call.
            lifecycle.drain();
            answer(respond, Bytes::from_static(b"late"));
        };
        let ended = async { while connection.accept().await.is_some() {} };
        tokio::join!(late, ended);
    };
    let (answered, ()) = soon(async { tokio::join!(call(&peer, Body::empty()), serve) }).await;
    assert_eq!(answered, (Some(Code::Ok), Bytes::from_static(b"late")));
    soon(lifecycle.shut_down(PATIENCE * 2)).await;
}
