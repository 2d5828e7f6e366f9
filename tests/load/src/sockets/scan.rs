//! Finds the messages in what a client reads, as cheaply as can be: whoever counts them shares the machine with the
//! server that sends them.

use anyhow::{Result, bail, ensure};

/// How messages follow one another on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// RFC 6455, one frame a message.
    WebSocket,
    /// NATS' own protocol: lines, of which `MSG` is followed by a message.
    Nats,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A message of so many bytes, with them if they are looked at.
    Message(usize, &'a [u8]),
    /// The server asks whether somebody is there.
    Ping,
}

/// The longest beginning of a message.
const MOST: usize = 256;

/// Where one connection is in what its server says.
#[derive(Debug)]
pub(super) struct Scan {
    wire: Wire,
    /// Whether messages are handed out, or only counted.
    looks: bool,
    /// A beginning of which not all has come.
    head: Vec<u8>,
    /// The message that is coming: its length, what follows it, and what of both has not come.
    length: usize,
    tail: usize,
    missing: usize,
    message: Vec<u8>,
}

/// A beginning: how long it is itself, and what it begins.
enum Head {
    Message { length: usize, tail: usize },
    Ping,
    Other { skip: usize },
}

impl Scan {
    pub(super) fn new(wire: Wire, looks: bool) -> Self {
        let (head, message) = (Vec::new(), Vec::new());
        Self { wire, looks, head, length: 0, tail: 0, missing: 0, message }
    }

    /// Goes through what has come.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut found: impl FnMut(Found<'_>)) -> Result<()> {
        while !bytes.is_empty() {
            if self.missing > 0 {
                bytes = self.more(bytes, &mut found);
                continue;
            }
            // Nearly always the beginning is there in one piece.
            let held = self.head.len();
            let head = if held == 0 {
                read_head(self.wire, bytes)?
            } else {
                self.head.extend_from_slice(&bytes[..bytes.len().min(MOST)]);
                read_head(self.wire, &self.head)?
            };
            let Some((size, head)) = head else {
                if held == 0 {
                    self.head.extend_from_slice(bytes);
                }
                ensure!(self.head.len() < MOST, "no message begins with so much");
                return Ok(());
            };
            self.head.clear();
            bytes = &bytes[size - held..];
            match head {
                Head::Ping => found(Found::Ping),
                Head::Message { length, tail } => {
                    (self.length, self.tail, self.missing) = (length, tail, length + tail);
                    if self.missing == 0 {
                        found(Found::Message(0, &[]));
                    }
                }
                Head::Other { skip } => (self.length, self.tail, self.missing) = (0, skip, skip),
            }
        }
        Ok(())
    }

    /// More of the message that is coming; what comes after it.
    fn more<'a>(&mut self, bytes: &'a [u8], found: &mut impl FnMut(Found<'_>)) -> &'a [u8] {
        let (now, after) = bytes.split_at(self.missing.min(bytes.len()));
        if self.looks {
            self.message.extend_from_slice(now);
        }
        self.missing -= now.len();
        if self.missing == 0 {
            if self.length > 0 {
                found(Found::Message(self.length, self.message.get(..self.length).unwrap_or_default()));
            }
            self.message.clear();
        }
        after
    }
}

/// The beginning at the start of `bytes`, with its length; `None` if not all of it is there.
fn read_head(wire: Wire, bytes: &[u8]) -> Result<Option<(usize, Head)>> {
    match wire {
        Wire::WebSocket => web_socket(bytes),
        Wire::Nats => nats(bytes),
    }
}

fn web_socket(bytes: &[u8]) -> Result<Option<(usize, Head)>> {
    let (size, length) = match bytes {
        [_, 127..=255, ..] => bail!("a frame that no server sends here"),
        [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([*high, *low]))),
        [_, 126, ..] | [_] | [] => return Ok(None),
        [_, length, ..] => (2, usize::from(*length)),
    };
    let head = match bytes[0] {
        0x81 | 0x82 => Head::Message { length, tail: 0 },
        0x89 if length == 0 => Head::Ping,
        0x8a => Head::Other { skip: length },
        0x88 => bail!("the server has closed a socket"),
        other => bail!("a frame that begins with {other:#x}"),
    };
    Ok(Some((size, head)))
}

fn nats(bytes: &[u8]) -> Result<Option<(usize, Head)>> {
    let Some(end) = bytes.windows(2).take(MOST).position(|two| two == b"\r\n") else { return Ok(None) };
    let line = std::str::from_utf8(&bytes[..end])?;
    let head = if line.starts_with("MSG ") {
        let length = line.rsplit(' ').next().unwrap_or_default().parse()?;
        Head::Message { length, tail: 2 }
    } else if line == "PING" {
        Head::Ping
    } else if line == "PONG" || line.starts_with("INFO ") {
        Head::Other { skip: 0 }
    } else {
        bail!("the server says {line}")
    };
    Ok(Some((end + 2, head)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages in what comes in pieces of `step` bytes, and how many pings.
    fn scanned(wire: Wire, bytes: &[u8], step: usize) -> (Vec<Vec<u8>>, usize) {
        let (mut scan, mut messages, mut pings) = (Scan::new(wire, true), Vec::new(), 0);
        for piece in bytes.chunks(step) {
            scan.feed(piece, |found| match found {
                Found::Message(length, message) => {
                    assert_eq!(length, message.len());
                    messages.push(message.to_vec());
                }
                Found::Ping => pings += 1,
            })
            .expect("it is well-formed");
        }
        (messages, pings)
    }

    #[test]
    fn finds_the_same_messages_however_they_come() {
        let long = [b"\x82\x7e\x01\x00", [7; 256].as_slice()].concat();
        let frames = [b"\x82\x03abc\x89\x00\x8a\x02xy\x81\x01d\x82\x00", long.as_slice()].concat();
        let messages = [b"abc".to_vec(), b"d".to_vec(), Vec::new(), vec![7; 256]].to_vec();
        let lines = b"PONG\r\nMSG w 1 3\r\nabc\r\nPING\r\nMSG w 1 2\r\n\r\n\r\nMSG w 1 1\r\nM\r\n";
        let said = [b"abc".to_vec(), b"\r\n".to_vec(), b"M".to_vec()].to_vec();
        for step in 1..=frames.len() {
            assert_eq!(scanned(Wire::WebSocket, &frames, step), (messages.clone(), 1), "{step}");
            assert_eq!(scanned(Wire::Nats, lines, step), (said.clone(), 1), "{step}");
        }
    }

    #[test]
    fn counts_without_looking() {
        let (mut scan, mut lengths) = (Scan::new(Wire::WebSocket, false), Vec::new());
        for piece in b"\x82\x03abc\x82\x02de".chunks(3) {
            scan.feed(piece, |found| match found {
                Found::Message(length, message) => lengths.push((length, message.len())),
                Found::Ping => panic!("nobody pings"),
            })
            .expect("it is well-formed");
        }
        assert_eq!(lengths, [(3, 0), (2, 0)]);
    }

    #[test]
    fn tells_of_an_end() {
        for (wire, bytes) in [(Wire::WebSocket, &b"\x88\x02\x03\xe9"[..]), (Wire::Nats, b"-ERR 'slow'\r\n")] {
            assert!(Scan::new(wire, false).feed(bytes, |_| ()).is_err());
        }
    }
}
