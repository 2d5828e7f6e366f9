//! The way of a refresh: the folder is scanned and read on a thread for blocking work, the difference
//! written as one revision, the outcome kept. It runs to its end whether or not somebody watches; whoever
//! watches gets the newest state.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use prost::Message;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};
use uuid::Uuid;
use weft_proto::weft::graph::v1::{
    GraphFormat, ImportResult, Refresh, RefreshPhase, RefreshProgress, Source, source::Location,
};
use weft_store::{RefreshRow, StoreError};

use super::{
    LEASE, Names, Sources,
    folder::{Folder, FoundFile, configured},
    outcome::{outcome, write},
    refresh_message,
};
use crate::{
    Error,
    domain::change::{Import, Scope},
    formats::{ReadOptions, Reader},
    intake::{Found, read_limits},
    live::blocking,
};

/// How often the lease is renewed; so long a cancel may take to be noticed.
const RENEW: Duration = Duration::from_secs(1);
/// How often watchers are told of progress.
const TELL: Duration = Duration::from_millis(250);
/// How often a refresh is read anew because another process keeps writing to the graph.
const ATTEMPTS: u32 = 3;

/// One refresh that runs.
pub(super) struct Job {
    sources: Arc<Sources>,
    names: Names,
    settings: Source,
    number: i64,
    source_uid: Uuid,
    actor: String,
    progress: Mutex<RefreshProgress>,
    /// It is to end: cancelled, or the process ends.
    ended: AtomicBool,
    /// Somebody took it for dead.
    lost: AtomicBool,
}

impl Job {
    pub(super) fn new(
        sources: &Arc<Sources>,
        names: Names,
        settings: Source,
        refresh: &RefreshRow,
    ) -> Arc<Self> {
        Arc::new(Self {
            sources: Arc::clone(sources),
            names,
            settings,
            number: refresh.number,
            source_uid: refresh.source_uid,
            actor: refresh.actor.clone(),
            progress: Mutex::default(),
            ended: AtomicBool::new(false),
            lost: AtomicBool::new(false),
        })
    }

    pub(super) async fn run(self: Arc<Self>, begun: &RefreshRow, told: watch::Sender<Refresh>) {
        let work = Box::pin(Arc::clone(&self).work());
        let result = self.accompany(begun, &told, work).await;
        let (state, mut report) = outcome(result);
        report.progress = Some(self.progress());
        let at = self.sources.now();
        let encoded = report.encode_to_vec().into();
        let ended = self.sources.store.end_refresh(self.source_uid, self.number, state, encoded, at).await;
        let row = match ended {
            Ok(row) => row,
            Err(error) => {
                tracing::warn!(source = self.names.source(), %error, "the outcome of a refresh is not kept");
                let report = report.encode_to_vec().into();
                RefreshRow { state, report, ended: Some(at), ..begun.clone() }
            }
        };
        self.tell(&told, &row);
    }

    /// Renews the lease and tells the watchers until the work is done.
    async fn accompany(
        &self,
        begun: &RefreshRow,
        told: &watch::Sender<Refresh>,
        mut work: Pin<Box<impl Future<Output = Result<ImportResult, Error>>>>,
    ) -> Result<ImportResult, Error> {
        let life = &self.sources.graph.graphs.life;
        let mut tick = interval(TELL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut renewed = Instant::now();
        let mut held_until = Instant::now() + LEASE;
        loop {
            tokio::select! {
                done = &mut work => {
                    return if self.lost.load(Ordering::Relaxed) && done.is_err() { Err(Error::Draining) } else { done };
                }
                _ = tick.tick() => {}
            }
            if life.is_draining() {
                self.lose();
            }
            let report = Refresh { progress: Some(self.progress()), ..Refresh::default() };
            let row = RefreshRow { report: report.encode_to_vec().into(), ..begun.clone() };
            self.tell(told, &row);
            if renewed.elapsed() < RENEW {
                continue;
            }
            renewed = Instant::now();
            let until = self.sources.now().after(LEASE);
            match self.sources.store.renew_refresh(self.source_uid, self.number, until, row.report).await {
                Ok(row) if row.cancel_asked => self.ended.store(true, Ordering::Relaxed),
                Ok(_) => held_until = Instant::now() + LEASE,
                // Taken for dead, or deleted with its source or its graph.
                Err(StoreError::NotFound { .. }) => self.lose(),
                Err(error) => {
                    tracing::warn!(source = self.names.source(), %error, "a refresh could not be renewed");
                    if Instant::now() > held_until {
                        self.lose();
                    }
                }
            }
        }
    }

    fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
        self.ended.store(true, Ordering::Relaxed);
    }

    fn tell(&self, told: &watch::Sender<Refresh>, row: &RefreshRow) {
        let Ok(message) = refresh_message(&self.names, row, row.started) else { return };
        told.send_if_modified(|last| {
            let differs = *last != message;
            *last = message;
            differs
        });
    }

    async fn work(self: Arc<Self>) -> Result<ImportResult, Error> {
        let turn = Arc::clone(&self.sources.graph.imports).acquire_owned();
        let _turn = tokio::select! {
            turn = turn => turn.map_err(|_| Error::TaskEnded)?,
            () = self.until_ended() => return Err(Error::Cancelled),
        };
        let mut attempt = 1;
        loop {
            let job = Arc::clone(&self);
            let found = blocking(move || job.read()).await??;
            self.go_on()?;
            self.phase(RefreshPhase::Writing);
            match write(&self.sources, &self.names, &self.actor, found).await {
                Err(Error::RevisionMismatch { .. }) if attempt < ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    async fn until_ended(&self) {
        let mut tick = interval(TELL);
        while !self.ended.load(Ordering::Relaxed) {
            tick.tick().await;
        }
    }

    /// Scans and reads the folder. Blocks.
    fn read(&self) -> Result<Found, Error> {
        *self.locked() = RefreshProgress::default();
        self.phase(RefreshPhase::Scanning);
        let options = &self.sources.graph.graphs.options;
        let Some(Location::Folder(location)) = &self.settings.location else {
            return Err(Error::damaged(&self.names.source(), "it has no location"));
        };
        let folder = Folder::open(configured(options, self.names.project(), &location.folder)?, location)?;
        let files = folder.scan(self.settings.format(), options.max_import_files, &|file| {
            let mut progress = self.locked();
            progress.found_file_count += 1;
            progress.found_bytes += file.bytes as i64;
            drop(progress);
            self.go_on()
        })?;
        if files.is_empty() {
            // More likely a disk that is not mounted than the wish to delete everything.
            return Err(Error::FolderEmpty(location.folder.clone()));
        }
        self.phase(RefreshPhase::Reading);
        let scope = Scope::Refresh(self.names.id.clone());
        let mut found = Found::new(options, scope, &self.settings.default_node_type);
        let mut reader = Reader::new(ReadOptions {
            format: Some(self.settings.format()).filter(|format| *format != GraphFormat::Unspecified),
            default_node_type: self.settings.default_node_type.clone(),
            default_edge_type: self.settings.default_edge_type.clone(),
            property_links: self.settings.property_links.clone(),
            limits: read_limits(options),
        });
        for file in &files {
            self.read_file(&folder, file, &mut reader, &mut found)?;
        }
        reader.finish(&mut found)?;
        self.count(&found.import);
        Ok(found)
    }

    fn read_file(
        &self,
        folder: &Folder,
        file: &FoundFile,
        reader: &mut Reader,
        found: &mut Found,
    ) -> Result<(), Error> {
        let most = self.sources.graph.graphs.options.max_import_bytes;
        // Its size may have changed since it was found: what is read counts.
        reader.begin_file(&file.path, None, found)?;
        folder.read(&file.path, |piece| {
            self.go_on()?;
            reader.data(piece, found)?;
            let mut progress = self.locked();
            progress.read_bytes += piece.len() as i64;
            if progress.read_bytes as u64 > most {
                return Err(Error::Quota {
                    reason: "IMPORT_TOO_LARGE",
                    subject: self.names.source(),
                    description: format!("an import has at most {most} bytes"),
                    passes: false,
                });
            }
            Ok(())
        })?;
        self.count(&found.import);
        self.locked().read_file_count += 1;
        Ok(())
    }

    fn go_on(&self) -> Result<(), Error> {
        if self.ended.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
    }

    fn count(&self, import: &Import) {
        let mut progress = self.locked();
        progress.node_count = import.nodes.len() as i64;
        progress.edge_count = import.edges.len() as i64;
    }

    fn phase(&self, phase: RefreshPhase) {
        self.locked().phase = phase.into();
    }

    fn progress(&self) -> RefreshProgress {
        *self.locked()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, RefreshProgress> {
        self.progress.lock().expect("nobody panics with it")
    }
}
