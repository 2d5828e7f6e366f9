//! From the contract's algorithm to a kernel, and from its answer to columns.

use std::collections::HashMap;

use weft_kernels::analytics::{
    self, Along, AnalysisError, CommunityParams, DbscanParams, KMeansParams, Method, Network, PageRankParams,
    Place, Sources, UNREACHED,
};
use weft_proto::weft::compute::v1::{
    Algorithm, Betweenness, Closeness, Communities, CommunityMethod, Dbscan, EdgeDirection, KMeans,
    LabelPropagation, PageRank, Places, Precedence, algorithm::Kind, places::Origin,
};

use super::{
    computed::{Computed, along, failed},
    control::Control,
    reading::{GraphColumns, Wanted},
    similarity,
};
use crate::Error;

/// Rounds of label propagation where none are given.
const ROUNDS: u32 = 10;
/// Passes over communities where none are given.
const PASSES: u32 = 2;
/// Groups, and rounds, of k-means where none are given.
const GROUPS: usize = 8;
const K_MEANS_ROUNDS: u32 = 100;
/// Neighbours of a core where none are given.
const MIN_POINTS: usize = 5;
/// Nodes of a cycle that are named.
const NAMED: usize = 20;

/// Checks what the contract's rules cannot say.
///
/// # Errors
/// Names the field.
pub(crate) fn check(algorithm: &Algorithm) -> Result<(), Error> {
    let either = |sample: u32, sources: &[String], path: &str| {
        if sample > 0 && !sources.is_empty() {
            let field = format!("analysis.algorithm.{path}.sample_count");
            return Err(Error::bad_field(field, "must be 0 where sources are given"));
        }
        Ok(())
    };
    match &algorithm.kind {
        None => Err(Error::bad_field("analysis.algorithm.kind", "must be given")),
        Some(Kind::Betweenness(asked)) => either(asked.sample_count, &asked.sources, "betweenness"),
        Some(Kind::Closeness(asked)) => either(asked.sample_count, &asked.sources, "closeness"),
        Some(Kind::Dbscan(asked)) if asked.distance <= 0.0 => {
            Err(Error::bad_field("analysis.algorithm.dbscan.distance", "must be above 0"))
        }
        Some(Kind::Similarity(asked)) => similarity::check(asked),
        Some(_) => Ok(()),
    }
}

/// What an algorithm reads of the graph.
pub(super) fn wanted(algorithm: &Algorithm, weight_property: &str) -> Wanted {
    let numbers = match &algorithm.kind {
        Some(Kind::Precedence(asked)) if !asked.duration_property.is_empty() => {
            vec![asked.duration_property.clone()]
        }
        _ => match places_of(algorithm).and_then(|places| places.origin.as_ref()) {
            Some(Origin::Properties(properties)) => properties.names.clone(),
            Some(Origin::Layout(_)) | None => Vec::new(),
        },
    };
    let wanted = Wanted { weight_property: weight_property.to_owned(), numbers, ..Wanted::default() };
    match &algorithm.kind {
        Some(Kind::Similarity(asked)) => similarity::wanted(asked, wanted),
        _ => wanted,
    }
}

/// Where an algorithm takes the places of nodes from, if it needs any.
fn places_of(algorithm: &Algorithm) -> Option<&Places> {
    match &algorithm.kind {
        Some(Kind::KMeans(asked)) => asked.places.as_ref(),
        Some(Kind::Dbscan(asked)) => asked.places.as_ref(),
        _ => None,
    }
}

/// The layout whose places an algorithm needs.
pub(super) fn layout_of(algorithm: &Algorithm) -> Option<&str> {
    match &places_of(algorithm)?.origin {
        Some(Origin::Layout(layout)) => Some(layout),
        _ => None,
    }
}

/// The type of the edges that an algorithm's pairs are written as; empty where none are.
pub(crate) fn edge_type(algorithm: &Algorithm) -> &str {
    match &algorithm.kind {
        Some(Kind::Similarity(asked)) => &asked.write_edge_type,
        _ => "",
    }
}

/// The name of an algorithm: that of its field.
pub(crate) fn name(algorithm: &Algorithm) -> &'static str {
    match &algorithm.kind {
        None => "",
        Some(Kind::WeakComponents(_)) => "weak_components",
        Some(Kind::StrongComponents(_)) => "strong_components",
        Some(Kind::BreadthFirst(_)) => "breadth_first",
        Some(Kind::ShortestPaths(_)) => "shortest_paths",
        Some(Kind::PageRank(_)) => "page_rank",
        Some(Kind::Betweenness(_)) => "betweenness",
        Some(Kind::Closeness(_)) => "closeness",
        Some(Kind::Cores(_)) => "cores",
        Some(Kind::Triangles(_)) => "triangles",
        Some(Kind::LabelPropagation(_)) => "label_propagation",
        Some(Kind::Communities(_)) => "communities",
        Some(Kind::Precedence(_)) => "precedence",
        Some(Kind::KMeans(_)) => "k_means",
        Some(Kind::Dbscan(_)) => "dbscan",
        Some(Kind::Anomalies(_)) => "anomalies",
        Some(Kind::Similarity(_)) => "similarity",
    }
}

/// Computes. Blocks; runs on the threads of the pool that it is called in.
///
/// # Errors
/// Cancelled; a node that is not there; a graph that the algorithm cannot be computed of.
pub(super) fn compute(
    algorithm: &Algorithm,
    graph: &GraphColumns,
    control: &Control,
) -> Result<Computed, Error> {
    let network = Network::new(&graph.ordinals, &graph.edges)
        .map_err(|error| Error::GraphUnavailable(error.to_string()))?;
    control.check()?;
    let computed = Job { graph, network: &network, control }.run(algorithm);
    // What ended because it was told to says so in the kernel's words.
    control.check()?;
    computed
}

struct Job<'a> {
    graph: &'a GraphColumns,
    network: &'a Network,
    control: &'a Control,
}

impl Job<'_> {
    fn run(&self, algorithm: &Algorithm) -> Result<Computed, Error> {
        match &algorithm.kind {
            None => Err(Error::bad_field("analysis.algorithm.kind", "must be given")),
            Some(Kind::WeakComponents(_)) => Ok(self.components(&analytics::weak_components(self.network))),
            Some(Kind::StrongComponents(_)) => {
                Ok(self.components(&analytics::strong_components(self.network)))
            }
            Some(Kind::BreadthFirst(asked)) => self.breadth_first(&asked.source, asked.direction()),
            Some(Kind::ShortestPaths(asked)) => self.shortest_paths(&asked.source, asked.direction()),
            Some(Kind::PageRank(asked)) => self.page_rank(asked),
            Some(Kind::Betweenness(asked)) => self.betweenness(asked),
            Some(Kind::Closeness(asked)) => self.closeness(asked),
            Some(Kind::Cores(_)) => Ok(self.cores()),
            Some(Kind::Triangles(_)) => self.triangles(),
            Some(Kind::LabelPropagation(asked)) => self.label_propagation(*asked),
            Some(Kind::Communities(asked)) => self.communities(asked),
            Some(Kind::Precedence(asked)) => self.precedence(asked),
            Some(Kind::KMeans(asked)) => self.k_means(asked),
            Some(Kind::Dbscan(asked)) => self.dbscan(asked),
            Some(Kind::Anomalies(_)) => self.anomalies(),
            Some(Kind::Similarity(asked)) => {
                similarity::compute(asked, self.graph, self.network, self.control)
            }
        }
    }

    /// Groups by the ordinals of the smallest slots.
    fn groups(&self, column: &'static str, labels: &[u32]) -> Computed {
        let name = |label: &u32| f64::from(self.graph.ordinals[*label as usize]);
        let labels = labels.iter().map(name).collect();
        Computed { columns: vec![(column, labels)], grouped: true, ..Computed::default() }
    }

    fn components(&self, found: &analytics::Components) -> Computed {
        let numbers =
            vec![("component_count", found.count as f64), ("largest_component_size", found.largest as f64)];
        Computed { numbers, ..self.groups("component", &found.labels) }
    }

    fn breadth_first(&self, source: &str, direction: EdgeDirection) -> Result<Computed, Error> {
        let along = along(direction, Along::Out);
        let source = self.ordinal(source, "analysis.algorithm.breadth_first.source")?;
        let depths = analytics::breadth_first(self.network, source, along, self.control).map_err(failed)?;
        let reached = |slot: &usize| depths[*slot] != UNREACHED;
        let slots: Vec<usize> = (0..depths.len()).filter(reached).collect();
        let depth: Vec<f64> = slots.iter().map(|slot| f64::from(depths[*slot])).collect();
        let deepest = depth.iter().copied().fold(0.0, f64::max);
        let mut numbers = vec![
            ("reached_count", slots.len() as f64),
            ("depth", deepest),
            ("diameter_lower_bound", deepest),
        ];
        if along == Along::Both {
            // Any two nodes of its component meet at the source.
            numbers.push(("diameter_upper_bound", 2.0 * deepest));
        }
        let columns = vec![("depth", depth)];
        Ok(Computed { slots: Some(slots), columns, numbers, ..Computed::default() })
    }

    fn shortest_paths(&self, source: &str, direction: EdgeDirection) -> Result<Computed, Error> {
        let along = along(direction, Along::Out);
        let source = self.ordinal(source, "analysis.algorithm.shortest_paths.source")?;
        let lengths = analytics::shortest_paths(self.network, source, along, self.control).map_err(failed)?;
        let slots: Vec<usize> = (0..lengths.len()).filter(|slot| lengths[*slot].is_finite()).collect();
        let distance: Vec<f64> = slots.iter().map(|slot| lengths[*slot]).collect();
        let farthest = distance.iter().copied().fold(0.0, f64::max);
        let numbers = vec![("reached_count", slots.len() as f64), ("farthest_distance", farthest)];
        let columns = vec![("distance", distance)];
        Ok(Computed { slots: Some(slots), columns, numbers, ..Computed::default() })
    }

    fn page_rank(&self, asked: &PageRank) -> Result<Computed, Error> {
        let default = PageRankParams::default();
        let mut personalisation = None;
        if !asked.sources.is_empty() {
            let mut weights = vec![0.0; self.graph.ordinals.len()];
            for slot in self.slots(&asked.sources, "analysis.algorithm.page_rank.sources")? {
                weights[slot] = 1.0;
            }
            personalisation = Some(weights);
        }
        let params = PageRankParams {
            along: along(asked.direction(), default.along),
            damping: asked.damping.unwrap_or(default.damping),
            tolerance: asked.tolerance.unwrap_or(default.tolerance),
            personalisation,
            ..default
        };
        if self.graph.ordinals.is_empty() {
            return Ok(Computed { columns: vec![("rank", Vec::new())], ..Computed::default() });
        }
        let found = analytics::pagerank(self.network, &params, self.control).map_err(failed)?;
        let numbers =
            vec![("sweeps", f64::from(found.sweeps)), ("converged", f64::from(u8::from(found.converged)))];
        Ok(Computed { columns: vec![("rank", found.ranks)], numbers, ..Computed::default() })
    }

    fn betweenness(&self, asked: &Betweenness) -> Result<Computed, Error> {
        let along = along(asked.direction(), Along::Out);
        let path = "analysis.algorithm.betweenness.sources";
        let sources = self.sources(&asked.sources, asked.sample_count, asked.seed, path)?;
        let used = self.used(&sources);
        let found = analytics::betweenness(self.network, along, &sources, self.control).map_err(failed)?;
        let numbers = vec![("source_count", used as f64)];
        Ok(Computed { columns: vec![("betweenness", found)], numbers, ..Computed::default() })
    }

    fn closeness(&self, asked: &Closeness) -> Result<Computed, Error> {
        let along = along(asked.direction(), Along::Out);
        let path = "analysis.algorithm.closeness.sources";
        let sources = self.sources(&asked.sources, asked.sample_count, asked.seed, path)?;
        let found = analytics::closeness(self.network, along, &sources, self.control).map_err(failed)?;
        let slot = |id: &u32| self.network.slot(*id).map_err(failed);
        let slots = found.nodes.iter().map(slot).collect::<Result<_, _>>()?;
        let numbers = vec![("source_count", found.nodes.len() as f64)];
        let columns = vec![("closeness", found.closeness), ("harmonic", found.harmonic)];
        Ok(Computed { slots: Some(slots), columns, numbers, ..Computed::default() })
    }

    fn cores(&self) -> Computed {
        let cores: Vec<f64> =
            analytics::core_numbers(self.network).iter().map(|core| f64::from(*core)).collect();
        let deepest = cores.iter().copied().fold(0.0, f64::max);
        let inside = cores.iter().filter(|core| **core >= deepest).count();
        let numbers = vec![("degeneracy", deepest), ("innermost_core_size", inside as f64)];
        Computed { columns: vec![("core", cores)], numbers, ..Computed::default() }
    }

    fn triangles(&self) -> Result<Computed, Error> {
        let found = analytics::triangles(self.network, self.control).map_err(failed)?;
        let mean = found.clustering.iter().sum::<f64>() / found.clustering.len().max(1) as f64;
        let numbers = vec![
            ("triangle_count", found.total as f64),
            ("transitivity", found.transitivity),
            ("mean_clustering", mean),
        ];
        let counts = found.counts.iter().map(|count| *count as f64).collect();
        let columns = vec![("triangles", counts), ("clustering", found.clustering)];
        Ok(Computed { columns, numbers, ..Computed::default() })
    }

    fn label_propagation(&self, asked: LabelPropagation) -> Result<Computed, Error> {
        let along = along(asked.direction(), Along::Both);
        let rounds = if asked.rounds == 0 { ROUNDS } else { asked.rounds };
        let labels =
            analytics::propagate_labels(self.network, along, rounds, self.control).map_err(failed)?;
        let modularity = analytics::modularity(self.network, &labels, 1.0).map_err(failed)?;
        // The definition's labels are those of any node; here a group has the name of its first.
        let (labels, count) = first_names(&labels);
        let numbers = vec![("group_count", count as f64), ("modularity", modularity)];
        Ok(Computed { numbers, ..self.groups("label", &labels) })
    }

    fn communities(&self, asked: &Communities) -> Result<Computed, Error> {
        let params = CommunityParams {
            method: match asked.method() {
                CommunityMethod::Louvain => Method::Louvain,
                CommunityMethod::Leiden | CommunityMethod::Unspecified => Method::Leiden,
            },
            resolution: asked.resolution.unwrap_or(1.0),
            passes: if asked.passes == 0 { PASSES } else { asked.passes },
        };
        let found = analytics::communities(self.network, &params, self.control).map_err(failed)?;
        let numbers = vec![("community_count", found.count as f64), ("modularity", found.modularity)];
        Ok(Computed { numbers, ..self.groups("community", &found.labels) })
    }

    fn precedence(&self, asked: &Precedence) -> Result<Computed, Error> {
        let durations: Option<Vec<f64>> = self.graph.numbers.first().map(|column| {
            column.iter().map(|number| if (0.0..=1e100).contains(number) { *number } else { 1.0 }).collect()
        });
        let found = analytics::precedence(self.network, durations.as_deref(), asked.with_lags)
            .map_err(|error| self.cycle(error))?;
        let nodes = self.graph.ordinals.len();
        let mut position = vec![0.0; nodes];
        for (place, slot) in found.order.iter().enumerate() {
            position[*slot as usize] = place as f64;
        }
        let mut critical = vec![0.0; nodes];
        for slot in &found.critical {
            critical[*slot as usize] = 1.0;
        }
        let levels: Vec<f64> = found.levels.iter().map(|level| f64::from(*level)).collect();
        let depth = levels.iter().copied().fold(0.0, f64::max);
        let numbers = vec![
            ("length", found.length),
            ("depth", depth),
            ("critical_node_count", found.critical.len() as f64),
        ];
        let columns = vec![
            ("position", position),
            ("level", levels),
            ("earliest", found.earliest),
            ("slack", found.slack),
            ("critical", critical),
        ];
        Ok(Computed { columns, numbers, ..Computed::default() })
    }

    /// Slots of nodes that have a place, and their places.
    fn places(&self) -> (Vec<usize>, Vec<Place>) {
        let columns = &self.graph.numbers;
        let place = |slot: usize| {
            let coordinate = |axis: usize| columns.get(axis).map_or(0.0, |column| column[slot]);
            [coordinate(0), coordinate(1), coordinate(2)]
        };
        let placed = (0..self.graph.ordinals.len()).map(|slot| (slot, place(slot)));
        placed.filter(|(_, place)| place.iter().all(|coordinate| coordinate.is_finite())).unzip()
    }

    fn k_means(&self, asked: &KMeans) -> Result<Computed, Error> {
        let (slots, places) = self.places();
        let params = KMeansParams {
            groups: if asked.groups == 0 { GROUPS } else { asked.groups as usize },
            rounds: if asked.rounds == 0 { K_MEANS_ROUNDS } else { asked.rounds },
            seed: asked.seed,
        };
        let found = analytics::k_means(&places, &params, self.control).map_err(failed)?;
        let name = |label: &u32| f64::from(self.graph.ordinals[slots[*label as usize]]);
        let columns = vec![("cluster", found.labels.iter().map(name).collect())];
        let numbers = vec![
            ("cluster_count", found.count as f64),
            ("inertia", found.inertia),
            ("rounds", f64::from(found.rounds)),
            ("converged", f64::from(u8::from(found.converged))),
        ];
        Ok(Computed { slots: Some(slots), columns, grouped: true, numbers, ..Computed::default() })
    }

    fn dbscan(&self, asked: &Dbscan) -> Result<Computed, Error> {
        let (slots, places) = self.places();
        let min_points = if asked.min_points == 0 { MIN_POINTS } else { asked.min_points as usize };
        let params = DbscanParams { distance: asked.distance, min_points };
        let found = analytics::dbscan(&places, &params, self.control).map_err(failed)?;
        let name = |label: u32| f64::from(self.graph.ordinals[slots[label as usize]]);
        let inside =
            slots.iter().zip(&found.labels).filter_map(|(slot, label)| Some((*slot, name((*label)?))));
        let (inside, labels): (Vec<usize>, Vec<f64>) = inside.unzip();
        let numbers = vec![
            ("cluster_count", found.count as f64),
            ("core_count", found.cores as f64),
            ("noise_count", (slots.len() - inside.len()) as f64),
        ];
        Ok(Computed {
            slots: Some(inside),
            columns: vec![("cluster", labels)],
            grouped: true,
            numbers,
            ..Computed::default()
        })
    }

    fn anomalies(&self) -> Result<Computed, Error> {
        let found = analytics::anomalies(self.network, self.control).map_err(failed)?;
        let wide = |counts: &[u64]| counts.iter().map(|count| *count as f64).collect();
        let columns = vec![
            ("anomaly", found.scores),
            ("egonet_nodes", wide(&found.nodes)),
            ("egonet_edges", wide(&found.edges)),
        ];
        let numbers = vec![("exponent", found.exponent), ("factor", found.factor)];
        Ok(Computed { columns, numbers, ..Computed::default() })
    }

    /// A cycle with the keys of its nodes.
    fn cycle(&self, error: AnalysisError) -> Error {
        let AnalysisError::Cycle { cycle } = error else { return failed(error) };
        let key = |id: &u32| {
            let slot = self.network.slot(*id).ok()?;
            Some(self.graph.keys[slot].as_ref().to_owned())
        };
        Error::Cycle { length: cycle.len(), nodes: cycle.iter().take(NAMED).filter_map(key).collect() }
    }

    fn ordinal(&self, key: &str, field: &str) -> Result<u32, Error> {
        Ok(self.graph.ordinals[self.graph.slot(key, field)?])
    }

    /// The slots of some nodes, in the order given.
    fn slots(&self, keys: &[String], field: &str) -> Result<Vec<usize>, Error> {
        let slots: HashMap<&str, usize> =
            self.graph.keys.iter().enumerate().map(|(slot, key)| (&**key, slot)).collect();
        let slot = |(at, key): (usize, &String)| {
            let missing = || Error::NodeNotFound { field: format!("{field}[{at}]"), node: key.clone() };
            slots.get(key.as_str()).copied().ok_or_else(missing)
        };
        keys.iter().enumerate().map(slot).collect()
    }

    fn sources(&self, keys: &[String], sample: u32, seed: u64, field: &str) -> Result<Sources, Error> {
        if !keys.is_empty() {
            let slots = self.slots(keys, field)?;
            return Ok(Sources::Nodes(slots.iter().map(|slot| self.graph.ordinals[*slot]).collect()));
        }
        Ok(if sample == 0 { Sources::All } else { Sources::Sampled { count: sample as usize, seed } })
    }

    /// From how many nodes these look.
    fn used(&self, sources: &Sources) -> usize {
        let nodes = self.graph.ordinals.len();
        match sources {
            Sources::All => nodes,
            Sources::Sampled { count, .. } => nodes.min(*count),
            Sources::Nodes(ids) => ids.iter().collect::<std::collections::HashSet<_>>().len(),
        }
    }
}

/// The same groups with their first slots as names, and how many there are.
fn first_names(labels: &[u32]) -> (Vec<u32>, usize) {
    let mut names = HashMap::new();
    let named =
        labels.iter().enumerate().map(|(slot, label)| *names.entry(*label).or_insert(slot as u32)).collect();
    (named, names.len())
}
