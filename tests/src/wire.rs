//! HTTP/2 as nobody decent speaks it: frames by hand, floods of them, and connections half made.

use std::{
    io,
    net::Ipv4Addr,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::{Instant, timeout},
};

/// Kinds of frames (RFC 9113, 6).
pub mod kind {
    #![expect(missing_docs, reason = "the standard's names")]
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Flag of the last frame of a stream.
pub const END_STREAM: u8 = 1;
/// Flag of an answer to SETTINGS or PING.
pub const ACK: u8 = 1;
/// Flag of the last frame of a list of headers.
pub const END_HEADERS: u8 = 4;
/// What a client begins with.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How much of a flood is written at once.
const AT_ONCE: usize = 64 << 10;

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A request's headers, as HPACK writes them without any table of its own.
pub fn head(method: &str, path: &str, others: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = vec![0x86]; // :scheme http
    let pseudo = [(":method", method), (":path", path), (":authority", "x")];
    for (name, value) in pseudo.iter().chain(others) {
        bytes.push(0);
        for text in [name, value] {
            assert!(text.len() < 127, "longer ones are written otherwise");
            bytes.push(text.len() as u8);
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

/// A frame that opens a stream.
pub fn open(stream: u32, flags: u8, method: &str, path: &str, others: &[(&str, &str)]) -> Vec<u8> {
    frame(kind::HEADERS, flags | END_HEADERS, stream, &head(method, path, others))
}

/// Floods of frames that cost their sender next to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// Streams that are opened and reset (CVE-2023-44487).
    Reset,
    /// Headers that go on and on (CVE-2024-27316).
    Continuation,
    /// PINGs, each of which wants an answer (CVE-2019-9512).
    Ping,
    /// Settings, each of which wants one too (CVE-2019-9515).
    Settings,
    /// Data of no bytes (CVE-2019-9518).
    EmptyData,
    /// Data a byte at a time.
    TinyData,
    /// Windows that open by one byte.
    Window,
    /// Priorities of streams that nobody opens.
    Priority,
}

impl Flood {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Reset,
        Self::Continuation,
        Self::Ping,
        Self::Settings,
        Self::EmptyData,
        Self::TinyData,
        Self::Window,
        Self::Priority,
    ];

    /// What comes before it.
    fn beginning(self) -> Vec<u8> {
        let upload = [("content-type", "application/json")];
        match self {
            Self::Continuation => frame(kind::HEADERS, END_STREAM, 1, &head("GET", "/healthz", &[])),
            Self::EmptyData | Self::TinyData => open(1, 0, "POST", "/v1/projects/p/graphs", &upload),
            _ => Vec::new(),
        }
    }

    /// The frames that are sent again and again.
    fn piece(self, index: u32) -> Vec<u8> {
        match self {
            Self::Reset => {
                let stream = 2 * index + 1;
                let cancel = frame(kind::RST_STREAM, 0, stream, &8_u32.to_be_bytes());
                [open(stream, END_STREAM, "GET", "/openapi.json", &[]), cancel].concat()
            }
            Self::Continuation => frame(kind::CONTINUATION, 0, 1, &[0, 1, b'a', 1, b'b'].repeat(50)),
            Self::Ping => frame(kind::PING, 0, 0, &[7; 8]),
            Self::Settings => frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]),
            Self::EmptyData => frame(kind::DATA, 0, 1, &[]),
            Self::TinyData => frame(kind::DATA, 0, 1, b"["),
            Self::Window => frame(kind::WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes()),
            Self::Priority => frame(kind::PRIORITY, 0, 2 * (index % 1_000) + 1, &[0, 0, 0, 0, 7]),
        }
    }

    /// Floods the server at `address` (`127.0.0.1:8080`) from this address until it cuts the connection off, or for
    /// as long as `most`: how long it took, or nothing if it was not cut.
    ///
    /// # Panics
    /// Nobody listens.
    pub async fn pour(self, from: Ipv4Addr, address: &str, most: Duration) -> Option<Duration> {
        let (mut from, mut to) = dial_from(from, address).await.expect("it listens").into_split();
        let began = Instant::now();
        let write = async {
            if to.write_all(&[greeting(&[]), self.beginning()].concat()).await.is_err() {
                return;
            }
            let mut index = 0;
            loop {
                let mut pieces = Vec::with_capacity(AT_ONCE + 1_024);
                while pieces.len() < AT_ONCE {
                    pieces.extend(self.piece(index));
                    index += 1;
                }
                if to.write_all(&pieces).await.is_err() {
                    return;
                }
            }
        };
        let read = async {
            let mut nothing = vec![0; 64 << 10];
            while from.read(&mut nothing).await.is_ok_and(|length| length > 0) {}
        };
        // Both see the end of it.
        timeout(most, futures::future::join(write, read)).await.ok().map(|_| began.elapsed())
    }
}

/// An address of this machine that nobody else has: who attacks from it is kept out, and nobody decent is.
pub fn stranger() -> Ipv4Addr {
    static LAST: AtomicU32 = AtomicU32::new(0x7f01_0000);
    Ipv4Addr::from_bits(LAST.fetch_add(1, Ordering::Relaxed))
}

/// A connection to `address`, from an address of its own.
///
/// # Panics
/// Nobody listens.
pub async fn dial(address: &str) -> TcpStream {
    dial_from(stranger(), address).await.expect("it listens")
}

/// A connection from one address of this machine to another.
async fn dial_from(from: Ipv4Addr, to: &str) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(to.parse().map_err(io::Error::other)?).await
}

/// A connection of HTTP/2 whose handshake is done, with these settings of the client.
pub async fn greet(address: &str, settings: &[u8]) -> (OwnedReadHalf, OwnedWriteHalf) {
    let mut line = dial(address).await;
    line.write_all(&greeting(settings)).await.expect("it listens");
    line.into_split()
}

fn greeting(settings: &[u8]) -> Vec<u8> {
    [PREFACE, &frame(kind::SETTINGS, 0, 0, settings), &frame(kind::SETTINGS, ACK, 0, &[])].concat()
}

/// Reads until the server closes, or for as long as `most`: the frames by their kinds, or nothing if it
/// is still open.
pub async fn read_to_end(from: &mut OwnedReadHalf, most: Duration) -> Option<Vec<u8>> {
    let read = async {
        let mut bytes = Vec::new();
        // A reset is an end too.
        let _ = from.read_to_end(&mut bytes).await;
        bytes
    };
    let bytes = timeout(most, read).await.ok()?;
    let mut kinds = Vec::new();
    let mut rest = &bytes[..];
    while let Some((head, after)) = rest.split_first_chunk::<9>() {
        kinds.push(head[3]);
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        rest = after.get(length..).unwrap_or_default();
    }
    Some(kinds)
}

/// Reads until the server has sent a frame of this kind, for as long as `most`: what is in it, or nothing if
/// the server closes before.
pub async fn read_until(from: &mut OwnedReadHalf, kind: u8, most: Duration) -> Option<Vec<u8>> {
    let read = async {
        let mut head = [0; 9];
        loop {
            from.read_exact(&mut head).await.ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            from.read_exact(&mut payload).await.ok()?;
            if head[3] == kind {
                return Some(payload);
            }
        }
    };
    timeout(most, read).await.ok().flatten()
}

/// Handshakes that are left half done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfOpen {
    /// Headers of HTTP/1 without their end.
    Http1,
    /// The preface of HTTP/2, and nothing of what comes after it.
    Http2,
    /// Settings said, and ours never heard.
    Http2Settings,
    /// A WebSocket's handshake without its end.
    WebSocket,
}

impl HalfOpen {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Http1, Self::Http2, Self::Http2Settings, Self::WebSocket];

    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Http1 => b"GET /v1/me HTTP/1.1\r\nhost: x\r\nuser-agent: half".to_vec(),
            Self::Http2 => PREFACE.to_vec(),
            Self::Http2Settings => [PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat(),
            Self::WebSocket => {
                b"GET /ws HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                sec-websocket-version: 13\r\nsec-websocket-key: dGhl"
                    .to_vec()
            }
        }
    }

    /// A connection left so, and since when.
    pub async fn leave(self, address: &str) -> (TcpStream, Instant) {
        let mut line = dial(address).await;
        line.write_all(&self.bytes()).await.expect("it listens");
        (line, Instant::now())
    }
}

/// Waits until the server has closed a connection that was opened at `began`: how long it lived.
pub async fn closed(mut line: TcpStream, began: Instant) -> Duration {
    let mut nothing = [0; 4_096];
    while line.read(&mut nothing).await.is_ok_and(|length| length > 0) {}
    began.elapsed()
}
