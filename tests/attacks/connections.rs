//! Connections that are the attack themselves: floods of headers, streams that are opened and reset,
//! frames without end. Somebody decent is answered all the while, by the real program.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};
use weft_tests::{client::Client, graphs, process::Process};

/// What somebody decent waits for an answer at most while an attack goes on.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the program may grow by, in MiB.
const MAY_GROW: u64 = 64;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// An HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A request's headers, as HPACK writes them without any table of its own.
fn head() -> Vec<u8> {
    // :method POST, :scheme http, :path /x, :authority x.
    b"\x83\x86\x04\x02/x\x01\x01x".to_vec()
}

async fn open(process: &Process) -> TcpStream {
    let address = process.url().trim_start_matches("http://").to_owned();
    TcpStream::connect(address).await.expect("it listens")
}

async fn preface(process: &Process) -> TcpStream {
    let mut line = open(process).await;
    let hello = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, &[])].concat();
    line.write_all(&hello).await.expect("it listens");
    line
}

/// Sends a flood for as long as the server takes it, and then waits until it has closed: a server that
/// goes on listening would make this time out.
async fn flood(mut line: TcpStream, flood: Vec<u8>) {
    let (mut from, mut to) = line.split();
    let write = async {
        // A line that was cut takes no more: that is what is wanted.
        let _ = to.write_all(&flood).await;
    };
    let read = async {
        let mut nothing = vec![0; 64 << 10];
        while from.read(&mut nothing).await.is_ok_and(|length| length > 0) {}
    };
    timeout(Duration::from_secs(30), futures::future::join(write, read)).await.expect("the flood is cut off");
}

/// Does something evil while somebody decent works; gives how long the longest answer took.
async fn while_somebody_works(client: &Client, evil: impl Future<Output = ()>) {
    tokio::pin!(evil);
    let mut longest = Duration::ZERO;
    loop {
        let began = Instant::now();
        tokio::select! {
            biased;
            graph = graphs::get(client, "projects/p/graphs/g") => assert_eq!(graph.revision, 1),
            () = &mut evil => break,
        }
        longest = longest.max(began.elapsed());
    }
    assert!(longest < PATIENCE, "somebody decent waited {longest:?}");
    assert_eq!(graphs::get(&client.apart(), "projects/p/graphs/g").await.revision, 1, "newcomers are let in");
}

/// The real program with a graph.
async fn program() -> (tempfile::TempDir, Process, Client) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut process = Process::up(&folder.path().join("data"));
    process.start();
    let client = process.client();
    graphs::create(&client, "g").await;
    process.peak_memory();
    (folder, process, client)
}

/// Still there, no larger, and without a fault of its own.
async fn is_unhurt(process: &mut Process, client: &Client, before: u64) {
    assert!(process.is_alive(), "{}", process.log());
    let after = process.peak_memory();
    assert!(after <= before + MAY_GROW, "grown from {before} to {after} MiB");
    let metrics = client.metrics().await;
    assert_eq!(weft_tests::client::faults(&metrics), Vec::<&str>::new());
    assert!(!process.log().contains("panicked"), "{}", process.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_are_opened_and_reset_are_cut_off() {
    let (_folder, mut process, client) = program().await;
    let before = process.peak_memory();
    let mut burst = Vec::new();
    for index in 0..2_000_u32 {
        let stream = 2 * index + 1;
        burst.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, &head()));
        burst.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    let lines = [preface(&process).await, preface(&process).await, preface(&process).await];
    let evil = async {
        futures::future::join_all(lines.map(|line| flood(line, burst.clone()))).await;
    };
    while_somebody_works(&client, evil).await;
    is_unhurt(&mut process, &client, before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_without_end_are_cut_off() {
    let (_folder, mut process, client) = program().await;
    let before = process.peak_memory();
    // HTTP/2: headers that go on in frame after frame, and never end.
    let mut endless = frame(HEADERS, END_STREAM, 1, &head());
    let piece = frame(CONTINUATION, 0, 1, &[&b"\x00\x01a\x7f\x81\x7e"[..], &vec![b'x'; 253]].concat());
    for _ in 0..20_000 {
        endless.extend_from_slice(&piece);
    }
    // HTTP/1: as many headers, and one as large.
    let many = format!("GET /v1/me HTTP/1.1\r\nhost: x\r\n{}", "a: b\r\n".repeat(1_000_000));
    let large = format!("GET /v1/me HTTP/1.1\r\nhost: x\r\na: {}", "x".repeat(8 << 20));
    let path = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(8 << 20));
    let lines = (preface(&process).await, open(&process).await, open(&process).await, open(&process).await);
    let evil = async {
        futures::join!(
            flood(lines.0, endless),
            flood(lines.1, many.into_bytes()),
            flood(lines.2, large.into_bytes()),
            flood(lines.3, path.into_bytes()),
        );
    };
    while_somebody_works(&client, evil).await;
    is_unhurt(&mut process, &client, before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_break_the_protocol_end_their_connection_and_no_other() {
    let (_folder, mut process, client) = program().await;
    let before = process.peak_memory();
    for broken in [
        frame(HEADERS, END_HEADERS, 2, &head()), // a stream of the server's
        frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff\xff"), // an index past every table
        frame(CONTINUATION, END_HEADERS, 1, &head()), // nothing to go on with
        frame(SETTINGS, 0, 0, &[0; 5]),          // not a multiple of six
        frame(PING, 0, 0, &[0; 7]),              // not eight bytes
        vec![0xff; 64 << 10],                    // a frame of 16 MiB
        b"GET / HTTP/1.1\r\n\r\n".repeat(10),    // another protocol
    ] {
        let line = preface(&process).await;
        while_somebody_works(&client, flood(line, broken)).await;
    }
    for nonsense in [
        &b"\0\0\0\0\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello, this is TLS\r\n\r\n",
    ] {
        let line = open(&process).await;
        while_somebody_works(&client, flood(line, nonsense.to_vec())).await;
    }
    is_unhurt(&mut process, &client, before).await;
}
