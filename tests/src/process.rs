//! The real program in a process of its own, which can be killed.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

use rustix::process::{Resource, getrlimit, setrlimit};
use weft::node::NodeFile;

use crate::client::Client;

/// A process of the program over one data folder; it can be killed and started again.
#[derive(Debug)]
pub struct Process {
    data: PathBuf,
    listen: String,
    services: Vec<String>,
    settings: BTreeMap<String, String>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    /// Kept open: a program whose output nobody takes would notice.
    _output: BufReader<ChildStdout>,
}

impl Process {
    /// `weft up` over a folder; not yet started.
    pub fn up(data: &Path) -> Self {
        Self::serve(data, &[])
    }

    /// `weft serve SERVICE…` over a folder; not yet started.
    pub fn serve(data: &Path, services: &[&str]) -> Self {
        let services = services.iter().map(|name| (*name).to_owned()).collect();
        let process = Self {
            data: data.to_owned(),
            listen: "127.0.0.1:0".into(),
            services,
            settings: BTreeMap::new(),
            running: None,
        };
        // Nobody is held back by rates: tests are in a hurry.
        let classes = ["READ", "WRITE", "BULK", "STREAM", "SIGN_IN"];
        let rates = classes
            .iter()
            .flat_map(|class| ["PER_SECOND", "BURST"].map(|what| format!("LIMITS__RATE__{class}__{what}")));
        rates.fold(process, |process, rate| process.set(&rate, "1000000")).set("OBSERVE__LOG", "warn")
    }

    /// Sets one key of the configuration: `GRAPH__MAX_IMPORTS`.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.insert(format!("WEFT_{key}"), value.to_owned());
        self
    }

    /// Starts it, and waits until it says that it listens. Where it listens it stays, also when it is
    /// started again.
    ///
    /// # Panics
    /// It does not start; with its log.
    pub fn start(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        fs::create_dir_all(&self.data).expect("a folder can be made");
        let mut command = Command::new(binary());
        let mut name = "weft is up".to_owned();
        if self.services.is_empty() {
            // Most tests say themselves which agents there are.
            command.args(["up", "--no-host-agent"]);
        } else {
            command.arg("serve").args(&self.services);
            name = self.services.join(", ");
        }
        command.arg("--listen").arg(&self.listen).arg("--data").arg(&self.data);
        for (key, _) in env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("WEFT_")) {
            command.env_remove(key);
        }
        let log =
            OpenOptions::new().create(true).append(true).open(self.log_file()).expect("a log can be written");
        command.envs(&self.settings).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("the program can be started");
        let mut output = BufReader::new(child.stdout.take().expect("it was asked for"));
        let mut line = String::new();
        while !line.starts_with(&name) {
            line.clear();
            let read = output.read_line(&mut line).expect("it can be read");
            if read == 0 {
                let status = child.wait();
                panic!("the program did not start ({status:?}):\n{}", self.log());
            }
        }
        self.running = Some(Running { child, _output: output });
        self.listen.clone_from(&self.file().address);
    }

    /// What it tells of itself.
    pub fn file(&self) -> NodeFile {
        NodeFile::read(&self.data).expect("it can be read").expect("the node runs")
    }

    /// Its folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Base address.
    pub fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// The administrator's key.
    pub fn key(&self) -> String {
        let key =
            fs::read_to_string(self.data.join("admin.key")).expect("this node has the identity service");
        key.trim().to_owned()
    }

    /// The administrator, on a connection of their own.
    pub fn client(&self) -> Client {
        Client::new(&self.url(), Some(&self.key()))
    }

    /// Ends it as a power cut would, and waits until it is gone.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.child.kill().expect("it is ours");
            running.child.wait().expect("it is ours");
        }
    }

    /// Asks it to end (SIGTERM), and goes on.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Makes it silent: its sockets stay open, and nothing of it runs (SIGSTOP).
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on where it was.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(signal).arg(self.pid().to_string()).status();
        assert!(status.expect("there is a program kill").success());
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut running = self.running.take().expect("it runs");
        let wait = tokio::task::spawn_blocking(move || running.child.wait());
        wait.await.expect("waiting does not panic").expect("it is ours")
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.running.as_mut().is_some_and(|running| running.child.try_wait().expect("it is ours").is_none())
    }

    /// The most memory that it has had, in MiB; from now on it is counted anew.
    pub fn peak_memory(&self) -> u64 {
        peak_memory(self.pid())
    }

    /// What it logged so far, in all its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn pid(&self) -> u32 {
        self.running.as_ref().expect("it runs").child.id()
    }

    fn log_file(&self) -> PathBuf {
        self.data.with_extension("log")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            // The folder goes with the test; what the program said stays in the test's output.
            let log = self.log();
            let from = log.len().saturating_sub(4_000);
            eprintln!("log of {}:\n{}", self.data.display(), log.get(from..).unwrap_or(&log));
        }
    }
}

/// The most memory that a process of ours has had, in MiB; from now on it is counted anew.
///
/// # Panics
/// It does not run.
pub fn peak_memory(pid: u32) -> u64 {
    let of = format!("/proc/{pid}");
    let status = fs::read_to_string(format!("{of}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel tells");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    // 5 resets the high-water mark (proc(5)).
    fs::write(format!("{of}/clear_refs"), "5").expect("it is ours");
    kib / 1024
}

/// Lets this process, and those that it starts, open so many files if that may be: how many it is then.
pub fn open_files(wanted: u64) -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.current.map(|now| now.max(wanted.min(limit.maximum.unwrap_or(wanted))));
    // What may not be is told by what it is then.
    let _ = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// The program: `WEFT_BIN`, or the one that cargo built beside this test or load generator.
///
/// # Panics
/// It is not there.
pub fn binary() -> PathBuf {
    let path = env::var_os("WEFT_BIN").map_or_else(
        || {
            let this = env::current_exe().expect("a program knows where it is");
            let folder = this.parent().expect("a program is in a folder");
            // Tests are in target/<profile>/deps, programs in target/<profile>.
            let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
            folder.join("weft")
        },
        PathBuf::from,
    );
    assert!(
        File::open(&path).is_ok(),
        "{} is not there: build it with `cargo build -p weft`",
        path.display()
    );
    path
}
