//! Communities of a graph that has changed, from those that it had.
//!
//! A dynamic frontier (Sahu: A Starting Point for Dynamic Community Detection with Leiden Algorithm, 2024): nodes are
//! looked at that the change touches, and then those around whoever moves. Communities that nobody has joined or left
//! are taken whole, and only the others are put together anew (the selective refinement of the same source).

use rayon::prelude::*;

use super::super::network::{Along, Network};
use super::super::{AnalysisError, Observer, ask, check};
use super::level::Level;
use super::{CommunityParams, Method, climb, communities, connected, dense, names, numbered, quality};

/// A change that touches more than one node of so many is no small one: everything is looked at anew then.
const SMALL: usize = 4;

/// The communities of a graph at one moment, with names that stay: from one renewal to the next a community keeps its
/// name while most of its nodes stay.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LiveCommunities {
    ids: Vec<u32>,
    names: Vec<u32>,
    count: usize,
    modularity: f64,
    /// The next name that nobody has had.
    next: u32,
}

impl LiveCommunities {
    /// Looks at the whole graph. Names are numbers from 0, the largest community first.
    ///
    /// # Errors
    /// Parameters out of range; cancelled.
    pub fn begin(
        network: &Network,
        params: &CommunityParams,
        observer: &dyn Observer,
    ) -> Result<Self, AnalysisError> {
        let found = communities(network, params, observer)?;
        Ok(Self::default().finish(network, &found.labels, params))
    }

    /// The communities of `network`, which is the graph of these ones after a change. `touched` are the ids of all nodes
    /// that are new or have other edges than before, in any order ([`changed_nodes`] finds them); ids that are not
    /// in the graph are passed over. Where more than a quarter of the nodes are touched, everything is looked at anew, and
    /// only the names are kept. Elsewhere the first of `params.passes` looks at what the change affects; further ones, which
    /// follow only while they gain something, at everything.
    ///
    /// # Errors
    /// Parameters out of range; cancelled.
    pub fn renew(
        &self,
        network: &Network,
        touched: &[u32],
        params: &CommunityParams,
        observer: &dyn Observer,
    ) -> Result<Self, AnalysisError> {
        check("resolution", params.resolution, 0.0, 1e6)?;
        check("passes", f64::from(params.passes), 1.0, 100.0)?;
        ask(observer, 0.0)?;
        let mut frontier: Vec<u32> =
            touched.iter().filter_map(|id| Some(network.slot(*id).ok()? as u32)).collect();
        frontier.sort_unstable();
        frontier.dedup();
        if frontier.len() * SMALL > network.nodes() {
            let found = communities(network, params, observer)?;
            return Ok(self.finish(network, &found.labels, params));
        }
        let ground = Level::ground(network.rows(Along::Both));
        // Who is new is alone at first.
        let former = self.former(network);
        let alone = |slot: usize| (1_u64 << 32) + slot as u64;
        let mut labels =
            numbered(former.iter().enumerate().map(|(slot, name)| name.map_or(alone(slot), u64::from)));
        let mut best = f64::NEG_INFINITY;
        for pass in 0..params.passes {
            let told = |part: f64| ask(observer, (f64::from(pass) + part) / f64::from(params.passes));
            labels = climb(&ground, labels, (pass == 0).then_some(frontier.as_slice()), params, &told)?;
            if params.passes > 1 {
                labels = dense(&labels).0;
                let reached = quality(&ground, &labels, params.resolution);
                if reached <= best + 1e-9 {
                    break;
                }
                best = reached;
            }
        }
        Ok(self.finish(network, &labels, params))
    }

    /// Names for a partition.
    fn finish(&self, network: &Network, labels: &[u32], params: &CommunityParams) -> Self {
        let ground = Level::ground(network.rows(Along::Both));
        let (labels, count) = match params.method {
            Method::Leiden => connected(&ground, labels),
            Method::Louvain => dense(labels),
        };
        let mut next = self.next;
        let members = self.former(network).into_iter().zip(labels.iter().copied());
        let names = names::keep(members, count, &mut next);
        Self {
            ids: network.ids().to_vec(),
            modularity: quality(&ground, &labels, params.resolution),
            names: labels.iter().map(|label| names[*label as usize]).collect(),
            count,
            next,
        }
    }

    /// For each slot of a graph, the name of the community that its node was in.
    fn former(&self, network: &Network) -> Vec<Option<u32>> {
        let mut former = self.ids.iter().zip(&self.names).peekable();
        let name = |id: &u32| {
            while former.next_if(|(known, _)| *known < id).is_some() {}
            former.next_if(|(known, _)| *known == id).map(|(_, name)| *name)
        };
        network.ids().iter().map(name).collect()
    }

    /// External ids of the nodes, ascending.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// For each of [`ids`](Self::ids), the name of its community.
    pub fn names(&self) -> &[u32] {
        &self.names
    }

    /// Number of communities.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Modularity at the resolution that was asked for.
    pub fn modularity(&self) -> f64 {
        self.modularity
    }
}

/// The ids of the nodes of `after` that `before` has not, or whose edges, seen without directions, are others there.
pub fn changed_nodes(before: &Network, after: &Network) -> Vec<u32> {
    let (former, rows) = (before.rows(Along::Both), after.rows(Along::Both));
    let same = |slot: usize, then: usize| {
        // Slots are other ones where nodes have come or gone; ids are not.
        let now = rows.entries(slot).map(|(to, weight)| (after.ids()[to as usize], weight.to_bits()));
        now.eq(former.entries(then).map(|(to, weight)| (before.ids()[to as usize], weight.to_bits())))
    };
    let ids = after.ids().par_iter().enumerate();
    let changed = |(slot, id): &(usize, &u32)| before.slot(**id).map_or(true, |then| !same(*slot, then));
    ids.filter(changed).map(|(_, id)| *id).collect()
}
