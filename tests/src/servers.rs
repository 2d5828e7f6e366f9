//! PostgreSQL and Redis of a test's own, which it may kill.

use std::{
    env,
    fs::{self, File, Permissions},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use sqlx::{Connection, PgConnection};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How long a server may take to answer, after a death too.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server in a process of its own, with its data in a folder of its own.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Postgres,
    Redis,
}

impl Server {
    /// A PostgreSQL with an empty database, started. Its data are in a new folder of that name.
    ///
    /// # Panics
    /// None is installed (`tools/setup`), or it does not start.
    pub async fn postgres(folder: &Path) -> Self {
        Self::start_in(Kind::Postgres, folder).await
    }

    /// A Redis that keeps nothing, started.
    ///
    /// # Panics
    /// None is installed (`tools/setup`), or it does not start.
    pub async fn redis(folder: &Path) -> Self {
        Self::start_in(Kind::Redis, folder).await
    }

    async fn start_in(kind: Kind, folder: &Path) -> Self {
        fs::create_dir(folder).expect("a folder can be made");
        // PostgreSQL may be another user.
        for folder in [folder.parent().expect("it is in a folder"), folder] {
            fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("it is ours");
        }
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("it is bound").port();
        drop(free);
        let mut server = Self { kind, folder: folder.to_owned(), port, child: None };
        if let Kind::Postgres = kind {
            if is_root() {
                let done = Command::new("chown").arg("postgres").arg(folder).status();
                assert!(done.expect("there is a program chown").success(), "there is a user postgres");
            }
            let mut command = server.program("initdb");
            command.args(["-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"]);
            let done = command.output().expect("PostgreSQL is installed (tools/setup)");
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }
        server.start().await;
        server
    }

    /// Its address.
    pub fn url(&self) -> String {
        match self.kind {
            Kind::Postgres => format!("postgres://postgres@127.0.0.1:{}/postgres", self.port),
            Kind::Redis => format!("redis://127.0.0.1:{}", self.port),
        }
    }

    /// Starts it again where it was, and waits until it answers.
    ///
    /// # Panics
    /// It does not answer.
    pub async fn start(&mut self) {
        let answers = async {
            loop {
                // What is left of the one that was killed may be in the way for a moment.
                let runs =
                    self.child.as_mut().is_some_and(|child| child.try_wait().expect("it is ours").is_none());
                if !runs {
                    self.child = Some(self.command().spawn().expect("it is installed (tools/setup)"));
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
                if self.answers().await {
                    return;
                }
            }
        };
        let is_there = tokio::time::timeout(PATIENCE, answers).await.is_ok();
        let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        assert!(is_there, "it does not start:\n{}", log());
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It is ours; it may have ended.
            drop(child.kill());
            drop(child.wait());
        }
    }

    fn command(&self) -> Command {
        let port = self.port.to_string();
        let mut command = match self.kind {
            Kind::Postgres => {
                let mut command = self.program("postgres");
                command.args([
                    "-D",
                    "data",
                    "-h",
                    "127.0.0.1",
                    "-p",
                    &port,
                    "-c",
                    "max_connections=200",
                    "-k",
                ]);
                command.arg(&self.folder);
                command
            }
            Kind::Redis => {
                let mut command = Command::new("redis-server");
                command.args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"]);
                command.current_dir(&self.folder);
                command
            }
        };
        let log =
            File::options().create(true).append(true).open(self.folder.join("log")).expect("there is room");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("it is open")).stderr(log);
        command
    }

    /// A program of PostgreSQL, as somebody who may run it: it refuses to be root.
    fn program(&self, name: &str) -> Command {
        let path = postgres_programs().join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir(&self.folder);
        command
    }

    async fn answers(&self) -> bool {
        match self.kind {
            Kind::Postgres => match PgConnection::connect(&self.url()).await {
                Ok(connection) => connection.close().await.is_ok(),
                Err(_) => false,
            },
            Kind::Redis => {
                let Ok(mut socket) = TcpStream::connect(("127.0.0.1", self.port)).await else { return false };
                let mut answer = [0; 5];
                socket.write_all(b"PING\r\n").await.is_ok()
                    && socket.read_exact(&mut answer).await.is_ok()
                    && &answer == b"+PONG"
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The newest of Debian's, or those in `PATH`.
fn postgres_programs() -> PathBuf {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = debian.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max();
    if let Some(newest) = newest {
        return format!("/usr/lib/postgresql/{newest}/bin").into();
    }
    let paths = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&paths).find(|path| path.join("initdb").exists());
    found.expect("PostgreSQL is installed (tools/setup)")
}
