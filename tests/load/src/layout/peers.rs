//! d3, graphology and ngraph in Node; igraph and crategraph in Python.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde::Deserialize;
use weft_kernels::Point;

use crate::{input::Input, peers};

const PROGRAM: &str = include_str!("peers.py");

/// What one iteration takes a library.
#[derive(Debug, Deserialize)]
pub(super) struct Iteration {
    peer: String,
    pub(super) dimensions: usize,
    pub(super) ms: f64,
}

impl Iteration {
    /// For the report, which lives as long as the program.
    pub(super) fn name(&self) -> &'static str {
        self.peer.clone().leak()
    }
}

/// A layout that a library made from random places.
pub(super) struct Whole {
    pub(super) peer: &'static str,
    pub(super) ms: f64,
    pub(super) positions: Vec<Point>,
}

/// Times of single iterations, by library and number of dimensions.
pub(super) fn iterations(input: &Input, rounds: u32) -> Result<Vec<Iteration>> {
    let folder = tempfile::tempdir()?;
    let (nodes, rounds) = (input.nodes.to_string(), rounds.to_string());
    let edges = folder.path().join("edges");
    peers::write_edges(&input.edges, &edges)?;
    let mut found: Vec<Iteration> =
        peers::run(peers::node("layout.mjs").arg(&edges).args([&nodes, &rounds]))?;
    let more: Vec<Iteration> =
        peers::run(peers::python(&program(folder.path())?).arg(&edges).args([&nodes, &rounds]))?;
    found.extend(more);
    Ok(found)
}

/// The best of the libraries that may be used freely, with the same model as ours, for so many iterations.
pub(super) fn whole(input: &Input, iterations: u32) -> Result<Whole> {
    let folder = tempfile::tempdir()?;
    let (edges, places) = (folder.path().join("edges"), folder.path().join("places"));
    peers::write_edges(&input.edges, &edges)?;
    let mut command = peers::python(&program(folder.path())?);
    command.arg(&edges).arg(input.nodes.to_string()).arg("1").arg(&places).arg(iterations.to_string());
    let figures: Vec<Iteration> = peers::run(&mut command)?;
    let ms = figures.last().context("the whole layout comes last")?.ms;
    let bytes = fs::read(places)?;
    let (numbers, _) = bytes.as_chunks::<8>();
    let positions = numbers
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[x, y]| [f64::from_ne_bytes(*x) as f32, f64::from_ne_bytes(*y) as f32, 0.0])
        .collect();
    Ok(Whole { peer: "crategraph-forceatlas2", ms, positions })
}

fn program(folder: &Path) -> Result<std::path::PathBuf> {
    let path = folder.join("peers.py");
    fs::write(&path, PROGRAM)?;
    Ok(path)
}
