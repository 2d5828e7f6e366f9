//! Milliseconds per tick and error of the push, for a made graph or a real one.
//!
//! `cargo run --profile quick -p weft-kernels --example ticks -- [--nodes N] [--graph FILE]
//! [--gravity G] [--weak] [--ticks N] [--warm-up N] [--dim 2|3] [--every] [--constraints] [--table] [--quality] [--refine]
//! [--seed N] [--by-chance]`
//!
//! A file has a line `from<TAB>to` (and more columns, which are passed over) for each edge, numbers
//! from 0. `RAYON_NUM_THREADS` sets the threads. Best, median and worst say what the machine was
//! doing beside: publish medians. `--table` measures every shape that a layout can have, with `--graph` the
//! real one under every gravity as well; it takes some minutes. `--constraints` adds one constraint of each kind on all nodes.
//! `--quality` has the layout run as it does for its users, until it settles, and says how good it is along the
//! way: after how many ticks, after what time (that of measuring left out), from the first edge read; and from when
//! on stress is at most 2 % above that of the settled layout. `--by-chance` has it begin without a sketch by coarser graphs.
#![expect(clippy::print_stdout, reason = "printing the figures is its purpose")]

use std::time::{Duration, Instant};

use weft_kernels::analytics::Network;
use weft_kernels::quality::{Sampling, Yardstick};
use weft_kernels::{Constraint, Dim, Params, Region, Rule, Shape, Simulation};

#[path = "support/file.rs"]
mod file;
#[path = "../tests/layout/graphs.rs"]
mod graphs;
#[path = "support/regimes.rs"]
mod regimes;

use file::read;
use graphs::{Graph, preferential};

/// Ticks that are all measured; then every tenth is.
const CLOSELY: u64 = 150;

struct Options {
    nodes: u32,
    graph: Option<String>,
    gravity: f32,
    strong: bool,
    warm_up: usize,
    ticks: usize,
    dims: Vec<Dim>,
    every: bool,
    constraints: bool,
    quality: bool,
    table: bool,
    refine: bool,
    seed: u64,
    by_chance: bool,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = options()?;
    let graph = match &options.graph {
        Some(path) => read(&std::fs::read_to_string(path)?)?,
        None => preferential(options.nodes, 3, 1),
    };
    if options.table {
        return Ok(regimes::print(&options.dims, options.graph.is_some().then_some(&graph))?);
    }
    println!("{} nodes, {} edges", graph.nodes.len(), graph.edges.len());
    options.dims.iter().try_for_each(|dim| {
        if options.quality { judge(*dim, &graph, &options) } else { Ok(measure(*dim, &graph, &options)?) }
    })
}

fn measure(dim: Dim, graph: &Graph, options: &Options) -> Result<(), weft_kernels::Error> {
    let params = Params {
        cooling: 0.0,
        tolerance: 1e-7,
        gravity: options.gravity,
        strong_gravity: options.strong,
        refine: options.refine,
        ..Params::default()
    };
    let mut layout = Simulation::new(dim, params, 1)?;
    layout.sync(&graph.nodes, &graph.edges)?;
    if options.constraints {
        layout.set_constraints(constraints(graph))?;
    }
    let mut times = Vec::new();
    for tick in 0..options.warm_up + options.ticks {
        let start = Instant::now();
        let report = layout.tick();
        let time = start.elapsed().as_secs_f64() * 1e3;
        if tick >= options.warm_up {
            times.push(time);
        }
        if options.every {
            println!("{tick}: {time:.2} ms, extent {:.0}", report.extent);
        }
    }
    times.sort_by(f64::total_cmp);
    println!(
        "{dim:?}: best {:.2}, median {:.2}, worst {:.2} ms a tick; error {:.2} %; {} bytes a node; radii {}",
        times[0],
        times[times.len() / 2],
        times[times.len() - 1],
        layout.tick_error(500) * 100.0,
        layout.memory_per_node(),
        radii(&layout),
    );
    Ok(())
}

/// How good the layout is after 25 ticks, after half as many more, and so on until it settles.
fn judge(dim: Dim, graph: &Graph, options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let yardstick = Yardstick::new(&Network::new(&graph.nodes, &graph.edges)?, &Sampling::default());
    let start = Instant::now();
    let params = Params {
        gravity: options.gravity,
        strong_gravity: options.strong,
        refine: options.refine,
        ..Params::default()
    };
    let mut layout = Simulation::new(dim, params, options.seed)?;
    layout.sync(&graph.nodes, &graph.edges)?;
    if options.by_chance {
        // Whoever has been in somebody's hand has a place, and the graph is not sketched.
        let (node, place) = (graph.nodes[0], layout.positions()[0]);
        layout.drag(node, place)?;
        layout.release(node)?;
    }
    let mut measuring = Duration::ZERO;
    println!(
        "{dim:?}: ticks, seconds, neighbourhood preservation, stress, rank correlation, length variation"
    );
    let mut next = 25;
    let mut stresses = Vec::new();
    loop {
        let report = layout.tick();
        let print = report.tick >= next || report.settled;
        if !print && report.tick > CLOSELY && report.tick % 10 != 0 {
            continue;
        }
        let begin = Instant::now();
        let quality = yardstick.measure(dim, layout.positions())?;
        measuring += begin.elapsed();
        let seconds = start.elapsed().saturating_sub(measuring).as_secs_f64();
        stresses.push((report.tick, seconds, quality.stress));
        if !print {
            continue;
        }
        next += next / 2;
        println!(
            "{:5} {:6.2} {:.4} {:.4} {:.3} {:.3}",
            report.tick,
            seconds,
            quality.neighbourhood_preservation,
            quality.stress,
            quality.rank_correlation,
            quality.edge_length_variation,
        );
        if report.settled {
            // The first measurement from which on none is worse than that.
            let worse = |stress: f64| stress > 1.02 * quality.stress;
            let last = stresses.iter().rposition(|(_, _, stress)| worse(*stress));
            if let Some((tick, seconds, _)) = stresses.get(last.map_or(0, |at| at + 1)) {
                println!("stress at most 2 % above its last value from tick {tick} on, {seconds:.2} s");
            }
            return Ok(());
        }
    }
}

/// One of each kind; each concerns all nodes or a good part of them.
fn constraints(graph: &Graph) -> Vec<Constraint> {
    let nodes = graph.nodes.len() as u32;
    let group = (nodes / 200).max(1);
    let rules = [
        Rule::Distance { pairs: (0..nodes / 2).map(|node| (node, node + nodes / 2)).collect(), length: 30.0 },
        Rule::Hierarchy {
            edges: graph.edges.iter().map(|edge| (edge.source, edge.target)).collect(),
            direction: [0.0, -1.0, 0.0],
            gap: 20.0,
        },
        Rule::Alignment {
            nodes: (0..nodes).step_by(10).collect(),
            direction: [1.0, 0.0, 0.0],
            shape: Shape::Line,
            through: None,
        },
        Rule::Cluster {
            groups: (0..200).map(|at| (at * group..(at + 1) * group).collect()).collect(),
            center: None,
            radius: None,
            exclusive: true,
        },
        Rule::Collision { radii: Vec::new(), others: 3.0 },
        Rule::Boundary { nodes: None, region: Region::Ball { center: [0.0; 3], radius: 1e5 } },
    ];
    rules.into_iter().map(|rule| Constraint { strength: 1.0, rule }).collect()
}

/// How far out half of the nodes lie, nine tenths, 99 in a hundred, and all.
fn radii(layout: &Simulation) -> String {
    let mut radii: Vec<f32> =
        layout.positions().iter().map(|p| p.iter().map(|c| c * c).sum::<f32>().sqrt()).collect();
    radii.sort_by(f32::total_cmp);
    let share = |share: f32| radii[((radii.len() - 1) as f32 * share) as usize];
    format!("{:.0}, {:.0}, {:.0}, {:.0}", share(0.5), share(0.9), share(0.99), share(1.0))
}

fn options() -> Result<Options, Box<dyn std::error::Error>> {
    let mut options = Options {
        nodes: 100_000,
        graph: None,
        gravity: Params::default().gravity,
        strong: true,
        warm_up: 100,
        ticks: 101,
        dims: vec![Dim::Two, Dim::Three],
        every: false,
        constraints: false,
        quality: false,
        table: false,
        refine: false,
        seed: 1,
        by_chance: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--nodes" => options.nodes = value()?.parse()?,
            "--graph" => options.graph = Some(value()?),
            "--gravity" => options.gravity = value()?.parse()?,
            "--weak" => options.strong = false,
            "--ticks" => options.ticks = value()?.parse::<usize>()?.max(1),
            "--warm-up" => options.warm_up = value()?.parse()?,
            "--dim" => options.dims = vec![if value()? == "2" { Dim::Two } else { Dim::Three }],
            "--every" => options.every = true,
            "--constraints" => options.constraints = true,
            "--quality" => options.quality = true,
            "--table" => options.table = true,
            "--refine" => options.refine = true,
            "--by-chance" => options.by_chance = true,
            "--seed" => options.seed = value()?.parse()?,
            other => return Err(format!("{other} is not an option").into()),
        }
    }
    Ok(options)
}
