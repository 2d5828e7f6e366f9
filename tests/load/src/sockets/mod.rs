//! 10,000 WebSockets: what one costs that is signed in and idle, and how fast a change of a graph reaches all of
//! them as the graph's own change stream. Program and clients share the machine.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};
use weft_proto::weft::graph::v1::{Node, WatchGraphRequest};
use weft_tests::{
    client::Client,
    graphs::{self, put_node},
    process::{Process, open_files},
};

use crate::{
    report::{Better, Report, median, percentile},
    rpc::now,
};

const SOCKETS: usize = 10_000;
/// How long each rate is kept up.
const SPAN: Duration = Duration::from_secs(4);
/// Changes a second that are tried, one after the other, until one is too many.
const RATES: [u32; 8] = [10, 20, 30, 40, 50, 60, 75, 90];
/// Of so many sockets one looks at the times in its messages; the others only count them.
const ONE_LOOKS: usize = 50;
/// What a change's text begins with: then comes when it was made, in microseconds of this run, as 16 digits.
const MARK: &[u8] = b"made-at:";

/// A program of its own: what was connected before has left its mark on the allocator.
struct Program {
    process: Process,
    client: Client,
    graph: String,
    _folder: TempDir,
}

impl Program {
    async fn start() -> Result<Self> {
        let folder = TempDir::new()?;
        let mut process = Process::up(&folder.path().join("data"))
            .set("SERVER__MAX_CONNECTIONS", "12000")
            .set("SERVER__MAX_CONNECTIONS_PER_ADDRESS", "12000")
            .set("LIMITS__MAX_STREAMS", "12000");
        process.start();
        let client = process.client();
        let graph = graphs::create(&client, "g").await;
        Ok(Self { process, client, graph, _folder: folder })
    }

    /// Resident memory now, in bytes.
    fn memory(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.file().pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the kernel tells")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0)
    }

    /// What a client says first: who it is.
    fn hello(&self) -> String {
        format!(r#"{{"metadata":{{"authorization":"Bearer {}"}}}}"#, self.process.key())
    }

    /// So many sockets, each signed in.
    async fn connect(&self) -> Result<Vec<Line>> {
        let (address, hello) = (self.process.file().address, self.hello());
        let mut lines = Vec::with_capacity(SOCKETS);
        while lines.len() < SOCKETS {
            let mut opening = JoinSet::new();
            for _ in 0..100 {
                let (address, hello) = (address.clone(), hello.clone());
                opening.spawn(async move { Line::open(&address, &hello).await });
            }
            for line in opening.join_all().await {
                lines.push(line?);
            }
        }
        Ok(lines)
    }
}

/// A client's end of a WebSocket, as cheap as can be: it shares the machine with what is measured.
struct Line {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Line {
    async fn open(address: &str, hello: &str) -> Result<Self> {
        let mut line = Self { stream: TcpStream::connect(address).await?, bytes: Vec::new() };
        let request = format!(
            "GET /ws HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
             sec-websocket-protocol: weft.v1.proto\r\n\r\n"
        );
        line.stream.write_all(request.as_bytes()).await?;
        while !line.bytes.ends_with(b"\r\n\r\n") {
            ensure!(line.stream.read_buf(&mut line.bytes).await? > 0, "the handshake was refused");
        }
        ensure!(line.bytes.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&line.bytes));
        line.bytes.clear();
        line.say(&[b"\0\x06", hello.as_bytes()].concat()).await?;
        let mut is_welcome = false;
        while !is_welcome {
            line.hear(|message| is_welcome |= message.starts_with(b"\0\x07")).await?;
        }
        Ok(line)
    }

    async fn say(&mut self, message: &[u8]) -> Result<()> {
        // Masked, with 16 bits of length; a mask of zeros changes nothing.
        let length = u16::try_from(message.len())?.to_be_bytes();
        let frame = [&[0x82, 0xfe], &length[..], &[0; 4], message].concat();
        Ok(self.stream.write_all(&frame).await?)
    }

    /// Reads what is there, and shows each message.
    async fn hear(&mut self, mut shown: impl FnMut(&[u8])) -> Result<()> {
        ensure!(self.stream.read_buf(&mut self.bytes).await? > 0, "the socket is closed");
        let mut rest = self.bytes.as_slice();
        while let [first, second, after @ ..] = rest {
            let (length, after) = match (second, after) {
                (126, [high, low, after @ ..]) => (usize::from(u16::from_be_bytes([*high, *low])), after),
                (length @ ..126, after) => (usize::from(*length), after),
                _ => break,
            };
            let Some((message, after)) = after.split_at_checked(length) else { break };
            if *first == 0x82 {
                shown(message);
            }
            rest = after;
        }
        let left = rest.len();
        let read = self.bytes.len() - left;
        self.bytes.drain(..read);
        Ok(())
    }
}

pub(crate) async fn measure(rounds: u32) -> Result<Report> {
    ensure!(open_files(32_000) >= 12_000, "it takes 12,000 open files: `ulimit -n`");
    let mut report = Report::new("sockets");
    let rounds = rounds.min(3);
    idle(&mut report, rounds).await?;
    fan_out(&mut report, rounds).await?;
    Ok(report)
}

async fn idle(report: &mut Report, rounds: u32) -> Result<()> {
    let mut each = Vec::new();
    for _ in 0..rounds {
        let program = Program::start().await?;
        // What the first sockets bring to life is not theirs alone.
        drop(Line::open(&program.process.file().address, &program.hello()).await?);
        let before = program.memory()?;
        let lines = program.connect().await?;
        each.push((program.memory()? - before) / 1024.0 / lines.len() as f64);
    }
    let each = median(each);
    report.add("idle socket, signed in: memory", each, "KB each", 12.0, Better::Lower);
    Ok(())
}

/// What the clients saw of one rate.
struct Seen {
    per_second: f64,
    p99: f64,
}

async fn fan_out(report: &mut Report, rounds: u32) -> Result<()> {
    let (mut rates, mut p99s) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let seen = one_fan_out().await?;
        rates.push(seen.per_second);
        p99s.push(seen.p99);
    }
    report.add("100 bytes to 10,000 sockets", median(rates), "messages/s", 600_000.0, Better::Higher);
    report.add("100 bytes to 10,000 sockets, p99", median(p99s), "ms", 200.0, Better::Lower);
    Ok(())
}

/// The highest rate that is kept up: all messages arrive while it goes on, 99 of 100 within 200 ms.
async fn one_fan_out() -> Result<Seen> {
    let program = Program::start().await?;
    let mut lines = program.connect().await?;
    let watch = WatchGraphRequest { graph: program.graph.clone(), ..WatchGraphRequest::default() };
    let watch = [b"\x01\x02", prost::Message::encode_to_vec(&watch).as_slice()].concat();
    let open = br#"{"method":"weft.graph.v1.GraphService/WatchGraph"}"#;
    for line in &mut lines {
        line.say(&[b"\x01\x01", &open[..]].concat()).await?;
        line.say(&watch).await?;
    }
    // The first thing that a watcher hears is that it has caught up.
    let began = now();
    let count = Arc::new(AtomicU64::new(0));
    let (times, mut looked) = mpsc::unbounded_channel();
    let (ready, mut readies) = mpsc::unbounded_channel();
    let mut readers = JoinSet::new();
    for (index, line) in lines.into_iter().enumerate() {
        let times = index.is_multiple_of(ONE_LOOKS).then(|| times.clone());
        readers.spawn(listen(line, ready.clone(), Arc::clone(&count), times, began));
    }
    for _ in 0..SOCKETS {
        timeout(SPAN * 10, readies.recv()).await.context("not all are watching")?;
    }
    let mut best = Seen { per_second: 0.0, p99: f64::INFINITY };
    for rate in RATES {
        let seen = at_rate(&program, rate, began, &count, &mut looked).await?;
        let is_kept = seen.per_second >= f64::from(rate) * SOCKETS as f64 * 0.97 && seen.p99 <= 200.0;
        if is_kept || best.per_second == 0.0 {
            best = seen;
        }
        if !is_kept {
            break;
        }
    }
    readers.shutdown().await;
    Ok(best)
}

/// Counts what arrives for as long as the socket lives; with `times`, how many milliseconds each message took.
async fn listen(
    mut line: Line,
    ready: mpsc::UnboundedSender<()>,
    count: Arc<AtomicU64>,
    times: Option<mpsc::UnboundedSender<f64>>,
    began: Instant,
) -> Result<()> {
    line.hear(|_| ()).await?;
    ready.send(()).context("somebody waits")?;
    loop {
        let mut heard = 0;
        line.hear(|message| {
            heard += 1;
            if let Some(times) = &times {
                let late = made_at(message).map(|made| began.elapsed().saturating_sub(made));
                // Where nobody listens any more it does not matter.
                let _ = late.map(|late| times.send(late.as_secs_f64() * 1e3));
            }
        })
        .await?;
        count.fetch_add(heard, Ordering::Relaxed);
    }
}

fn made_at(message: &[u8]) -> Option<Duration> {
    let at = message.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    let digits = std::str::from_utf8(message.get(at..at + 16)?).ok()?;
    digits.parse().ok().map(Duration::from_micros)
}

async fn at_rate(
    program: &Program,
    rate: u32,
    began: Instant,
    count: &AtomicU64,
    looked: &mut mpsc::UnboundedReceiver<f64>,
) -> Result<Seen> {
    // What is left of the rate before has arrived.
    loop {
        let before = count.load(Ordering::Relaxed);
        sleep(Duration::from_millis(500)).await;
        if count.load(Ordering::Relaxed) == before {
            break;
        }
    }
    while looked.try_recv().is_ok() {}
    let (from, since) = (count.load(Ordering::Relaxed), now());
    let mut made = 0_u32;
    while since.elapsed() < SPAN {
        let text = format!("{}{:016}", String::from_utf8_lossy(MARK), began.elapsed().as_micros());
        let node = Node { key: "n".into(), display_name: text, ..Node::default() };
        graphs::apply(&program.client, &program.graph, vec![put_node(node)]).await;
        made += 1;
        sleep((Duration::from_secs(1) * made / rate).saturating_sub(since.elapsed())).await;
    }
    let per_second = (count.load(Ordering::Relaxed) - from) as f64 / since.elapsed().as_secs_f64();
    let mut times = Vec::new();
    while let Ok(time) = looked.try_recv() {
        times.push(time);
    }
    ensure!(!times.is_empty(), "nobody heard of any change");
    Ok(Seen { per_second, p99: percentile(times, 0.99) })
}
