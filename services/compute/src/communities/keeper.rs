//! What keeps the communities of one graph up to date: it follows the graph, and computes when it has changed. Changes
//! that come while it computes are looked at together, in the next round.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use weft_kernels::analytics::{AnalysisError, CommunityParams, LiveCommunities, Network, changed_nodes};
use weft_proto::weft::compute::v1::{Algorithm, Communities, algorithm::Kind};

use super::{
    End, News, State,
    groups::{Group, Groups},
};
use crate::{
    Error,
    domain::graph_copy::GraphCopy,
    session::follow::{Followed, Follower, Standing},
};

/// How long communities are kept after the last who watched has gone: a client whose stream broke off finds the numbers
/// that it knows.
const LINGER: Duration = Duration::from_secs(10);

/// What is computed, for the estimate of its memory.
pub(super) fn algorithm() -> Algorithm {
    Algorithm { kind: Some(Kind::Communities(Communities::default())) }
}

/// Keeps a group up to date until nobody watches it, or there is nothing more to say.
pub(super) async fn run(groups: Arc<Groups>, group: Arc<Group>) {
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
    let ending = analyses.lifecycle.draining_token().child_token();
    let _end = ending.clone().drop_guard();
    analyses.lifecycle.spawn_future(follower.run(ending.clone()));
    let keeper = Keeper { groups: &groups, group: &group, followed, ending, last: None };
    let end = keeper.keep().await;
    // Who comes now begins anew.
    groups.forget(&group);
    if let Some(end) = end {
        group.news.send_replace(News::Over(end));
    }
}

struct Keeper<'a> {
    groups: &'a Arc<Groups>,
    group: &'a Arc<Group>,
    followed: Arc<Followed>,
    /// Also given when this is dropped in the middle.
    ending: CancellationToken,
    /// The graph that the newest communities are those of.
    last: Option<Last>,
}

struct Last {
    network: Network,
    state: Arc<State>,
}

impl Keeper<'_> {
    /// Why it has ended; `None` where nobody watches, or the process ends.
    async fn keep(mut self) -> Option<End> {
        let mut standing = self.followed.standing();
        let mut taken = 0;
        let mut rests = (Instant::now(), Duration::ZERO);
        let mut left = Instant::now();
        loop {
            let interval = self.group.interval();
            let due = rests.0 + rests.1.max(interval.unwrap_or_default());
            let now = standing.borrow_and_update().clone();
            let number = match now {
                Standing::Gone => return Some(End::GraphGone),
                Standing::Refused(error) => return Some(error.into()),
                Standing::Following(number) => number,
                Standing::Loading => taken,
            };
            let waits = number != taken && interval.is_some();
            if waits && due <= Instant::now() {
                let began = Instant::now();
                if let Err(end) = self.renew().await {
                    return end;
                }
                taken = number;
                let took = began.elapsed();
                self.groups.meter.duration.observe(took.as_secs_f64());
                // Half of the time at most, however fast the graph changes.
                rests = (Instant::now(), took);
                left = Instant::now();
                continue;
            }
            if interval.is_some() {
                left = Instant::now();
            } else if left.elapsed() >= LINGER && self.groups.forget_unwatched(self.group) {
                return None;
            }
            tokio::select! {
                Ok(()) = standing.changed() => {}
                () = tokio::time::sleep_until(due), if waits => {}
                () = self.group.seats_changed.notified() => {}
                () = tokio::time::sleep_until(left + LINGER), if interval.is_none() => {}
                () = self.ending.cancelled() => return None,
            }
        }
    }

    /// Takes in what has changed, and tells what has come of it.
    async fn renew(&mut self) -> Result<(), Option<End>> {
        let analyses = &self.groups.analyses;
        let (nodes, edges) = self.followed.copy().as_ref().map(GraphCopy::counts).unwrap_or_default();
        let mib = analyses.check_memory(&self.group.graph, &algorithm(), nodes, edges).map_err(end)?;
        let memory = tokio::select! {
            permit = Arc::clone(&analyses.memory).acquire_many_owned(mib) => permit.map_err(|_| None)?,
            () = self.ending.cancelled() => return Err(None),
        };
        let (followed, last, ending) = (Arc::clone(&self.followed), self.last.take(), self.ending.clone());
        let resolution = self.group.resolution;
        let renewed = analyses.on_threads(&self.group.graph, move || {
            let renewed = renew(&followed, last, resolution, &|_| !ending.is_cancelled());
            drop(memory);
            renewed
        });
        self.last = renewed.await.map_err(end)?;
        if let Some(last) = &self.last {
            self.group.news.send_replace(News::Known(Arc::clone(&last.state)));
        }
        Ok(())
    }
}

/// The communities of the graph as it is now. Blocks. Gives back what it got in the middle of a revision.
fn renew(
    followed: &Followed,
    last: Option<Last>,
    resolution: f64,
    observer: &(dyn Fn(f64) -> bool + Sync),
) -> Result<Option<Last>, Error> {
    let Some(topology) = followed.copy().as_mut().and_then(GraphCopy::take) else { return Ok(last) };
    let revision = topology.revision;
    let (former, state) = last.map(|last| (last.network, last.state)).unzip();
    let Some(edges) = topology.edges else {
        // Nothing that counts here: the same communities at another revision.
        return Ok(former.zip(state).map(|(network, state)| {
            let live = Arc::clone(&state.live);
            Last { network, state: Arc::new(State { revision, live }) }
        }));
    };
    let known = || former.as_ref().map(|former| former.ids().to_vec());
    let ids = topology.nodes.or_else(known).unwrap_or_default();
    let network = Network::new(&ids, &edges).map_err(|error| Error::GraphUnavailable(error.to_string()))?;
    drop((ids, edges));
    let params = CommunityParams { resolution, passes: 1, ..CommunityParams::default() };
    let live = if let Some((former, state)) = former.zip(state) {
        state.live.renew(&network, &changed_nodes(&former, &network), &params, &observer)
    } else {
        let params = CommunityParams { passes: CommunityParams::default().passes, ..params };
        LiveCommunities::begin(&network, &params, &observer)
    };
    let live = Arc::new(live.map_err(|error| match error {
        AnalysisError::Cancelled => Error::Draining,
        other => Error::GraphUnavailable(other.to_string()),
    })?);
    Ok(Some(Last { network, state: Arc::new(State { revision, live }) }))
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
