//! What must come before what: an order, and the chain that decides how long everything takes.

use super::AnalysisError;
use super::components::StrongOrder;
use super::network::{Along, Network, Rows};

/// The order of a graph without cycles, an edge saying that its source comes before its target.
#[derive(Debug, Clone, PartialEq)]
pub struct Precedence {
    /// Slots, each after all that have edges to it; of those that could come next, the smallest first.
    pub order: Vec<u32>,
    /// For each node, edges of the longest way to it from one that nothing comes before.
    pub levels: Vec<u32>,
    /// For each node, when it can begin at the earliest.
    pub earliest: Vec<f64>,
    /// For each node, by how much it can begin later without the whole ending later.
    pub slack: Vec<f64>,
    /// When the whole ends at the earliest.
    pub length: f64,
    /// Slots of one longest chain, in its order: those whose delay delays the whole.
    pub critical: Vec<u32>,
}

/// Orders a graph, and finds its critical path (Kelley and Walker, 1959): node `i` takes `durations[i]` (all take
/// 1 without), and an edge of weight w says that its target begins w after its source's end, at the earliest, where
/// `with_lags` is set; else right after it.
///
/// # Errors
/// A cycle, which is named; durations that are negative or of another number than nodes.
pub fn precedence(
    network: &Network,
    durations: Option<&[f64]>,
    with_lags: bool,
) -> Result<Precedence, AnalysisError> {
    let nodes = network.nodes();
    if let Some(durations) = durations {
        if durations.len() != nodes {
            return Err(AnalysisError::Length { given: durations.len(), nodes });
        }
        for duration in durations {
            super::check("duration", *duration, 0.0, 1e100)?;
        }
    }
    let duration = |slot: usize| durations.map_or(1.0, |durations| durations[slot]);
    let out = network.rows(Along::Out);
    let (order, levels) = order(network, out)?;
    let lag = |weight: f32| if with_lags { f64::from(weight) } else { 0.0 };

    let mut earliest = vec![0.0_f64; nodes];
    for slot in &order {
        let end = earliest[*slot as usize] + duration(*slot as usize);
        for (target, weight) in out.entries(*slot as usize) {
            let begin = &mut earliest[target as usize];
            *begin = begin.max(end + lag(weight));
        }
    }
    let end = |slot: usize| earliest[slot] + duration(slot);
    let length = (0..nodes).map(end).fold(0.0, f64::max);

    let mut latest: Vec<f64> = (0..nodes).map(|slot| length - duration(slot)).collect();
    for slot in order.iter().rev() {
        let slot = *slot as usize;
        let bound = out.entries(slot).map(|(target, weight)| latest[target as usize] - lag(weight));
        latest[slot] = bound.map(|begin| begin - duration(slot)).fold(latest[slot], f64::min);
    }
    let slack = latest.iter().zip(&earliest).map(|(latest, earliest)| (latest - earliest).max(0.0)).collect();
    let critical = critical(network, &earliest, &end, &lag, length);
    Ok(Precedence { order, levels, earliest, slack, length, critical })
}

/// Kahn's order (1962), and the levels.
fn order(network: &Network, out: &Rows) -> Result<(Vec<u32>, Vec<u32>), AnalysisError> {
    let nodes = network.nodes();
    let mut waits: Vec<u32> = (0..nodes).map(|slot| network.rows(Along::Into).degree(slot) as u32).collect();
    let mut levels = vec![0_u32; nodes];
    let free = |slot: &u32| waits[*slot as usize] == 0;
    let mut ready: std::collections::BinaryHeap<_> =
        (0..nodes as u32).filter(free).map(std::cmp::Reverse).collect();
    let mut order = Vec::with_capacity(nodes);
    while let Some(std::cmp::Reverse(slot)) = ready.pop() {
        order.push(slot);
        let level = levels[slot as usize] + 1;
        for target in out.targets(slot as usize) {
            levels[*target as usize] = levels[*target as usize].max(level);
            waits[*target as usize] -= 1;
            if waits[*target as usize] == 0 {
                ready.push(std::cmp::Reverse(*target));
            }
        }
    }
    if order.len() < nodes {
        Err(AnalysisError::Cycle { cycle: cycle(network, out) })
    } else {
        Ok((order, levels))
    }
}

/// One cycle of a graph that has some: of the component with the smallest slot, the way that takes the first
/// edge within it each time.
fn cycle(network: &Network, out: &Rows) -> Vec<u32> {
    let order = StrongOrder::new(out);
    let has_cycle = |part: &&[u32]| match part {
        [slot] => out.targets(*slot as usize).contains(slot),
        _ => true,
    };
    let part = order.parts().filter(has_cycle).min_by_key(|part| part.iter().min().copied());
    let mut inside = part.unwrap_or(&[]).to_vec();
    inside.sort_unstable();
    let Some(first) = inside.first() else { return Vec::new() };
    let mut met = vec![None; inside.len()];
    let mut way = Vec::new();
    let mut slot = *first;
    loop {
        let place = inside.binary_search(&slot).expect("the way stays inside");
        if let Some(begin) = met[place] {
            return way.split_off(begin);
        }
        met[place] = Some(way.len());
        way.push(network.ids()[slot as usize]);
        let stays = |target: &&u32| inside.binary_search(target).is_ok();
        slot = *out
            .targets(slot as usize)
            .iter()
            .find(stays)
            .expect("within a component everybody has a way on");
    }
}

/// From the first node that ends last back over those that let it begin no earlier.
fn critical(
    network: &Network,
    earliest: &[f64],
    end: &dyn Fn(usize) -> f64,
    lag: &dyn Fn(f32) -> f64,
    length: f64,
) -> Vec<u32> {
    #[expect(clippy::float_cmp, reason = "it is one of the values that the maximum was taken of")]
    let last = (0..earliest.len()).find(|slot| end(*slot) == length);
    let into = network.rows(Along::Into);
    let mut chain = Vec::new();
    let mut at = last;
    while let Some(slot) = at {
        chain.push(slot as u32);
        #[expect(clippy::float_cmp, reason = "the same sum as the one that the maximum was taken of")]
        let binds = |entry: &(u32, f32)| end(entry.0 as usize) + lag(entry.1) == earliest[slot];
        at = into.entries(slot).find(binds).map(|entry| entry.0 as usize);
    }
    chain.reverse();
    chain
}
