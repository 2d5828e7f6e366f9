//! From random places: when a real graph is settled, beside a library with the same model, and how good it is in the end.

use anyhow::Result;
use weft_kernels::{
    Dim, Params, Point, Simulation,
    analytics::Network,
    quality::{Quality, Sampling, Yardstick},
};

use super::peers;
use crate::{
    input::Input,
    report::{Better, Pair, Report},
    rpc::now,
};

/// Steps after which the plain model is as good as it becomes.
const LAST: usize = 1_000;
/// How often it is looked at on the way.
const EVERY: usize = 10;
/// Settled is who is within this much of the stress in the end.
const NEAR: f64 = 1.02;
/// Seconds from random places that the best picture may take.
const PATIENCE: f64 = 3.0;
/// Iterations of a library, after which its layout is as good as that of ours is when it has settled.
const ITERATIONS: u32 = 100;

/// A layout on the way: seconds since it began, without what looking at it took.
struct Moment {
    seconds: f64,
    positions: Vec<Point>,
}

pub(super) fn measure(report: &mut Report, input: &Input, alone: bool) -> Result<()> {
    let ids: Vec<u32> = (0..input.nodes as u32).collect();
    let network = Network::new(&ids, &input.unweighted())?;
    let yardstick = Yardstick::new(&network, &Sampling::default());
    let look = |positions: &[Point]| yardstick.measure(Dim::Two, positions);

    let plain = way(input, Params::default(), |_| false)?;
    let mut stress = Vec::new();
    for moment in &plain {
        stress.push(look(&moment.positions)?.stress);
    }
    let last = stress.last().copied().unwrap_or(f64::NAN);
    let reached = |goal: f64| {
        let at = stress.iter().position(|stress| *stress <= goal);
        at.map_or(f64::INFINITY, |at| plain[at].seconds)
    };
    report.add("settled from random places, 2D", reached(NEAR * last), "s", 0.6, Better::Lower);
    if !alone {
        let whole = peers::whole(input, ITERATIONS)?;
        let their = look(&whole.positions)?;
        let (value, peer_value) = (reached(their.stress), whole.ms / 1e3);
        let pair = Pair { value, peer: whole.peer, peer_value, ratio: value / peer_value };
        report.beside("as settled as 100 iterations of a library", "s", pair, 0.6, Better::Lower);
        told(report, "of these iterations", their, f64::NEG_INFINITY, f64::INFINITY);
    }
    let refined = Params { refine: true, ..Params::default() };
    let best = way(input, refined, |seconds| seconds >= PATIENCE)?;
    if let Some(moment) = best.iter().rev().find(|moment| moment.seconds <= PATIENCE) {
        told(report, "after 3 s, refined, 2D", look(&moment.positions)?, 0.10, 0.20);
    }
    Ok(())
}

fn told(report: &mut Report, name: &str, quality: Quality, kept: f64, stress: f64) {
    let neighbours = quality.neighbourhood_preservation;
    report.add(format!("neighbourhoods kept {name}"), neighbours, "", kept, Better::Higher);
    report.add(format!("stress {name}"), quality.stress, "", stress, Better::Lower);
}

/// A layout in the plane, looked at now and then until it is settled, its last step is done, or `enough`.
fn way(input: &Input, params: Params, enough: impl Fn(f64) -> bool) -> Result<Vec<Moment>> {
    let ids: Vec<u32> = (0..input.nodes as u32).collect();
    let edges = input.unweighted();
    let mut moments = Vec::new();
    let began = now();
    let mut layout = Simulation::new(Dim::Two, params, 1)?;
    layout.sync(&ids, &edges)?;
    let mut seconds = began.elapsed().as_secs_f64();
    for step in 1..=LAST {
        let began = now();
        let settled = layout.tick().settled;
        seconds += began.elapsed().as_secs_f64();
        let ends = settled || enough(seconds) || step == LAST;
        if ends || step % EVERY == 0 {
            moments.push(Moment { seconds, positions: layout.positions().to_vec() });
        }
        if ends {
            break;
        }
    }
    Ok(moments)
}
