//! Knowledge files: notes, documents and tables in folders that the owner of this host has opened in `agent.toml`.
//!
//! Nobody is told of them who does not ask. The first question begins a look at all folders, on a thread of its own that
//! gives way to everything else; later ones begin another where the last one is some time ago, which reads only what has
//! changed. `settings` says which folders; `walk` finds files, `kind` says what they are, `read` what is in them; `scan` is
//! one look, `index` what is known after it; `list` and `search` answer what is asked of it, `count` counts, `text` reads
//! one file.

mod count;
mod index;
mod kind;
mod list;
mod read;
mod scan;
mod search;
pub(crate) mod settings;
mod text;
mod walk;

#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};
use weft_proto::weft::agent::v1::{
    GetKnowledgeFileRequest, HostRefusal, KnowledgeFile, KnowledgeStatistics, ListKnowledgeFilesRequest,
    ListKnowledgeFilesResponse, ReadKnowledgeFileRequest, ReadKnowledgeFileResponse,
};

use self::{
    index::Index,
    settings::{Folder, FolderSettings},
    walk::Pace,
};
use super::host::{reading::reading, refusal};

/// What is known is told without another look for so long, and for ten times as long as the last look took.
const FRESH: Duration = Duration::from_secs(3);
/// How long a question waits for the end of a look.
const WAIT: Duration = Duration::from_secs(4);
/// Questions that are worked on at a time. A place is given back when the work is done, which may be after whoever asked
/// has gone.
const AT_WORK: usize = 4;
/// How long the files are looked through for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// No look takes longer: the next one goes on where it was.
const LONGEST: Duration = Duration::from_mins(5);
/// The priority of the thread that looks: the lowest.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 19;

/// What knows the knowledge files of this host. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Knowledge(Arc<Inner>);

struct Inner {
    /// The agent's resource name.
    agent: String,
    folders: Arc<[Folder]>,
    view: watch::Sender<View>,
    places: Arc<Semaphore>,
    /// Ends a look before its time.
    stop: Arc<AtomicBool>,
}

/// What is known at a moment.
#[derive(Clone, Default)]
struct View {
    index: Arc<Index>,
    is_scanning: bool,
    /// When the last look ended.
    ended: Option<Instant>,
}

impl View {
    /// Whether it is good enough to answer with.
    fn is_fresh(&self) -> bool {
        // One that had no time for all is gone on with soon.
        let took = self.index.scanned.filter(|_| !self.index.is_cut).map_or(Duration::ZERO, |(_, took)| took);
        self.ended.is_some_and(|ended| ended.elapsed() < FRESH.max(took * 10))
    }
}

impl Knowledge {
    /// Looks at nothing yet.
    ///
    /// # Errors
    /// A folder of `agent.toml` is not as it must be. One that is not there is no error.
    pub(crate) fn open(agent: &str, settings: &[FolderSettings]) -> Result<Self> {
        let (view, _) = watch::channel(View::default());
        let folders = Folder::all(settings)?.into();
        let (agent, places) = (agent.to_owned(), Arc::new(Semaphore::new(AT_WORK)));
        Ok(Self(Arc::new(Inner { agent, folders, view, places, stop: Arc::default() })))
    }

    /// Whether anything can be asked of it.
    pub(crate) fn is_open(&self) -> bool {
        !self.0.folders.is_empty()
    }

    /// Whether any text may be read.
    pub(crate) fn shows_content(&self) -> bool {
        self.0.folders.iter().any(|folder| folder.settings.content)
    }

    /// Which files are there?
    pub(crate) async fn list(
        &self,
        request: ListKnowledgeFilesRequest,
    ) -> Result<ListKnowledgeFilesResponse, HostRefusal> {
        let (view, inner) = (self.view().await, Arc::clone(&self.0));
        let place = self.place()?;
        reading(move || {
            let _place = place;
            list::list(&view, &inner.agent, &request, Instant::now() + PATIENCE)
        })
        .await
    }

    /// What is one?
    pub(crate) async fn get(&self, request: &GetKnowledgeFileRequest) -> Result<KnowledgeFile, HostRefusal> {
        let view = self.view_of(&request.name).await;
        let known = find(&view, &request.name)?;
        Ok(KnowledgeFile { name: name(&self.0.agent, &known.file.name), ..known.file.clone() })
    }

    /// What is in one?
    pub(crate) async fn read(
        &self,
        request: ReadKnowledgeFileRequest,
    ) -> Result<ReadKnowledgeFileResponse, HostRefusal> {
        let (view, folders) = (self.view_of(&request.name).await, Arc::clone(&self.0.folders));
        let place = self.place()?;
        reading(move || {
            let _place = place;
            let known = find(&view, &request.name)?;
            let folder = &folders[known.folder];
            if !folder.settings.content {
                return Err(refusal::not_allowed("knowledge-content"));
            }
            text::piece(folder, &known.found, &request)
        })
        .await
    }

    /// How many are there?
    pub(crate) async fn count(&self) -> Result<KnowledgeStatistics, HostRefusal> {
        let view = self.view().await;
        let place = self.place()?;
        reading(move || {
            let _place = place;
            Ok(count::count(&view))
        })
        .await
    }

    /// A place for work that nothing can end.
    fn place(&self) -> Result<OwnedSemaphorePermit, HostRefusal> {
        Arc::clone(&self.0.places).try_acquire_owned().map_err(|_| refusal::busy())
    }

    /// What is known now, where this file is: nobody waits for a look at all to hear of one that is known.
    async fn view_of(&self, name: &str) -> View {
        self.begin();
        let view = self.0.view.borrow().clone();
        if find(&view, name).is_ok() { view } else { self.view().await }
    }

    /// What is known now: after another look, where the last one is too long ago and this one ends in time.
    async fn view(&self) -> View {
        let mut views = self.0.view.subscribe();
        self.begin();
        // Nobody drops the sender meanwhile, and whoever has no time left takes what there is.
        let _ = timeout(WAIT, views.wait_for(|view| !view.is_scanning)).await;
        views.borrow().clone()
    }

    /// Begins a look, unless one is under way or was just now.
    fn begin(&self) {
        let Inner { folders, view, stop, .. } = &*self.0;
        let begins = view.send_if_modified(|view| {
            let begins = !view.is_scanning && !view.is_fresh();
            view.is_scanning |= begins;
            begins
        });
        if !begins {
            return;
        }
        let look = Look { folders: Arc::clone(folders), view: view.clone(), stop: Arc::clone(stop) };
        let thread = std::thread::Builder::new().name("knowledge".to_owned());
        if let Err(error) = thread.spawn(move || look.run()) {
            tracing::warn!(%error, "knowledge files cannot be looked at");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// One look, on its own thread. However it ends, others may begin the next one.
struct Look {
    folders: Arc<[Folder]>,
    view: watch::Sender<View>,
    stop: Arc<AtomicBool>,
}

impl Look {
    fn run(self) {
        give_way();
        let before = Arc::clone(&self.view.borrow().index);
        let pace = Pace::for_at_most(LONGEST, Arc::clone(&self.stop));
        let mut tell = |index: Index| self.view.send_modify(|view| view.index = Arc::new(index));
        if let Some(index) = scan::scan(&self.folders, &before, &pace, &mut tell) {
            tell(index);
        }
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.view.send_modify(|view| {
            view.is_scanning = false;
            view.ended = Some(Instant::now());
        });
    }
}

/// Makes this thread the last one of all that the host looks after.
#[cfg(target_os = "linux")]
fn give_way() {
    // On Linux the id of a thread stands for that thread alone.
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS) {
        tracing::debug!(%error, "knowledge files are looked at with the usual priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn give_way() {}

/// A file by its resource name.
fn find<'v>(view: &'v View, name: &str) -> Result<&'v Arc<index::Known>, HostRefusal> {
    let id = name.rsplit_once('/').map_or(name, |(_, id)| id);
    view.index.get(id).ok_or_else(|| refusal::not_found("there is no such knowledge file", name))
}

/// The resource name of a file.
fn name(agent: &str, id: &str) -> String {
    format!("{agent}/knowledgeFiles/{id}")
}

/// A text on one line, cut to so many characters.
fn plain(text: &str, longest: usize) -> String {
    let plain = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    plain.take(longest).collect()
}
