//! What was measured, for people and for programs.

use std::io::Write;

use anyhow::Result;
use serde::Serialize;

/// Results of one scenario.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    scenario: &'static str,
    machine: String,
    results: Vec<Measured>,
}

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    /// More is good.
    Higher,
    /// Less is good.
    Lower,
}

/// One figure.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    name: String,
    value: f64,
    unit: &'static str,
    goal: f64,
    better: Better,
    holds: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
}

impl Report {
    pub(crate) fn new(scenario: &'static str) -> Self {
        Self { scenario, machine: machine(), results: Vec::new() }
    }

    /// A figure with its goal.
    pub(crate) fn add(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        goal: f64,
        better: Better,
    ) {
        let holds = holds(value, goal, better);
        let (name, peer) = (name.into(), None);
        self.results.push(Measured {
            name,
            value,
            unit,
            goal,
            better,
            holds,
            peer,
            peer_value: None,
            ratio: None,
        });
    }

    /// A figure beside a peer's; the goal is for the ratio of the two.
    pub(crate) fn compare(&mut self, name: &str, unit: &'static str, pair: Pair, goal: f64, better: Better) {
        self.beside(name, unit, pair, goal, better);
        if let Some(result) = self.results.last_mut() {
            result.holds = holds(pair.ratio, goal, better);
        }
    }

    /// A figure beside a peer's; the goal is for the figure itself.
    pub(crate) fn beside(&mut self, name: &str, unit: &'static str, pair: Pair, goal: f64, better: Better) {
        self.results.push(Measured {
            name: name.to_owned(),
            value: pair.value,
            unit,
            goal,
            better,
            holds: holds(pair.value, goal, better),
            peer: Some(pair.peer),
            peer_value: Some(pair.peer_value),
            ratio: Some(pair.ratio),
        });
    }

    /// Prints it.
    pub(crate) fn print(&self, json: bool) -> Result<()> {
        let mut out = std::io::stdout().lock();
        if json {
            writeln!(out, "{}", serde_json::to_string(self)?)?;
            return Ok(());
        }
        writeln!(out, "{} on {}", self.scenario, self.machine)?;
        for result in &self.results {
            let sign = if result.better == Better::Higher { "≥" } else { "≤" };
            let verdict = if result.holds { "holds" } else { "MISSED" };
            write!(
                out,
                "  {:<44} {:>12.2} {:<10} goal {sign} {:<8} {verdict}",
                result.name, result.value, result.unit, result.goal
            )?;
            if let (Some(peer), Some(value), Some(ratio)) = (result.peer, result.peer_value, result.ratio) {
                write!(out, "  ratio {ratio:.2} to {peer} ({value:.2})")?;
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

/// Ours and a peer's, from the same run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) value: f64,
    pub(crate) peer: &'static str,
    pub(crate) peer_value: f64,
    pub(crate) ratio: f64,
}

impl Pair {
    /// From rounds in which the two took turns: medians, and the median of the rounds' ratios,
    /// which holds still when the machine does not.
    pub(crate) fn of_rounds(peer: &'static str, rounds: &[(f64, f64)]) -> Self {
        let ratios = rounds.iter().map(|(ours, theirs)| ours / theirs).collect();
        Self {
            value: median(rounds.iter().map(|round| round.0).collect()),
            peer,
            peer_value: median(rounds.iter().map(|round| round.1).collect()),
            ratio: median(ratios),
        }
    }
}

/// The middle value.
pub(crate) fn median(values: Vec<f64>) -> f64 {
    percentile(values, 0.5)
}

/// The value below which a share of all values lies.
pub(crate) fn percentile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

fn holds(value: f64, goal: f64, better: Better) -> bool {
    match better {
        Better::Higher => value >= goal,
        Better::Lower => value <= goal,
    }
}

/// Processor and number of cores, for the record.
fn machine() -> String {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let build = if cfg!(debug_assertions) { "debug build" } else { "release build" };
    format!("{}, {cores} cores, {build}", model.unwrap_or("unknown processor"))
}
