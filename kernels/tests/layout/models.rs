//! Every model of forces is balanced where it says, and can take over from another while a layout runs.

use weft_kernels::{Dim, Edge, Model, Params, Phase, Simulation};

use crate::graphs::{Graph, link, preferential};
use crate::{assert_same_on_all_threads, assert_sane, bits, distance, made, settle};

const MODELS: [Model; 3] = [Model::ForceAtlas2, Model::FruchtermanReingold, Model::D3];

fn start(dim: Dim, graph: &Graph, params: Params) -> Simulation {
    let mut layout = Simulation::new(dim, params, 7).unwrap();
    layout.sync(&graph.nodes, &graph.edges).unwrap();
    layout
}

fn of(model: Model) -> Params {
    Params { model, ..Params::default() }
}

/// The graph with each edge once, in one direction, and no loops.
fn distinct(mut graph: Graph) -> Graph {
    graph.edges.retain(|edge| edge.source != edge.target);
    let ends = |edge: &Edge| (edge.source.min(edge.target), edge.source.max(edge.target));
    graph.edges.sort_unstable_by_key(ends);
    graph.edges.dedup_by_key(|edge| ends(edge));
    graph
}

/// Number of neighbours of every node. Nodes are numbered from 0, edges all different.
fn degrees(graph: &Graph) -> Vec<f64> {
    let mut degrees = vec![0.0; graph.nodes.len()];
    for edge in &graph.edges {
        degrees[edge.source as usize] += 1.0;
        degrees[edge.target as usize] += 1.0;
    }
    degrees
}

/// The forces on every node as [`Model`] has them, summed over all pairs in double precision, and the sum of
/// what acts on it, whatever the direction.
fn forces(graph: &Graph, layout: &Simulation) -> Vec<([f64; 3], f64)> {
    let params = *layout.params();
    let number = f64::from;
    let (repulsion, attraction) = (number(params.repulsion), number(params.attraction));
    let (degrees, places) = (degrees(graph), layout.positions());
    let mean = degrees.iter().map(|degree| 1.0 + degree).sum::<f64>() / degrees.len() as f64;
    let ideal = mean * (repulsion / attraction).sqrt();
    let masses: Vec<f64> = match params.model {
        Model::ForceAtlas2 => degrees.iter().map(|degree| 1.0 + degree).collect(),
        Model::FruchtermanReingold | Model::D3 => vec![mean; degrees.len()],
    };
    let mut sums = vec![([0.0; 3], 0.0); degrees.len()];
    let mut act = |node: usize, way: [f64; 3], strength: f64| {
        (0..3).for_each(|axis| sums[node].0[axis] += strength * way[axis]);
        sums[node].1 += strength.abs() * way.iter().map(|c| c * c).sum::<f64>().sqrt();
    };
    let way = |from: usize, to: usize| -> [f64; 3] {
        std::array::from_fn(|axis| number(places[to][axis]) - number(places[from][axis]))
    };
    let length = |way: [f64; 3]| way.iter().map(|c| c * c).sum::<f64>().sqrt();
    for a in 0..places.len() {
        act(a, places[a].map(number), -number(params.gravity) * masses[a]);
        for b in (0..places.len()).filter(|b| *b != a) {
            let to = way(a, b);
            act(a, to, -repulsion * masses[a] * masses[b] / length(to).powi(2));
        }
    }
    for edge in &graph.edges {
        let (a, b) = (edge.source as usize, edge.target as usize);
        let d = length(way(a, b));
        for (near, far) in [(a, b), (b, a)] {
            let pull = match params.model {
                Model::ForceAtlas2 => d,
                Model::FruchtermanReingold => d * d / ideal,
                Model::D3 => mean / degrees[a].min(degrees[b]) * (d - ideal / 2.0),
            };
            act(near, way(near, far), attraction * f64::from(edge.weight) * pull / d);
        }
    }
    sums
}

#[test]
fn at_rest_the_forces_of_the_model_are_balanced_on_every_node() {
    for graph in [distinct(made::communities(5, 40, 3)), made::path(30)] {
        for (model, dim) in MODELS.into_iter().flat_map(|model| [(model, Dim::Two), (model, Dim::Three)]) {
            // A tree that opens all but everything, and all the time that it takes.
            let exact = Params { theta: 0.3, tolerance: 1e-7, cooling: 0.002, ..of(model) };
            let mut layout = start(dim, &graph, exact);
            for _ in 0..6_000 {
                layout.tick();
            }
            let sums = forces(&graph, &layout);
            for (node, (force, all)) in sums.iter().enumerate() {
                let left = force.iter().map(|c| c * c).sum::<f64>().sqrt() / all;
                assert!(left < 1e-3, "{model:?} {dim:?}, node {node}: {left} of what acts");
            }
        }
    }
}

#[test]
fn two_linked_nodes_rest_at_the_same_length_in_every_model() {
    for (model, dim) in MODELS.into_iter().flat_map(|model| [(model, Dim::Two), (model, Dim::Three)]) {
        for (repulsion, attraction) in [(10.0, 1.0), (40.0, 1.0), (10.0, 5.0)] {
            let params = Params { gravity: 0.0, repulsion, attraction, ..of(model) };
            let mut layout = start(dim, &made::path(2), params);
            settle(&mut layout);
            let apart = distance(layout.positions()[0], layout.positions()[1]);
            let expected = 2.0 * (repulsion / attraction).sqrt();
            assert!((apart - expected).abs() < 0.02 * expected, "{params:?} {dim:?}: {apart}");
        }
    }
}

/// Root mean square of the distances from the middle.
fn size(layout: &Simulation) -> f32 {
    let squares: f32 = layout.positions().iter().map(|place| distance(*place, [0.0; 3]).powi(2)).sum();
    (squares / layout.positions().len() as f32).sqrt()
}

#[test]
fn a_model_can_be_changed_while_a_layout_runs_and_leads_where_it_would_from_the_start() {
    let graph = made::communities(10, 60, 3);
    for dim in [Dim::Two, Dim::Three] {
        let mut layout = start(dim, &graph, Params::default());
        while layout.tick().phase == Phase::Sketching {}
        (0..40).for_each(|_| assert!(!layout.tick().settled));
        for model in [Model::D3, Model::FruchtermanReingold, Model::ForceAtlas2] {
            let before = size(&layout);
            layout.set_params(of(model)).unwrap();
            let report = layout.tick();
            assert!(report.max_displacement <= 0.04 * report.extent, "{model:?}: no jump, {report:?}");
            settle(&mut layout);
            assert_sane(&layout);
            let mut fresh = start(dim, &graph, of(model));
            settle(&mut fresh);
            let ratio = size(&layout) / size(&fresh);
            assert!((0.95..1.05).contains(&ratio), "{model:?} {dim:?}: {ratio}");
            assert!((0.3..3.0).contains(&(size(&layout) / before)), "{model:?}: {before} {}", size(&layout));
        }
    }
}

#[test]
fn planted_communities_stand_apart_in_every_model() {
    let (count, size) = (8, 60);
    let graph = made::communities(count, size, 3);
    for (model, dim) in MODELS.into_iter().flat_map(|model| [(model, Dim::Two), (model, Dim::Three)]) {
        let mut layout = start(dim, &graph, of(model));
        settle(&mut layout);
        let (inside, across) = crate::convergence::mean_distances(layout.positions(), size as usize);
        assert!(inside < 0.7 * across, "{model:?} {dim:?}: {inside} {across}");
    }
}

/// A run by the mesh that goes through all models.
fn story(dim: Dim) -> Vec<[u32; 3]> {
    let graph = preferential(9_000, 3, 9);
    let mut layout = start(dim, &graph, of(Model::D3));
    for model in [Model::D3, Model::FruchtermanReingold, Model::ForceAtlas2, Model::D3] {
        layout.set_params(of(model)).unwrap();
        for _ in 0..8 {
            layout.tick();
        }
    }
    [bits(layout.positions()), bits(layout.velocities())].concat()
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    assert_same_on_all_threads(story);
}

#[test]
fn hard_graphs_settle_in_every_model() {
    let lone = Graph { nodes: vec![4], edges: vec![link(4, 4)] };
    let star = Graph { nodes: (0..500).collect(), edges: (1..500).map(|leaf| link(0, leaf)).collect() };
    let uneven = made::uneven_path(40);
    for graph in [lone, star, uneven, made::hub_and_dust(2_000, 1), preferential(5_000, 3, 2)] {
        for (model, dim) in MODELS.into_iter().flat_map(|model| [(model, Dim::Two), (model, Dim::Three)]) {
            let mut layout = start(dim, &graph, of(model));
            settle(&mut layout);
            assert_sane(&layout);
        }
    }
}
