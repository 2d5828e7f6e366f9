//! Frames in, frames out, whatever way they are cut.

use std::time::Duration;

use proptest::{collection::vec, prelude::*};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::{
    Agreed, Deflated, Fault, codec,
    head::{self, Head},
    input::Input,
    output::{Output, Packing},
};

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const PING: u8 = 9;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const MOST: usize = 1 << 20;

/// A frame as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    head::write(first, Some(MASK), payload.len(), &mut bytes);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The same as the library is to see it when it was compressed.
fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    head::write(first, Some([0; 4]), payload.len(), &mut bytes);
    bytes.extend_from_slice(payload);
    bytes
}

fn packed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    codec::pack(message, 15, &mut out);
    out
}

/// A compressed message in frames that are cut at these places.
fn message(opcode: u8, message: &[u8], cuts: &[usize], between: &[u8]) -> Vec<u8> {
    let packed = packed(message);
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut % (packed.len() + 1)).collect();
    at.sort_unstable();
    at.insert(0, 0);
    at.push(packed.len());
    let last = at.len() - 2;
    let mut bytes = Vec::new();
    for (number, ends) in at.windows(2).enumerate() {
        let first = match (number, number == last) {
            (0, true) => head::FIN | head::RSV1 | opcode,
            (0, false) => head::RSV1 | opcode,
            (_, true) => head::FIN,
            (_, false) => 0,
        };
        bytes.extend(frame(first, &packed[ends[0]..ends[1]]));
        if number < last {
            bytes.extend_from_slice(between);
        }
    }
    bytes
}

fn read(bytes: &[u8], pieces: usize) -> Result<Vec<u8>, (Fault, Vec<u8>)> {
    let (mut input, mut ready) = (Input::new(MOST), Vec::new());
    for piece in bytes.chunks(pieces) {
        input.take(piece, &mut ready).map_err(|fault| (fault, ready.clone()))?;
    }
    Ok(ready)
}

fn written(bytes: &[u8], pieces: usize, from: usize) -> Vec<u8> {
    let (mut output, mut ready) = (Output::new(Packing { window: 15, from }), Vec::new());
    for piece in bytes.chunks(pieces) {
        output.take(piece, &mut ready);
    }
    ready
}

/// A frame as the server's library writes it.
fn said(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    head::write(first, None, payload.len(), &mut bytes);
    bytes.extend_from_slice(payload);
    bytes
}

/// Bytes that do not get smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn plain_frames_are_left_as_they_are() {
    let mut bytes = frame(TEXT, b"one");
    bytes.extend(frame(PING | head::FIN, b""));
    bytes.extend(frame(head::FIN, b" message"));
    bytes.extend(frame(head::FIN | BINARY, &vec![7; 70_000]));
    // Broken ones too: to find them is the library's.
    bytes.extend(frame(head::FIN | head::RSV1 | PING, b"?"));
    bytes.extend(frame(head::RSV1, b"?"));
    for pieces in [1, 5, 4096] {
        assert_eq!(read(&bytes, pieces).unwrap(), bytes);
    }
}

#[test]
fn a_message_in_frames_with_a_ping_between_becomes_one_frame_after_the_ping() {
    let ping = frame(head::FIN | PING, b"hello");
    let bytes = message(TEXT, b"a message, a message, a message", &[4, 9], &ping);
    let mut expected = ping.repeat(2);
    expected.extend(unmasked(head::FIN | TEXT, b"a message, a message, a message"));
    assert_eq!(read(&bytes, 3).unwrap(), expected);
}

#[test]
fn nothing_is_a_message_too() {
    let bytes = message(BINARY, b"", &[], b"");
    assert_eq!(read(&bytes, 1).unwrap(), unmasked(head::FIN | BINARY, b""));
}

#[test]
fn a_block_that_says_that_it_is_the_last_ends_no_message() {
    // RFC 7692, 7.2.3.4: "Hello" in a block with BFINAL, and the byte that keeps the tail's place.
    let hello = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    let bytes = frame(head::FIN | head::RSV1 | TEXT, &hello);
    assert_eq!(read(&bytes, 64).unwrap(), unmasked(head::FIN | TEXT, b"Hello"));
}

#[test]
fn blocks_that_are_not_packed_are_read() {
    // RFC 7692, 7.2.3.3.
    let hello = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
    let bytes = frame(head::FIN | head::RSV1 | TEXT, &hello);
    assert_eq!(read(&bytes, 64).unwrap(), unmasked(head::FIN | TEXT, b"Hello"));
}

#[test]
fn a_bomb_ends_at_the_bound_and_what_came_before_it_is_read() {
    let mut bytes = frame(head::FIN | TEXT, b"before");
    let before = bytes.clone();
    bytes.extend(message(BINARY, &vec![0; MOST + 1], &[], b""));
    assert_eq!(read(&bytes, 4096), Err((Fault::TooLarge, before)));
    assert!(read(&message(BINARY, &vec![0; MOST], &[], b""), 4096).is_ok());
}

#[test]
fn blocks_with_nothing_in_them_end_at_a_bound_too() {
    let (mut input, mut ready) = (Input::new(1000), Vec::new());
    let nothing = [0, 0, 0, 0xff, 0xff].repeat(200);
    let outcomes = (0..20).map(|number| {
        let first = if number == 0 { head::RSV1 | BINARY } else { 0 };
        input.take(&frame(first, &nothing), &mut ready)
    });
    assert!(outcomes.collect::<Vec<_>>().contains(&Err(Fault::TooLarge)));
}

#[test]
fn what_is_out_of_order_ends_the_socket() {
    let begin = frame(head::RSV1 | TEXT, &packed(b"x"));
    let protocol = |next: Vec<u8>| {
        assert_eq!(read(&[begin.clone(), next].concat(), 7).unwrap_err().0, Fault::Protocol);
    };
    protocol(frame(head::FIN | TEXT, b"another message"));
    protocol(frame(head::FIN | head::RSV1 | TEXT, b"another message"));
    protocol(frame(head::FIN | head::RSV1, b"RSV1 again"));
    let mut bare = Vec::new();
    head::write(head::FIN | head::RSV1 | TEXT, None, 3, &mut bare);
    assert_eq!(read(&[bare, vec![1, 2, 3]].concat(), 9).unwrap_err().0, Fault::Protocol);
}

#[test]
fn what_is_no_packed_message_is_invalid() {
    let bytes = frame(head::FIN | head::RSV1 | BINARY, &[0xff; 20]);
    assert_eq!(read(&bytes, 9).unwrap_err().0, Fault::Invalid);
}

#[test]
fn a_message_leaves_packed_only_if_it_gets_smaller() {
    let long = b"many words, many words, ".repeat(100);
    let small = said(head::FIN | TEXT, b"short");
    let whole = [small.clone(), said(head::FIN | TEXT, &long), said(head::FIN | PING, b"")].concat();
    let out = written(&whole, 11, 1024);
    assert!(
        out.len() < whole.len() / 4 && out.starts_with(&small) && out.ends_with(&said(head::FIN | PING, b""))
    );
    assert_eq!(out[small.len()], head::FIN | head::RSV1 | TEXT);
    for length in [2000, 50_000] {
        let noise = said(head::FIN | BINARY, &noise(length));
        assert_eq!(written(&noise, 4096, 1024), noise);
    }
}

#[test]
fn a_small_window_is_kept() {
    // What comes again after 4 KiB of noise is packed with a window of 32 KiB, and not with one of 512 bytes.
    let noise = noise(4096);
    let message = [noise.clone(), noise].concat();
    let length = |window| {
        let mut out = Vec::new();
        codec::pack(&message, window, &mut out);
        out.len()
    };
    assert!(length(15) < 5000 && length(9) > 8000, "{} {}", length(15), length(9));
}

#[tokio::test]
async fn a_stream_says_what_it_read_before_it_fails() {
    let (mut client, server) = duplex(64);
    let agreed = Agreed::on(&http::HeaderMap::from_iter([(
        http::header::SEC_WEBSOCKET_EXTENSIONS,
        http::HeaderValue::from_static("permessage-deflate"),
    )]));
    let mut server = Deflated::new(server, agreed, 1024, 1000);
    let before = frame(head::FIN | TEXT, b"before");
    let bomb = message(BINARY, &[0; 1001], &[], b"");
    let sent = [before.clone(), bomb].concat();
    let reading = async {
        let mut read = vec![0; before.len()];
        server.read_exact(&mut read).await.unwrap();
        assert_eq!(read, before);
        server.read_u8().await.unwrap_err()
    };
    let (sent, error) = tokio::join!(client.write_all(&sent), reading);
    sent.unwrap();
    assert_eq!(Fault::of(&error), Some(Fault::TooLarge));
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_felt() {
    let (_client, server) = duplex(64);
    let agreed = Agreed::on(&http::HeaderMap::from_iter([(
        http::header::SEC_WEBSOCKET_EXTENSIONS,
        http::HeaderValue::from_static("permessage-deflate"),
    )]));
    let mut server = Deflated::new(server, agreed, 1024, MOST);
    let frame = said(head::FIN | BINARY, &noise(4096));
    let writes = async {
        let mut done = 0;
        while server.write_all(&frame).await.is_ok() && done < 100 {
            done += 1;
        }
    };
    assert!(tokio::time::timeout(Duration::from_millis(200), writes).await.is_err());
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..3000), vec(0_u8..3, 0..9000)]
}

proptest! {
    #[test]
    fn whatever_is_said_is_heard(
        messages in vec((text(), vec(any::<usize>(), 0..4), any::<bool>()), 1..4),
        pieces in 1_usize..5000,
    ) {
        let ping = frame(head::FIN | PING, b"!");
        let (mut sent, mut expected) = (Vec::new(), Vec::new());
        for (payload, cuts, is_packed) in &messages {
            if *is_packed {
                sent.extend(message(BINARY, payload, cuts, &ping));
                expected.extend(ping.repeat(cuts.len()));
                expected.extend(unmasked(head::FIN | BINARY, payload));
            } else {
                let plain = frame(head::FIN | BINARY, payload);
                sent.extend_from_slice(&plain);
                expected.extend(plain);
            }
        }
        prop_assert_eq!(read(&sent, pieces).unwrap(), expected);
    }

    #[test]
    fn whatever_is_written_can_be_unpacked(
        messages in vec(text(), 1..4),
        pieces in 1_usize..5000,
        from in prop_oneof![Just(0_usize), Just(1), Just(1024)],
    ) {
        let sent: Vec<u8> = messages.iter().flat_map(|message| said(head::FIN | BINARY, message)).collect();
        let mut bytes = &written(&sent, pieces, from)[..];
        for message in &messages {
            let mut head = Head::default();
            let used = head.take(bytes);
            prop_assert!(head.is_whole());
            let end = used + usize::try_from(head.length()).unwrap();
            let payload = bytes[used..end].to_vec();
            let heard = if head.first() & head::RSV1 == 0 {
                payload
            } else {
                let mut unpacking = codec::Unpacking::new(MOST);
                unpacking.take(&payload).unwrap();
                unpacking.finish().unwrap().concat()
            };
            prop_assert_eq!(&heard, message);
            bytes = &bytes[end..];
        }
        prop_assert!(bytes.is_empty());
    }
}

#[test]
fn nothing_that_a_client_sends_breaks_it() {
    crate::fuzz::fuzz(bolero::check!(), 600, |bytes| {
        let [pieces, bytes @ ..] = bytes else { return };
        let _ = read(bytes, 1 + usize::from(pieces % 39));
    });
}
