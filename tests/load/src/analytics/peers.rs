//! igraph and networkit, in a Python process of their own, which gets the graph as a file.

use std::{collections::BTreeMap, fs, io::Write, path::Path, process::Command};

use anyhow::{Context, Result, ensure};

use super::{Figure, input::Input, ours::ROUNDS};

const PROGRAM: &str = include_str!("peers.py");
/// Where `tools/setup bench` puts them.
const PYTHON: &str = ".tools/venv/bin/python";

/// Times by peer.
pub(super) fn measure(input: &Input, rounds: u32, large: bool) -> Result<Vec<(&'static str, Vec<Figure>)>> {
    let folder = tempfile::tempdir()?;
    let (program, edges) = (folder.path().join("peers.py"), folder.path().join("edges"));
    fs::write(&program, PROGRAM)?;
    write_edges(input, &edges)?;
    let python = if Path::new(PYTHON).exists() { PYTHON } else { "python3" };
    let sources: Vec<String> = input.sources.iter().map(u32::to_string).collect();
    let done = Command::new(python)
        .arg(&program)
        .arg(&edges)
        .args([input.nodes.to_string(), input.source.to_string(), rounds.to_string(), ROUNDS.to_string()])
        .arg(sources.join(","))
        .arg(if large { "large" } else { "all" })
        .output()
        .with_context(|| format!("starting {python}"))?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    ensure!(done.status.success(), "the peers are not there (`tools/setup bench` installs them): {said}");
    let mut figures: BTreeMap<String, Vec<Figure>> =
        serde_json::from_slice(&done.stdout).context("what the peers took")?;
    let of = |peer| figures.remove(peer).map(|figures| (peer, figures));
    Ok(["igraph", "networkit"].into_iter().filter_map(of).collect())
}

/// Source, target and weight of each edge, as 32-bit numbers of this machine.
fn write_edges(input: &Input, path: &Path) -> Result<()> {
    let mut file = std::io::BufWriter::new(fs::File::create(path)?);
    for edge in &input.edges {
        file.write_all(&edge.source.to_ne_bytes())?;
        file.write_all(&edge.target.to_ne_bytes())?;
        file.write_all(&edge.weight.to_ne_bytes())?;
    }
    Ok(file.flush()?)
}
