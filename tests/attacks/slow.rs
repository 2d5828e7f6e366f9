//! Clients that are slow on purpose: bodies that come a byte at a time, answers that nobody takes.

use std::time::Duration;

use futures::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use weft_tests::wire::{self, END_STREAM, frame, kind, open};

use super::program::Program;

/// Within this an attacker is cut off, on any machine.
const SOON: Duration = Duration::from_secs(30);
const AT_ONCE: usize = 20;

/// A settings frame's payload: the window that each stream begins with.
fn window(bytes: u32) -> Vec<u8> {
    [&[0, 4][..], &bytes.to_be_bytes()].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_whose_client_gives_no_room_are_let_go_with_their_connection() {
    let program = Program::with(|process| process.set("SERVER__STALL_TIMEOUT", "2s")).await;
    let address = program.address();
    for bytes in [0, 1] {
        let evil = join_all((0..3).map(|_| async {
            let (mut from, mut to) = wire::greet(&address, &window(bytes)).await;
            for stream in 0..100 {
                // An answer of some 100 KB, to nobody in particular.
                let ask = open(2 * stream + 1, END_STREAM, "GET", "/openapi.json", &[]);
                to.write_all(&ask).await.expect("it is taken");
            }
            let seen = wire::read_to_end(&mut from, SOON).await.expect("it is let go");
            assert!(seen.contains(&kind::HEADERS), "it was answered: {seen:?}");
        }));
        program.while_somebody_works(evil).await;
    }
    assert!(program.cut("takes_nothing").await >= 2 * 3);
    program.ends_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_nobody_takes_keep_no_place() {
    let program = Program::with(|process| process.set("LIMITS__MAX_CALLS", "10")).await;
    let (mut from, mut to) = wire::greet(&program.address(), &window(0)).await;
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    for index in 0..50 {
        let stream = 2 * index + 1;
        let check = open(stream, 0, "POST", "/grpc.health.v1.Health/Check", &headers);
        to.write_all(&[check, frame(kind::DATA, END_STREAM, stream, &[0; 5])].concat())
            .await
            .expect("it listens");
        // The answer has begun, and can go no further.
        wire::read_until(&mut from, kind::HEADERS, SOON).await.expect("it is answered");
    }
    program.while_somebody_works(tokio::time::sleep(Duration::from_millis(100))).await;
    program.ends_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_nobody_reads_is_closed() {
    let program = Program::with(|process| process.set("SERVER__STALL_TIMEOUT", "2s")).await;
    let address = program.address();
    let evil = join_all((0..3).map(|_| async {
        let mut line = wire::dial(&address).await;
        // More answers than all buffers on the way hold.
        let ask = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2_000);
        let _ = line.write_all(&ask).await;
        let cut = async {
            while program.cut("takes_nothing").await < 3 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(SOON, cut).await.expect("it is closed");
    }));
    evil.await;
    program.ends_unhurt().await;
}

/// Sends this and then a byte now and then; what the server says to that until it closes.
async fn trickle(address: &str, beginning: &str) -> String {
    let (mut from, mut to) = wire::dial(address).await.into_split();
    let drip = async {
        if to.write_all(beginning.as_bytes()).await.is_err() {
            return;
        }
        while to.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let read = async {
        let mut answer = Vec::new();
        // A reset is an end too.
        let _ = from.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    let both = async {
        tokio::select! {
            answer = read => answer,
            () = async { drip.await; std::future::pending().await } => unreachable!("it waits for ever"),
        }
    };
    timeout(SOON, both).await.expect("it is closed")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_come_a_byte_at_a_time_are_not_waited_for() {
    let program = Program::with(|process| process.set("SERVER__BODY_TIMEOUT", "2s")).await;
    let address = program.address();
    let rest = "POST /v1/projects/p/graphs?graphId=x HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
        content-length: 100000\r\n\r\n{";
    let connect = "POST /weft.graph.v1.GraphService/GetGraph HTTP/1.1\r\nhost: x\r\n\
        content-type: application/json\r\ncontent-length: 100000\r\n\r\n{";
    let web = "POST /weft.identity.v1.IdentityService/WhoAmI HTTP/1.1\r\nhost: x\r\n\
        content-type: application/grpc-web\r\ncontent-length: 100000\r\n\r\n";
    let lines = (0..AT_ONCE).map(|index| trickle(&address, [rest, connect, web][index % 3]));
    for (index, answer) in program.while_somebody_works(join_all(lines)).await.into_iter().enumerate() {
        if index % 3 < 2 {
            assert!(answer.starts_with("HTTP/1.1 504"), "{answer:?}");
            assert!(answer.contains("BODY_TOO_SLOW"), "{answer:?}");
        }
    }
    assert!(program.cut("body").await >= 2 * (AT_ONCE / 3) as u64, "by the pace of their bodies");
    program.ends_unhurt().await;
}

/// An upload over gRPC that says nothing for a while is a client that has nothing to say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_stream_of_grpc_is_left_alone() {
    let program = Program::with(|process| process.set("SERVER__BODY_TIMEOUT", "100ms")).await;
    let key = format!("Bearer {}", program.process.key());
    let (mut from, mut to) = wire::greet(&program.address(), &[]).await;
    let headers = [("content-type", "application/grpc"), ("te", "trailers"), ("authorization", key.as_str())];
    let import = open(1, 0, "POST", "/weft.graph.v1.GraphService/ImportGraph", &headers);
    to.write_all(&import).await.expect("it listens");
    // A second without a word, and it is still there.
    assert_eq!(wire::read_to_end(&mut from, Duration::from_secs(1)).await, None);
    assert_eq!(program.cut("body").await, 0);
    drop(to);
    program.ends_unhurt().await;
}
