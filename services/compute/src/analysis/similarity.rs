//! Pairs of nodes that are alike: what is asked for, what is read of the graph, what is found.

use weft_kernels::analytics::{self, Along, Network, SimilarityParams};
use weft_proto::weft::compute::v1::{Similarity, similarity::Measure};

use super::{
    computed::{Computed, along, failed},
    control::Control,
    reading::{GraphColumns, Texts, Wanted},
};
use crate::Error;

/// Checks what the contract's rules cannot say.
pub(super) fn check(asked: &Similarity) -> Result<(), Error> {
    let bad = |field: &str, problem: &str| {
        Err(Error::bad_field(format!("analysis.algorithm.similarity.{field}"), problem.to_owned()))
    };
    match asked {
        Similarity { measure: None, .. } => bad("measure", "must be given"),
        Similarity { max_sharing: 1, .. } => bad("max_sharing", "must be from 2 to 100,000"),
        _ => Ok(()),
    }
}

/// Pairs that are kept for each node.
pub(super) fn per_node(asked: &Similarity) -> usize {
    if asked.per_node == 0 { SimilarityParams::default().per_node } else { asked.per_node as usize }
}

/// What is read of the graph.
pub(super) fn wanted(asked: &Similarity, wanted: Wanted) -> Wanted {
    let texts = match &asked.measure {
        Some(Measure::Text(text)) => Some(Texts { properties: text.properties.clone() }),
        Some(Measure::Neighbors(_)) | None => None,
    };
    Wanted { texts, set_aside: asked.write_edge_type.clone(), ..wanted }
}

/// Computes.
pub(super) fn compute(
    asked: &Similarity,
    graph: &GraphColumns,
    network: &Network,
    control: &Control,
) -> Result<Computed, Error> {
    let default = SimilarityParams::default();
    let params = SimilarityParams {
        per_node: per_node(asked),
        least: asked.min_similarity.unwrap_or(default.least),
        max_sharing: if asked.max_sharing == 0 { default.max_sharing } else { asked.max_sharing as usize },
    };
    let pairs = match &asked.measure {
        Some(Measure::Text(_)) => analytics::similar_texts(graph.words.features(), &params, control),
        Some(Measure::Neighbors(asked)) => {
            analytics::similar_neighbors(network, along(asked.direction(), Along::Both), &params, control)
        }
        None => Ok(Vec::new()),
    };
    let pairs = pairs.map_err(failed)?;
    let mut alike = vec![false; graph.ordinals.len()];
    for end in pairs.iter().flat_map(|pair| [pair.a, pair.b]) {
        alike[end as usize] = true;
    }
    let numbers = vec![("similar_node_count", alike.iter().filter(|alike| **alike).count() as f64)];
    Ok(Computed {
        slots: Some(pairs.iter().map(|pair| pair.a as usize).collect()),
        others: Some(pairs.iter().map(|pair| pair.b as usize).collect()),
        columns: vec![("similarity", pairs.iter().map(|pair| pair.similarity).collect())],
        numbers,
        ..Computed::default()
    })
}
