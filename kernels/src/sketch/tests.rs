use super::*;
use crate::adjacency::Adjacency;
use crate::graphs::{self, Graph, link};
use crate::membership::Lookup;

fn adjacency(graph: &Graph) -> Adjacency {
    Adjacency::new(&Lookup::new(&graph.nodes), &graph.edges).unwrap()
}

fn masses(adjacency: &Adjacency) -> Vec<f32> {
    (0..adjacency.nodes()).map(|slot| 1.0 + adjacency.degree(slot) as f32).collect()
}

/// A graph with hubs, a star, a chain, pairs and loose nodes, in one.
fn parts() -> Graph {
    let mut graph = graphs::preferential(2_000, 2, 4);
    let first = graph.nodes.len() as u32;
    graph.edges.extend((1..400).map(|leaf| link(first, first + leaf)));
    graph.edges.extend((400..700).map(|at| link(first + at, first + at + 1)));
    graph.edges.extend((701..900).step_by(2).map(|at| link(first + at, first + at + 1)));
    graph.nodes.extend(first..first + 1_000);
    graph
}

#[test]
fn a_coarser_graph_has_all_the_mass_and_all_weight_between_its_clusters() {
    for graph in [parts(), graphs::preferential(5_000, 3, 2)] {
        let adjacency = adjacency(&graph);
        let masses = masses(&adjacency);
        let params = Params::default();
        let fine = Fine::ground(&adjacency, &masses, &graph.nodes, &params);
        let level = Level::over(&fine);
        assert!(2 * level.masses.len() <= masses.len());
        let kept = |slot: &usize| level.parents[*slot] != LOOSE;
        assert!((0..masses.len()).all(|slot| kept(&slot) == (adjacency.degree(slot) > 0)));
        let sum: f32 = (0..masses.len()).filter(kept).map(|slot| masses[slot]).sum();
        assert!((level.masses.iter().sum::<f32>() - sum).abs() < 1e-3 * sum);
        // Every edge, there and back, as often as it runs between the same two clusters.
        let mut between = std::collections::BTreeMap::new();
        for slot in 0..masses.len() {
            for (at, other) in adjacency.range(slot).zip(adjacency.neighbours(slot)) {
                let ends = (level.parents[slot], level.parents[*other as usize]);
                if ends.0 != ends.1 {
                    *between.entry(ends).or_insert(0.0) += adjacency.weights().at(at);
                }
            }
        }
        let mut found = std::collections::BTreeMap::new();
        for node in 0..level.masses.len() {
            level.as_fine().each_edge(node, |other, weight| {
                assert!(found.insert((node as u32, other), weight).is_none(), "a neighbour twice");
            });
        }
        assert_eq!(between, found);
    }
}

#[test]
fn who_is_in_a_cluster_hangs_together() {
    let graph = parts();
    let adjacency = adjacency(&graph);
    let masses = masses(&adjacency);
    let level = Level::over(&Fine::ground(&adjacency, &masses, &graph.nodes, &Params::default()));
    let mut reached = vec![false; masses.len()];
    for cluster in 0..level.masses.len() as u32 {
        let first = level.parents.iter().position(|parent| *parent == cluster).unwrap();
        let mut queue = vec![first];
        reached[first] = true;
        while let Some(slot) = queue.pop() {
            for other in adjacency.neighbours(slot).iter().map(|other| *other as usize) {
                if level.parents[other] == cluster && !reached[other] {
                    reached[other] = true;
                    queue.push(other);
                }
            }
        }
    }
    assert!((0..masses.len()).all(|slot| reached[slot] == (level.parents[slot] != LOOSE)));
}

#[test]
fn no_tick_of_a_sketch_does_much_more_than_a_portion() {
    let star = Graph { nodes: (0..30_000).collect(), edges: (1..30_000).map(|leaf| link(0, leaf)).collect() };
    let pairs = Graph {
        nodes: (0..20_000).collect(),
        edges: (0..20_000).step_by(2).map(|node| link(node, node + 1)).collect(),
    };
    for graph in [graphs::preferential(20_000, 5, 1), parts(), star, pairs] {
        let adjacency = adjacency(&graph);
        let masses = masses(&adjacency);
        let nodes = masses.len();
        let params = Params::default();
        let total_mass: f32 = masses.iter().sum();
        let scene = Scene {
            dim: Dim::Two,
            seed: 3,
            params: &params,
            ids: &graph.nodes,
            adjacency: &adjacency,
            masses: &masses,
            total_mass,
            mean_mass: total_mass / nodes as f32,
            fixed: &vec![false; nodes],
            heat: 1.0,
            warmth: &vec![0.0; nodes],
            warm: false,
            refining: false,
            change: crate::scene::Change::Nothing,
        };
        let portion = portion(nodes, adjacency.edge_count());
        let mut positions = vec![[0.0; 3]; nodes];
        let mut sketch = Sketch::default();
        let mut ticks = 0;
        while sketch.advance(&scene, &mut positions) == Progress::UnderWay {
            assert!(sketch.spent <= 2 * portion, "{} of {portion}", sketch.spent);
            ticks += 1;
            assert!(ticks < 200, "a sketch ends");
        }
    }
}

/// Three groups of three, tied so that sums of weights differ in their last bits from one end to the other: each prefers the
/// next one, in a circle.
#[test]
fn a_circle_of_choices_is_one_cluster() {
    let least = 2.0_f32.powi(-24);
    let mut edges = Vec::new();
    for gadget in 0..34 {
        let first = 9 * gadget;
        let at = |group: u32, member: u32| first + 3 * (group % 3) + member;
        for group in 0..3 {
            edges.extend([
                (at(group, 0), at(group, 1), 1_000.0),
                (at(group, 1), at(group, 2), 1_000.0),
                (at(group, 2), at(group + 1, 0), 1.0),
                (at(group, 0), at(group + 1, 1), least),
                (at(group, 0), at(group + 1, 2), least),
            ]);
        }
    }
    let edges = edges.into_iter().map(|(source, target, weight)| crate::Edge { source, target, weight });
    let graph = Graph { nodes: (0..9 * 34).collect(), edges: edges.collect() };
    let adjacency = adjacency(&graph);
    let masses = masses(&adjacency);
    let groups = Level::over(&Fine::ground(&adjacency, &masses, &graph.nodes, &Params::default()));
    assert_eq!(groups.masses.len(), 3 * 34);
    let whole = Level::over(&groups.as_fine());
    assert_eq!((whole.masses.len(), whole.adjacency.edge_count()), (34, 0));
}

#[test]
fn edges_of_d3_pull_clusters_as_they_pull_nodes() {
    let graph = parts();
    let adjacency = adjacency(&graph);
    let (nodes, params) = (adjacency.nodes(), Params { model: Model::D3, ..Params::default() });
    let mean = masses(&adjacency).iter().sum::<f32>() / nodes as f32;
    let masses = vec![mean; nodes];
    let fine = Fine::ground(&adjacency, &masses, &graph.nodes, &params);
    let level = Level::over(&fine);
    let mut pulls = std::collections::BTreeMap::new();
    for node in 0..nodes {
        for (at, other) in adjacency.range(node).zip(adjacency.neighbours(node)) {
            let weight = adjacency.weights().at(at);
            let ends = (level.parents[node], level.parents[*other as usize]);
            let fewer = adjacency.degree(node).min(adjacency.degree(*other as usize));
            if ends.0 != ends.1 {
                *pulls.entry(ends).or_insert(0.0) += weight * mean / fewer as f32;
            }
        }
    }
    for node in 0..level.masses.len() {
        level.as_fine().each_edge(node, |other, weight| {
            let right: f32 = pulls[&(node as u32, other)];
            assert!((weight - right).abs() <= 1e-4 * right, "{weight} {right}");
        });
    }
}
