//! What each encoding of positions costs while a layout settles, on one core: bytes a node, the largest
//! error in pixels of a view of 3,840, milliseconds to encode.
//! `cargo run --profile quick -p weft-compute --example frames [NODES] [DIMENSIONS]`

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::time::Instant;

use weft_compute::frames::{
    Columns, FrameEncoding, Grid, HEADER_BYTES, Reader, Selection, State, delta, encode,
};
use weft_kernels::{Dim, Params, Simulation};

// The graphs of the kernels' own tests.
#[path = "../../../kernels/tests/layout/graphs.rs"]
mod graphs;

/// Edges of each new node; those with many get more of them.
const EDGES_PER_NODE: u32 = 3;
/// Steps at most: the largest layouts would take a while to rest.
const STEPS: u64 = 1_500;

fn argument(at: usize, default: u32) -> u32 {
    std::env::args().nth(at).and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let nodes = argument(1, 100_000);
    let three = argument(2, 2) == 3;
    let mut simulation = Simulation::new(if three { Dim::Three } else { Dim::Two }, Params::default(), 1)?;
    let graph = graphs::preferential(nodes, EDGES_PER_NODE, 1);
    simulation.sync(&graph.nodes, &graph.edges)?;
    let mut columns = Columns { ids: graph.nodes.into(), three_dimensions: three, ..Columns::default() };
    let (mut grid, mut before, mut reader) = (Grid::default(), None, Reader::default());
    let (mut settling, mut calm) = (Phase::default(), Phase::default());
    for step in 1..=STEPS {
        if simulation.is_settled() {
            break;
        }
        let report = simulation.tick();
        show(&simulation, &mut columns, step);
        let (min, max) = columns.bounds;
        let pixel = (0..3).map(|axis| max[axis] - min[axis]).fold(0.0, f32::max) / 3_840.0;
        // Calm is what moves by less than a quarter of a pixel a step.
        let phase = if report.mean_displacement < pixel / 4.0 { &mut calm } else { &mut settling };

        if !grid.suits(columns.bounds) {
            grid = Grid::of(columns.bounds);
        }
        let began = Instant::now();
        let state = State::of(&columns, grid);
        let frame = before
            .as_ref()
            .and_then(|before| delta::difference(&columns, before, &state))
            .unwrap_or_else(|| delta::whole(&columns, &state, before.is_none()));
        let took = began.elapsed().as_secs_f64() * 1e3;
        let read = reader.read(&frame)?;
        for (exact, shown) in columns.positions.iter().flatten().zip(read.positions.iter().flatten()) {
            phase.error = phase.error.max((exact - shown).abs() / pixel);
        }
        if before.is_some() {
            phase.sizes.push((frame.len() - HEADER_BYTES) as f64 / f64::from(nodes));
            phase.times.push(took);
            phase.others = [FrameEncoding::ColumnsF32, FrameEncoding::ColumnsQ16].map(|encoding| {
                encode(&columns, encoding, Selection::Following).map_or(0, |frame| frame.len())
            });
        }
        before = Some(state);
    }
    settling.print("settling", nodes);
    calm.print("calm", nodes);
    Ok(())
}

/// What was measured while the layout moved much, or little.
#[derive(Default)]
struct Phase {
    sizes: Vec<f64>,
    times: Vec<f64>,
    error: f32,
    others: [usize; 2],
}

impl Phase {
    fn print(&mut self, name: &str, nodes: u32) {
        if self.sizes.is_empty() {
            return println!("{name}: no frames");
        }
        let count = self.sizes.len();
        let mean = self.sizes.iter().sum::<f64>() / count as f64;
        self.sizes.sort_by(f64::total_cmp);
        self.times.sort_by(f64::total_cmp);
        let [floats, steps] = self.others.map(|length| length as f64 / f64::from(nodes));
        println!(
            "{name}, {count} frames: {mean:.2} bytes a node (median {:.2}, largest {:.2}; floats {floats:.2}, \
             16-bit steps {steps:.2}), error {:.3} pixels at most, {:.2} ms to encode (p95 {:.2})",
            self.sizes[count / 2],
            self.sizes[count - 1],
            self.error,
            self.times[count / 2],
            self.times[count * 95 / 100],
        );
    }
}

/// Puts the simulation's state into columns.
fn show(simulation: &Simulation, columns: &mut Columns, step: u64) {
    let bounds = simulation.bounds();
    columns.sequence = step;
    columns.tick = step;
    columns.bounds = (bounds.min, bounds.max);
    for axis in 0..columns.dimensions() {
        columns.positions[axis] = simulation.positions().iter().map(|point| point[axis]).collect();
    }
}
