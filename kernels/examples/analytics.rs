//! Milliseconds that each analysis takes, for a made graph or a real one.
//!
//! `cargo run --profile quick -p weft-kernels --example analytics -- [--nodes N] [--even] [--graph FILE] [--rounds N] [--only NAME]`
//!
//! A made graph has hubs and three edges a node; with `--even` all pairs are alike. `--only` measures what has NAME in its
//! name. A file has a line `from<TAB>to` (and more columns, which are passed over) for each edge, numbers from 0.
//! `RAYON_NUM_THREADS` sets the threads. Prints the median of the rounds, and what was found.
#![expect(clippy::print_stdout, reason = "printing the figures is its purpose")]

use std::time::Instant;

use weft_kernels::Edge;
use weft_kernels::analytics::{
    Along, CommunityParams, Method, Network, PageRankParams, SimilarityParams, Sources, Unobserved,
    betweenness, breadth_first, communities, core_numbers, pagerank, propagate_labels, shortest_paths,
    similar_neighbors, strong_components, triangles, weak_components,
};

#[path = "support/file.rs"]
mod file;
#[path = "../tests/layout/graphs.rs"]
mod graphs;

use file::read;
use graphs::{Graph, Random, link, preferential};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut nodes, mut file, mut rounds, mut is_even, mut only) = (1_000_000, None, 5, false, String::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--even" {
            is_even = true;
            continue;
        }
        let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--nodes" => nodes = value()?.parse()?,
            "--graph" => file = Some(value()?),
            "--rounds" => rounds = value()?.parse()?,
            "--only" => only = value()?,
            _ => return Err(format!("{name} is unknown").into()),
        }
    }
    let graph = match file {
        Some(path) => read(&std::fs::read_to_string(path)?)?,
        None if is_even => even(nodes, 3, 1),
        None => preferential(nodes, 3, 1),
    };
    let timed = Timed { rounds, only };
    println!("{} nodes, {} edges", graph.nodes.len(), graph.edges.len());
    let build = || Network::new(&graph.nodes, &graph.edges);
    timed.run("build", || build().map(|network| network.edges()))?;
    let network = build()?;
    let hub = hub(&graph);
    // Every direction is made before it is measured what is done with it.
    breadth_first(&network, hub, Along::Into, &Unobserved)?;
    breadth_first(&network, hub, Along::Both, &Unobserved)?;

    let none = &Unobserved;
    let leiden = CommunityParams::default();
    let louvain = CommunityParams { method: Method::Louvain, ..CommunityParams::default() };
    let once = CommunityParams { passes: 1, ..CommunityParams::default() };
    timed.run("weak components", || Ok::<_, String>(weak_components(&network).count))?;
    timed.run("strong components", || Ok::<_, String>(strong_components(&network).count))?;
    timed.run("breadth first", || {
        breadth_first(&network, hub, Along::Both, none)
            .map(|depths| depths.iter().filter(|depth| **depth < u32::MAX).count())
    })?;
    timed.run("shortest paths", || {
        shortest_paths(&network, hub, Along::Both, none)
            .map(|lengths| lengths.into_iter().filter(|length| length.is_finite()).fold(0.0, f64::max))
    })?;
    let long = Network::new(&graph.nodes, &weighted(&graph))?;
    for (name, along) in
        [("shortest paths, lengths 1 to 10", Along::Out), ("shortest paths both, 1 to 10", Along::Both)]
    {
        shortest_paths(&long, hub, along, none)?;
        timed.run(name, || {
            shortest_paths(&long, hub, along, none)
                .map(|lengths| lengths.into_iter().filter(|length| length.is_finite()).fold(0.0, f64::max))
        })?;
    }
    timed.run("PageRank", || {
        pagerank(&network, &PageRankParams::default(), none).map(|result| result.sweeps)
    })?;
    let both = PageRankParams { along: Along::Both, ..PageRankParams::default() };
    timed.run("PageRank, both ways", || pagerank(&network, &both, none).map(|result| result.sweeps))?;
    timed.run("label propagation, 10 rounds", || {
        propagate_labels(&network, Along::Both, 10, none)
            .map(|labels| labels.into_iter().collect::<std::collections::HashSet<_>>().len())
    })?;
    timed.run("core numbers", || Ok::<_, String>(core_numbers(&network).into_iter().max()))?;
    timed.run("triangles", || triangles(&network, none).map(|found| found.total))?;
    timed.run("similar neighbours", || {
        similar_neighbors(&network, Along::Both, &SimilarityParams::default(), none).map(|pairs| pairs.len())
    })?;
    timed.run("Leiden, 1 pass", || {
        communities(&network, &once, none).map(|found| (found.count, found.modularity))
    })?;
    timed.run("Leiden, 2 passes", || {
        communities(&network, &leiden, none).map(|found| (found.count, found.modularity))
    })?;
    timed.run("Louvain, 2 passes", || {
        communities(&network, &louvain, none).map(|found| (found.count, found.modularity))
    })?;
    let sources = Sources::Sampled { count: 64, seed: 1 };
    timed
        .run("betweenness of 64", || {
            betweenness(&network, Along::Both, &sources, none)
                .map(|found| found.into_iter().fold(0.0, f64::max))
        })
        .map_err(Into::into)
}

/// What is measured, and how often.
struct Timed {
    rounds: usize,
    only: String,
}

impl Timed {
    fn run<T: std::fmt::Debug, E>(&self, name: &str, work: impl Fn() -> Result<T, E>) -> Result<(), E> {
        if !name.contains(&self.only) {
            return Ok(());
        }
        let mut times = Vec::new();
        let mut found = None;
        for _ in 0..self.rounds {
            let begin = Instant::now();
            found = Some(work()?);
            times.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        println!("{name:32} {:9.2} ms   {found:?}", times[times.len() / 2]);
        Ok(())
    }
}

/// `links` edges for each node, between any two.
fn even(nodes: u32, links: u32, seed: u64) -> Graph {
    let mut random = Random::new(seed);
    let edges = (0..nodes * links).map(|_| link(random.below(nodes), random.below(nodes))).collect();
    Graph { nodes: (0..nodes).collect(), edges }
}

/// The same with lengths from 1 to 10.
fn weighted(graph: &Graph) -> Vec<Edge> {
    let mut random = Random::new(2);
    graph.edges.iter().map(|edge| Edge { weight: (1 + random.below(10)) as f32, ..*edge }).collect()
}

/// The node with most edges.
fn hub(graph: &Graph) -> u32 {
    let mut degrees = vec![0_u32; graph.nodes.len()];
    for Edge { source, target, .. } in &graph.edges {
        degrees[*source as usize] += 1;
        degrees[*target as usize] += 1;
    }
    (0..degrees.len()).max_by_key(|node| degrees[*node]).unwrap_or(0) as u32
}
