//! Steps of a layout beside those of the usual libraries; how soon a real graph is settled, how good it is then, and that no
//! step is slow.

mod ours;
mod peers;
mod quality;

use std::path::PathBuf;

use anyhow::Result;
use weft_kernels::Dim;

use crate::{
    input::Input,
    report::{Better, Pair, Report},
};

/// The bound for every single step: a frame at 60 a second, in milliseconds.
const FRAME: f64 = 16.6;

/// What is laid out, and what a step of it may take, in milliseconds: in the plane, in space.
struct Case {
    name: &'static str,
    goals: [f64; 2],
    /// Steps before it is measured.
    warm_up: usize,
    steps: usize,
    /// What the push may be off, RMS in percent: in the plane, in space.
    errors: Option<[f64; 2]>,
}

const MADE: Case =
    Case { name: "100k/300k", goals: [6.0, 10.0], warm_up: 100, steps: 101, errors: Some([0.5, 1.0]) };
const REAL: Case =
    Case { name: "Debian", goals: [4.5, 9.0], warm_up: 300, steps: 101, errors: Some([0.5, 1.0]) };
const LARGE: Case = Case { name: "1M/3M", goals: [100.0, 100.0], warm_up: 20, steps: 21, errors: None };

const DIMS: [Dim; 2] = [Dim::Two, Dim::Three];

/// `files` are a graph in a format that is imported, in the place of the packages of Debian.
pub(crate) fn measure(rounds: u32, files: &[PathBuf], alone: bool) -> Result<Report> {
    let mut report = Report::new("layout");
    let real = Input::read(files)?;
    let made = Input::preferential(100_000, 3);
    for (case, input) in [(&MADE, &made), (&REAL, &real)] {
        let theirs = if alone { Vec::new() } else { peers::iterations(input, rounds)? };
        compare(&mut report, case, input, &theirs)?;
    }
    drop(made);
    compare(&mut report, &LARGE, &Input::preferential(1_000_000, 3), &[])?;
    growth(&mut report)?;
    for setting in &ours::SETTINGS {
        for dim in DIMS {
            let worst = ours::worst(&real, dim, setting)?;
            let name = format!("worst of 1,000 steps, {}, {}", setting.name, named(dim));
            report.add(name, worst, "ms", FRAME, Better::Lower);
        }
    }
    quality::measure(&mut report, &real, alone)?;
    Ok(report)
}

fn compare(report: &mut Report, case: &Case, input: &Input, theirs: &[peers::Iteration]) -> Result<()> {
    for (at, dim) in DIMS.into_iter().enumerate() {
        let steps = ours::steps(input, dim, case.warm_up, case.steps, case.errors.is_some())?;
        let (name, goal) = (format!("step, {}, {}", case.name, named(dim)), case.goals[at]);
        report.add(name.clone(), steps.median, "ms", goal, Better::Lower);
        for their in theirs.iter().filter(|their| their.dimensions == at + 2) {
            let (value, peer_value) = (steps.median, their.ms);
            let pair = Pair { value, peer: their.name(), peer_value, ratio: value / peer_value };
            report.beside(&name, "ms", pair, goal, Better::Lower);
        }
        if let (Some(errors), Some(error)) = (case.errors, steps.error) {
            let name = format!("error of the push, {}, {}", case.name, named(dim));
            report.add(name, error, "%", errors[at], Better::Lower);
        }
        let bytes = 200.0 + 16.0 * input.edges.len() as f64 / input.nodes as f64;
        let name = format!("memory, {}, {}", case.name, named(dim));
        report.add(name, steps.bytes_a_node, "B a node", bytes, Better::Lower);
    }
    Ok(())
}

/// How much more than in proportion a step grows from 10,000 to 1,000,000 nodes.
fn growth(report: &mut Report) -> Result<()> {
    let (small, large) = (Input::preferential(10_000, 3), Input::preferential(1_000_000, 3));
    for dim in DIMS {
        let few = ours::steps(&small, dim, 100, 101, false)?.median;
        let many = ours::steps(&large, dim, LARGE.warm_up, LARGE.steps, false)?.median;
        let name = format!("growth from 10k to 1M over linear, {}", named(dim));
        report.add(name, many / few / 100.0, "×", 1.3, Better::Lower);
    }
    Ok(())
}

fn named(dim: Dim) -> &'static str {
    match dim {
        Dim::Two => "2D",
        Dim::Three => "3D",
    }
}
