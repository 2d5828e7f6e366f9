//! The servers that are measured, each in a process of its own: our program, and its peers.

use std::{
    fs,
    io::{BufRead as _, BufReader, ErrorKind},
    net::TcpStream as Given,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use prost::Message as _;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};
use tonic::Status;
use weft_proto::weft::graph::v1::{Node, WatchGraphRequest};
use weft_tests::{
    client::Client,
    graphs::{self, put_node},
    process::Process,
};

use super::{bare, scan::Wire};

/// Bytes of a message of the peers'; ours is made to have about as many.
const MESSAGE: usize = 100;
/// What ours has beside its text: the number and kind of the call, and revision, time, actor and key of the change.
const AROUND: usize = 62;
/// How long a start, or an answer, may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The program: each client is signed in, and watches a graph.
    Ours,
    /// A broadcast over the library beneath ours, without anything of ours.
    Bare,
    /// nats-server, over its own protocol.
    Nats,
}

impl Kind {
    pub(super) const PEERS: [Self; 2] = [Self::Bare, Self::Nats];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ours => "weft",
            Self::Bare => "bare tokio-tungstenite",
            Self::Nats => "nats-server",
        }
    }

    pub(super) const fn wire(self) -> Wire {
        match self {
            Self::Ours | Self::Bare => Wire::WebSocket,
            Self::Nats => Wire::Nats,
        }
    }
}

/// A server that runs; it is ended when it is dropped.
pub(super) struct Server {
    kind: Kind,
    address: String,
    running: Running,
    _folder: TempDir,
}

enum Running {
    Ours(Box<Ours>),
    Peer(Child),
}

struct Ours {
    process: Process,
    client: Client,
    graph: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Running::Peer(child) = &mut self.running {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Server {
    pub(super) async fn start(kind: Kind, nats: &Path) -> Result<Self> {
        let folder = TempDir::new()?;
        let (address, running) = match kind {
            Kind::Ours => {
                let mut process = Process::up(&folder.path().join("data"))
                    .set("SERVER__MAX_CONNECTIONS", "12000")
                    .set("SERVER__MAX_CONNECTIONS_PER_ADDRESS", "12000")
                    .set("LIMITS__MAX_STREAMS", "12000");
                process.start();
                let client = process.client();
                let graph = graphs::create(&client, "g").await;
                (process.file().address, Running::Ours(Box::new(Ours { process, client, graph })))
            }
            Kind::Bare => {
                let mut child = Command::new(std::env::current_exe()?)
                    .arg("broadcast")
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()?;
                let mut address = String::new();
                BufReader::new(child.stdout.take().context("it was asked for")?).read_line(&mut address)?;
                (address.trim().to_owned(), Running::Peer(child))
            }
            Kind::Nats => {
                let child = start_nats(nats, folder.path())?;
                let running = Running::Peer(child);
                let file =
                    timeout(PATIENCE, ports(folder.path())).await.context("nats-server did not start")?;
                (file?, running)
            }
        };
        Ok(Self { kind, address, running, _folder: folder })
    }

    fn pid(&self) -> u32 {
        match &self.running {
            Running::Ours(ours) => ours.process.file().pid,
            Running::Peer(child) => child.id(),
        }
    }

    /// Resident memory now, in bytes.
    pub(super) fn memory(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the kernel tells")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0)
    }

    /// The time that it has computed, in seconds.
    pub(super) fn computed(&self) -> Result<f64> {
        // After the name in brackets; the 14th and 15th fields of all (proc(5)).
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        let (_, fields) = stat.rsplit_once(')').context("the kernel tells")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        let ticks: u64 = ticks.collect::<Result<Vec<_>, _>>()?.iter().sum();
        Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// One client, let in.
    pub(super) async fn connect(&self) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(&self.address).await?;
        match &self.running {
            Running::Ours(ours) => {
                shake_hands(&mut stream, "/ws", "sec-websocket-protocol: weft.v1.proto\r\n").await?;
                let hello = format!(r#"{{"metadata":{{"authorization":"Bearer {}"}}}}"#, ours.process.key());
                stream.write_all(&frame(&[b"\0\x06", hello.as_bytes()].concat())).await?;
                let welcome = read_until(&mut stream, is_frame).await?;
                ensure!(welcome.windows(2).any(|two| two == b"\0\x07"), "not welcome: {welcome:?}");
            }
            Running::Peer(_) if self.kind == Kind::Bare => shake_hands(&mut stream, "/", "").await?,
            Running::Peer(_) => {
                stream.write_all(b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\nPING\r\n").await?;
                read_until(&mut stream, |heard| heard.ends_with(b"PONG\r\n")).await?;
            }
        }
        Ok(stream)
    }

    /// So many clients, let in.
    pub(super) async fn connect_all(self: &Arc<Self>, count: usize) -> Result<Vec<TcpStream>> {
        let mut all = Vec::with_capacity(count);
        while all.len() < count {
            let mut opening = JoinSet::new();
            for _ in 0..100.min(count - all.len()) {
                let server = Arc::clone(self);
                opening.spawn(async move { server.connect().await });
            }
            for stream in opening.join_all().await {
                all.push(stream?);
            }
        }
        Ok(all)
    }

    /// Has a client ask for what is published from now on, and waits until the server has understood.
    async fn listen(&self, mut stream: TcpStream) -> Result<Given> {
        match &self.running {
            Running::Ours(ours) => {
                let watch = WatchGraphRequest { graph: ours.graph.clone(), ..WatchGraphRequest::default() };
                let open = br#"{"method":"weft.graph.v1.GraphService/WatchGraph"}"#;
                let open = frame(&[b"\x01\x01", &open[..]].concat());
                let message = frame(&[b"\x01\x02", watch.encode_to_vec().as_slice()].concat());
                stream.write_all(&[open, message].concat()).await?;
                // The first thing that a watcher hears is that it has caught up, in a message of a few bytes.
                let heard = read_until(&mut stream, is_frame).await?;
                ensure!(heard[2..].starts_with(b"\x01\x02"), "it may not watch: {}", heard.escape_ascii());
            }
            Running::Peer(_) if self.kind == Kind::Nats => {
                stream.write_all(b"SUB all 1\r\nPING\r\n").await?;
                read_until(&mut stream, |heard| heard.ends_with(b"PONG\r\n")).await?;
            }
            Running::Peer(_) => {}
        }
        Ok(stream.into_std()?)
    }

    /// Has all clients listen.
    pub(super) async fn listen_all(self: &Arc<Self>, streams: Vec<TcpStream>) -> Result<Vec<Given>> {
        let (mut all, mut streams) = (Vec::with_capacity(streams.len()), streams.into_iter());
        loop {
            let mut asking = JoinSet::new();
            for stream in streams.by_ref().take(100) {
                let server = Arc::clone(self);
                asking.spawn(async move { server.listen(stream).await });
            }
            if asking.is_empty() {
                return Ok(all);
            }
            for stream in asking.join_all().await {
                all.push(stream?);
            }
        }
    }

    /// Who says something to all clients.
    pub(super) async fn publisher(&self) -> Result<Publisher> {
        Ok(match &self.running {
            Running::Ours(ours) => Publisher::Graph(Box::new(Changes {
                client: ours.client.clone(),
                graph: ours.graph.clone(),
                running: JoinSet::new(),
            })),
            Running::Peer(_) if self.kind == Kind::Bare => {
                let mut stream = TcpStream::connect(&self.address).await?;
                shake_hands(&mut stream, bare::PUBLISH, "").await?;
                Publisher::Frames(stream)
            }
            Running::Peer(_) => Publisher::Lines(self.connect().await?),
        })
    }
}

/// Who says something to all.
pub(super) enum Publisher {
    /// Writes a change of a graph: it is on disk before anybody hears of it.
    Graph(Box<Changes>),
    /// Sends a message to the bare server.
    Frames(TcpStream),
    /// Sends a message to NATS.
    Lines(TcpStream),
}

/// Changes of a graph, of which many may be on their way.
pub(super) struct Changes {
    client: Client,
    graph: String,
    running: JoinSet<Result<(), Status>>,
}

impl Publisher {
    /// Says something, and does not wait for it to arrive anywhere.
    pub(super) async fn say(&mut self, text: &str) -> Result<()> {
        let message = format!("{text:.<MESSAGE$}");
        match self {
            Self::Graph(changes) => {
                let Changes { client, graph, running } = &mut **changes;
                while let Some(done) = running.try_join_next() {
                    done??;
                }
                let text = format!("{text:.<0$}", MESSAGE - AROUND);
                let node = Node { key: "n".into(), display_name: text, ..Node::default() };
                let request = graphs::changes(graph, vec![put_node(node)]);
                let mut graphs = client.graphs();
                running.spawn(async move { graphs.apply_changes(request).await.map(drop) });
            }
            Self::Frames(stream) => stream.write_all(&frame(message.as_bytes())).await?,
            Self::Lines(stream) => {
                stream.write_all(format!("PUB all {MESSAGE}\r\n{message}\r\n").as_bytes()).await?;
            }
        }
        Ok(())
    }
}

/// Makes a connection a WebSocket.
async fn shake_hands(stream: &mut TcpStream, path: &str, headers: &str) -> Result<()> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{headers}\r\n",
        stream.peer_addr()?
    );
    stream.write_all(request.as_bytes()).await?;
    let answer = read_until(stream, |heard| heard.ends_with(b"\r\n\r\n")).await?;
    ensure!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    Ok(())
}

/// A client's frame of up to 64 KiB: masked, with 16 bits of length; a mask of zeros changes nothing.
fn frame(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("they are small").to_be_bytes();
    [&[0x82, 0xfe], &length[..], &[0; 4], message].concat()
}

/// Whether a server's frame is there, and nothing more.
fn is_frame(heard: &[u8]) -> bool {
    match heard {
        [_, 126, high, low, message @ ..] => message.len() == usize::from(u16::from_be_bytes([*high, *low])),
        [_, length, message @ ..] => message.len() == usize::from(*length),
        _ => false,
    }
}

async fn read_until(stream: &mut TcpStream, is_enough: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>> {
    let mut heard = Vec::with_capacity(1024);
    let reading = async {
        while !is_enough(&heard) {
            ensure!(stream.read_buf(&mut heard).await? > 0, "closed after {}", heard.escape_ascii());
        }
        Ok(())
    };
    timeout(PATIENCE, reading).await.context("no answer")??;
    Ok(heard)
}

fn start_nats(program: &Path, folder: &Path) -> Result<Child> {
    let spawn = |program: &Path| {
        Command::new(program)
            .args(["--addr", "127.0.0.1", "--port", "-1", "--ports_file_dir"])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    };
    let child = match spawn(program) {
        // Not everybody's PATH leads to where the distribution puts it.
        Err(error) if error.kind() == ErrorKind::NotFound => spawn(&Path::new("/usr/sbin").join(program)),
        child => child,
    };
    child.with_context(|| format!("{} cannot be started: tools/setup bench installs it", program.display()))
}

/// Where NATS listens: it writes a file of that.
async fn ports(folder: &Path) -> Result<String> {
    loop {
        for entry in fs::read_dir(folder)? {
            let ports: Option<serde_json::Value> = serde_json::from_slice(&fs::read(entry?.path())?).ok();
            let url = ports.and_then(|ports| Some(ports["nats"][0].as_str()?.to_owned()));
            if let Some(url) = url {
                return Ok(url.trim_start_matches("nats://").to_owned());
            }
        }
        sleep(Duration::from_millis(20)).await;
    }
}
