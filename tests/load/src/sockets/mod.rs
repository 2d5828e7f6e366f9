//! 10,000 connections: what one costs that is signed in and idle, and how much reaches all of them that is said to
//! all, over our WebSocket as the change stream of a graph, beside peers that only hand on what they are sent.
//! Server and clients share the machine.

mod bare;
mod crowd;
mod rate;
mod scan;
mod server;

use std::{path::Path, sync::Arc};

use anyhow::{Result, ensure};
use weft_tests::process::open_files;

pub(crate) use self::bare::serve;
use self::{
    crowd::Crowd,
    rate::{Figures, Voice},
    server::{Kind, Server},
};
use crate::{
    report::{Better, Pair, Report, median},
    rpc::now,
};

const CONNECTIONS: usize = 10_000;

/// A figure of all: its name, unit and goal, and which way is good.
struct Row {
    name: &'static str,
    unit: &'static str,
    goal: f64,
    better: Better,
    value: fn(&Figures) -> f64,
}

/// At 600,000 messages a second two cores have 3.3 µs for each, of which a third is left to the clients.
const ROWS: [Row; 5] = [
    Row {
        name: "idle connection, signed in: memory",
        unit: "KB each",
        goal: 12.0,
        better: Better::Lower,
        value: |figures| figures.idle,
    },
    Row {
        name: "100 bytes to 10,000, highest rate kept up",
        unit: "messages/s",
        goal: 600_000.0,
        better: Better::Higher,
        value: |figures| figures.kept,
    },
    Row {
        name: "100 bytes to 10,000, p99 at that rate",
        unit: "ms",
        goal: rate::P99,
        better: Better::Lower,
        value: |figures| figures.p99,
    },
    Row {
        name: "100 bytes to 10,000, 200 at once",
        unit: "messages/s",
        goal: 600_000.0,
        better: Better::Higher,
        value: |figures| figures.burst,
    },
    Row {
        name: "200 at once: the server's time for one",
        unit: "µs",
        goal: 2.2,
        better: Better::Lower,
        value: |figures| figures.micros,
    },
];

/// Measures ours, and its peers unless it is to be alone.
pub(crate) async fn measure(rounds: u32, alone: bool, nats: &Path) -> Result<Report> {
    ensure!(open_files(32_000) >= 12_000, "it takes 12,000 open files: `ulimit -n`");
    let peers = if alone { [].as_slice() } else { Kind::PEERS.as_slice() };
    let kinds: Vec<_> = [Kind::Ours].iter().chain(peers).copied().collect();
    let mut measured = vec![Vec::new(); kinds.len()];
    // More than three rounds take longer than five minutes.
    for round in 0..rounds.min(3) as usize {
        // They take turns, and each begins once in three rounds.
        for turn in 0..kinds.len() {
            let which = (turn + round) % kinds.len();
            let figures = Box::pin(one_round(kinds[which], nats)).await?;
            tracing::info!(server = kinds[which].name(), ?figures, "measured");
            measured[which].push(figures);
        }
    }
    let mut report = Report::new("sockets");
    for Row { name, unit, goal, better, value } in ROWS {
        let of = |which: usize| measured[which].iter().map(value).collect::<Vec<f64>>();
        if alone {
            report.add(name, median(of(0)), unit, goal, better);
        }
        for (which, peer) in kinds.iter().enumerate().skip(1) {
            let rounds: Vec<_> = of(0).into_iter().zip(of(which)).collect();
            report.beside(name, unit, Pair::of_rounds(peer.name(), &rounds), goal, better);
        }
    }
    Ok(report)
}

async fn one_round(kind: Kind, nats: &Path) -> Result<Figures> {
    // A server of its own: what was connected before has left its mark on the allocator.
    let server = Arc::new(Server::start(kind, nats).await?);
    // What the first connections bring to life is not theirs alone.
    drop(server.connect().await?);
    let before = server.memory()?;
    let streams = server.connect_all(CONNECTIONS).await?;
    let idle = (server.memory()? - before) / 1024.0 / CONNECTIONS as f64;
    let streams = server.listen_all(streams).await?;
    let crowd = Crowd::gather(streams, kind.wire(), now())?;
    let mut voice = Voice { server: &server, publisher: server.publisher().await?, crowd };
    let (burst, micros) = voice.burst().await?;
    let (kept, p99) = voice.ceiling(burst).await?;
    tracing::info!(server = kind.name(), bytes = voice.crowd.size(), "size of a message");
    Ok(Figures { idle, kept, p99, burst, micros })
}
