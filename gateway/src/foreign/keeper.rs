//! Keeps the services of the configuration in the gateway's tables: loads their contracts, looks at them again,
//! and tries again what did not work.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use weft_kit::{
    TaskKind,
    client::{Circuit, Remote},
    config::ClientOptions,
    server::{self, Guards, Reflection},
};
use weft_proto::Methods;

use super::{
    Foreign, UpstreamOptions, clash,
    contracts::{Contracts, Files},
    source,
};
use crate::{GatewayError, Upstreams, shared::Shared, tables::Tables};

/// Pause after the first attempt that fails; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest one, and the shortest time between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const SHORTEST_REFRESH: Duration = Duration::from_millis(100);

/// Keeps services that weft was not built with. Clones share everything.
#[derive(Clone)]
pub struct Keeper(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    own: Upstreams,
    guards: Guards,
    client: ClientOptions,
    reflection: OnceLock<Reflection>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: BTreeMap<String, Kept>,
    /// In the order in which they came: a name belongs to who had it first.
    serving: Vec<Serving>,
}

impl State {
    /// Ends the task of an upstream, and forgets it.
    fn stop(&mut self, name: &str) -> Option<Kept> {
        let kept = self.kept.remove(name)?;
        kept.stop.cancel();
        Some(kept)
    }
}

/// An upstream of the configuration.
struct Kept {
    name: Arc<str>,
    options: UpstreamOptions,
    /// The way to it; `None` where its address is none.
    remote: Option<Remote>,
    /// Ends its task.
    stop: CancellationToken,
    /// Makes its task look at once.
    wake: Arc<Notify>,
    problem: Option<String>,
}

/// What is served of it, and the files that say so.
#[derive(Clone)]
struct Serving {
    foreign: Arc<Foreign>,
    files: Files,
}

impl Keeper {
    pub(crate) fn new(shared: Arc<Shared>, own: Upstreams, guards: Guards, client: ClientOptions) -> Self {
        let reflection = OnceLock::new();
        Self(Arc::new(Inner { shared, own, guards, client, reflection, state: Mutex::default() }))
    }

    /// Lets `reflection` tell of what is kept, always as it is served. The first one counts.
    pub fn told_by(&self, reflection: Reflection) {
        let reflection = self.0.reflection.get_or_init(|| reflection);
        reflection.tell_of(contracts(&self.0.lock().serving));
    }

    /// Makes `wanted` the upstreams that are kept, and looks at all of them again. New ones are served as soon
    /// as their contracts are known; of removed ones no call begins any more, and those that run may end.
    pub fn apply(&self, wanted: &BTreeMap<String, UpstreamOptions>) {
        let mut state = self.0.lock();
        let gone: Vec<String> =
            state.kept.keys().filter(|name| !wanted.contains_key(*name)).cloned().collect();
        for name in gone {
            state.stop(&name);
            state.serving.retain(|serving| *serving.foreign.name != *name);
            tracing::info!(upstream = name, "an upstream is removed");
        }
        for (name, options) in wanted {
            match state.kept.get(name) {
                Some(kept) if kept.options == *options => kept.wake.notify_one(),
                _ => self.0.begin(&mut state, name, options),
            }
        }
        if let Err(error) = self.0.publish(&mut state, None) {
            // Less than what was served before is served without a clash.
            tracing::error!(%error, "the tables cannot be made");
        }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    /// The upstreams that are not served as they should be, and why.
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let state = self.0.lock();
        let of = |(name, kept): (&String, &Kept)| Some((name.clone(), kept.problem.clone()?));
        state.kept.iter().filter_map(of).collect()
    }
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Keeper").field("kept", &self.0.lock().kept.keys()).finish_non_exhaustive()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to keep an upstream that is new, or is to be kept in another way.
    fn begin(self: &Arc<Self>, state: &mut State, name: &str, options: &UpstreamOptions) {
        let before = state.stop(name);
        let known = before.filter(|before| before.options.is_same_place(options));
        let opened = match known.and_then(|before| before.remote) {
            Some(remote) => Ok(remote),
            None => self.open(options),
        };
        let (remote, problem) = match opened {
            Ok(remote) => (Some(remote), None),
            Err(problem) => (None, Some(problem)),
        };
        let name: Arc<str> = Arc::from(name);
        self.govern_anew(state, &name, options, remote.as_ref());
        if let Some(problem) = &problem {
            tracing::warn!(upstream = %name, problem, "an upstream cannot be served");
        }
        let kept = Kept {
            name: Arc::clone(&name),
            options: options.clone(),
            remote: remote.clone(),
            stop: CancellationToken::new(),
            wake: Arc::default(),
            problem,
        };
        if remote.is_some() {
            self.watch(&kept);
        }
        state.kept.insert(name.to_string(), kept);
    }

    fn open(&self, options: &UpstreamOptions) -> Result<Remote, String> {
        if !["http://", "https://"].iter().any(|scheme| options.address.starts_with(scheme)) {
            return Err(format!("its address must be http(s)://host:port, not {:?}", options.address));
        }
        let client = ClientOptions { connections: options.connections, ..self.client.clone() };
        let (ids, lifecycle) = (self.guards.ids.clone(), &self.guards.lifecycle);
        Remote::open(&options.address, &options.tls(), &client, ids, lifecycle, Circuit::Breaks)
    }

    /// What was served so far goes on, until the contracts are known anew, under the new rules: who may call
    /// and how much must not wait for a service that does not answer.
    fn govern_anew(
        &self,
        state: &mut State,
        name: &Arc<str>,
        options: &UpstreamOptions,
        remote: Option<&Remote>,
    ) {
        let Some(at) = state.serving.iter().position(|serving| *serving.foreign.name == **name) else {
            return;
        };
        let files = state.serving[at].files.clone();
        let remote = remote.unwrap_or(&state.serving[at].foreign.remote).clone();
        let again = Contracts::read(files, &options.services)
            .and_then(|contracts| Foreign::new(name, options, &contracts, &remote, &self.guards));
        match again {
            Ok(foreign) => state.serving[at].foreign = Arc::new(foreign),
            Err(_) => drop(state.serving.remove(at)),
        }
    }

    /// Starts the task of an upstream.
    fn watch(self: &Arc<Self>, kept: &Kept) {
        let watched = Watched {
            inner: Arc::clone(self),
            name: Arc::clone(&kept.name),
            options: kept.options.clone(),
            stop: kept.stop.clone(),
            wake: Arc::clone(&kept.wake),
        };
        let Some(remote) = kept.remote.clone() else { return };
        self.guards.lifecycle.spawn("upstream", TaskKind::Background, move |life| {
            let (watched, remote) = (watched.clone(), remote.clone());
            async move {
                tokio::select! {
                    () = watched.run(&remote) => {}
                    () = watched.stop.cancelled() => {}
                    () = life.draining() => {}
                }
                Ok::<_, std::convert::Infallible>(())
            }
        });
    }

    /// Makes the tables, with `candidate` in its place. If that cannot be, all stays as it is.
    fn publish(&self, state: &mut State, candidate: Option<Serving>) -> Result<(), GatewayError> {
        let mut serving = state.serving.clone();
        if let Some(candidate) = candidate {
            match serving.iter_mut().find(|serving| serving.foreign.name == candidate.foreign.name) {
                Some(before) => *before = candidate,
                None => serving.push(candidate),
            }
        }
        let foreign: Vec<_> = serving.iter().map(|serving| Arc::clone(&serving.foreign)).collect();
        let shared = &self.shared;
        let draining = shared.lifecycle.draining_token();
        let tables = Tables::new(&self.own, &shared.pool, &shared.options.title, &foreign, &draining)?;
        self.shared.tables.store(Arc::new(tables));
        if let Some(reflection) = self.reflection.get() {
            reflection.tell_of(contracts(&serving));
        }
        state.serving = serving;
        Ok(())
    }
}

/// What is told of what is served.
fn contracts(serving: &[Serving]) -> Vec<server::Contracts> {
    let of = |Serving { foreign, .. }: &Serving| {
        let services =
            foreign.methods.iter().map(|method| method.descriptor.parent_service().full_name().to_owned());
        server::Contracts::new(foreign.pool.clone(), services)
    };
    serving.iter().map(of).collect()
}

/// What the task of an upstream knows.
#[derive(Clone)]
struct Watched {
    inner: Arc<Inner>,
    name: Arc<str>,
    options: UpstreamOptions,
    stop: CancellationToken,
    wake: Arc<Notify>,
}

impl Watched {
    async fn run(&self, remote: &Remote) {
        let asked = remote.peer(Arc::new(Methods::default()));
        let mut pause = FIRST_PAUSE;
        let longest = LONGEST_PAUSE.min(self.options.refresh.max(FIRST_PAUSE));
        loop {
            let loaded = source::load(&self.options, &asked).await.map_err(|error| error.to_string());
            let problem = loaded.and_then(|files| self.take(files, remote)).err();
            let next = if problem.is_none() {
                pause = FIRST_PAUSE;
                self.options.refresh.max(SHORTEST_REFRESH)
            } else {
                let next = pause;
                pause = (pause * 2).min(longest);
                next
            };
            self.note(problem);
            tokio::select! {
                () = tokio::time::sleep(next) => {}
                () = self.wake.notified() => pause = FIRST_PAUSE,
            }
        }
    }

    /// Serves what the files say, unless that is what is served already.
    fn take(&self, files: Files, remote: &Remote) -> Result<(), String> {
        let inner = &self.inner;
        let mut state = inner.lock();
        // Asked under the lock: who stops a task has the lock too, and no file of its may come in later.
        if self.stop.is_cancelled() {
            return Ok(());
        }
        let before = state.serving.iter().find(|serving| serving.foreign.name == self.name);
        if before.is_some_and(|before| before.files == files) {
            return Ok(());
        }
        let contracts =
            Contracts::read(files.clone(), &self.options.services).map_err(|error| error.to_string())?;
        let others = state.serving.iter().map(|serving| &*serving.foreign);
        let others = others.filter(|other| other.name != self.name);
        clash::check(&contracts, &inner.shared.pool, others).map_err(|error| error.to_string())?;
        let foreign = Foreign::new(&self.name, &self.options, &contracts, remote, &inner.guards)
            .map_err(|error| error.to_string())?;
        let methods = foreign.methods.iter().count();
        let serving = Serving { foreign: Arc::new(foreign), files };
        inner.publish(&mut state, Some(serving)).map_err(|error| error.to_string())?;
        tracing::info!(upstream = %self.name, methods, "an upstream is served");
        Ok(())
    }

    /// Remembers what is wrong, and says it once.
    fn note(&self, problem: Option<String>) {
        let mut state = self.inner.lock();
        if self.stop.is_cancelled() {
            return;
        }
        let Some(kept) = state.kept.get_mut(&*self.name) else { return };
        if kept.problem != problem {
            if let Some(problem) = &problem {
                tracing::warn!(upstream = %self.name, problem, "an upstream cannot be served as it is now");
            }
            kept.problem = problem;
        }
    }
}
