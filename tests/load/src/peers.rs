//! Peers that are libraries of another language: a process of their own that gets a graph as a file and prints what it
//! measured as JSON.

use std::{fs, io::Write, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use weft_kernels::Edge;

/// Where `tools/setup bench` puts Python's.
const PYTHON: &str = ".tools/venv/bin/python";
/// Where `tools/setup bench` puts those of Node.
const NODE_PEERS: &str = "tests/load/peers";

/// A program in Python that is told where its text is.
pub(crate) fn python(program: &Path) -> Command {
    let mut command = Command::new(if Path::new(PYTHON).exists() { PYTHON } else { "python3" });
    command.arg(program);
    command
}

/// A program for Node. It lies beside the packages that it uses, because Node looks for them from there.
pub(crate) fn node(program: &str) -> Command {
    let mut command = Command::new("node");
    command.arg("--max-old-space-size=8192").arg(Path::new(NODE_PEERS).join(program));
    command
}

/// Runs one and reads what it prints.
pub(crate) fn run<T: DeserializeOwned>(command: &mut Command) -> Result<T> {
    let done = command.output().with_context(|| format!("starting {}", command.get_program().display()))?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    ensure!(done.status.success(), "the peers are not there (`tools/setup bench` installs them): {said}");
    serde_json::from_slice(&done.stdout).context("what the peers measured")
}

/// Source, target and weight of each edge, as 32-bit numbers of this machine.
pub(crate) fn write_edges(edges: &[Edge], path: &Path) -> Result<()> {
    let mut file = std::io::BufWriter::new(fs::File::create(path)?);
    for edge in edges {
        file.write_all(&edge.source.to_ne_bytes())?;
        file.write_all(&edge.target.to_ne_bytes())?;
        file.write_all(&edge.weight.to_ne_bytes())?;
    }
    Ok(file.flush()?)
}
