//! One service's life: started when it is wanted and what it needs runs, watched, started again, and ended with all of
//! its processes.

use std::{
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use rustix::process::Pid;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    sync::watch,
    time::{Instant, sleep, timeout},
};
use weft_kit::Clock;
use weft_proto::weft::{agent::v1::ServiceState, command::v1::OutputStream};
use weft_store::Timestamp;

use super::{
    log::{Lines, Log},
    next::{self, Next},
    probe::{self, Health, Series},
    spec::Spec,
};
use crate::agent::work::tree;

/// How long what was written last may take to be read when all processes have ended.
const REST: Duration = Duration::from_secs(2);
/// What is read at once.
const CHUNK: usize = 16 << 10;

/// What people want of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Down,
    /// Another number: begun anew.
    Up(u64),
}

/// How a service is.
#[derive(Clone, Debug)]
pub(super) struct Status {
    pub(super) state: ServiceState,
    pub(super) since: prost_types::Timestamp,
    /// 0: it does not run.
    pub(super) process_id: i64,
    /// How it ended last, as shells number it.
    pub(super) exit_code: Option<i32>,
    /// Why it is as it is, for people.
    pub(super) message: String,
    /// How often it was started again by itself since somebody has started it.
    pub(super) restarts: u32,
    pub(super) next_start: Option<prost_types::Timestamp>,
}

impl Status {
    pub(super) fn stopped() -> Self {
        Self {
            state: ServiceState::Stopped,
            since: Clock::system().now().into(),
            process_id: 0,
            exit_code: None,
            message: String::new(),
            restarts: 0,
            next_start: None,
        }
    }

    /// Whether what needs it may start.
    pub(super) fn is_there(&self) -> bool {
        self.state == ServiceState::Running
    }

    /// Whether nothing of it runs, or is about to.
    pub(super) fn is_down(&self) -> bool {
        matches!(self.state, ServiceState::Stopped | ServiceState::Failed)
    }
}

/// Tells how the service of that name is; nothing where there is none.
pub(super) type Needed = Box<dyn Fn(&str) -> Option<watch::Receiver<Status>> + Send + Sync>;

/// One service.
pub(super) struct Unit {
    /// What its processes are known by.
    pub(super) mark: String,
    pub(super) spec: watch::Receiver<Arc<Spec>>,
    pub(super) want: watch::Receiver<Want>,
    pub(super) status: watch::Sender<Status>,
    pub(super) log: Arc<Mutex<Log>>,
    /// Number of the newest line of the log.
    pub(super) newest: watch::Sender<u64>,
    /// How what it needs is.
    pub(super) needed: Needed,
}

/// How a run ended.
enum End {
    /// Somebody wanted it to.
    Told,
    Alone {
        code: Option<i32>,
        message: String,
    },
}

impl Unit {
    /// Until nobody can want anything of it any more; then nothing of it runs.
    pub(super) async fn live(mut self) {
        let mut row = 0;
        loop {
            // Where nobody can want anything any more, nothing is wanted.
            let is_over = self.want.has_changed().is_err();
            let want = if is_over { Want::Down } else { *self.want.borrow_and_update() };
            let number = match want {
                Want::Up(number) => number,
                Want::Down => {
                    row = 0;
                    self.tell(ServiceState::Stopped, |status| status.restarts = 0);
                    if self.want.changed().await.is_err() {
                        return;
                    }
                    continue;
                }
            };
            self.tell(ServiceState::Starting, |_| {});
            if !self.is_needed_there(number).await {
                continue;
            }
            let began = Instant::now();
            let End::Alone { code, message } = self.run(number).await else { continue };
            let restart = self.spec.borrow().restart;
            if next::was_long(restart, began.elapsed()) {
                row = 0;
            }
            let next = next::next(restart, code != Some(0), row);
            let note = |status: &mut Status| {
                status.exit_code = code;
                status.message = message;
            };
            let patience = match next {
                Next::Stopped => {
                    self.tell(ServiceState::Stopped, note);
                    None
                }
                Next::Failed => {
                    self.tell(ServiceState::Failed, note);
                    None
                }
                Next::Again(pause) => {
                    row += 1;
                    self.tell(ServiceState::BackingOff, |status| {
                        note(status);
                        status.restarts += 1;
                        status.next_start = Some((Clock::system().now() + pause).into());
                    });
                    Some(pause)
                }
            };
            let pause = async {
                match patience {
                    Some(pause) => sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = pause => {}
                () = wants_another(&mut self.want, number) => {
                    row = 0;
                    self.status.send_modify(|status| status.restarts = 0);
                }
            }
        }
    }

    /// Waits for what it needs; whether it is still wanted.
    async fn is_needed_there(&mut self, number: u64) -> bool {
        let needed: Vec<_> =
            self.spec.borrow().depends_on.iter().filter_map(|name| (self.needed)(name)).collect();
        let there = async {
            for mut status in needed {
                // What is taken away is not waited for.
                drop(status.wait_for(Status::is_there).await);
            }
        };
        tokio::select! {
            () = there => true,
            () = wants_another(&mut self.want, number) => false,
        }
    }

    /// One run, from its process to the end of all of them.
    async fn run(&mut self, number: u64) -> End {
        let spec = Arc::clone(&self.spec.borrow_and_update());
        let mut child = match command(&spec, &self.mark).spawn() {
            Ok(child) => child,
            Err(error) => return End::Alone { code: None, message: error.to_string() },
        };
        let process = child.id();
        let state = if spec.probe.is_some() { ServiceState::Starting } else { ServiceState::Running };
        self.tell(state, |status| status.process_id = process.map_or(0, i64::from));
        let group = process.and_then(|id| Pid::from_raw(id.cast_signed()));
        let (log, newest) = (Arc::clone(&self.log), self.newest.clone());
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let reading = async {
            tokio::join!(
                keep(out, OutputStream::Stdout, &log, &newest),
                keep(err, OutputStream::Stderr, &log, &newest)
            )
        };
        tokio::pin!(reading);
        let end = {
            let life = self.follow(&spec, &mut child, group, number);
            tokio::pin!(life);
            tokio::select! {
                end = &mut life => {
                    // All that could write are gone.
                    drop(timeout(REST, &mut reading).await);
                    end
                }
                _ = &mut reading => life.await,
            }
        };
        self.status.send_modify(|status| status.process_id = 0);
        end
    }

    /// Watches a process until it has ended, and ends all that have come of it.
    async fn follow(&mut self, spec: &Spec, child: &mut Child, group: Option<Pid>, number: u64) -> End {
        let status = &self.status;
        let health = async {
            match &spec.probe {
                Some(probe) => watch_over(probe, status).await,
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            status = child.wait() => Some(status),
            () = wants_another(&mut self.want, number) => None,
            () = health => None,
        };
        if ended.is_none() {
            self.tell(ServiceState::Stopping, |_| {});
            tree::ask(group, &self.mark).await;
            drop(timeout(spec.stop_grace, child.wait()).await);
        }
        // Whoever has ended, children of it may be left.
        tree::end(group, &self.mark).await;
        let last = child.wait().await;
        let Some(ended) = ended else {
            let code = last.ok().map(code);
            self.status.send_modify(|status| status.exit_code = code);
            return End::Told;
        };
        match ended {
            Ok(status) => {
                let code = code(status);
                End::Alone { code: Some(code), message: format!("it ended with exit code {code}") }
            }
            Err(error) => End::Alone { code: None, message: error.to_string() },
        }
    }

    /// Says how it is; since when, where that is something else than before.
    fn tell(&self, state: ServiceState, also: impl FnOnce(&mut Status)) {
        self.status.send_modify(|status| {
            if status.state != state {
                status.state = state;
                status.since = Clock::system().now().into();
                status.message.clear();
                status.next_start = None;
            }
            also(status);
        });
    }
}

/// Once something else is wanted than it running as this number, or nobody can want anything.
async fn wants_another(want: &mut watch::Receiver<Want>, number: u64) {
    drop(want.wait_for(|want| *want != Want::Up(number)).await);
}

/// Tries a probe again and again, and tells what comes of it.
async fn watch_over(probe: &super::spec::Probe, status: &watch::Sender<Status>) {
    let (mut series, mut health) = (Series::new(), Health::Unknown);
    loop {
        sleep(probe::pause(probe, health)).await;
        health = series.take(probe::is_well(probe).await, probe.failures);
        let state = match health {
            Health::Unknown => continue,
            Health::Well => ServiceState::Running,
            Health::Unhealthy => ServiceState::Unhealthy,
        };
        status.send_if_modified(|status| {
            let is_new = status.state != state;
            if is_new {
                status.state = state;
                status.since = Clock::system().now().into();
            }
            is_new
        });
    }
}

fn command(spec: &Spec, mark: &str) -> Command {
    let program: PathBuf = "/proc/self/exe".into();
    let mut command = Command::new(program);
    command
        .args(["agent", "launch", "--"])
        .arg(&spec.program)
        .args(&spec.arguments)
        .current_dir(&spec.folder)
        .env_clear()
        .env("PATH", super::PATH)
        .envs(&spec.environment)
        .env(tree::MARK, mark)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    command
}

/// As shells number it.
fn code(status: std::process::ExitStatus) -> i32 {
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    status.code().or(signal.map(|signal| 128 + signal)).unwrap_or(-1)
}

/// Writes down what a process writes, until nobody can write any more.
async fn keep(
    stream: Option<impl AsyncRead + Unpin>,
    which: OutputStream,
    log: &Mutex<Log>,
    newest: &watch::Sender<u64>,
) {
    let Some(mut stream) = stream else { return };
    let (mut chunk, mut lines) = (vec![0; CHUNK], Lines::default());
    while let Ok(count @ 1..) = stream.read(&mut chunk).await {
        write(log, newest, which, &lines.take(&chunk[..count]));
    }
    write(log, newest, which, &lines.rest().into_iter().collect::<Vec<_>>());
}

fn write(log: &Mutex<Log>, newest: &watch::Sender<u64>, which: OutputStream, texts: &[String]) {
    if texts.is_empty() {
        return;
    }
    let micros = Timestamp::from(Clock::system().now()).as_micros();
    let mut log = log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Err(error) = log.write(micros, which, texts) {
        tracing::warn!(%error, "lines of a service's log are lost");
    }
    newest.send_replace(log.newest());
}
