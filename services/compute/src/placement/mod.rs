//! Which process simulates which layout, where several share a store: each layout is one process's at a time.
//!
//! ```text
//! holding.rs  what a session has of its layout: an epoch, under which it writes
//! route.rs    a call is answered here, or handed on once to who has the layout
//! keeping.rs  the lease is prolonged, orphans are taken in, and all is given away in the end
//! ```
//!
//! A process that is alone with its store has no lease, no epochs, and nothing to look up: [`Placement::alone`].

mod holding;
mod keeping;
mod route;

use std::sync::Arc;

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};
use uuid::Uuid;
use weft_kit::{Clock, Peer};
use weft_members::{Members, Place};
use weft_store::PlacementStore;

pub(crate) use self::{
    holding::{Hold, Taken},
    keeping::start,
    route::Router,
};
use crate::Error;

/// What a process needs to share layouts with others.
#[derive(Clone)]
pub struct Sharing {
    /// The processes that share them.
    pub members: weft_members::Sharing,
    /// Where it is kept who has what.
    pub store: Arc<dyn PlacementStore>,
}

impl std::fmt::Debug for Sharing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sharing").field("members", &self.members).finish_non_exhaustive()
    }
}

/// Where layouts are: here, or at one of several processes.
pub(crate) struct Placement {
    members: Option<Members>,
    holds: Option<Arc<dyn PlacementStore>>,
    pub(crate) meter: Meter,
}

/// What is counted of layouts that are shared.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    pub(crate) members: Gauge,
    pub(crate) taken: Counter,
    pub(crate) given_back: Counter,
    pub(crate) lost: Counter,
    pub(crate) handed_on: Counter,
}

impl Meter {
    /// Shows the counters in a registry.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "members",
            "Processes that share layouts, this one too; 0 where it is alone",
            self.members.clone(),
        );
        registry.register("layouts_taken", "Layouts that this process has taken", self.taken.clone());
        registry.register("layouts_given_back", "Layouts that it has given back", self.given_back.clone());
        registry.register(
            "layouts_lost",
            "Layouts that another process took because this one was silent",
            self.lost.clone(),
        );
        registry.register(
            "calls_handed_on",
            "Calls that were handed on to the process that has the layout",
            self.handed_on.clone(),
        );
    }
}

impl Placement {
    /// For a process that is alone with its store.
    pub(crate) fn alone() -> Self {
        Self { members: None, holds: None, meter: Meter::default() }
    }

    /// For one of several.
    pub(crate) fn shared(sharing: Sharing, clock: Clock, lease: std::time::Duration) -> Self {
        let Sharing { members, store } = sharing;
        let members = Members::new(members, clock, lease);
        Self { members: Some(members), holds: Some(store), meter: Meter::default() }
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.members.is_some()
    }

    /// This process, as the others know it; nothing where it is alone.
    pub(crate) fn me(&self) -> Option<Uuid> {
        self.members.as_ref().map(Members::uid)
    }

    /// The processes, and who has what; nothing where this one is alone.
    fn shared_by(&self) -> Option<(&Members, &dyn PlacementStore)> {
        Some((self.members.as_ref()?, &**self.holds.as_ref()?))
    }

    /// Where a layout is that is not in memory here. A call that was handed on already is answered here or nowhere.
    ///
    /// # Errors
    /// It is on its way from one process to another, this process has no lease, or the store fails.
    pub(crate) async fn place(&self, layout: Uuid, was_handed_on: bool) -> Result<Place, Error> {
        let Some((members, holds)) = self.shared_by() else { return Ok(Place::Here) };
        members.present().await?;
        let hold = holds.get_hold(layout).await.map_err(Error::store(layout))?;
        if let Some(holder) = hold.and_then(|hold| hold.holder) {
            if holder == members.uid() {
                return Ok(Place::Here);
            }
            if let Some(peer) = members.peer_of(holder).await? {
                return if was_handed_on {
                    Err(Error::Moving)
                } else {
                    Ok(Place::There { peer, held: true })
                };
            }
        }
        if was_handed_on {
            return Ok(Place::Here);
        }
        Ok(members.belonging(layout.as_bytes()))
    }

    /// How the other processes are called, as far as they are known.
    pub(crate) fn others(&self) -> Vec<Peer> {
        self.members.as_ref().map(Members::others).unwrap_or_default()
    }

    /// Where something is computed for all who look at it, and nothing kept: by its name alone.
    pub(crate) async fn place_by_name(&self, name: &str) -> Result<Place, Error> {
        let Some(members) = &self.members else { return Ok(Place::Here) };
        members.present().await?;
        Ok(members.belonging(name.as_bytes()))
    }
}
