//! PageRank: how often somebody is at a node who follows edges and now and then begins anew.

mod undirected;

use super::components::StrongOrder;
use super::network::{Along, Network, Rows};
use super::{AnalysisError, Observer, ask, check};

/// How PageRank is computed.
#[derive(Debug, Clone)]
pub struct PageRankParams {
    /// Which way edges are followed.
    pub along: Along,
    /// Probability of following an edge rather than beginning anew: from 0 to 0.999. Default 0.85.
    pub damping: f64,
    /// The result is good once a whole sweep changes the ranks by less than this altogether, of a sum of 1;
    /// from 1e-15 to 1. Default 1e-9.
    pub tolerance: f64,
    /// Sweeps over one component at most, or steps over the whole graph where edges are followed both ways; from 1.
    /// Default 1,000.
    pub max_sweeps: u32,
    /// Where one begins anew: a weight for each node, none negative, not all 0. Default: anywhere alike.
    pub personalisation: Option<Vec<f64>>,
}

impl Default for PageRankParams {
    fn default() -> Self {
        Self { along: Along::Out, damping: 0.85, tolerance: 1e-9, max_sweeps: 1_000, personalisation: None }
    }
}

/// The ranks.
#[derive(Debug, Clone, PartialEq)]
pub struct PageRank {
    /// For each node; they add up to 1.
    pub ranks: Vec<f64>,
    /// Sweeps that the component with the most of them took; steps where edges are followed both ways.
    pub sweeps: u32,
    /// Whether every component came below the tolerance.
    pub converged: bool,
}

/// PageRank (Page, Brin, Motwani and Winograd, 1999). Edges are followed in proportion to their weights;
/// from a node without any, one begins anew.
///
/// The linear system is solved, not the chain walked: strongly connected components one after the other, each
/// when all that lead to it are done, by sweeps that use new values at once (Gauss and Seidel), and the sum is made 1 at
/// the end, which stands for the nodes without edges (Gleich: PageRank beyond the web, 2015, section 2). What has
/// no cycles takes one sweep. With [`Along::Both`] the system is that of a symmetric matrix, which conjugate gradients
/// solve in fewer steps, on all threads.
///
/// # Errors
/// Parameters out of range; cancelled.
pub fn pagerank(
    network: &Network,
    params: &PageRankParams,
    observer: &dyn Observer,
) -> Result<PageRank, AnalysisError> {
    check("damping", params.damping, 0.0, 0.999)?;
    check("tolerance", params.tolerance, 1e-15, 1.0)?;
    check("max_sweeps", f64::from(params.max_sweeps), 1.0, f64::from(u32::MAX))?;
    let nodes = network.nodes();
    let begin = beginning(params.personalisation.as_deref(), nodes)?;
    let (out, into) = (network.rows(params.along), network.against(params.along));
    if params.along == Along::Both {
        return undirected::solve(out, &begin, params, observer);
    }
    let shares: Vec<f64> = (0..nodes)
        .map(|slot| match out.strength(slot) {
            strength if strength > 0.0 => params.damping / strength,
            _ => 0.0,
        })
        .collect();
    let order = StrongOrder::new(out);
    let mut system =
        System { into, begin: &begin, shares: &shares, ranks: vec![0.0; nodes], flow: vec![0.0; nodes] };
    let (mut sweeps, mut converged, mut done) = (0, true, 0);
    for part in order.parts().rev() {
        let (taken, settled) = system.solve(part, params, observer, done)?;
        sweeps = sweeps.max(taken);
        converged &= settled;
        done += part.len();
    }
    Ok(PageRank { ranks: normalised(system.ranks), sweeps, converged })
}

/// The same ranks, with a sum of 1.
fn normalised(mut ranks: Vec<f64>) -> Vec<f64> {
    let sum: f64 = ranks.iter().sum();
    for rank in &mut ranks {
        *rank /= sum;
    }
    ranks
}

/// Where one begins: adds up to 1.
fn beginning(given: Option<&[f64]>, nodes: usize) -> Result<Vec<f64>, AnalysisError> {
    let Some(given) = given else { return Ok(vec![1.0 / nodes as f64; nodes]) };
    if given.len() != nodes {
        return Err(AnalysisError::Length { given: given.len(), nodes });
    }
    for weight in given {
        check("personalisation", *weight, 0.0, 1e100)?;
    }
    let sum: f64 = given.iter().sum();
    check("sum of personalisation", sum, f64::MIN_POSITIVE, f64::MAX)?;
    Ok(given.iter().map(|weight| weight / sum).collect())
}

/// `rank = begin + Σ flow of the nodes before`, `flow = rank × share`.
struct System<'a> {
    into: &'a Rows,
    begin: &'a [f64],
    shares: &'a [f64],
    ranks: Vec<f64>,
    flow: Vec<f64>,
}

/// Sweeps between two questions whether to go on.
const SWEEPS_PER_QUESTION: u32 = 4;
/// Nodes of small components between two such questions.
const NODES_PER_QUESTION: usize = 65_536;

impl System<'_> {
    /// Solves one component; says how many sweeps it took and whether it settled.
    fn solve(
        &mut self,
        part: &[u32],
        params: &PageRankParams,
        observer: &dyn Observer,
        done: usize,
    ) -> Result<(u32, bool), AnalysisError> {
        let nodes = self.ranks.len();
        let told = |extra: usize| ask(observer, (done + extra) as f64 / nodes as f64);
        if let [slot] = part {
            if done.is_multiple_of(NODES_PER_QUESTION) {
                told(0)?;
            }
            self.solve_one(*slot as usize);
            return Ok((1, true));
        }
        // Where the memory lies: which order a sweep takes matters little, once it goes to and fro.
        let mut part = part.to_vec();
        part.sort_unstable();
        // Its share of the whole, in proportion to its nodes: the sum over all parts stays below.
        let enough = params.tolerance * part.len() as f64 / nodes as f64;
        for sweep in 1..=params.max_sweeps {
            if sweep % SWEEPS_PER_QUESTION == 1 {
                told(0)?;
            }
            // To and fro: news travels along an edge in one sweep whichever way it points in the order.
            let change: f64 = if sweep % 2 == 1 {
                part.iter().rev().map(|slot| self.renew(*slot as usize)).sum()
            } else {
                part.iter().map(|slot| self.renew(*slot as usize)).sum()
            };
            if change < enough {
                return Ok((sweep, true));
            }
        }
        Ok((params.max_sweeps, false))
    }

    /// A component of one node: its loops, if it has some, are a series with a known sum.
    fn solve_one(&mut self, slot: usize) {
        let (mut inflow, mut loops) = (self.begin[slot], 0.0);
        for (from, weight) in self.into.entries(slot) {
            if from as usize == slot {
                loops += f64::from(weight) * self.shares[slot];
            } else {
                inflow += self.flow[from as usize] * f64::from(weight);
            }
        }
        self.set(slot, inflow / (1.0 - loops));
    }

    /// One equation with today's values; says by how much its rank changed.
    fn renew(&mut self, slot: usize) -> f64 {
        let flow = |(from, weight): (u32, f32)| self.flow[from as usize] * f64::from(weight);
        let inflow: f64 = if self.into.is_unweighted() {
            self.into.targets(slot).iter().map(|from| self.flow[*from as usize]).sum()
        } else {
            self.into.entries(slot).map(flow).sum()
        };
        let before = self.ranks[slot];
        self.set(slot, self.begin[slot] + inflow);
        (self.ranks[slot] - before).abs()
    }

    fn set(&mut self, slot: usize, rank: f64) {
        self.ranks[slot] = rank;
        self.flow[slot] = rank * self.shares[slot];
    }
}
