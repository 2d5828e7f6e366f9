//! A graph that nobody has placed is sketched by coarser ones first, and all other promises hold.

use weft_kernels::analytics::Network;
use weft_kernels::quality::{Quality, Sampling, Yardstick};
use weft_kernels::{Constraint, Dim, Model, Params, Phase, Processor, Region, Rule, Simulation};

use crate::graphs::{Graph, link, preferential};
use crate::{assert_same_on_all_threads, assert_sane, bits, distance, made, settle, start};

/// Ticks until the sketch is complete. Returns how many.
fn complete(layout: &mut Simulation) -> u64 {
    loop {
        let report = layout.tick();
        if report.phase != Phase::Sketching {
            return report.tick;
        }
        assert!(report.tick < 200, "a sketch ends: {report:?}");
        assert!(!report.settled && report.processor == Processor::Cpu);
        assert!(report.mean_displacement <= report.max_displacement && report.max_displacement.is_finite());
        assert_sane(layout);
    }
}

/// The layout begun without a sketch.
fn by_chance(dim: Dim, graph: &Graph) -> Simulation {
    let mut layout = start(dim, graph);
    let (node, place) = (layout.ids()[0], layout.positions()[0]);
    layout.drag(node, place).unwrap();
    layout.release(node).unwrap();
    layout
}

fn settled_quality(mut layout: Simulation, graph: &Graph) -> Quality {
    settle(&mut layout);
    let network = Network::new(&graph.nodes, &graph.edges).unwrap();
    let yardstick = Yardstick::new(&network, &Sampling::default());
    yardstick.measure(layout.dim(), layout.positions()).unwrap()
}

#[test]
fn what_is_long_unfolds_and_what_is_round_is_as_good_as_by_chance() {
    let long = [made::path(600), made::grid(40)];
    let round = [made::communities(20, 60, 3), preferential(3_000, 3, 1), made::hub_and_dust(3_000, 2)];
    let pair = |dim, graph: &Graph| {
        let sketched = settled_quality(start(dim, graph), graph);
        (sketched, settled_quality(by_chance(dim, graph), graph))
    };
    // In space there is room to unfold in any case.
    for graph in &long {
        let (sketched, chance) = pair(Dim::Two, graph);
        assert!(sketched.stress < 0.9 * chance.stress, "{sketched:?} {chance:?}");
        let [kept, by_chance] = [sketched, chance].map(|quality| quality.neighbourhood_preservation);
        assert!(kept > by_chance, "{sketched:?} {chance:?}");
    }
    for (graph, dim) in round.iter().flat_map(|graph| [(graph, Dim::Two), (graph, Dim::Three)]) {
        let (sketched, chance) = pair(dim, graph);
        assert!(sketched.stress < 1.05 * chance.stress, "{dim:?}: {sketched:?} {chance:?}");
    }
}

#[test]
fn any_graph_can_be_sketched() {
    let star = Graph { nodes: (0..5_000).collect(), edges: (1..5_000).map(|leaf| link(0, leaf)).collect() };
    let dust = Graph { nodes: (0..500).collect(), edges: Vec::new() };
    let pairs = Graph {
        nodes: (0..5_000).collect(),
        edges: (0..5_000).step_by(2).map(|node| link(node, node + 1)).collect(),
    };
    let uneven = made::uneven_path(400);
    let lone = Graph { nodes: vec![4], edges: vec![link(4, 4)] };
    let empty = Graph { nodes: Vec::new(), edges: Vec::new() };
    for graph in [star, dust, pairs, uneven, lone, empty, made::hub_and_dust(3_000, 1), made::path(3_000)] {
        for model in [Model::ForceAtlas2, Model::FruchtermanReingold, Model::D3] {
            for dim in [Dim::Two, Dim::Three] {
                let mut layout = Simulation::new(dim, Params { model, ..Params::default() }, 7).unwrap();
                layout.sync(&graph.nodes, &graph.edges).unwrap();
                complete(&mut layout);
                for _ in 0..20 {
                    layout.tick();
                }
                assert_sane(&layout);
                let mut places = bits(layout.positions());
                places.sort_unstable();
                places.dedup();
                assert_eq!(places.len(), graph.nodes.len(), "{model:?} {dim:?}: nodes in one place");
            }
        }
    }
}

#[test]
fn each_tick_shows_more_of_the_picture() {
    let graph = made::grid(100);
    let network = Network::new(&graph.nodes, &graph.edges).unwrap();
    let yardstick = Yardstick::new(&network, &Sampling::default());
    let mut layout = start(Dim::Two, &graph);
    let mut stress = vec![yardstick.measure(Dim::Two, layout.positions()).unwrap().stress];
    while layout.tick().phase == Phase::Sketching {
        stress.push(yardstick.measure(Dim::Two, layout.positions()).unwrap().stress);
    }
    assert!(stress.len() > 3);
    let changes = stress.windows(2).filter(|pair| pair[0].to_bits() != pair[1].to_bits()).count();
    assert!(changes > stress.len() / 2, "{stress:?}");
    assert!(stress[stress.len() - 1] < 0.5 * stress[0], "{stress:?}");
}

/// What somebody does to a layout.
type Act<'a> = &'a dyn Fn(&mut Simulation);

#[test]
fn whatever_somebody_does_ends_a_sketch() {
    let graph = preferential(4_000, 3, 1);
    let grown = preferential(4_010, 3, 1);
    let fence = || {
        let region = Region::Ball { center: [0.0; 3], radius: 1e5 };
        vec![Constraint { strength: 1.0, rule: Rule::Boundary { nodes: None, region } }]
    };
    let acts: [(&str, Act); 7] = [
        ("sync", &|layout| assert_eq!(layout.sync(&grown.nodes, &grown.edges).unwrap().added, 10)),
        ("pin", &|layout| layout.pin(3, None).unwrap()),
        ("drag", &|layout| layout.drag(3, [1.0, 2.0, 0.0]).unwrap()),
        ("constraints", &|layout| layout.set_constraints(fence()).unwrap()),
        ("params", &|layout| layout.set_params(Params { gravity: 0.1, ..Params::default() }).unwrap()),
        ("restore", &|layout| assert_eq!(layout.restore(&[(3, [1.0, 2.0, 0.0])]), Ok(1))),
        ("reheat", &|layout| layout.reheat()),
    ];
    for (what, act) in acts {
        let mut layout = start(Dim::Two, &graph);
        assert_eq!(layout.tick().phase, Phase::Sketching);
        assert_eq!(layout.tick().phase, Phase::Sketching);
        act(&mut layout);
        assert_eq!(layout.tick().phase, Phase::Shaping, "{what}");
        settle(&mut layout);
        assert_sane(&layout);
    }
    // Before the first tick: what gives somebody a place, or asks for something, has no sketch; other forces have, and a
    // graph that comes in pieces.
    for (what, act) in acts {
        let mut layout = start(Dim::Two, &graph);
        act(&mut layout);
        let sketches = matches!(what, "sync" | "params" | "reheat");
        assert_eq!(layout.tick().phase == Phase::Sketching, sketches, "{what}");
    }
}

#[test]
fn only_a_graph_that_is_new_as_a_whole_is_sketched() {
    let mut layout = start(Dim::Two, &preferential(1_000, 3, 1));
    complete(&mut layout);
    let grown = preferential(3_000, 3, 1);
    layout.sync(&grown.nodes, &grown.edges).unwrap();
    assert_eq!(layout.tick().phase, Phase::Shaping, "newcomers come to those that are there");
    layout.sync(&[], &[]).unwrap();
    layout.sync(&grown.nodes, &grown.edges).unwrap();
    assert_eq!(layout.tick().phase, Phase::Sketching);
    // A small one needs none.
    assert_eq!(start(Dim::Two, &made::path(50)).tick().phase, Phase::Shaping);
}

#[test]
fn refining_comes_after_the_shape_as_ever() {
    let params = Params { refine: true, ..Params::default() };
    let mut layout = Simulation::new(Dim::Two, params, 7).unwrap();
    let graph = made::communities(10, 60, 3);
    layout.sync(&graph.nodes, &graph.edges).unwrap();
    let mut phases = Vec::new();
    while !layout.is_settled() {
        phases.push(layout.tick().phase);
    }
    phases.dedup();
    assert_eq!(phases, [Phase::Sketching, Phase::Shaping, Phase::Refining]);
}

/// The sketch and what comes after.
fn story(dim: Dim, graph: &Graph) -> Vec<[u32; 3]> {
    let mut layout = start(dim, graph);
    let mut all = Vec::new();
    while layout.tick().phase == Phase::Sketching {
        all.extend(bits(layout.positions()));
    }
    for _ in 0..5 {
        layout.tick();
    }
    all.extend(bits(layout.positions()));
    all.extend(bits(layout.velocities()));
    all
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    for graph in [preferential(12_000, 3, 9), made::hub_and_dust(9_000, 3), made::grid(90)] {
        assert_same_on_all_threads(|dim| story(dim, &graph));
    }
}

#[test]
fn from_the_middle_of_a_sketch_a_layout_is_restored_to_the_same_bits() {
    let graph = preferential(4_000, 3, 9);
    let mut first = start(Dim::Two, &graph);
    for _ in 0..4 {
        assert_eq!(first.tick().phase, Phase::Sketching);
    }
    let saved: Vec<_> = first.ids().iter().copied().zip(first.positions().iter().copied()).collect();
    let mut ends = (0..2).map(|_| {
        let mut again = start(Dim::Two, &graph);
        assert_eq!(again.restore(&saved), Ok(4_000));
        assert_eq!(bits(again.positions()), bits(first.positions()));
        for _ in 0..20 {
            assert_eq!(again.tick().phase, Phase::Shaping);
        }
        bits(again.positions())
    });
    assert!(ends.next() == ends.next());
}

#[test]
fn loose_parts_are_at_the_rim() {
    let graph = made::hub_and_dust(4_000, 2);
    let mut layout = start(Dim::Two, &graph);
    complete(&mut layout);
    let radius = |slot: usize| distance(layout.positions()[slot], [0.0; 3]);
    let mut inner: Vec<f32> = (0..3_600).map(radius).collect();
    inner.sort_by(f32::total_cmp);
    assert!((3_800..4_000).all(|slot| radius(slot) > inner[1_800]));
}
