//! Who is measured: our program, and VictoriaMetrics and Prometheus where they are installed. Each is a process with a new
//! folder, and is ended with it.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::net::TcpStream;
use weft_tests::process::{Process, peak_memory};

/// How long a server may take to begin.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ours,
    VictoriaMetrics,
    Prometheus,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ours => "weft",
            Self::VictoriaMetrics => "VictoriaMetrics",
            Self::Prometheus => "Prometheus",
        }
    }

    /// Its program.
    const fn program(self) -> &'static str {
        match self {
            Self::Ours => "weft",
            Self::VictoriaMetrics => "victoria-metrics",
            Self::Prometheus => "prometheus",
        }
    }

    /// Whether it can be measured here.
    pub(super) fn is_there(self) -> bool {
        self == Self::Ours || Command::new(self.program()).arg("--version").output().is_ok()
    }
}

/// A server that runs.
pub(super) struct Server {
    pub(super) address: String,
    /// Its credential, if it has one.
    pub(super) key: Option<String>,
    running: Running,
    _folder: TempDir,
}

enum Running {
    Ours(Box<Process>),
    Peer(Child),
}

impl Server {
    pub(super) async fn start(kind: Kind) -> Result<Self> {
        let folder = TempDir::new()?;
        if kind == Kind::Ours {
            let unlimited = u32::MAX.to_string();
            let mut process = Process::up(&folder.path().join("data"));
            for class in ["READ", "WRITE", "STREAM"] {
                process = process
                    .set(&format!("LIMITS__RATE__{class}__PER_SECOND"), &unlimited)
                    .set(&format!("LIMITS__RATE__{class}__BURST"), &unlimited);
            }
            // So that a small run is sealed too, and its bytes can be counted.
            process = process.set("TELEMETRY__SEAL_SAMPLES", "1000000").set("LIMITS__MAX_STREAMS", "4000");
            process.start();
            let (address, key) = (process.file().address, Some(process.key()));
            let running = Running::Ours(Box::new(process));
            return Ok(Self { address, key, running, _folder: folder });
        }
        // Nobody else takes it in between, on a machine that is measured on.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = peer(kind, address, folder.path())?;
        let server =
            Self { address: address.to_string(), key: None, running: Running::Peer(child), _folder: folder };
        server.wait().await?;
        Ok(server)
    }

    async fn wait(&self) -> Result<()> {
        let until = tokio::time::Instant::now() + PATIENCE;
        while TcpStream::connect(&self.address).await.is_err() {
            if tokio::time::Instant::now() > until {
                bail!("nobody listens at {}", self.address);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// The most memory that it had, in MB.
    pub(super) fn peak_megabytes(&self) -> f64 {
        let pid = match &self.running {
            Running::Ours(process) => process.file().pid,
            Running::Peer(child) => child.id(),
        };
        peak_memory(pid) as f64 * 1.048_576
    }
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

fn peer(kind: Kind, address: SocketAddr, folder: &Path) -> Result<Child> {
    let mut command = Command::new(kind.program());
    let folder_text = folder.display();
    match kind {
        Kind::VictoriaMetrics => {
            command.args([
                format!("-httpListenAddr={address}"),
                format!("-storageDataPath={folder_text}/data"),
                "-retentionPeriod=1".to_owned(),
                // As with the others, each query is worked out.
                "-search.disableCache".to_owned(),
                "-search.latencyOffset=0s".to_owned(),
            ]);
        }
        Kind::Prometheus | Kind::Ours => {
            let file = folder.join("prometheus.yml");
            std::fs::write(&file, "global: {}\n")?;
            command.args([
                format!("--config.file={}", file.display()),
                format!("--web.listen-address={address}"),
                format!("--storage.tsdb.path={folder_text}/data"),
                "--web.enable-remote-write-receiver".to_owned(),
            ]);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().with_context(|| format!("{} cannot be started", kind.program()))
}
