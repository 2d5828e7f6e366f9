//! What an analysis will need, before it is begun. An estimate from above, from the sizes of what is allocated.

use weft_kernels::analytics::Network;
use weft_proto::weft::compute::v1::{Algorithm, algorithm::Kind, similarity::Measure};

use super::{
    similarity::per_node,
    words::{DIFFERENT_WORDS, FEW_WORDS, WORDS},
};

/// Bytes of a node while the graph is read: ordinal, key (of 32 bytes), and its value in the end.
const NODE: usize = 4 + 16 + 32 + 8;
/// Bytes of an edge while the graph is read: two ends and a weight, as read and as arranged.
const EDGE: usize = 12 * 2;

/// Bytes of a word of a node: as read, and both ways in the kernel.
const WORD: usize = 8 * 4;
/// Bytes of a different word: its text and number, and where its list begins.
const DIFFERENT_WORD: usize = 112;
/// Bytes of a pair: as found and sorted, with its value and where the keys of both are.
const PAIR: usize = 24 + 16 + 2 * (16 + 4 + 8) + 8;

/// MiB, at least 1.
pub(crate) fn estimate(algorithm: &Algorithm, nodes: usize, edges: usize, threads: usize) -> u32 {
    let threads = threads.max(1);
    // Bytes of a node and of an edge that the kernel itself needs.
    let (node, edge) = match &algorithm.kind {
        None => (0, 0),
        Some(Kind::WeakComponents(_) | Kind::BreadthFirst(_)) => (16, 4),
        Some(Kind::StrongComponents(_) | Kind::Cores(_)) => (32, 16),
        // Ways that were found and not looked at yet: one for each edge at most, 16 bytes, in lists that double.
        Some(Kind::ShortestPaths(_)) => (16, 64),
        Some(Kind::PageRank(_)) => (64, 0),
        // Sums of every group that runs at once, 64 at most, and a search for each thread.
        Some(Kind::Betweenness(_)) => (8 * 18 + 40 * threads, 0),
        Some(Kind::Closeness(_)) => (16 + 40 * threads, 0),
        Some(Kind::Triangles(_)) => (24 + threads, 8),
        // Every thread has memory for the labels around one node, which can be all.
        Some(Kind::LabelPropagation(_)) => (16 + 24 * threads, 0),
        Some(Kind::Communities(_)) => (96 + 24 * threads, 32),
        Some(Kind::Precedence(_)) => (80, 0),
        // Places, cells, and who is in them.
        Some(Kind::KMeans(_)) => (24 + 32, 0),
        Some(Kind::Dbscan(_)) => (24 + 120, 0),
        Some(Kind::Anomalies(_)) => (56 + threads, 8),
        // Lists of who has what, both ways; pairs with two keys each, and the edges that are written.
        Some(Kind::Similarity(asked)) => {
            let words = WORDS * WORD + DIFFERENT_WORDS * DIFFERENT_WORD;
            let words = if reads_texts(algorithm) { words } else { 0 };
            (words + per_node(asked) * PAIR + 32 * threads, 24)
        }
    };
    // Nobody has so many; what follows cannot overflow then.
    let (nodes, edges) = (nodes.min(u32::MAX as usize), edges.min(u32::MAX as usize));
    let few_words = if reads_texts(algorithm) { FEW_WORDS * (WORD + DIFFERENT_WORD) } else { 0 };
    let bytes = Network::memory(nodes, edges)
        .saturating_add(few_words)
        .saturating_add(nodes.saturating_mul(NODE + node))
        .saturating_add(edges.saturating_mul(EDGE + edge));
    u32::try_from((bytes >> 20) + 1).unwrap_or(u32::MAX)
}

fn reads_texts(algorithm: &Algorithm) -> bool {
    matches!(&algorithm.kind, Some(Kind::Similarity(asked)) if matches!(asked.measure, Some(Measure::Text(_))))
}

#[cfg(test)]
mod tests {
    use weft_proto::weft::compute::v1::{PageRank, WeakComponents};

    use super::*;

    #[test]
    fn larger_graphs_need_more_and_nothing_overflows() {
        let rank = Algorithm { kind: Some(Kind::PageRank(PageRank::default())) };
        let parts = Algorithm { kind: Some(Kind::WeakComponents(WeakComponents {})) };
        assert_eq!(estimate(&rank, 0, 0, 0), 1);
        assert!(estimate(&rank, 1_000_000, 3_000_000, 2) < 500);
        assert!(estimate(&parts, 1_000_000, 3_000_000, 2) > 100);
        assert!(estimate(&rank, usize::MAX, usize::MAX, 1_024) > 100_000);
    }
}
