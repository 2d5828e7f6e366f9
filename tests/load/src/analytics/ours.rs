//! Our kernels, without the service around them.

use anyhow::Result;
use weft_kernels::analytics::{
    Along, CommunityParams, Network, PageRankParams, Sources, Unobserved, betweenness, breadth_first,
    communities, core_numbers, pagerank, propagate_labels, shortest_paths, weak_components,
};

use super::Figure;
use crate::{input::Input, report::median, rpc::now};

/// Rounds of label propagation.
pub(super) const ROUNDS: u32 = 10;

/// Times of everything; on a large graph, of what has a goal there.
pub(super) fn measure(input: &Input, rounds: u32, large: bool) -> Result<Vec<Figure>> {
    let ids: Vec<u32> = (0..input.nodes as u32).collect();
    let network = Network::new(&ids, &input.unweighted())?;
    let weighted = Network::new(&ids, &input.edges)?;
    // Directions are arranged when they are first asked for: that is part of reading, not of any algorithm.
    for network in [&network, &weighted] {
        breadth_first(network, input.source, Along::Both, &Unobserved)?;
    }
    weak_components(&network);
    let mut figures = Vec::new();
    let mut time = |what: &str, work: &dyn Fn() -> Result<f64>| -> Result<()> {
        let mut times = Vec::new();
        let mut value = 0.0;
        for _ in 0..rounds {
            let began = now();
            value = work()?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        figures.push(Figure { what: what.to_owned(), ms: median(times), value });
        Ok(())
    };
    let rank = PageRankParams { tolerance: 1e-6, ..PageRankParams::default() };
    time("PageRank", &|| Ok(f64::from(pagerank(&network, &rank, &Unobserved)?.sweeps)))?;
    time("components", &|| Ok(weak_components(&network).count as f64))?;
    time("BFS", &|| {
        let depths = breadth_first(&network, input.source, Along::Both, &Unobserved)?;
        Ok(depths.len() as f64)
    })?;
    time("SSSP", &|| {
        let lengths = shortest_paths(&weighted, input.source, Along::Both, &Unobserved)?;
        Ok(lengths.iter().filter(|length| length.is_finite()).sum())
    })?;
    time("Leiden", &|| Ok(communities(&network, &CommunityParams::default(), &Unobserved)?.modularity))?;
    if !large {
        time("label propagation", &|| {
            Ok(propagate_labels(&network, Along::Both, ROUNDS, &Unobserved)?.len() as f64)
        })?;
        let sources = Sources::Nodes(input.sources.clone());
        time("betweenness of 64", &|| {
            Ok(betweenness(&network, Along::Both, &sources, &Unobserved)?.iter().sum())
        })?;
        time("cores", &|| Ok(core_numbers(&network).iter().copied().max().map_or(0.0, f64::from)))?;
    }
    Ok(figures)
}
