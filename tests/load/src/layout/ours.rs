//! Our kernel, without the service around it.

use anyhow::Result;
use weft_kernels::{Dim, Params, Simulation};

use crate::{input::Input, report::median, rpc::now};

/// What was measured of the steps of one layout.
pub(super) struct Steps {
    /// Median, in milliseconds.
    pub(super) median: f64,
    /// RMS error of the push on a sample of nodes against the exact sum, in percent.
    pub(super) error: Option<f64>,
    pub(super) bytes_a_node: f64,
}

/// Gravity, which decides how far apart loose parts lie, and with that how unevenly the nodes do.
pub(super) struct Setting {
    pub(super) name: &'static str,
    gravity: f32,
    strong: bool,
}

pub(super) const SETTINGS: [Setting; 4] = [
    Setting { name: "strong gravity 0.05", gravity: 0.05, strong: true },
    Setting { name: "strong gravity 1", gravity: 1.0, strong: true },
    Setting { name: "weak gravity 0.05", gravity: 0.05, strong: false },
    Setting { name: "weak gravity 1", gravity: 1.0, strong: false },
];

/// Nodes on which the push is compared with the exact sum.
const SAMPLES: usize = 500;

/// A layout of a graph from random places, that neither cools nor falls asleep.
fn layout(input: &Input, dim: Dim, params: Params) -> Result<Simulation> {
    let mut layout = Simulation::new(dim, params, 1)?;
    let ids: Vec<u32> = (0..input.nodes as u32).collect();
    layout.sync(&ids, &input.unweighted())?;
    Ok(layout)
}

fn awake() -> Params {
    Params { cooling: 0.0, tolerance: 1e-7, ..Params::default() }
}

fn step(layout: &mut Simulation) -> f64 {
    let began = now();
    layout.tick();
    began.elapsed().as_secs_f64() * 1e3
}

/// Steps after a warm-up.
pub(super) fn steps(input: &Input, dim: Dim, warm_up: usize, count: usize, error: bool) -> Result<Steps> {
    let mut layout = layout(input, dim, awake())?;
    for _ in 0..warm_up {
        layout.tick();
    }
    let times = (0..count).map(|_| step(&mut layout)).collect();
    Ok(Steps {
        median: median(times),
        error: error.then(|| layout.repulsion_error(SAMPLES) * 100.0),
        bytes_a_node: layout.memory_per_node() as f64,
    })
}

/// The slowest of the first 1,000 steps, in milliseconds.
pub(super) fn worst(input: &Input, dim: Dim, setting: &Setting) -> Result<f64> {
    let params = Params { gravity: setting.gravity, strong_gravity: setting.strong, ..awake() };
    let mut layout = layout(input, dim, params)?;
    Ok((0..1_000).map(|_| step(&mut layout)).fold(0.0, f64::max))
}
