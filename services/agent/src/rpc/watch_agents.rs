//! WatchAgents: what changes in a fleet, without a journal.
//!
//! A watcher holds a revision and nothing else. It is woken when the fleet goes on, and reads what has changed
//! since its revision from memory: each agent once, as it is now. So a slow watcher costs nobody anything.

use std::sync::Arc;

use futures::{Stream, stream};
use tokio::{
    sync::watch,
    time::{Instant, Interval, MissedTickBehavior},
};
use weft_kit::Call;
use weft_proto::weft::agent::v1::{WatchAgentsRequest, WatchAgentsResponse, watch_agents_response::Event};

use crate::{Error, domain::name, fleet::Step, state::State};

pub(crate) async fn handle(
    state: &Arc<State>,
    call: Call<WatchAgentsRequest>,
) -> Result<impl Stream<Item = Result<WatchAgentsResponse, Error>> + Send + use<>, Error> {
    let request = call.message;
    let after = match request.after_revision {
        None => state.fleet.revision(),
        Some(after) => {
            state.fleet.catch_up(after).await?;
            let current = state.fleet.revision();
            if after > current {
                return Err(Error::RevisionInFuture(current));
            }
            after
        }
    };
    let project = name::project(&request.parent).to_owned();
    // Once it follows it learns of removals long before they are forgotten.
    if !state.fleet.can_follow(after) {
        return Err(Error::Compacted);
    }
    let period = state.options.watch_heartbeat;
    let mut signs_of_life = tokio::time::interval_at(Instant::now() + period, period);
    signs_of_life.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watcher = Watcher {
        state: Arc::clone(state),
        project,
        head: state.fleet.watch(),
        at: after,
        announced: false,
        signs_of_life,
    };
    Ok(stream::unfold(Some(watcher), |watcher| async move {
        let mut watcher = watcher?;
        match watcher.next().await {
            Ok(event) => Some((Ok(WatchAgentsResponse { event: Some(event) }), Some(watcher))),
            Err(error) => Some((Err(error), None)),
        }
    }))
}

struct Watcher {
    state: Arc<State>,
    project: String,
    head: watch::Receiver<i64>,
    /// Everything up to here was told.
    at: i64,
    /// The end of the past was told.
    announced: bool,
    signs_of_life: Interval,
}

impl Watcher {
    async fn next(&mut self) -> Result<Event, Error> {
        loop {
            self.head.mark_unchanged();
            match self.state.fleet.changes_after(&self.project, self.at) {
                Step::Changes(changes) => {
                    self.at = changes.revision;
                    return Ok(Event::Changes(changes));
                }
                Step::All(revision) => self.at = self.at.max(revision),
            }
            if !self.announced {
                self.announced = true;
                return Ok(Event::CaughtUpRevision(self.at));
            }
            tokio::select! {
                _ = self.head.changed() => {}
                _ = self.signs_of_life.tick() => return Ok(Event::CaughtUpRevision(self.at)),
                () = self.state.lifecycle.draining() => return Err(Error::Draining),
            }
        }
    }
}
