//! Sources: what a graph's content comes from outside, and how it is brought up to date.
//!
//! - `folder` opens the folders of the configuration, finds files in them and reads them; nothing that
//!   lies outside of them can be reached.
//! - `refresh` begins a refresh by taking the source's lease; `job` is its way: scan, read, one revision;
//!   `outcome` writes that revision, and says how it ended.
//! - `message` turns rows into messages and back.

pub(crate) mod folder;
mod job;
mod message;
mod outcome;
mod refresh;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::watch;
use uuid::Uuid;
use weft_kit::Ids;
use weft_proto::weft::graph::v1::Refresh;
use weft_store::{SourceRow, SourceStore, StoreError, Timestamp};

pub(crate) use message::{
    Names, next_settings, refresh_message, refresh_name, settings_of, source_message, split_refresh,
    split_source,
};
pub(crate) use refresh::{delete_content, start};

use crate::{Error, live::gone, state::State};

/// A refresh that was not renewed for so long is taken for dead.
const LEASE: Duration = Duration::from_secs(30);

/// What the source service holds.
pub(crate) struct Sources {
    /// The graph service: a refresh is a write to a graph.
    pub(crate) graph: Arc<State>,
    pub(crate) store: Arc<dyn SourceStore>,
    pub(crate) ids: Ids,
    /// The refreshes that this process runs, by source and number.
    pub(crate) running: Mutex<HashMap<(Uuid, i64), watch::Receiver<Refresh>>>,
}

impl Sources {
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from(self.graph.graphs.clock.now())
    }

    /// The states of a refresh, if this process runs it.
    pub(crate) fn running(&self, source_uid: Uuid, number: i64) -> Option<watch::Receiver<Refresh>> {
        self.running.lock().expect("nobody panics with it").get(&(source_uid, number)).cloned()
    }

    /// The source of that name.
    pub(crate) async fn get(&self, name: &str) -> Result<(Names, SourceRow), Error> {
        let (graph, id) = split_source(name)?;
        let graph_row = self.graph.graphs.row(graph).await?;
        let row = self.store.get_source(graph_row.uid, id).await.map_err(|error| missing(name, error))?;
        Ok((Names::new(graph, id), row))
    }
}

/// What a store's error about a source of that name means.
pub(crate) fn missing(name: &str, error: StoreError) -> Error {
    match error {
        StoreError::NotFound { what: "graph" } => {
            let graph = name.split_once("/sources/").map_or(name, |(graph, _)| graph);
            gone(graph, error)
        }
        StoreError::NotFound { .. } => Error::SourceNotFound(name.to_owned()),
        StoreError::Stale { .. } => Error::EtagMismatch(name.to_owned()),
        error => Error::Store(error),
    }
}
