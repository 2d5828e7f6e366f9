//! What a layout promises to those who drive it.

mod constraints;
mod convergence;
mod determinism;
mod graphs;
mod hands;
mod hostile;
mod made;
mod membership;
mod models;
mod refining;
mod sketching;

use graphs::Graph;
use weft_kernels::{Dim, Params, Point, Simulation, TickReport};

/// A layout of `graph` with default parameters, not yet ticked.
fn start(dim: Dim, graph: &Graph) -> Simulation {
    let mut layout = Simulation::new(dim, Params::default(), 7).unwrap();
    layout.sync(&graph.nodes, &graph.edges).unwrap();
    layout
}

/// Ticks until the layout sleeps.
fn settle(layout: &mut Simulation) -> TickReport {
    for _ in 0..3_000 {
        let report = layout.tick();
        if report.settled {
            return report;
        }
    }
    panic!("did not settle: {:?}", layout.tick());
}

fn distance(a: Point, b: Point) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt()
}

/// The exact bits, so that two runs can be compared without tolerance.
fn bits(points: &[Point]) -> Vec<[u32; 3]> {
    points.iter().map(|point| point.map(f32::to_bits)).collect()
}

/// What a run on so many threads comes to.
fn on_threads<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run)
}

/// Fails where a run, in the plane or in space, comes to other bits on two or four threads than on one.
fn assert_same_on_all_threads(run: impl Fn(Dim) -> Vec<[u32; 3]> + Sync) {
    for dim in [Dim::Two, Dim::Three] {
        let alone = on_threads(1, || run(dim));
        for threads in [2, 4] {
            assert!(alone == on_threads(threads, || run(dim)), "{dim:?} on {threads} threads");
        }
    }
}

/// Fails on anything that must never leave a layout.
fn assert_sane(layout: &Simulation) {
    for point in layout.positions() {
        assert!(point.iter().all(|c| c.abs() <= weft_kernels::WORLD_LIMIT), "{point:?}");
        assert!(layout.dim() == Dim::Three || point[2] == 0.0, "{point:?}");
    }
    for velocity in layout.velocities() {
        assert!(velocity.iter().all(|c| c.is_finite()), "{velocity:?}");
    }
}
