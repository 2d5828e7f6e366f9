//! The `graph` crate (Neo4j Labs): what it has of what is measured.

use ::graph::prelude::{
    CsrLayout, DeltaSteppingConfig, DirectedCsrGraph, GraphBuilder, PageRankConfig, WccConfig,
    delta_stepping, page_rank, wcc_afforest_dss,
};

use super::Figure;
use crate::{input::Input, report::median, rpc::now};

/// The width of a bucket of lengths, which are from 1 to 10.
const DELTA: f32 = 3.0;
/// Sweeps of PageRank at most.
const SWEEPS: usize = 1_000;

pub(super) fn measure(input: &Input, rounds: u32) -> Vec<Figure> {
    let pairs = || input.edges.iter().map(|edge| (edge.source, edge.target));
    let directed: DirectedCsrGraph<u32> =
        GraphBuilder::new().csr_layout(CsrLayout::Sorted).edges(pairs()).build();
    // It follows edges one way only: each is there twice.
    let both = input
        .edges
        .iter()
        .flat_map(|edge| [(edge.source, edge.target, edge.weight), (edge.target, edge.source, edge.weight)]);
    let weighted: DirectedCsrGraph<u32, (), f32> =
        GraphBuilder::new().csr_layout(CsrLayout::Sorted).edges_with_values(both).build();
    let mut figures = Vec::new();
    let mut time = |what: &str, work: &dyn Fn()| {
        let times = (0..rounds).map(|_| {
            let began = now();
            work();
            began.elapsed().as_secs_f64() * 1e3
        });
        figures.push(Figure { what: what.to_owned(), ms: median(times.collect()), value: 0.0 });
    };
    time("PageRank", &|| drop(page_rank(&directed, PageRankConfig::new(SWEEPS, 1e-6, 0.85))));
    time("components", &|| drop(wcc_afforest_dss(&directed, WccConfig::default())));
    let from = input.source as usize;
    time("SSSP", &|| drop(delta_stepping(&weighted, DeltaSteppingConfig::new(from, DELTA))));
    figures
}
