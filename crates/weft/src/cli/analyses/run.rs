//! `weft analyses run`: one word for each algorithm, with its options.

use anyhow::Result;
use weft_proto::weft::compute::v1::{
    self as api, Algorithm, Analysis, CommunityMethod, CreateAnalysisRequest, EdgeDirection, algorithm::Kind,
    places::Origin, similarity::Measure,
};

use super::{show, watch};
use crate::{
    cli::{graph::full_name, identity::new_request_id, output::OutputFormat},
    client::AnalysisClient,
};

/// Analyse a graph.
#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    /// Id of the graph, or its whole name.
    graph: String,
    /// Id of the analysis; made up if not given.
    #[arg(long, default_value = "", global = true)]
    id: String,
    /// Edge property that is the weight; the edge's own weight if not given.
    #[arg(long, default_value = "", global = true, value_name = "PROPERTY")]
    weight_property: String,
    /// Node property that the first column is written to when it is done.
    #[arg(long, default_value = "", global = true, value_name = "PROPERTY")]
    write_property: String,
    /// Seconds that it may run: 1 to 3,600.
    #[arg(long, global = true, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// Do not wait for its end.
    #[arg(long, global = true)]
    no_wait: bool,
    #[command(subcommand)]
    algorithm: AlgorithmCommand,
}

/// What is computed.
#[derive(Debug, clap::Subcommand)]
enum AlgorithmCommand {
    /// Parts between which there is no edge.
    WeakComponents,
    /// Parts in which every node can reach every other along the edges.
    StrongComponents,
    /// How many edges every node is from one.
    BreadthFirst(From),
    /// How far every node is from one, a weight being a length.
    ShortestPaths(From),
    /// How often somebody is at a node who follows edges.
    PageRank {
        #[command(flatten)]
        along: Along,
        /// Probability of following an edge: 0 to 0.999; 0.85 by default.
        #[arg(long)]
        damping: Option<f64>,
        /// When it is good enough: 1e-15 to 1; 1e-9 by default.
        #[arg(long)]
        tolerance: Option<f64>,
        /// Begin anew at this node only; may be repeated.
        #[arg(long = "source", value_name = "KEY")]
        sources: Vec<String>,
    },
    /// How many shortest ways lead over a node.
    Betweenness(SomeNodes),
    /// How near a node is to all others.
    Closeness(SomeNodes),
    /// How deep inside the dense part of the graph a node lies.
    Cores,
    /// Triangles, and how far the neighbours of a node know each other.
    Triangles,
    /// Groups by what most neighbours belong to.
    LabelPropagation {
        #[command(flatten)]
        along: Along,
        /// Rounds at most; 10 by default.
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        rounds: u32,
    },
    /// Groups with more edges inside than chance would put there.
    Communities {
        /// How they are looked for.
        #[arg(long, value_enum, default_value_t = MethodArgument::Leiden)]
        method: MethodArgument,
        /// Above 1 makes more and smaller groups; 1 by default.
        #[arg(long)]
        resolution: Option<f64>,
        /// Passes at most; 2 by default.
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        passes: u32,
    },
    /// What must come before what, and the chain that decides how long it takes.
    Precedence {
        /// Node property that says how long a node takes; all take 1 if not given.
        #[arg(long, default_value = "", value_name = "PROPERTY")]
        duration_property: String,
        /// Edge weights are pauses between two nodes.
        #[arg(long)]
        with_lags: bool,
    },
    /// As many groups of nodes as are asked for, each near its own centre.
    KMeans {
        #[command(flatten)]
        places: Where,
        /// How many groups; 8 by default.
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        groups: u32,
        /// Rounds at most; 100 by default.
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        rounds: u32,
        /// Where the first centres are.
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// Groups of nodes that lie densely, and nodes that belong to none.
    Dbscan {
        #[command(flatten)]
        places: Where,
        /// How far neighbours are from each other at most.
        #[arg(long)]
        distance: f64,
        /// Neighbours that put a node into the middle of a group; 5 by default.
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        min_points: u32,
    },
    /// Nodes whose surroundings are unlike those of the others.
    Anomalies,
    /// Pairs of nodes that are alike.
    Similarity {
        /// What is compared.
        #[arg(long, value_enum, default_value_t = MeasureArgument::Neighbors)]
        by: MeasureArgument,
        #[command(flatten)]
        along: Along,
        /// With `--by text`, a property that has the texts; may be repeated. All that a search looks through if not given.
        #[arg(long = "property", value_name = "PROPERTY")]
        properties: Vec<String>,
        /// Similar nodes that are kept for each node; 10 by default, at most 100.
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        per_node: u32,
        /// The least similarity, above 0 and at most 1; 0.2 by default.
        #[arg(long)]
        min_similarity: Option<f64>,
        /// Pairs are looked for among those that share what no more than so many have; 1,000 by default.
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        max_sharing: u32,
        /// Write the pairs to the graph as edges of this type, in place of those that it has.
        #[arg(long, default_value = "", value_name = "TYPE")]
        write_edge_type: String,
    },
}

/// What nodes are compared by.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum MeasureArgument {
    /// Whom they know.
    Neighbors,
    /// What they say.
    Text,
}

/// Where nodes are.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Where {
    /// Where this layout of the graph has put the nodes: the last part of its name.
    #[arg(long, value_name = "LAYOUT")]
    layout: Option<String>,
    /// Where these two or three properties say that nodes are, by commas.
    #[arg(long, value_delimiter = ',', value_name = "X,Y[,Z]")]
    properties: Vec<String>,
}

/// Which way edges are followed.
#[derive(Debug, clap::Args)]
struct Along {
    /// Which way edges are followed.
    #[arg(long, value_enum)]
    direction: Option<DirectionArgument>,
}

/// From which node.
#[derive(Debug, clap::Args)]
struct From {
    /// Key of the node where it begins.
    #[arg(long, value_name = "KEY")]
    source: String,
    #[command(flatten)]
    along: Along,
}

/// From which nodes.
#[derive(Debug, clap::Args)]
struct SomeNodes {
    #[command(flatten)]
    along: Along,
    /// From so many nodes, chosen by `--seed`; from all if not given.
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "NODES")]
    sample: u32,
    /// Which nodes are chosen.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// From this node; may be repeated.
    #[arg(long = "source", value_name = "KEY")]
    sources: Vec<String>,
}

/// A direction.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum DirectionArgument {
    /// From source to target.
    Out,
    /// From target to source.
    In,
    /// Both ways.
    Both,
}

/// A method of looking for communities.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum MethodArgument {
    /// Every community is connected.
    Leiden,
    /// A community can fall apart.
    Louvain,
}

impl Where {
    fn message(self) -> api::Places {
        let origin = match self.layout {
            Some(layout) => Origin::Layout(layout),
            None => Origin::Properties(api::CoordinateProperties { names: self.properties }),
        };
        api::Places { origin: Some(origin) }
    }
}

impl Along {
    fn number(&self) -> i32 {
        match self.direction {
            None => EdgeDirection::Unspecified,
            Some(DirectionArgument::Out) => EdgeDirection::Out,
            Some(DirectionArgument::In) => EdgeDirection::In,
            Some(DirectionArgument::Both) => EdgeDirection::Both,
        }
        .into()
    }
}

impl AlgorithmCommand {
    fn kind(self) -> Kind {
        match self {
            Self::WeakComponents => Kind::WeakComponents(api::WeakComponents {}),
            Self::StrongComponents => Kind::StrongComponents(api::StrongComponents {}),
            Self::BreadthFirst(From { source, along }) => {
                Kind::BreadthFirst(api::BreadthFirst { source, direction: along.number() })
            }
            Self::ShortestPaths(From { source, along }) => {
                Kind::ShortestPaths(api::ShortestPaths { source, direction: along.number() })
            }
            Self::PageRank { along, damping, tolerance, sources } => {
                Kind::PageRank(api::PageRank { direction: along.number(), damping, tolerance, sources })
            }
            Self::Betweenness(SomeNodes { along, sample: sample_count, seed, sources }) => {
                Kind::Betweenness(api::Betweenness { direction: along.number(), sample_count, seed, sources })
            }
            Self::Closeness(SomeNodes { along, sample: sample_count, seed, sources }) => {
                Kind::Closeness(api::Closeness { direction: along.number(), sample_count, seed, sources })
            }
            Self::Cores => Kind::Cores(api::Cores {}),
            Self::Triangles => Kind::Triangles(api::Triangles {}),
            Self::LabelPropagation { along, rounds } => {
                Kind::LabelPropagation(api::LabelPropagation { direction: along.number(), rounds })
            }
            Self::Communities { method, resolution, passes } => {
                let method = match method {
                    MethodArgument::Leiden => CommunityMethod::Leiden,
                    MethodArgument::Louvain => CommunityMethod::Louvain,
                };
                Kind::Communities(api::Communities { method: method.into(), resolution, passes })
            }
            Self::Precedence { duration_property, with_lags } => {
                Kind::Precedence(api::Precedence { duration_property, with_lags })
            }
            Self::KMeans { places, groups, rounds, seed } => {
                Kind::KMeans(api::KMeans { places: Some(places.message()), groups, rounds, seed })
            }
            Self::Dbscan { places, distance, min_points } => {
                Kind::Dbscan(api::Dbscan { places: Some(places.message()), distance, min_points })
            }
            Self::Anomalies => Kind::Anomalies(api::Anomalies {}),
            Self::Similarity {
                by,
                along,
                properties,
                per_node,
                min_similarity,
                max_sharing,
                write_edge_type,
            } => {
                let measure = match by {
                    MeasureArgument::Neighbors => {
                        Measure::Neighbors(api::NeighborSimilarity { direction: along.number() })
                    }
                    MeasureArgument::Text => Measure::Text(api::TextSimilarity { properties }),
                };
                Kind::Similarity(api::Similarity {
                    measure: Some(measure),
                    per_node,
                    min_similarity,
                    max_sharing,
                    write_edge_type,
                })
            }
        }
    }
}

impl Run {
    pub(super) async fn run(self, client: &mut AnalysisClient, format: OutputFormat) -> Result<()> {
        let request = CreateAnalysisRequest {
            parent: full_name(&self.graph),
            analysis_id: self.id,
            analysis: Some(Analysis {
                algorithm: Some(Algorithm { kind: Some(self.algorithm.kind()) }),
                weight_property: self.weight_property,
                write_property: self.write_property,
                timeout: self
                    .timeout
                    .map(|seconds| prost_types::Duration { seconds: seconds.into(), nanos: 0 }),
                ..Analysis::default()
            }),
            request_id: new_request_id(),
        };
        let created = client.create_analysis(request).await?.into_inner();
        if self.no_wait {
            return show::analysis(&created, format);
        }
        watch::to_its_end(client, created.name, format).await
    }
}
