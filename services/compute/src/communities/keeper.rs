//! What keeps the communities of one graph up to date: it follows the graph, and computes when it has changed. Changes
//! that come while it computes are looked at together, in the next round.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;
use weft_kernels::analytics::{AnalysisError, CommunityParams, LiveCommunities, Network, changed_nodes};
use weft_proto::weft::compute::v1::{Algorithm, Communities, algorithm::Kind};

use super::{
    End, News, State,
    groups::{Group, Groups},
};
use crate::{
    Error,
    domain::graph_copy::{GraphCopy, Topology},
    session::follow::{Followed, Follower, Standing},
};

/// How long communities are kept after the last who watched has gone: a client whose stream broke off finds the numbers
/// that it knows.
const LINGER: Duration = Duration::from_secs(10);

/// Least time between two renewals: many small changes in a row are looked at together.
const FLOOR: Duration = Duration::from_millis(100);

/// What is computed, for the estimate of its memory.
pub(super) fn algorithm() -> Algorithm {
    Algorithm { kind: Some(Kind::Communities(Communities::default())) }
}

/// Keeps a group up to date until nobody watches it, or there is nothing more to say.
pub(super) async fn run(groups: Arc<Groups>, group: Arc<Group>) {
    let mut leaving = Leaving { groups: &groups, group: &group, end: Some(End::Broken) };
    let analyses = &groups.analyses;
    let followed = Followed::new();
    let follower = Follower {
        client: analyses.graph.clone(),
        graph: group.graph.clone(),
        uid: group.uid,
        limits: analyses.options.limits(),
        followed: Arc::clone(&followed),
        ids: analyses.ids.clone(),
    };
    let standing = followed.standing();
    let keeper = Keeper { groups: &groups, group: &group, followed, last: None };
    // What it waits for, memory and threads too, ends with it.
    leaving.end = tokio::select! {
        () = follower.run(group.ending.clone()) => match standing.borrow().clone() {
            _ if group.ending.is_cancelled() => None,
            Standing::Gone => Some(End::GraphGone),
            Standing::Refused(error) => Some(error.into()),
            Standing::Loading | Standing::Following(_) => Some(End::Broken),
        },
        end = keeper.keep() => end,
        () = unwatched(&groups, &group) => None,
    };
}

/// Lets go of a group however its keeper ends, also by a panic: who comes then begins anew.
struct Leaving<'a> {
    groups: &'a Groups,
    group: &'a Arc<Group>,
    /// What those are told who still watch.
    end: Option<End>,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.groups.forget(self.group);
        // Also for what still computes.
        self.group.ending.cancel();
        if let Some(end) = self.end.take() {
            self.group.news.send_replace(News::Over(end));
        }
    }
}

/// Waits until nobody has watched for a while, and lets go of the group.
async fn unwatched(groups: &Groups, group: &Arc<Group>) {
    let mut seats = group.seats();
    let mut quiet = Quiet::default();
    loop {
        let is_watched = !seats.borrow_and_update().is_empty();
        let Some(until) = quiet.until(is_watched, Instant::now()) else {
            // The sender is the group's, which is here.
            let _ = seats.changed().await;
            continue;
        };
        if until <= Instant::now() && groups.forget_unwatched(group) {
            return;
        }
        tokio::select! {
            _ = seats.changed() => {}
            () = tokio::time::sleep_until(until) => {}
        }
    }
}

/// Since when nobody watches.
#[derive(Debug, Default)]
struct Quiet {
    since: Option<Instant>,
}

impl Quiet {
    /// Until when the group is kept though nobody watches; `None` where somebody does.
    fn until(&mut self, is_watched: bool, now: Instant) -> Option<Instant> {
        if is_watched {
            self.since = None;
            return None;
        }
        Some(*self.since.get_or_insert(now) + LINGER)
    }
}

struct Keeper<'a> {
    groups: &'a Arc<Groups>,
    group: &'a Arc<Group>,
    followed: Arc<Followed>,
    /// The graph that the newest communities are those of.
    last: Option<Last>,
}

#[derive(Clone)]
struct Last {
    network: Arc<Network>,
    state: Arc<State>,
}

impl Keeper<'_> {
    /// Why there can be no more; `None` where the process ends.
    async fn keep(mut self) -> Option<End> {
        let (mut standing, mut seats) = (self.followed.standing(), self.group.seats());
        let mut taken = 0;
        // When the last renewal was over, and how long it is to be quiet then.
        let mut rest: Option<(Instant, Duration)> = None;
        loop {
            let number = match *standing.borrow_and_update() {
                Standing::Following(number) => number,
                Standing::Loading | Standing::Gone | Standing::Refused(_) => taken,
            };
            seats.mark_unchanged();
            let told = self.last.as_ref().map(|last| last.state.revision);
            let interval = self.group.interval(told).filter(|_| number != taken);
            let due = interval
                .map(|interval| rest.map_or_else(Instant::now, |(since, pause)| since + pause.max(interval)));
            if due.is_some_and(|due| due <= Instant::now()) {
                let began = Instant::now();
                if let Err(end) = self.renew().await {
                    return end;
                }
                taken = number;
                let took = began.elapsed();
                self.groups.meter.duration.observe(took.as_secs_f64());
                // Half of the time at most, however fast the graph changes.
                rest = Some((Instant::now(), took.max(FLOOR)));
                continue;
            }
            tokio::select! {
                _ = standing.changed() => {}
                _ = seats.changed() => {}
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
        }
    }

    /// Takes in what has changed, and tells what has come of it.
    async fn renew(&mut self) -> Result<(), Option<End>> {
        let analyses = &self.groups.analyses;
        let (nodes, edges) = self.followed.copy().as_ref().map(GraphCopy::counts).unwrap_or_default();
        let mib = analyses.check_memory(&self.group.graph, &algorithm(), nodes, edges).map_err(end)?;
        self.group.mib.store(mib, Ordering::Relaxed);
        let memory = Arc::clone(&analyses.memory).acquire_many_owned(mib).await.map_err(|_| None)?;
        // Not on the threads of the analyses: those give way, and whoever follows the graph waits for the copy.
        let followed = Arc::clone(&self.followed);
        let take = move || followed.copy().as_mut().and_then(GraphCopy::take);
        let taken = tokio::task::spawn_blocking(take).await.map_err(|_| Some(End::Broken))?;
        // Nothing in the middle of a revision, which comes again when it is whole.
        let Some(topology) = taken else { return Ok(()) };
        let revision = topology.revision;
        let last = match self.last.clone() {
            // A change that was taken with the one before it.
            Some(last) if last.state.revision == revision => return Ok(()),
            // Nothing that counts here: the same communities at another revision.
            Some(last) if topology.edges.is_none() => {
                let live = Arc::clone(&last.state.live);
                Last { state: Arc::new(State { revision, live }), ..last }
            }
            last => {
                let (ending, resolution) = (self.group.ending.clone(), self.group.resolution);
                let renewed = analyses.on_threads(&self.group.graph, move || {
                    let renewed = renew(topology, last, resolution, &|_| !ending.is_cancelled());
                    drop(memory);
                    renewed
                });
                renewed.await.map_err(end)?
            }
        };
        self.group.news.send_replace(News::Known(Arc::clone(&last.state)));
        self.last = Some(last);
        Ok(())
    }
}

/// The communities of the graph as it is now. Blocks.
fn renew(
    topology: Topology,
    last: Option<Last>,
    resolution: f64,
    observer: &(dyn Fn(f64) -> bool + Sync),
) -> Result<Last, Error> {
    let Topology { nodes, edges, revision, .. } = topology;
    let known = || last.as_ref().map(|last| last.network.ids().to_vec());
    let (ids, edges) = (nodes.or_else(known).unwrap_or_default(), edges.unwrap_or_default());
    let network = Network::new(&ids, &edges).map_err(|error| Error::GraphUnavailable(error.to_string()))?;
    drop((ids, edges));
    let params = CommunityParams { resolution, passes: 1, ..CommunityParams::default() };
    let live = if let Some(Last { network: former, state }) = last {
        state.live.renew(&network, &changed_nodes(&former, &network), &params, &observer)
    } else {
        let params = CommunityParams { passes: CommunityParams::default().passes, ..params };
        LiveCommunities::begin(&network, &params, &observer)
    };
    let live = Arc::new(live.map_err(|error| match error {
        AnalysisError::Cancelled => Error::Draining,
        other => Error::GraphUnavailable(other.to_string()),
    })?);
    Ok(Last { network: Arc::new(network), state: Arc::new(State { revision, live }) })
}

/// What an error means for all who watch; nothing where the process ends.
fn end(error: Error) -> Option<End> {
    match error {
        Error::Draining => None,
        Error::TooMuchMemory { needed, limit, .. } => Some(End::TooMuchMemory { needed, limit }),
        error => {
            tracing::error!(%error, "communities cannot be kept up to date");
            Some(End::Broken)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_lingers_from_when_the_last_was_first_seen_gone() {
        let (mut quiet, began) = (Quiet::default(), Instant::now());
        assert_eq!(quiet.until(true, began), None);
        let left = began + Duration::from_hours(1);
        assert_eq!(quiet.until(false, left), Some(left + LINGER), "however long nothing has happened");
        assert_eq!(quiet.until(false, left + LINGER / 2), Some(left + LINGER));
        assert_eq!(quiet.until(true, left + LINGER / 2), None);
        let again = left + LINGER * 2;
        assert_eq!(quiet.until(false, again), Some(again + LINGER));
    }
}
