//! One state of communities, or the way from one to another, as messages.

use std::sync::Arc;

use weft_proto::weft::compute::v1::{
    CommunityChanges, CommunityPartition, CommunitySummary, watch_communities_response::Event,
};

use super::State;

/// Nodes of a message at most: it stays far below 4 MiB.
const PIECE: usize = 65_536;

/// Above all ordinals.
const END: u64 = u64::MAX;

/// The ordinal at a place.
fn at(ids: &[u32], place: usize) -> u64 {
    ids.get(place).map_or(END, |id| u64::from(*id))
}

/// What is being told to one client. Messages are made when there is room for them.
#[derive(Debug)]
pub(super) struct Telling {
    /// What the client knows; everything is told where that is nothing.
    before: Option<Arc<State>>,
    now: Arc<State>,
    /// How many nodes of both have been compared.
    at: (usize, usize),
}

impl Telling {
    pub(super) fn new(before: Option<Arc<State>>, now: Arc<State>) -> Self {
        // What is the same needs no comparing.
        let at = match &before {
            Some(before) if Arc::ptr_eq(&before.live, &now.live) => {
                (now.live.ids().len(), now.live.ids().len())
            }
            _ => (0, 0),
        };
        Self { before, now, at }
    }

    /// What is being told.
    pub(super) fn state(&self) -> &Arc<State> {
        &self.now
    }

    /// The next message, and whether it is the last.
    pub(super) fn piece(&mut self) -> (Event, bool) {
        let (mut ordinals, mut communities, mut left_ordinals) = (Vec::new(), Vec::new(), Vec::new());
        let former = self.before.as_ref().map(|before| (before.live.ids(), before.live.names()));
        let (former_ids, former_names) = former.unwrap_or_default();
        let (ids, names) = (self.now.live.ids(), self.now.live.names());
        let (mut then, mut now) = self.at;
        while ordinals.len() + left_ordinals.len() < PIECE {
            let (known, id) = (at(former_ids, then), at(ids, now));
            if known == END && id == END {
                break;
            }
            if known < id {
                left_ordinals.push(former_ids[then]);
                then += 1;
                continue;
            }
            let was_there = known == id;
            if !was_there || former_names[then] != names[now] {
                ordinals.push(ids[now]);
                communities.push(names[now]);
            }
            then += usize::from(was_there);
            now += 1;
        }
        self.at = (then, now);
        let last_part = then == former_ids.len() && now == ids.len();
        let summary = Some(CommunitySummary {
            graph_revision: self.now.revision,
            node_count: ids.len() as i64,
            community_count: self.now.live.count() as i64,
            modularity: self.now.live.modularity(),
        });
        let event = if self.before.is_none() {
            Event::Partition(CommunityPartition { ordinals, communities, summary, last_part })
        } else {
            Event::Changes(CommunityChanges { ordinals, communities, left_ordinals, summary, last_part })
        };
        (event, last_part)
    }
}

#[cfg(test)]
mod tests {
    use weft_kernels::{
        Edge,
        analytics::{CommunityParams, LiveCommunities, Network, Unobserved},
    };

    use super::*;

    /// Pairs of nodes with an edge each.
    fn state(ids: &[u32], pairs: &[(u32, u32)], revision: i64) -> Arc<State> {
        let edge = |&(source, target): &(u32, u32)| Edge { source, target, weight: 1.0 };
        let network =
            Network::new(ids, &pairs.iter().map(edge).collect::<Vec<_>>()).expect("it is well made");
        let live = LiveCommunities::begin(&network, &CommunityParams::default(), &Unobserved);
        Arc::new(State { revision, live: Arc::new(live.expect("nobody ends it")) })
    }

    #[test]
    fn the_way_from_one_state_to_another_is_what_has_changed() {
        let before = state(&[1, 2, 5, 6], &[(1, 2), (5, 6)], 3);
        let now = state(&[2, 5, 6, 9], &[(2, 5), (6, 9)], 4);
        let (event, last) = Telling::new(Some(Arc::clone(&before)), Arc::clone(&now)).piece();
        let Event::Changes(changes) = event else { panic!("changes") };
        // 2 and 5 are the first community now: 2 stays there.
        assert_eq!(
            (changes.ordinals, changes.communities, changes.left_ordinals),
            (vec![5, 9], vec![0, 1], vec![1])
        );
        let summary = changes.summary.expect("a summary");
        assert_eq!((summary.graph_revision, summary.node_count, summary.community_count), (4, 4, 2));
        assert!(last && changes.last_part);

        let later = Arc::new(State { revision: 9, live: Arc::clone(&now.live) });
        let (event, last) = Telling::new(Some(now), later).piece();
        let Event::Changes(changes) = event else { panic!("changes") };
        assert!(changes.ordinals.is_empty() && changes.left_ordinals.is_empty() && last);
    }

    #[test]
    fn a_large_state_comes_in_pieces_and_an_empty_one_too() {
        let ids: Vec<u32> = (0..PIECE as u32 * 2 + 5).collect();
        let large = state(&ids, &[], 1);
        let mut told = Vec::new();
        let mut telling = Telling::new(None, Arc::clone(&large));
        loop {
            let (event, last) = telling.piece();
            let Event::Partition(partition) = event else { panic!("a partition") };
            assert_eq!(partition.last_part, last);
            assert!(partition.ordinals.len() <= PIECE);
            told.extend(partition.ordinals);
            if last {
                break;
            }
        }
        assert_eq!(told, ids);
        let (event, last) = Telling::new(None, state(&[], &[], 1)).piece();
        assert!(last && matches!(event, Event::Partition(_)));
    }
}
