//! Connections that are the attack themselves: floods of frames and of headers, handshakes that are never
//! done, and what is no HTTP at all. Somebody decent is answered all the while, by the real program.

use std::time::Duration;

use futures::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use weft_tests::{
    process,
    wire::{self, END_HEADERS, END_STREAM, Flood, HalfOpen, PREFACE, frame, head, kind, stranger},
};

use super::program::Program;

/// Within this an attacker is cut off, on any machine.
const SOON: Duration = Duration::from_secs(30);
/// How many connections attack at once.
const AT_ONCE: usize = 3;
/// `:status: 431` as HPACK writes it: the name by its index, the digits in Huffman's code.
const STATUS_431: [u8; 5] = [0x48, 0x83, 0x69, 0x90, 0xff];
/// What a connection ends with (RFC 9113, 7): its headers cannot all be kept, and so no later ones be read.
const COMPRESSION_ERROR: u32 = 9;
/// Or it asks too much.
const ENHANCE_YOUR_CALM: u32 = 11;

async fn preface(address: &str) -> TcpStream {
    let mut line = wire::dial(address).await;
    let hello = [PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat();
    line.write_all(&hello).await.expect("it listens");
    line
}

/// Sends this for as long as the server takes it, and then waits until it has closed: a server that goes
/// on listening would make this time out.
async fn send(mut line: TcpStream, bytes: Vec<u8>) {
    let (mut from, mut to) = line.split();
    let write = async {
        // A line that was cut takes no more: that is what is wanted.
        let _ = to.write_all(&bytes).await;
    };
    let read = async {
        let mut nothing = vec![0; 64 << 10];
        while from.read(&mut nothing).await.is_ok_and(|length| length > 0) {}
    };
    timeout(SOON, futures::future::join(write, read)).await.expect("it is cut off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_are_cut_off() {
    let program = Program::start().await;
    let address = program.address();
    for flood in Flood::ALL {
        let evil = join_all((0..AT_ONCE).map(|_| flood.pour(stranger(), &address, SOON)));
        for cut in program.while_somebody_works(evil).await {
            assert!(cut.is_some(), "{flood:?} goes on and on");
        }
    }
    // What hyper and h2 do not see is ours to see. The others end for whichever sees them first.
    for why in ["ping", "settings", "data", "window_update", "priority"] {
        assert!(program.cut(why).await >= AT_ONCE as u64, "{why}");
    }
    program.ends_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_to_flood_is_kept_out() {
    let program = Program::with(|process| process.set("SERVER__FLOOD_PAUSE", "1h")).await;
    let address = program.address();
    // What we see, and what HTTP/2 itself sees first.
    for (before, flood) in [Flood::Ping, Flood::Reset, Flood::Continuation].into_iter().enumerate() {
        let attacker = stranger();
        let evil = async {
            while program.cut("address_flooded").await == before as u64 {
                flood.pour(attacker, &address, SOON).await.expect("it is cut off");
            }
        };
        timeout(SOON, program.while_somebody_works(evil)).await.expect("it is kept out");
    }
    program.ends_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_without_end_are_cut_off() {
    let program = Program::start().await;
    let address = program.address();
    // HTTP/2: headers that go on in frame after frame, and never end.
    let mut endless = frame(kind::HEADERS, END_STREAM, 1, &head("POST", "/x", &[]));
    let piece = frame(kind::CONTINUATION, 0, 1, &[&b"\x00\x01a\x7f\x81\x7e"[..], &vec![b'x'; 253]].concat());
    for _ in 0..20_000 {
        endless.extend_from_slice(&piece);
    }
    // HTTP/1: as many headers, and one as large.
    let many = format!("GET /v1/me HTTP/1.1\r\nhost: x\r\n{}", "a: b\r\n".repeat(1_000_000));
    let large = format!("GET /v1/me HTTP/1.1\r\nhost: x\r\na: {}", "x".repeat(8 << 20));
    let path = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(8 << 20));
    let lines = (
        preface(&address).await,
        wire::dial(&address).await,
        wire::dial(&address).await,
        wire::dial(&address).await,
    );
    let evil = async {
        futures::join!(
            send(lines.0, endless),
            send(lines.1, many.into_bytes()),
            send(lines.2, large.into_bytes()),
            send(lines.3, path.into_bytes()),
        );
    };
    program.while_somebody_works(evil).await;
    program.ends_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_over_the_limits_are_refused_by_name() {
    let program = Program::start().await;
    let address = program.address();
    let large = format!("a: {}\r\n", "x".repeat(64 << 10));
    for headers in [large.as_str(), &"a: b\r\n".repeat(10_000), &"a: b\r\n".repeat(200)] {
        let (mut from, mut to) = wire::dial(&address).await.into_split();
        let ask = format!("GET /v1/me HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        let mut answer = Vec::new();
        // It may be refused before it is all there. A reset after the answer is an end too.
        let _ = futures::join!(to.write_all(ask.as_bytes()), from.read_to_end(&mut answer));
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 431 "), "{} bytes of headers: {answer:?}", headers.len());
    }
    // HTTP/2: over the limit of 16 KiB the request is refused, far over it the connection ends.
    for (count, expected) in [(200, kind::HEADERS), (10_000, kind::GOAWAY)] {
        let value = "x".repeat(100);
        let block = head("GET", "/v1/me", &vec![("a", value.as_str()); count]);
        let pieces: Vec<&[u8]> = block.chunks(16 << 10).collect();
        let mut request = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            let (name, flags) =
                if index == 0 { (kind::HEADERS, END_STREAM) } else { (kind::CONTINUATION, 0) };
            let last = if index + 1 == pieces.len() { END_HEADERS } else { 0 };
            request.extend(frame(name, flags | last, 1, piece));
        }
        let (mut from, mut to) = wire::greet(&address, &[]).await;
        // What is written after the end is written to nobody.
        let (_, said) = futures::join!(to.write_all(&request), wire::read_until(&mut from, expected, SOON));
        let said = said.unwrap_or_else(|| panic!("{count} headers are not answered by name"));
        if expected == kind::HEADERS {
            assert!(said.starts_with(&STATUS_431), "{said:x?}");
        } else {
            let (_, said) = said.split_first_chunk::<4>().expect("the last stream is first");
            let code = u32::from_be_bytes(*said.first_chunk().expect("and then a code"));
            assert!([COMPRESSION_ERROR, ENHANCE_YOUR_CALM].contains(&code), "{said:x?}");
            wire::read_to_end(&mut from, SOON).await.expect("it is closed");
        }
    }
    program.ends_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_break_the_protocol_end_their_connection_and_no_other() {
    let program = Program::start().await;
    let address = program.address();
    let head = head("POST", "/x", &[]);
    for broken in [
        frame(kind::HEADERS, END_HEADERS, 2, &head), // a stream of the server's
        frame(kind::HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff\xff"), // an index past every table
        frame(kind::CONTINUATION, END_HEADERS, 1, &head), // nothing to go on with
        frame(kind::SETTINGS, 0, 0, &[0; 5]),        // not a multiple of six
        frame(kind::PING, 0, 0, &[0; 7]),            // not eight bytes
        vec![0xff; 64 << 10],                        // a frame of 16 MiB
        b"GET / HTTP/1.1\r\n\r\n".repeat(10),        // another protocol
    ] {
        let line = preface(&address).await;
        program.while_somebody_works(send(line, broken)).await;
    }
    for nonsense in [
        &b"\0\0\0\0\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello, this is TLS\r\n\r\n",
    ] {
        let line = wire::dial(&address).await;
        program.while_somebody_works(send(line, nonsense.to_vec())).await;
    }
    program.ends_unhurt().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_half_open_connections_are_let_go() {
    // Before the program starts, which then may have as many.
    let open_files = process::open_files(4_000) / 2;
    let program = Program::with(|process| process.set("SERVER__HEADER_TIMEOUT", "3s")).await;
    let address = program.address();
    let each = (open_files / HalfOpen::ALL.len() as u64).min(500);
    let mut lines = Vec::new();
    for half in HalfOpen::ALL {
        for _ in 0..each {
            lines.push(half.leave(&address).await);
        }
    }
    let all = join_all(lines.into_iter().map(|(line, began)| wire::closed(line, began)));
    let evil = async { timeout(SOON, all).await.expect("all of them are let go") };
    program.while_somebody_works(evil).await;
    assert!(program.cut("handshake").await >= HalfOpen::ALL.len() as u64 * each);
    assert!(each >= 100, "{open_files} files are too few to show anything");
    program.ends_unhurt().await;
}
