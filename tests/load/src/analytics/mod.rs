//! Analyses of a real graph and of a made one: our kernels beside igraph, networkit and the `graph` crate, each on every
//! core; and how soon an analysis ends that is cancelled.

mod cancel;
mod crate_graph;
mod ours;
mod peers;

use std::path::PathBuf;

use anyhow::Result;

use crate::{
    input::Input,
    report::{Better, Pair, Report},
};

/// What is measured, with the goals in milliseconds for the graph of packages and for the large one; no goal is none.
const GOALS: [(&str, f64, f64); 8] = [
    ("PageRank", 12.0, 141.0),
    ("components", 1.1, 10.0),
    ("BFS", 1.5, 25.0),
    ("SSSP", 4.0, 91.0),
    ("label propagation", 20.0, f64::NAN),
    ("Leiden", 120.0, 4_000.0),
    ("betweenness of 64", 200.0, f64::NAN),
    ("cores", 7.0, f64::NAN),
];
/// The modularity that Leiden is to reach on the graph of packages.
const MODULARITY: f64 = 0.714;

/// What somebody took for something, and what came out.
#[derive(Clone, Debug, serde::Deserialize)]
struct Figure {
    /// One of [`GOALS`].
    what: String,
    /// Median, in milliseconds.
    ms: f64,
    /// Modularity, or a number that says that the same was computed.
    #[serde(default)]
    value: f64,
}

/// `files` are a graph in a format that is imported; the packages of Debian where there are none.
pub(crate) async fn measure(rounds: u32, files: &[PathBuf], alone: bool) -> Result<Report> {
    let mut report = Report::new("analytics");
    let debian = files.is_empty();
    let real = Input::read(files)?;
    compare(&mut report, &real, if debian { "Debian" } else { "file" }, rounds, alone, |goal| goal.1)?;
    Box::pin(cancel::measure(&mut report, rounds)).await?;
    if debian {
        // With hubs, as the graphs are that people have; and one without any, all of whose edges lead anywhere.
        let hubs = Input::preferential(1_000_000, 3);
        compare(&mut report, &hubs, "1M/3M", rounds, alone, |goal| goal.2)?;
        drop(hubs);
        let even = Input::made(1_000_000, 3_000_000);
        compare(&mut report, &even, "1M/3M, even", rounds, alone, |_| f64::NAN)?;
    }
    Ok(report)
}

fn compare(
    report: &mut Report,
    input: &Input,
    name: &str,
    rounds: u32,
    alone: bool,
    goal: impl Fn(&(&str, f64, f64)) -> f64,
) -> Result<()> {
    let large = input.nodes > 500_000;
    let ours = ours::measure(input, rounds, large)?;
    let mut theirs = Vec::new();
    if !alone {
        theirs.push(("graph", crate_graph::measure(input, rounds)));
        theirs.extend(peers::measure(input, rounds, large)?);
    }
    for goal_of in &GOALS {
        let goal = goal(goal_of);
        let goal = if goal.is_nan() { f64::INFINITY } else { goal };
        let Some(our) = ours.iter().find(|figure| figure.what == goal_of.0) else { continue };
        let label = format!("{}, {name}", our.what);
        report.add(label.clone(), our.ms, "ms", goal, Better::Lower);
        for (peer, figures) in &theirs {
            let Some(their) = figures.iter().find(|figure| figure.what == our.what) else { continue };
            let (value, peer_value) = (our.ms, their.ms);
            let pair = Pair { value, peer, peer_value, ratio: value / peer_value };
            report.beside(&label, "ms", pair, goal, Better::Lower);
        }
        if our.what == "Leiden" {
            let label = format!("modularity of Leiden, {name}");
            let goal = if name == "Debian" { MODULARITY } else { 0.0 };
            report.add(label.clone(), our.value, "", goal, Better::Higher);
            for (peer, figures) in &theirs {
                let Some(their) = figures.iter().find(|figure| figure.what == our.what) else { continue };
                let (value, peer_value) = (our.value, their.value);
                let pair = Pair { value, peer, peer_value, ratio: value / peer_value };
                report.beside(&label, "", pair, goal, Better::Higher);
            }
        }
    }
    Ok(())
}
