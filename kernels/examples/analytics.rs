//! Milliseconds that each analysis takes, for a made graph or a real one.
//!
//! `cargo run --profile quick -p weft-kernels --example analytics -- [--nodes N] [--graph FILE] [--rounds N]`
//!
//! A file has a line `from<TAB>to` (and more columns, which are passed over) for each edge, numbers from 0.
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
use graphs::{Graph, preferential};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut nodes, mut file, mut rounds) = (1_000_000, None, 5);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--nodes" => nodes = value()?.parse()?,
            "--graph" => file = Some(value()?),
            "--rounds" => rounds = value()?.parse()?,
            _ => return Err(format!("{name} is unknown").into()),
        }
    }
    let graph = match file {
        Some(path) => read(&std::fs::read_to_string(path)?)?,
        None => preferential(nodes, 3, 1),
    };
    println!("{} nodes, {} edges", graph.nodes.len(), graph.edges.len());
    let build = || Network::new(&graph.nodes, &graph.edges);
    timed("build", rounds, || build().map(|network| network.edges()))?;
    let network = build()?;
    let hub = hub(&graph);
    // Every direction is made before it is measured what is done with it.
    breadth_first(&network, hub, Along::Into, &Unobserved)?;
    breadth_first(&network, hub, Along::Both, &Unobserved)?;

    let none = &Unobserved;
    let leiden = CommunityParams::default();
    let louvain = CommunityParams { method: Method::Louvain, ..CommunityParams::default() };
    let once = CommunityParams { passes: 1, ..CommunityParams::default() };
    timed("weak components", rounds, || Ok::<_, String>(weak_components(&network).count))?;
    timed("strong components", rounds, || Ok::<_, String>(strong_components(&network).count))?;
    timed("breadth first", rounds, || {
        breadth_first(&network, hub, Along::Both, none)
            .map(|depths| depths.iter().filter(|depth| **depth < u32::MAX).count())
    })?;
    timed("shortest paths", rounds, || {
        shortest_paths(&network, hub, Along::Both, none)
            .map(|lengths| lengths.into_iter().filter(|length| length.is_finite()).fold(0.0, f64::max))
    })?;
    timed("PageRank", rounds, || {
        pagerank(&network, &PageRankParams::default(), none).map(|result| result.sweeps)
    })?;
    let both = PageRankParams { along: Along::Both, ..PageRankParams::default() };
    timed("PageRank, both ways", rounds, || pagerank(&network, &both, none).map(|result| result.sweeps))?;
    timed("label propagation, 10 rounds", rounds, || {
        propagate_labels(&network, Along::Both, 10, none)
            .map(|labels| labels.into_iter().collect::<std::collections::HashSet<_>>().len())
    })?;
    timed("core numbers", rounds, || Ok::<_, String>(core_numbers(&network).into_iter().max()))?;
    timed("triangles", rounds, || triangles(&network, none).map(|found| found.total))?;
    timed("similar neighbours", rounds, || {
        similar_neighbors(&network, Along::Both, &SimilarityParams::default(), none).map(|pairs| pairs.len())
    })?;
    timed("Leiden, 1 pass", rounds, || {
        communities(&network, &once, none).map(|found| (found.count, found.modularity))
    })?;
    timed("Leiden, 2 passes", rounds, || {
        communities(&network, &leiden, none).map(|found| (found.count, found.modularity))
    })?;
    timed("Louvain, 2 passes", rounds, || {
        communities(&network, &louvain, none).map(|found| (found.count, found.modularity))
    })?;
    let sources = Sources::Sampled { count: 64, seed: 1 };
    timed("betweenness of 64", rounds, || {
        betweenness(&network, Along::Both, &sources, none).map(|found| found.into_iter().fold(0.0, f64::max))
    })
    .map_err(Into::into)
}

fn timed<T: std::fmt::Debug, E>(name: &str, rounds: usize, work: impl Fn() -> Result<T, E>) -> Result<(), E> {
    let mut times = Vec::new();
    let mut found = None;
    for _ in 0..rounds {
        let begin = Instant::now();
        found = Some(work()?);
        times.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!("{name:32} {:9.2} ms   {found:?}", times[times.len() / 2]);
    Ok(())
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
