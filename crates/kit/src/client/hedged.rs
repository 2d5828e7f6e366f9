//! Calls that are asked twice at once, over real connections to servers that take their time.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::join_all;
use http::Request;
use tokio::time::Instant;
use tonic::{Code, Status};
use tower::ServiceExt;
use weft_proto::{Hedging, Method, Methods};

use super::{
    client_tls::ClientTls,
    dial::Dial,
    health::Circuit,
    kept::whole,
    pool::Pool,
    retry::Retrying,
    scripted::{Does, Server},
};
use crate::{Ids, Lifecycle, config::ClientOptions};

const READ: &str = "/weft.graph.v1.GraphService/GetGraph";
const WRITE: &str = "/weft.graph.v1.GraphService/CreateGraph";
const SOON: Duration = Duration::from_millis(20);
const LATER: Duration = Duration::from_secs(1);
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client of some servers.
struct Client {
    calls: Retrying<Pool, Arc<Methods>>,
    pool: Pool,
    lifecycle: Lifecycle,
}

impl Client {
    fn new(servers: &[&Server], hedging: &Hedging, lifecycle: &Lifecycle) -> Self {
        Self::with(servers, hedging, lifecycle, &ClientOptions::default())
    }

    fn with(servers: &[&Server], hedging: &Hedging, lifecycle: &Lifecycle, options: &ClientOptions) -> Self {
        let addresses: Vec<_> = servers.iter().map(|server| Some(server.address)).collect();
        let dial = Dial::new("http://a.b:1", &ClientTls::default(), options).expect("an address");
        let pool = Pool::of(&addresses, dial, options, lifecycle, Circuit::Absent);
        let hedged = |method: &Method| Method {
            hedging: method.can_hedge().then(|| hedging.clone()),
            ..method.clone()
        };
        let methods: Methods = weft_proto::methods().iter().map(hedged).collect();
        let calls = Retrying::new(pool.clone(), Arc::new(methods), options, Ids::seeded(1));
        Self { calls, pool, lifecycle: lifecycle.clone() }
    }

    async fn call(&self, path: &str) -> Code {
        let request = Request::post(path)
            .header("grpc-timeout", "30S")
            .body(whole(Bytes::from("request")))
            .expect("well formed");
        let answer = self.calls.clone().oneshot(request).await.expect("no error below gRPC");
        Status::from_header_map(answer.headers()).expect("a status").code()
    }

    async fn end(self) {
        self.lifecycle.shut_down(Duration::ZERO).await;
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_slow_attempt_is_overtaken_at_another_address_and_given_up() {
    let lifecycle = Lifecycle::new();
    let slow = Server::start(&lifecycle, |_| Does::hang()).await;
    let fast = Server::start(&lifecycle, |_| Does::answer(Code::Ok)).await;
    let client = Client::new(&[&slow, &fast], &Hedging::after(SOON), &lifecycle);
    for _ in 0..8 {
        let answered = tokio::time::timeout(PATIENCE, client.call(READ)).await;
        assert_eq!(answered.expect("it does not wait for the slow one"), Code::Ok);
    }
    assert!(slow.calls() > 0, "by turns");
    assert_eq!(fast.calls(), 8, "another attempt never goes to the address that is slow");
    until("the slow ones are reset", || slow.reset() == slow.calls()).await;
    let second: Vec<_> = fast
        .heard()
        .into_iter()
        .filter(|headers| headers.contains_key("grpc-previous-rpc-attempts"))
        .collect();
    assert_eq!(second.len(), slow.calls());
    for headers in second {
        assert_eq!(headers["grpc-previous-rpc-attempts"], "1");
        let left = headers["grpc-timeout"].to_str().expect("ASCII");
        let left = crate::timeout::parse_grpc(left).expect("a time");
        assert!(left + SOON <= Duration::from_secs(30), "the time of the call goes on: {left:?}");
    }
    client.end().await;
}

#[tokio::test]
async fn an_address_that_is_overtaken_again_and_again_is_left_alone() {
    let lifecycle = Lifecycle::new();
    let hangs = Server::start(&lifecycle, |_| Does::hang()).await;
    let fast = Server::start(&lifecycle, |_| Does::answer(Code::Ok)).await;
    let client = Client::new(&[&hangs, &fast], &Hedging::after(SOON), &lifecycle);
    while client.pool.connections() == (4, 4) {
        assert_eq!(client.call(READ).await, Code::Ok);
        assert!(hangs.calls() <= 5, "nobody tries for longer");
    }
    assert_eq!((client.pool.connections(), hangs.calls()), ((2, 4), 5));
    client.end().await;
}

#[tokio::test]
async fn with_one_address_it_goes_over_another_connection() {
    let lifecycle = Lifecycle::new();
    let server = Server::start(&lifecycle, |call| match call {
        0 => Does::hang(),
        _ => Does::answer(Code::Ok),
    })
    .await;
    let client = Client::new(&[&server], &Hedging::after(SOON), &lifecycle);
    assert_eq!(client.call(READ).await, Code::Ok);
    assert_eq!(server.calls(), 2);
    until("the first is reset", || server.reset() == 1).await;
    client.end().await;
}

#[tokio::test]
async fn there_are_never_more_attempts_than_the_contract_and_the_client_allow() {
    for (at_once, max_attempts, expected) in [(2, 4, 2), (3, 4, 3), (5, 4, 4), (5, 1, 1)] {
        let lifecycle = Lifecycle::new();
        let server = Server::start(&lifecycle, |_| Does::hang()).await;
        let hedging = Hedging { max_concurrent_attempts: at_once, ..Hedging::after(SOON) };
        let options = ClientOptions { max_attempts, ..ClientOptions::default() };
        let client = Client::with(&[&server], &hedging, &lifecycle, &options);
        let all = async {
            until("all are tried", || server.calls() == expected).await;
            // One more would have begun by then.
            tokio::time::sleep(5 * SOON).await;
        };
        tokio::select! {
            _ = client.call(READ) => panic!("nobody answers"),
            () = all => {}
        }
        assert_eq!(server.calls(), expected, "{at_once} at once, {max_attempts} in all");
        client.end().await;
    }
}

#[tokio::test]
async fn what_may_not_be_repeated_is_never_hedged() {
    let lifecycle = Lifecycle::new();
    let server = Server::start(&lifecycle, |_| Does::answer(Code::Ok).after(LATER)).await;
    let client = Client::new(&[&server], &Hedging::after(SOON), &lifecycle);
    assert_eq!(client.call(WRITE).await, Code::Ok);
    assert_eq!(server.calls(), 1);
    client.end().await;
}

#[tokio::test]
async fn an_error_of_the_call_itself_is_the_answer_and_others_are_not() {
    let non_fatal = Hedging { non_fatal_codes: vec![Code::Internal], ..Hedging::after(SOON) };
    for (hedging, error, expected) in [
        (Hedging::after(SOON), Code::NotFound, Code::NotFound),
        (Hedging::after(SOON), Code::Internal, Code::Internal),
        (non_fatal.clone(), Code::Internal, Code::Ok),
        (non_fatal, Code::Unavailable, Code::Ok),
    ] {
        let lifecycle = Lifecycle::new();
        // The first takes long, and all that come later fail.
        let server = Server::start(&lifecycle, move |call| match call {
            0 => Does::answer(Code::Ok).after(LATER),
            _ => Does::answer(error),
        })
        .await;
        let client = Client::new(&[&server], &hedging, &lifecycle);
        assert_eq!(client.call(READ).await, expected, "{error:?}");
        let calls = if expected == Code::Ok { 4 } else { 2 };
        assert_eq!(server.calls(), calls, "what fails is replaced while the first runs");
        client.end().await;
    }
}

#[tokio::test]
async fn a_server_that_pushes_back_is_heard() {
    for (pushback, expected) in [("-1", 2), ("100", 3)] {
        let lifecycle = Lifecycle::new();
        let server = Server::start(&lifecycle, move |call| match call {
            0 => Does::answer(Code::Ok).after(LATER),
            1 => Does::answer(Code::Unavailable).pushing_back(pushback),
            _ => Does::hang(),
        })
        .await;
        let client = Client::new(&[&server], &Hedging::after(SOON), &lifecycle);
        let begun = Instant::now();
        let called = client.call(READ);
        let third = async {
            until("it is tried again", || server.calls() == 3).await;
            begun.elapsed()
        };
        if expected == 3 {
            let (code, third) = tokio::join!(called, third);
            assert_eq!(code, Code::Ok, "what ran goes on");
            assert!(third >= SOON + Duration::from_millis(100), "not before that: {third:?}");
        } else {
            assert_eq!(called.await, Code::Ok, "what ran goes on");
        }
        assert_eq!(server.calls(), expected);
        client.end().await;
    }
}

#[tokio::test]
async fn a_service_that_is_slow_everywhere_is_not_asked_twice_for_everything() {
    let lifecycle = Lifecycle::new();
    let server = Server::start(&lifecycle, |_| Does::answer(Code::Ok).after(LATER)).await;
    let client = Client::new(&[&server], &Hedging::after(SOON), &lifecycle);
    let answers = join_all((0..100).map(|_| client.call(READ))).await;
    assert_eq!(answers, [Code::Ok; 100]);
    // Half of the bucket at five for each.
    assert_eq!(server.calls(), 100 + 9);
    let answers = join_all((0..100).map(|_| client.call(READ))).await;
    assert_eq!(answers, [Code::Ok; 100]);
    let more = server.calls() - 209;
    assert!((5..=30).contains(&more), "one for five that were answered: {more}");
    client.end().await;
}

#[tokio::test]
async fn while_calls_fail_nothing_is_asked_twice() {
    let lifecycle = Lifecycle::new();
    let server = Server::start(&lifecycle, |call| match call {
        0..10 => Does::answer(Code::Unavailable),
        _ => Does::answer(Code::Ok).after(LATER),
    })
    .await;
    let client = Client::new(&[&server], &Hedging::after(SOON), &lifecycle);
    while server.calls() < 10 {
        client.call(READ).await;
    }
    let before = server.calls();
    assert_eq!(client.call(READ).await, Code::Ok);
    assert_eq!(server.calls(), before + 1, "its tokens are used up");
    client.end().await;
}
