//! Communities that are kept up to date through histories of changes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use weft_kernels::Edge;
use weft_kernels::analytics::{
    AnalysisError, CommunityParams, LiveCommunities, Network, Unobserved, changed_nodes, communities,
    modularity,
};

/// What renewed communities may lack against those of a look at the whole graph, in modularity: on random graphs of few
/// nodes, which have no communities to speak of, and on graphs that have some.
const LOSS_SMALL: f64 = 0.25;
const LOSS_LARGE: f64 = 0.02;

/// A step of a history.
#[derive(Debug, Clone)]
enum Edit {
    Link(u32, u32, u8),
    Cut(prop::sample::Index),
    Leave(prop::sample::Index),
    Join,
}

/// A graph that is edited.
#[derive(Debug, Clone, Default)]
struct Edited {
    ids: BTreeSet<u32>,
    edges: BTreeMap<(u32, u32), f32>,
    next: u32,
}

impl Edited {
    fn join(&mut self) {
        self.ids.insert(self.next);
        // Ordinals are not without gaps.
        self.next += 1 + u32::from(self.next % 7 == 3);
    }

    fn apply(&mut self, edit: &Edit) {
        match edit {
            Edit::Join => self.join(),
            Edit::Link(from, to, halves) => {
                let at = |number: u32| self.ids.iter().nth(number as usize % self.ids.len().max(1)).copied();
                if let (Some(from), Some(to)) = (at(*from), at(*to)) {
                    self.edges.insert((from, to), f32::from(*halves) / 2.0);
                }
            }
            Edit::Cut(index) if !self.edges.is_empty() => {
                let pair = *self.edges.keys().nth(index.index(self.edges.len())).expect("it is one of them");
                self.edges.remove(&pair);
            }
            Edit::Leave(index) if !self.ids.is_empty() => {
                let id = *self.ids.iter().nth(index.index(self.ids.len())).expect("it is one of them");
                self.ids.remove(&id);
                self.edges.retain(|(from, to), _| *from != id && *to != id);
            }
            Edit::Cut(_) | Edit::Leave(_) => {}
        }
    }

    fn apply_all(&mut self, edits: &[Edit]) {
        for edit in edits {
            self.apply(edit);
        }
    }

    fn network(&self) -> Network {
        let ids: Vec<u32> = self.ids.iter().copied().collect();
        let edge = |(&(source, target), &weight): (&(u32, u32), &f32)| Edge { source, target, weight };
        Network::new(&ids, &self.edges.iter().map(edge).collect::<Vec<_>>()).expect("it is well made")
    }

    /// Whether nodes of one name reach each other through nodes of that name.
    fn is_connected(&self, live: &LiveCommunities) -> bool {
        let name: BTreeMap<u32, u32> = live.ids().iter().copied().zip(live.names().iter().copied()).collect();
        let mut root: BTreeMap<u32, u32> = live.ids().iter().map(|id| (*id, *id)).collect();
        for ((from, to), weight) in &self.edges {
            if *weight > 0.0 && name[from] == name[to] {
                let (a, b) = (find(&root, *from), find(&root, *to));
                root.insert(a, b);
            }
        }
        let roots: BTreeSet<u32> = live.ids().iter().map(|id| find(&root, *id)).collect();
        roots.len() == live.count()
    }
}

/// The node that stands for all that have been joined with one.
fn find(root: &BTreeMap<u32, u32>, mut id: u32) -> u32 {
    while root[&id] != id {
        id = root[&id];
    }
    id
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        6 => (any::<u32>(), any::<u32>(), 0_u8..8).prop_map(|(from, to, halves)| Edit::Link(from, to, halves)),
        3 => any::<prop::sample::Index>().prop_map(Edit::Cut),
        1 => any::<prop::sample::Index>().prop_map(Edit::Leave),
        2 => Just(Edit::Join),
    ]
}

fn once() -> CommunityParams {
    CommunityParams { passes: 1, ..CommunityParams::default() }
}

/// Names as slots: the first of each.
fn labels(live: &LiveCommunities) -> Vec<u32> {
    let mut first = BTreeMap::new();
    live.names().iter().enumerate().map(|(slot, name)| *first.entry(*name).or_insert(slot as u32)).collect()
}

/// Whether every community that most nodes of another one have gone to, and that has most of its own from there, has its
/// name.
fn names_stay(before: &LiveCommunities, after: &LiveCommunities) -> bool {
    let then: BTreeMap<u32, u32> = before.ids().iter().copied().zip(before.names().iter().copied()).collect();
    let mut shared: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    for (id, name) in after.ids().iter().zip(after.names()) {
        if let Some(former) = then.get(id) {
            *shared.entry((*former, *name)).or_default() += 1;
        }
    }
    let size = |live: &LiveCommunities, name| live.names().iter().filter(|other| **other == name).count();
    shared.iter().all(|((former, now), nodes)| {
        former == now || nodes * 2 <= size(before, *former) || nodes * 2 <= size(after, *now)
    })
}

proptest! {
    #[test]
    fn renewed_communities_are_valid_connected_named_and_good(
        start in prop::collection::vec(edit(), 0..60),
        history in prop::collection::vec(prop::collection::vec(edit(), 1..6), 1..12),
    ) {
        let mut graph = Edited::default();
        (0..8).for_each(|_| graph.join());
        graph.apply_all(&start);
        let mut network = graph.network();
        let mut live = LiveCommunities::begin(&network, &once(), &Unobserved).unwrap();
        for edits in &history {
            graph.apply_all(edits);
            let after = graph.network();
            let touched = changed_nodes(&network, &after);
            let renewed = live.renew(&after, &touched, &once(), &Unobserved).unwrap();
            prop_assert_eq!(renewed.ids(), after.ids());
            prop_assert_eq!(renewed.names().iter().collect::<BTreeSet<_>>().len(), renewed.count());
            prop_assert!(graph.is_connected(&renewed), "{:?}", renewed);
            prop_assert!(names_stay(&live, &renewed), "{:?} {:?}", live, renewed);
            let defined = modularity(&after, &labels(&renewed), 1.0).unwrap();
            prop_assert!((renewed.modularity() - defined).abs() < 1e-9);
            let cold = communities(&after, &CommunityParams::default(), &Unobserved).unwrap();
            prop_assert!(renewed.modularity() >= cold.modularity - LOSS_SMALL, "{} {}", renewed.modularity(), cold.modularity);
            // What nobody has touched stays, names and all.
            prop_assert_eq!(&renewed.renew(&after, &[], &once(), &Unobserved).unwrap(), &renewed);
            (network, live) = (after, renewed);
        }
    }

    #[test]
    fn changed_nodes_are_those_with_other_edges(
        start in prop::collection::vec(edit(), 0..40),
        edits in prop::collection::vec(edit(), 0..6),
    ) {
        let mut graph = Edited::default();
        (0..6).for_each(|_| graph.join());
        graph.apply_all(&start);
        let before = graph.clone();
        graph.apply_all(&edits);
        let around = |graph: &Edited, id: u32| {
            let mut around: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
            for ((from, to), weight) in graph.edges.iter().filter(|((from, to), _)| from != to) {
                if *from == id || *to == id {
                    around.entry(from + to - id).or_default().push(weight.to_bits());
                }
            }
            // Weights of a pair add up.
            around.into_iter().map(|(id, bits)| (id, bits.into_iter().map(f32::from_bits).sum::<f32>().to_bits())).collect::<Vec<_>>()
        };
        let expected: Vec<u32> = graph
            .ids
            .iter()
            .copied()
            .filter(|id| !before.ids.contains(id) || around(&before, *id) != around(&graph, *id))
            .collect();
        prop_assert_eq!(changed_nodes(&before.network(), &graph.network()), expected);
    }
}

/// Planted communities of 50 nodes, edited at random: most edges stay within.
struct Planted {
    graph: Edited,
    state: u64,
}

impl Planted {
    fn of(nodes: u32) -> Self {
        let mut planted = Self { graph: Edited::default(), state: 11 };
        (0..nodes).for_each(|_| planted.graph.join());
        (0..nodes * 5).for_each(|_| planted.link());
        planted
    }

    fn below(&mut self, end: usize) -> usize {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as usize % end
    }

    fn link(&mut self) {
        let next = self.graph.next as usize;
        let from = self.below(next);
        let to = if self.below(5) == 0 {
            self.below(next)
        } else {
            (from / 75 * 75 + self.below(75)).min(next - 1)
        };
        if self.graph.ids.contains(&(from as u32)) && self.graph.ids.contains(&(to as u32)) {
            self.graph.edges.insert((from as u32, to as u32), 1.0);
        }
    }

    fn edit(&mut self) {
        match self.below(10) {
            0..5 => self.link(),
            5..9 => {
                let at = self.below(self.graph.edges.len());
                let pair = *self.graph.edges.keys().nth(at).expect("it is one of them");
                self.graph.edges.remove(&pair);
            }
            _ => {
                self.graph.join();
                (0..5).for_each(|_| self.link());
            }
        }
    }

    /// Communities after so many changes of so many edits each, and the largest loss against a look at everything.
    fn follow(mut self, changes: usize, edits: usize) -> (LiveCommunities, f64) {
        let mut network = self.graph.network();
        let mut live = LiveCommunities::begin(&network, &once(), &Unobserved).unwrap();
        let mut loss = 0.0_f64;
        for change in 0..changes {
            (0..edits).for_each(|_| self.edit());
            let after = self.graph.network();
            live = live.renew(&after, &changed_nodes(&network, &after), &once(), &Unobserved).unwrap();
            if change % 10 == 9 {
                let cold = communities(&after, &CommunityParams::default(), &Unobserved).unwrap();
                loss = loss.max(cold.modularity - live.modularity());
                assert!(self.graph.is_connected(&live));
            }
            network = after;
        }
        (live, loss)
    }
}

#[test]
fn a_long_history_loses_little_against_a_look_at_everything() {
    let (live, loss) = Planted::of(1_000).follow(200, 10);
    assert!(live.modularity() > 0.5);
    assert!(loss <= LOSS_LARGE, "{loss}");
}

#[test]
fn the_same_bits_for_one_and_two_threads() {
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Planted::of(6_000).follow(3, 100).0)
    };
    let (one, two) = (on(1), on(2));
    assert_eq!(one.modularity().to_bits(), two.modularity().to_bits());
    assert_eq!(one, two);
}

#[test]
fn a_community_that_falls_apart_becomes_two_and_the_larger_one_keeps_its_name() {
    // A ring of seven and one of three, tied together so hard that they are one community.
    let mut graph = Edited::default();
    (0..24).for_each(|_| graph.join());
    let ids: Vec<u32> = graph.ids.iter().copied().collect();
    for at in 0..7 {
        graph.edges.insert((ids[at], ids[(at + 1) % 7]), 4.0);
    }
    for at in 0..3 {
        graph.edges.insert((ids[7 + at], ids[7 + (at + 1) % 3]), 1.0);
        graph.edges.insert((ids[7 + at], ids[at]), 8.0);
    }
    // Others, so that this is not all there is.
    for at in 11..24 {
        graph.edges.insert((ids[at - 1], ids[at]), 9.0);
    }
    let before = graph.network();
    let params = CommunityParams { resolution: 0.1, ..once() };
    let live = LiveCommunities::begin(&before, &params, &Unobserved).unwrap();
    let name = live.names()[0];
    assert_eq!(live.names()[..10], [name; 10]);
    for at in 0..3 {
        graph.edges.remove(&(ids[7 + at], ids[at]));
    }
    let after = graph.network();
    let touched = changed_nodes(&before, &after);
    assert_eq!(touched, [ids[0], ids[1], ids[2], ids[7], ids[8], ids[9]]);
    let renewed = live.renew(&after, &touched, &params, &Unobserved).unwrap();
    assert_eq!(renewed.names()[..7], [name; 7]);
    assert!(
        renewed.names()[7..10]
            .iter()
            .all(|other| *other == renewed.names()[7] && *other >= live.count() as u32)
    );
    assert_eq!(renewed.names()[10..], live.names()[10..]);
}

#[test]
fn it_ends_when_asked_and_an_empty_graph_has_none() {
    let network = Network::new(&[], &[]).unwrap();
    let live = LiveCommunities::begin(&network, &once(), &Unobserved).unwrap();
    assert_eq!((live.count(), live.ids().len()), (0, 0));
    assert_eq!(live.renew(&network, &[3], &once(), &|_: f64| false), Err(AnalysisError::Cancelled));
}
