//! `weft analyses communities`: the communities of a graph, now and while it changes.

use std::{collections::HashMap, time::Duration};

use anyhow::Result;
use tonic::Code;
use weft_proto::weft::compute::v1::{
    CommunitySummary, WatchCommunitiesRequest, watch_communities_response::Event,
};

use crate::{
    cli::{
        graph::full_name,
        output::{self, OutputFormat},
    },
    client::AnalysisClient,
};

/// Communities that are shown.
const SHOWN: usize = 10;

/// Time before a stream that broke off is gone on with, which grows while there is nobody to answer.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Tell the communities of a graph.
#[derive(Debug, clap::Args)]
pub(crate) struct CommunitiesArguments {
    /// Id of the graph, or its whole name.
    graph: String,
    /// Go on, and tell what changes while the graph does; until the graph is deleted.
    #[arg(long)]
    watch: bool,
    /// Above 1 makes more and smaller communities; 1 by default.
    #[arg(long)]
    resolution: Option<f64>,
    /// Seconds between two tellings, at least.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(..=3_600))]
    min_interval: Option<u16>,
}

/// What is known of them.
#[derive(Default)]
struct Known {
    /// For each node the number of its community.
    numbers: HashMap<u32, u32>,
    /// Nodes that have joined and left since something was printed.
    joined: usize,
    left: usize,
}

impl CommunitiesArguments {
    pub(super) async fn run(self, client: &mut AnalysisClient, format: OutputFormat) -> Result<()> {
        let request = WatchCommunitiesRequest {
            graph: full_name(&self.graph),
            resolution: self.resolution,
            min_interval: self
                .min_interval
                .map(|seconds| prost_types::Duration { seconds: seconds.into(), nanos: 0 }),
        };
        // A stream that breaks off is gone on with: all of them are told anew.
        let mut pause = SHORTEST_PAUSE;
        loop {
            let mut events = match client.watch_communities(request.clone()).await {
                Ok(events) => events.into_inner(),
                Err(status) if self.watch && status.code() == Code::Unavailable => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    continue;
                }
                Err(status) => return Err(status.into()),
            };
            let mut known = Known::default();
            loop {
                let told = match events.message().await {
                    Ok(Some(told)) => told,
                    Ok(None) => break,
                    Err(status) if status.code() == Code::Unavailable => break,
                    Err(status) => return Err(status.into()),
                };
                if format == OutputFormat::Json {
                    output::json_line(&told, "weft.compute.v1.WatchCommunitiesResponse")?;
                }
                let is_whole = told.event.is_some_and(|event| known.take(event, format));
                if is_whole && !self.watch {
                    return Ok(());
                }
                pause = SHORTEST_PAUSE;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl Known {
    /// Takes in what was told, and prints it for people. Whether it is whole now.
    fn take(&mut self, event: Event, format: OutputFormat) -> bool {
        let (ordinals, communities, left, summary, last, is_first) = match event {
            Event::Partition(told) => {
                (told.ordinals, told.communities, Vec::new(), told.summary, told.last_part, true)
            }
            Event::Changes(told) => {
                (told.ordinals, told.communities, told.left_ordinals, told.summary, told.last_part, false)
            }
            Event::ToldRevision(_) => return false,
        };
        self.joined += ordinals.len();
        self.left += left.len();
        for ordinal in left {
            self.numbers.remove(&ordinal);
        }
        self.numbers.extend(ordinals.into_iter().zip(communities));
        if last {
            if format == OutputFormat::Table {
                self.print(&summary.unwrap_or_default(), is_first);
            }
            (self.joined, self.left) = (0, 0);
        }
        last
    }

    fn print(&self, summary: &CommunitySummary, is_first: bool) {
        let told = format!(
            "revision {}: {} nodes, {} communities, modularity {:.3}",
            output::number(summary.graph_revision),
            output::number(summary.node_count),
            output::number(summary.community_count),
            summary.modularity
        );
        if !is_first {
            output::line(&format!("{told}; {} joined, {} left", self.joined, self.left));
            return;
        }
        output::line(&told);
        let mut sizes: HashMap<u32, i64> = HashMap::new();
        for number in self.numbers.values() {
            *sizes.entry(*number).or_default() += 1;
        }
        let mut sizes: Vec<(u32, i64)> = sizes.into_iter().collect();
        sizes.sort_unstable_by_key(|(number, nodes)| (std::cmp::Reverse(*nodes), *number));
        let rows = sizes.into_iter().take(SHOWN);
        let rows = rows.map(|(number, nodes)| vec![number.to_string(), output::number(nodes)]);
        output::table(&["community", "nodes"], &[0, 1], rows);
    }
}
