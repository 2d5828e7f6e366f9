//! What a layout is told to keep to, it keeps to.

use proptest::prelude::*;
use weft_kernels::{
    Bounds, Constraint, Dim, Error, Params, Point, Region, Rule, Shape, Simulation, WORLD_LIMIT,
};

use crate::graphs::{link, preferential};
use crate::{assert_sane, bits, distance, made, on_threads, settle, start};

/// World units that a kept constraint may be off by: a thousandth of what the graphs here measure.
const OFF: f32 = 0.5;

fn firm(rule: Rule) -> Constraint {
    Constraint { strength: 1.0, rule }
}

fn spread(layout: &Simulation, nodes: &[u32], axis: usize) -> f32 {
    let values = nodes.iter().map(|node| layout.positions()[*node as usize][axis]);
    values.clone().fold(f32::MIN, f32::max) - values.fold(f32::MAX, f32::min)
}

fn kept(layout: &mut Simulation) {
    let errors = layout.constraint_errors();
    assert!(errors.iter().all(|error| *error <= OFF), "{errors:?}");
}

#[test]
fn pairs_keep_their_distance() {
    for dim in [Dim::Two, Dim::Three] {
        let mut layout = start(dim, &preferential(300, 2, 1));
        let pairs: Vec<(u32, u32)> = (0..100).map(|node| (node, node + 1)).collect();
        layout.set_constraints(vec![firm(Rule::Distance { pairs: pairs.clone(), length: 25.0 })]).unwrap();
        settle(&mut layout);
        for (a, b) in pairs {
            let far = distance(layout.positions()[a as usize], layout.positions()[b as usize]);
            assert!((far - 25.0).abs() < OFF, "{far}");
        }
    }
}

#[test]
fn nodes_align_along_any_direction() {
    let nodes: Vec<u32> = (0..300).step_by(3).collect();
    let align =
        |direction, shape, through| firm(Rule::Alignment { nodes: nodes.clone(), direction, shape, through });
    let mut layout = start(Dim::Two, &preferential(300, 2, 1));
    layout.set_constraints(vec![align([3.0, 0.0, 9.0], Shape::Line, None)]).unwrap();
    settle(&mut layout);
    assert!(spread(&layout, &nodes, 1) < OFF && spread(&layout, &nodes, 0) > 50.0);
    // In the plane, what is perpendicular to y is the same line; here it goes through a point.
    layout.set_constraints(vec![align([0.0, -2.0, 0.0], Shape::Plane, Some([0.0, 40.0, 7.0]))]).unwrap();
    settle(&mut layout);
    assert!(nodes.iter().all(|node| (layout.positions()[*node as usize][1] - 40.0).abs() < OFF));

    let mut layout = start(Dim::Three, &preferential(300, 2, 1));
    layout.set_constraints(vec![align([0.0, 0.0, 1.0], Shape::Plane, None)]).unwrap();
    settle(&mut layout);
    assert!(spread(&layout, &nodes, 2) < OFF && spread(&layout, &nodes, 0) > 50.0);
    layout.set_constraints(vec![align([1.0, 1.0, 0.0], Shape::Line, None)]).unwrap();
    settle(&mut layout);
    kept(&mut layout);
    assert!(spread(&layout, &nodes, 2) < OFF && spread(&layout, &nodes, 0) > 50.0);
}

#[test]
fn an_alignment_goes_through_its_pinned_nodes() {
    let mut layout = start(Dim::Two, &preferential(50, 2, 1));
    layout.pin(4, Some([10.0, 77.0, 0.0])).unwrap();
    let nodes = vec![3, 4, 5, 6];
    let rule = Rule::Alignment { nodes, direction: [1.0, 0.0, 0.0], shape: Shape::Line, through: None };
    layout.set_constraints(vec![firm(rule)]).unwrap();
    settle(&mut layout);
    assert!((3..7).all(|node| (layout.positions()[node][1] - 77.0).abs() < OFF));
    assert_eq!(bits(&layout.positions()[4..5]), bits(&[[10.0, 77.0, 0.0]]));
}

#[test]
fn groups_keep_to_themselves_and_others_out() {
    for dim in [Dim::Two, Dim::Three] {
        let mut layout = start(dim, &made::communities(6, 50, 3));
        let groups: Vec<Vec<u32>> = (0..4).map(|group| (group * 50..group * 50 + 50).collect()).collect();
        let rule =
            Rule::Cluster { groups: groups.clone(), center: None, radius: Some(60.0), exclusive: true };
        layout.set_constraints(vec![firm(rule)]).unwrap();
        settle(&mut layout);
        kept(&mut layout);
        for group in &groups {
            let middle = [0, 1, 2].map(|axis| {
                group.iter().map(|node| layout.positions()[*node as usize][axis]).sum::<f32>() / 50.0
            });
            for (node, place) in layout.ids().iter().zip(layout.positions()) {
                let far = distance(*place, middle);
                let inside = group.contains(node);
                assert!(if inside { far < 60.0 + OFF } else { far > 60.0 - OFF }, "{node} {inside} {far}");
            }
        }
    }
}

#[test]
fn a_heap_of_groups_parts_as_wholes() {
    for dim in [Dim::Two, Dim::Three] {
        // Each node is in another group than those that it hangs together with, so that forces keep them in one heap.
        let mut layout = start(dim, &made::communities(10, 50, 3));
        let groups: Vec<Vec<u32>> = (0..50).map(|group| (group..500).step_by(50).collect()).collect();
        let rule =
            Rule::Cluster { groups: groups.clone(), center: None, radius: Some(15.0), exclusive: true };
        layout.set_constraints(vec![firm(rule)]).unwrap();
        layout.pin(0, Some([7.0, 0.0, 0.0])).unwrap();
        for _ in 0..400 {
            layout.tick();
        }
        kept(&mut layout);
        assert_eq!(bits(&layout.positions()[..1]), bits(&[[7.0, 0.0, 0.0]]), "a pin holds its group");
        let middle = |group: &[u32]| {
            [0, 1, 2].map(|axis| {
                group.iter().map(|node| layout.positions()[*node as usize][axis]).sum::<f32>() / 10.0
            })
        };
        let middles: Vec<_> = groups[1..].iter().map(|group| middle(group)).collect();
        for (at, one) in middles.iter().enumerate() {
            for other in &middles[at + 1..] {
                assert!(distance(*one, *other) > 30.0 - 2.0 * OFF, "{}", distance(*one, *other));
            }
        }
    }
}

#[test]
fn a_group_without_a_radius_has_its_share_of_the_layout() {
    let mut layout = start(Dim::Two, &made::communities(4, 50, 3));
    let groups = (0..4).map(|group| (group * 50..group * 50 + 50).collect()).collect();
    let rule = Rule::Cluster { groups, center: None, radius: None, exclusive: true };
    layout.set_constraints(vec![firm(rule)]).unwrap();
    settle(&mut layout);
    kept(&mut layout);
    assert!(spread(&layout, &(0..50).collect::<Vec<_>>(), 0) > 20.0, "it has not collapsed");
}

#[test]
fn edges_of_a_hierarchy_point_along_an_axis_and_cycles_are_passed_over() {
    let mut graph = preferential(400, 2, 1);
    // A long chain beside, so that one pass must reach through all of it; and a cycle at its end.
    graph.nodes.extend(400..600);
    graph.edges.extend((400..599).map(|node| link(node, node + 1)));
    graph.edges.push(link(599, 597));
    let edges: Vec<(u32, u32)> = graph.edges.iter().map(|edge| (edge.source, edge.target)).collect();
    let mut layout = start(Dim::Two, &graph);
    let rule = Rule::Hierarchy { edges: edges.clone(), direction: [0.0, -1.0, 0.0], gap: 8.0 };
    layout.set_constraints(vec![firm(rule)]).unwrap();
    settle(&mut layout);
    for (source, target) in edges.into_iter().filter(|edge| edge.0 != edge.1 && edge.0.min(edge.1) < 597) {
        let down = layout.positions()[source as usize][1] - layout.positions()[target as usize][1];
        assert!(down > 8.0 - OFF, "{source} → {target}: {down}");
    }
}

#[test]
fn a_hierarchy_between_pins_settles_beside_them() {
    let mut layout = start(Dim::Two, &made::path(3));
    let rule = Rule::Hierarchy { edges: vec![(0, 1), (1, 2)], direction: [1.0, 0.0, 0.0], gap: 5.0 };
    layout.set_constraints(vec![firm(rule)]).unwrap();
    layout.pin(2, Some([0.0; 3])).unwrap();
    settle(&mut layout);
    assert!(layout.positions()[1][0] < -5.0 + OFF && layout.positions()[0][0] < -10.0 + OFF);
    assert_eq!(bits(&layout.positions()[2..3]), bits(&[[0.0; 3]]));
}

#[test]
fn nobody_leaves_a_boundary_but_who_is_pinned() {
    let square = Region::Box(Bounds { min: [-50.0, -20.0, 0.0], max: [50.0, 20.0, 0.0] });
    let ball = Region::Ball { center: [30.0, 0.0, 0.0], radius: 40.0 };
    for (dim, region) in [(Dim::Two, square), (Dim::Two, ball), (Dim::Three, ball)] {
        let mut layout = start(dim, &preferential(500, 3, 1));
        layout.pin(7, Some([900.0, 0.0, 0.0])).unwrap();
        layout.set_constraints(vec![firm(Rule::Boundary { nodes: None, region })]).unwrap();
        settle(&mut layout);
        kept(&mut layout);
        assert_eq!(bits(&layout.positions()[7..8]), bits(&[[900.0, 0.0, 0.0]]));
    }
}

#[test]
fn round_nodes_do_not_overlap() {
    for dim in [Dim::Two, Dim::Three] {
        let params = Params { repulsion: 0.05, ..Params::default() };
        let mut layout = Simulation::new(dim, params, 3).unwrap();
        let graph = preferential(300, 2, 1);
        layout.sync(&graph.nodes, &graph.edges).unwrap();
        let radii = (0..100).map(|node| (node, 4.0)).collect();
        layout.set_constraints(vec![firm(Rule::Collision { radii, others: 2.0 })]).unwrap();
        settle(&mut layout);
        let radius = |node: usize| if node < 100 { 4.0 } else { 2.0 };
        let places = layout.positions();
        for a in 0..300 {
            for b in 0..a {
                let missing = radius(a) + radius(b) - distance(places[a], places[b]);
                assert!(missing < OFF, "{a} and {b} overlap by {missing}");
            }
        }
    }
}

#[test]
fn a_weak_constraint_gives_way_to_the_forces() {
    let width = |strength| {
        let mut layout = start(Dim::Two, &preferential(300, 2, 1));
        let region = Region::Box(Bounds { min: [-20.0; 3], max: [20.0; 3] });
        let rule = Rule::Boundary { nodes: None, region };
        layout.set_constraints(vec![Constraint { strength, rule }]).unwrap();
        for _ in 0..100 {
            layout.tick();
        }
        spread(&layout, &(0..300).collect::<Vec<_>>(), 0)
    };
    assert!(width(1.0) <= 40.0);
    assert!(width(0.05) > 41.0);
}

#[test]
fn constraints_wake_once_outlive_nodes_and_hold_for_newcomers() {
    let graph = preferential(60, 2, 1);
    let mut layout = start(Dim::Two, &graph);
    settle(&mut layout);
    let nodes = vec![1, 2, 3, 70];
    let rule = Rule::Alignment { nodes, direction: [1.0, 0.0, 0.0], shape: Shape::Line, through: None };
    layout.set_constraints(vec![firm(rule.clone())]).unwrap();
    assert!(!layout.is_settled());
    settle(&mut layout);
    layout.set_constraints(vec![firm(rule)]).unwrap();
    assert!(layout.is_settled(), "the same ones change nothing");

    let mut nodes = graph.nodes.clone();
    nodes.retain(|node| *node != 2);
    nodes.push(70);
    let mut edges = graph.edges;
    edges.retain(|edge| edge.source != 2 && edge.target != 2);
    edges.push(link(70, 1));
    layout.sync(&nodes, &edges).unwrap();
    settle(&mut layout);
    let height = |id: u32| layout.positions()[layout.ids().binary_search(&id).unwrap()][1];
    assert!((height(70) - height(1)).abs() < OFF && (height(3) - height(1)).abs() < OFF);
    layout.set_constraints(Vec::new()).unwrap();
    assert!(!layout.is_settled());
}

/// Everything at once, against each other.
fn contradictions() -> Vec<Constraint> {
    let all: Vec<u32> = (0..60).collect();
    let line = |direction| Rule::Alignment {
        nodes: all.clone(),
        direction,
        shape: Shape::Line,
        through: Some([0.0; 3]),
    };
    let chain: Vec<(u32, u32)> = (0..59).map(|node| (node, node + 1)).collect();
    let back = chain.iter().map(|(a, b)| (*b, *a)).collect();
    let cluster = |center| Rule::Cluster {
        groups: vec![all.clone()],
        center: Some(center),
        radius: Some(1.0),
        exclusive: true,
    };
    let small = Region::Ball { center: [0.0; 3], radius: 30.0 };
    let elsewhere = Region::Box(Bounds { min: [500.0; 3], max: [600.0; 3] });
    [
        Rule::Distance { pairs: chain.clone(), length: 100.0 },
        Rule::Distance { pairs: chain.clone(), length: 1.0 },
        line([1.0, 0.0, 0.0]),
        line([0.0, 1.0, 0.0]),
        cluster([1_000.0, 0.0, 0.0]),
        cluster([-1_000.0, 0.0, 0.0]),
        Rule::Hierarchy { edges: chain, direction: [1.0, 0.0, 0.0], gap: 50.0 },
        Rule::Hierarchy { edges: back, direction: [1.0, 0.0, 0.0], gap: 50.0 },
        Rule::Collision { radii: Vec::new(), others: 40.0 },
        Rule::Boundary { nodes: None, region: small },
        Rule::Boundary { nodes: None, region: elsewhere },
    ]
    .map(firm)
    .into()
}

#[test]
fn constraints_that_contradict_each_other_settle_and_stay_bounded() {
    for dim in [Dim::Two, Dim::Three] {
        let mut layout = start(dim, &preferential(60, 2, 1));
        layout.set_constraints(contradictions()).unwrap();
        layout.pin(7, Some([2_000.0, 0.0, 0.0])).unwrap();
        settle(&mut layout);
        assert_sane(&layout);
        for (id, place) in layout.ids().iter().zip(layout.positions()) {
            assert!(*id == 7 || place.iter().all(|c| c.abs() <= 601.0), "{id} {place:?}");
        }
    }
}

#[test]
fn nonsense_is_refused_and_changes_nothing() {
    let mut layout = start(Dim::Two, &preferential(20, 2, 1));
    let apart = |length| Rule::Distance { pairs: vec![(1, 2)], length };
    let along = |direction| Rule::Hierarchy { edges: vec![(1, 2)], direction, gap: 1.0 };
    let bad: [(f32, Rule, &str); 7] = [
        (0.0, apart(1.0), "strength"),
        (f32::NAN, apart(1.0), "strength"),
        (1.1, apart(1.0), "strength"),
        (1.0, apart(f32::NAN), "length"),
        (1.0, apart(2.0 * WORLD_LIMIT), "length"),
        // In the plane there is no depth to point to.
        (1.0, along([0.0, 0.0, 1.0]), "direction"),
        (1.0, along([f32::INFINITY, 0.0, 0.0]), "direction"),
    ];
    for (strength, rule, field) in bad {
        let given = vec![firm(apart(5.0)), Constraint { strength, rule }];
        assert_eq!(layout.set_constraints(given), Err(Error::Constraint { index: 1, field }));
        assert!(layout.constraints().is_empty());
    }
}

/// A run at full size with one of each kind; large enough for many chunks.
fn large(dim: Dim, threads: usize) -> (Vec<[u32; 3]>, Vec<f32>) {
    let nodes = 100_000;
    on_threads(threads, || {
        let graph = preferential(nodes, 3, 5);
        let mut layout = start(dim, &graph);
        let edges = graph.edges.iter().map(|edge| (edge.source, edge.target)).collect();
        let region = Region::Ball { center: [0.0; 3], radius: 8_000.0 };
        layout
            .set_constraints(
                [
                    Rule::Distance { pairs: (0..50_000).map(|n| (n, n + 50_000)).collect(), length: 30.0 },
                    Rule::Hierarchy { edges, direction: [0.0, -1.0, 0.0], gap: 20.0 },
                    Rule::Alignment {
                        nodes: (0..nodes).step_by(10).collect(),
                        direction: [1.0, 0.0, 0.0],
                        shape: Shape::Line,
                        through: None,
                    },
                    Rule::Cluster {
                        groups: (0..200).map(|g| (g * 500..g * 500 + 500).collect()).collect(),
                        center: None,
                        radius: None,
                        exclusive: true,
                    },
                    Rule::Collision { radii: Vec::new(), others: 3.0 },
                    Rule::Boundary { nodes: None, region },
                ]
                .map(firm)
                .into(),
            )
            .unwrap();
        for _ in 0..6 {
            layout.tick();
        }
        assert_sane(&layout);
        let mut all = bits(layout.positions());
        all.extend(bits(layout.velocities()));
        (all, layout.constraint_errors())
    })
}

#[test]
fn a_hundred_thousand_nodes_give_the_same_bits_on_any_number_of_threads() {
    for dim in [Dim::Two, Dim::Three] {
        let (alone, errors) = large(dim, 1);
        assert!(errors[5] < OFF, "what comes last is kept at once: {errors:?}");
        for threads in [2, 4] {
            assert!(alone == large(dim, threads).0, "{dim:?} on {threads} threads");
        }
    }
}

fn rule() -> impl Strategy<Value = Rule> {
    let number = || prop_oneof![Just(0.0_f32), Just(1e-30), Just(WORLD_LIMIT), 0.0..500.0_f32];
    let place = || prop::array::uniform3(prop_oneof![Just(0.0), Just(-WORLD_LIMIT), -500.0..500.0_f32]);
    let along = || prop::array::uniform3(1e-3..1.0_f32);
    let nodes = || prop::collection::vec(0..70_u32, 0..40);
    let pairs = || prop::collection::vec((0..70_u32, 0..70_u32), 0..40);
    prop_oneof![
        (pairs(), number()).prop_map(|(pairs, length)| Rule::Distance { pairs, length }),
        (nodes(), along(), any::<bool>(), prop::option::of(place())).prop_map(
            |(nodes, direction, line, through)| {
                let shape = if line { Shape::Line } else { Shape::Plane };
                Rule::Alignment { nodes, direction, shape, through }
            }
        ),
        (
            prop::collection::vec(nodes(), 0..4),
            prop::option::of(place()),
            prop::option::of(number()),
            any::<bool>()
        )
            .prop_map(|(groups, center, radius, exclusive)| Rule::Cluster {
                groups,
                center,
                radius,
                exclusive
            }),
        (pairs(), along(), number()).prop_map(|(edges, direction, gap)| Rule::Hierarchy {
            edges,
            direction,
            gap
        }),
        (prop::option::of(nodes()), place(), number()).prop_map(|(nodes, center, radius)| Rule::Boundary {
            nodes,
            region: Region::Ball { center, radius }
        }),
        (prop::collection::vec((0..70_u32, number()), 0..40), number())
            .prop_map(|(radii, others)| Rule::Collision { radii, others }),
    ]
}

fn places() -> impl Strategy<Value = Vec<(u32, Point)>> {
    let coordinate = prop_oneof![Just(0.0), Just(WORLD_LIMIT), -100.0..100.0_f32];
    prop::collection::vec((0..60_u32, prop::array::uniform3(coordinate)), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn whatever_is_asked_nothing_infinite_leaves_and_pins_stay(
        three in any::<bool>(), places in places(), pinned in prop::collection::btree_set(0..60_u32, 0..10),
        rules in prop::collection::vec((0.01..=1.0_f32, rule()), 0..6),
    ) {
        let graph = preferential(60, 2, 1);
        let mut layout = start(if three { Dim::Three } else { Dim::Two }, &graph);
        layout.restore(&places).unwrap();
        for node in &pinned {
            layout.pin(*node, None).unwrap();
        }
        let held: Vec<Point> = pinned.iter().map(|node| layout.positions()[*node as usize]).collect();
        let rules = rules.into_iter().map(|(strength, rule)| Constraint { strength, rule }).collect();
        layout.set_constraints(rules).unwrap();
        for _ in 0..30 {
            let report = layout.tick();
            prop_assert!(report.mean_displacement.is_finite() && report.max_displacement.is_finite());
            assert_sane(&layout);
        }
        prop_assert!(layout.constraint_errors().iter().all(|error| error.is_finite()));
        for (node, place) in pinned.iter().zip(held) {
            prop_assert_eq!(bits(&[layout.positions()[*node as usize]]), bits(&[place]));
        }
    }
}
