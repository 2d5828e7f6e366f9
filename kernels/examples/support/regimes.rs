//! One table of what a tick costs, in every shape that a layout can have.

use std::time::Instant;

use weft_kernels::{Dim, Edge, Params, Point, Simulation};

use crate::graphs::{Graph, preferential};

/// Times of ticks, in milliseconds, sorted.
struct Times(Vec<f64>);

impl Times {
    fn of(layout: &mut Simulation, ticks: usize) -> Self {
        let mut times: Vec<f64> = (0..ticks)
            .map(|_| {
                let start = Instant::now();
                layout.tick();
                start.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }
}

/// Prints the table: made graphs, `real` when there is one, and shapes that are hard.
pub(crate) fn print(dims: &[Dim], real: Option<&Graph>) -> Result<(), weft_kernels::Error> {
    println!("what | dim | best | median | worst ms | error % | bytes a node | bytes an edge");
    for dim in dims.iter().copied() {
        let mut growth = Vec::new();
        for nodes in [10_000, 100_000, 1_000_000] {
            let graph = preferential(nodes, 3, 1);
            let mut layout = start(dim, &graph, 0.05, true)?;
            line(&format!("{nodes} fresh"), dim, &mut layout, 10);
            Times::of(&mut layout, 40);
            line(&format!("{nodes} settling"), dim, &mut layout, 40);
            Times::of(&mut layout, if nodes == 1_000_000 { 20 } else { 200 });
            growth.push(line(&format!("{nodes} settled"), dim, &mut layout, 41));
        }
        println!("growth from 10⁴ to 10⁶ | {dim:?} | {:.2} times linear", growth[2] / growth[0] / 100.0);
        if let Some(graph) = real {
            for strong in [true, false] {
                for gravity in [0.0_f32, 0.01, 0.05, 1.0, 100.0] {
                    let mut layout = start(dim, graph, gravity, strong)?;
                    let kind = if strong { "strong" } else { "weak" };
                    line(&format!("real, {kind} gravity {gravity}, from random"), dim, &mut layout, 1_000);
                    if strong && gravity.to_bits() == Params::default().gravity.to_bits() {
                        line("real, settled", dim, &mut layout, 201);
                    }
                }
            }
        }
        shapes(dim)?;
    }
    Ok(())
}

/// A star of 10⁶, 10⁵ nodes in one point, dust, and a layout of which half has been blown far out.
fn shapes(dim: Dim) -> Result<(), weft_kernels::Error> {
    let star = Graph {
        nodes: (0..1_000_000).collect(),
        edges: (1..1_000_000).map(|leaf| Edge { source: 0, target: leaf, weight: 1.0 }).collect(),
    };
    line("star of 10⁶", dim, &mut start(dim, &star, 0.05, true)?, 20);
    let dust = Graph { nodes: (0..100_000).collect(), edges: Vec::new() };
    line("10⁵ dust", dim, &mut start(dim, &dust, 0.05, false)?, 100);
    let mut layout = start(dim, &dust, 0.05, true)?;
    let point: Vec<(u32, Point)> = dust.nodes.iter().map(|node| (*node, [1.0, 2.0, 0.0])).collect();
    layout.restore(&point)?;
    layout.reheat();
    line("10⁵ in one point", dim, &mut layout, 50);
    let graph = preferential(100_000, 3, 1);
    let mut layout = start(dim, &graph, 0.05, true)?;
    Times::of(&mut layout, 100);
    let blown = layout.ids().iter().zip(layout.positions());
    let blown =
        blown.map(|(node, place)| (*node, if node % 2 == 0 { *place } else { place.map(|c| c * 30.0) }));
    let blown: Vec<(u32, Point)> = blown.collect();
    layout.restore(&blown)?;
    line("10⁵ exploded", dim, &mut layout, 50);
    Ok(())
}

fn start(dim: Dim, graph: &Graph, gravity: f32, strong: bool) -> Result<Simulation, weft_kernels::Error> {
    let params =
        Params { cooling: 0.0, tolerance: 1e-7, gravity, strong_gravity: strong, ..Params::default() };
    let mut layout = Simulation::new(dim, params, 1)?;
    layout.sync(&graph.nodes, &graph.edges)?;
    Ok(layout)
}

/// Prints a line of the table; returns the median.
fn line(what: &str, dim: Dim, layout: &mut Simulation, ticks: usize) -> f64 {
    let times = Times::of(layout, ticks);
    let samples = 50_000_000 / layout.ids().len().max(100_000);
    println!(
        "{what} | {dim:?} | {:.2} | {:.2} | {:.2} | {:.3} | {} | {}",
        times.0[0],
        times.median(),
        times.0[times.0.len() - 1],
        layout.tick_error(samples) * 100.0,
        layout.memory_per_node(),
        layout.memory_per_edge(),
    );
    times.median()
}
