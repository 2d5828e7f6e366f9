//! igraph and networkit, in a Python process of their own.

use std::{collections::BTreeMap, fs};

use anyhow::Result;

use super::{Figure, ours::ROUNDS};
use crate::{input::Input, peers};

const PROGRAM: &str = include_str!("peers.py");

/// Times by peer.
pub(super) fn measure(input: &Input, rounds: u32, large: bool) -> Result<Vec<(&'static str, Vec<Figure>)>> {
    let folder = tempfile::tempdir()?;
    let (program, edges) = (folder.path().join("peers.py"), folder.path().join("edges"));
    fs::write(&program, PROGRAM)?;
    peers::write_edges(&input.edges, &edges)?;
    let sources: Vec<String> = input.sources.iter().map(u32::to_string).collect();
    let mut figures: BTreeMap<String, Vec<Figure>> = peers::run(
        peers::python(&program)
            .arg(&edges)
            .args([input.nodes.to_string(), input.source.to_string(), rounds.to_string(), ROUNDS.to_string()])
            .arg(sources.join(","))
            .arg(if large { "large" } else { "all" }),
    )?;
    let of = |peer| figures.remove(peer).map(|figures| (peer, figures));
    Ok(["igraph", "networkit"].into_iter().filter_map(of).collect())
}
