//! Services that this agent keeps running: those of its `agent.toml`, and those that were added by a call.
//!
//! `spec` says what one is; `store` keeps those that were added; `order` who waits for whom; `unit` is one's life, with
//! `next` for what follows an end, `probe` for how it is, and `log` for what it writes; `calls` answers what is asked.

mod calls;
mod log;
mod next;
mod order;
mod probe;
pub(crate) mod spec;
mod store;
mod unit;

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tokio::{sync::watch, time::timeout};
use uuid::Uuid;
use weft_kit::{Clock, Ids, Lifecycle, auth};
use weft_store::Timestamp;

use self::{
    log::Log,
    order::Needs,
    spec::Spec,
    store::{Record, Store},
    unit::{Status, Unit, Want},
};

/// Where programs that services run look for others.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How long the end of a service may take beyond its grace.
const BEYOND_GRACE: Duration = Duration::from_secs(5);

/// What keeps services running. `None` where another program works from the same folder.
#[derive(Clone)]
pub(crate) struct Services(Option<Arc<Inner>>);

struct Inner {
    /// Where logs are: a folder for each service.
    folder: PathBuf,
    /// What processes of services are known by, before their names.
    mark: String,
    /// Programs that services which are added may run.
    programs: Vec<PathBuf>,
    store: Store,
    kept: Mutex<BTreeMap<String, Arc<Kept>>>,
    /// Changes are made one after another.
    changing: tokio::sync::Mutex<()>,
    /// Restarts that were asked for, the newest last: a repeat does nothing.
    restarts: Mutex<VecDeque<String>>,
    ids: Ids,
    /// Whose tasks services are.
    life: Lifecycle,
}

/// A service.
struct Kept {
    record: Mutex<Record>,
    spec: watch::Sender<Arc<Spec>>,
    want: watch::Sender<Want>,
    status: watch::Receiver<Status>,
    newest: watch::Receiver<u64>,
}

impl Services {
    /// Opens them, and starts those that start with the agent. What an earlier life has left running was ended when the
    /// journal of commands was opened: processes of services have the same mark.
    ///
    /// # Errors
    /// What is written of a service cannot be, or the folder cannot be used.
    pub(crate) fn open(home: &Path, configured: &[Spec], programs: &[PathBuf]) -> Result<Self> {
        let home = home.canonicalize()?;
        let Some((store, added)) = Store::open(&home)? else { return Ok(Self(None)) };
        let inner = Arc::new(Inner {
            folder: home.join("services"),
            mark: format!("{}:service:", home.display()),
            programs: programs.to_vec(),
            store,
            kept: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            restarts: Mutex::default(),
            ids: Ids::system(),
            life: Lifecycle::new(),
        });
        for spec in configured {
            if let Some((field, problem)) = spec.fault() {
                anyhow::bail!("the service {:?} of agent.toml: {field} {problem}", spec.name);
            }
            let is_new = inner.keep(configured_record(&home, spec)).with_context(|| spec.name.clone())?;
            ensure!(is_new, "agent.toml has two services {:?}", spec.name);
        }
        for record in added {
            let name = record.spec.name.clone();
            if !inner.keep(record).with_context(|| name.clone())? {
                tracing::warn!(service = name, "agent.toml has a service of this name, and counts");
            }
        }
        if let Err(circle) = order::order(&inner.needs()) {
            anyhow::bail!("these services need each other: {}", circle.join(", "));
        }
        for kept in inner.all() {
            if !kept.spec.borrow().manual {
                kept.want.send_replace(Want::Up(1));
            }
        }
        Ok(Self(Some(inner)))
    }

    /// Ends all of them, each before what it needs.
    pub(crate) async fn stop(&self) {
        let Some(inner) = &self.0 else { return };
        let _one_at_a_time = inner.changing.lock().await;
        let needs = inner.needs();
        let names = order::order(&needs).unwrap_or_else(|_| needs.keys().cloned().collect());
        for name in names.iter().rev() {
            if let Some(kept) = inner.find(name) {
                kept.down().await;
            }
        }
    }

    /// Whether anything can be asked of them.
    pub(crate) fn is_open(&self) -> bool {
        self.0.as_ref().is_some_and(|inner| !inner.programs.is_empty() || !inner.lock().is_empty())
    }
}

/// A service of `agent.toml`: its identity is its place.
fn configured_record(home: &Path, spec: &Spec) -> Record {
    let digest = auth::digest(&format!("{}:{}", home.display(), spec.name));
    let now = now();
    Record {
        spec: spec.clone(),
        uid: Uuid::from_slice(&digest[..16]).unwrap_or_default().to_string(),
        created: now,
        updated: now,
        request_id: String::new(),
        is_configured: true,
    }
}

/// Microseconds since 1970.
fn now() -> i64 {
    Timestamp::from(Clock::system().now()).as_micros()
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Kept>>> {
        self.kept.lock().expect("nobody panics with it")
    }

    fn all(&self) -> Vec<Arc<Kept>> {
        self.lock().values().cloned().collect()
    }

    fn find(&self, name: &str) -> Option<Arc<Kept>> {
        self.lock().get(name).cloned()
    }

    fn needs(&self) -> Needs {
        let needed =
            |(name, kept): (&String, &Arc<Kept>)| (name.clone(), kept.spec.borrow().depends_on.clone());
        self.lock().iter().map(needed).collect()
    }

    /// Begins a service's life, down; whether there was none of its name.
    fn keep(self: &Arc<Self>, record: Record) -> std::io::Result<bool> {
        let name = record.spec.name.clone();
        if self.lock().contains_key(&name) {
            return Ok(false);
        }
        let log = Log::open(&self.folder.join(&name))?;
        let (spec, spec_read) = watch::channel(Arc::new(record.spec.clone()));
        let (want, wanted) = watch::channel(Want::Down);
        let (tell, status) = watch::channel(Status::stopped());
        let (write, newest) = watch::channel(log.newest());
        let others = Arc::downgrade(self);
        let unit = Unit {
            mark: format!("{}{name}", self.mark),
            spec: spec_read,
            want: wanted,
            status: tell,
            log: Arc::new(Mutex::new(log)),
            newest: write,
            needed: Box::new(move |name: &str| Some(others.upgrade()?.find(name)?.status.clone())),
        };
        self.life.spawn_future(unit.live());
        let kept = Kept { record: Mutex::new(record), spec, want, status, newest };
        self.lock().insert(name, Arc::new(kept));
        Ok(true)
    }

    /// Writes down all that were added, with one changed (`Some`) or left out.
    fn write(&self, name: &str, changed: Option<&Record>) -> std::io::Result<()> {
        let others: Vec<Record> = self.all().iter().map(|kept| kept.record()).collect();
        let is_other = |record: &&Record| !record.is_configured && record.spec.name != name;
        let all: Vec<&Record> = others.iter().filter(is_other).chain(changed).collect();
        self.store.write(&all)
    }
}

impl Kept {
    fn record(&self) -> Record {
        self.record.lock().expect("nobody panics with it").clone()
    }

    /// Wants it to run, begun anew where it was given up or has ended.
    fn up(&self, anew: bool) {
        let is_down = self.status.borrow().is_down();
        self.want.send_if_modified(|want| {
            let next = match *want {
                Want::Down => Want::Up(1),
                Want::Up(number) if anew || is_down => Want::Up(number + 1),
                Want::Up(_) => return false,
            };
            *want = next;
            true
        });
    }

    /// Wants it to end, and waits until it has.
    async fn down(&self) {
        let grace = self.spec.borrow().stop_grace;
        self.want.send_replace(Want::Down);
        let mut status = self.status.clone();
        if timeout(grace + BEYOND_GRACE, status.wait_for(Status::is_down)).await.is_err() {
            tracing::error!("a service does not end");
        }
    }
}
