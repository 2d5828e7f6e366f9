//! The edge against Envoy: the same calls, by the same client (h2load), through our gateway and through Envoy's,
//! to the same service; and through a gateway that has the service in its own process.

mod edges;
mod envoy;
mod load;

use std::{path::Path, time::Duration};

use anyhow::Result;
use tempfile::TempDir;

use self::{
    edges::Edges,
    load::{Ask, Caller, Figures},
};
use crate::report::{Better, Pair, Report};

/// Length of one measurement.
const SPAN: Duration = Duration::from_millis(1_500);
/// What each is given before it counts.
const WARM_UP: Duration = Duration::from_millis(300);
const PEER: &str = "Envoy";

/// How a call is made, with the goals for the gateway alone and for the one with the service in it, as
/// parts of what Envoy carries.
const WAYS: [(Ask, f64); 4] = [(Ask::Rest, 1.5), (Ask::GrpcWeb, 1.5), (Ask::Connect, 1.5), (Ask::Grpc, 1.2)];
const SAME_PROCESS: f64 = 4.0;
/// Most memory of the gateway after all of it, in MB.
const MEMORY: f64 = 40.0;

pub(crate) async fn measure(rounds: u32, envoy: &Path, h2load: &Path) -> Result<Report> {
    let folder = TempDir::new()?;
    let caller = Caller { program: h2load, folder: folder.path() };
    let edges = Edges::start(folder.path(), envoy).await?;
    let mut report = Report::new("gateway");
    for (ask, goal) in WAYS {
        let mut figures = Vec::new();
        for edge in edges.all() {
            caller.run(edge, ask, WARM_UP).await?;
        }
        for round in 0..rounds {
            // They take turns, and each begins once in three rounds.
            let mut of_round = [Figures::default(); 3];
            for turn in 0..3 {
                let which = (turn + round as usize) % 3;
                of_round[which] = caller.run(edges.all()[which], ask, SPAN).await?;
            }
            figures.push(of_round);
        }
        let name = ask.name();
        let against = |ours: usize, figure: fn(&Figures) -> f64| {
            let pairs: Vec<_> =
                figures.iter().map(|round| (figure(&round[ours]), figure(&round[2]))).collect();
            Pair::of_rounds(PEER, &pairs)
        };
        let (alone, p99, whole) = (against(0, per_second), against(0, p99_micros), against(1, per_second));
        report.compare(&format!("{name}, proxied"), "calls/s", alone, goal, Better::Higher);
        report.compare(&format!("{name}, proxied, p99"), "µs", p99, 1.0, Better::Lower);
        report.compare(&format!("{name}, same process"), "calls/s", whole, SAME_PROCESS, Better::Higher);
    }
    let (ours, theirs) = edges.memory();
    let pair = Pair { value: ours, peer: PEER, peer_value: theirs, ratio: ours / theirs };
    report.beside("memory of the gateway alone, at most", "MB", pair, MEMORY, Better::Lower);
    edges.stop();
    Ok(report)
}

fn per_second(figures: &Figures) -> f64 {
    figures.per_second
}

fn p99_micros(figures: &Figures) -> f64 {
    figures.p99_micros
}
