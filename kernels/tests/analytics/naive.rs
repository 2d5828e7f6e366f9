//! The definitions, computed without a thought of speed.

/// For each pair, whether there is a way; everybody reaches himself.
pub(crate) fn reaches(matrix: &[Vec<f64>]) -> Vec<Vec<bool>> {
    hops(matrix).into_iter().map(|row| row.into_iter().map(f64::is_finite).collect()).collect()
}

/// For each pair, edges of the shortest way (Floyd and Warshall).
pub(crate) fn hops(matrix: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let step = |weight: &f64| if *weight > 0.0 { 1.0 } else { f64::INFINITY };
    close(matrix.iter().map(|row| row.iter().map(step).collect()).collect())
}

/// For each pair, length of the shortest way; `lengths` has the shortest edge of each pair.
pub(crate) fn close(mut lengths: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let nodes = lengths.len();
    for (slot, row) in lengths.iter_mut().enumerate() {
        row[slot] = 0.0;
    }
    for by in 0..nodes {
        for from in 0..nodes {
            for to in 0..nodes {
                lengths[from][to] = lengths[from][to].min(lengths[from][by] + lengths[by][to]);
            }
        }
    }
    lengths
}

/// For each node the smallest one that belongs to it.
pub(crate) fn names(same: impl Fn(usize, usize) -> bool, nodes: usize) -> Vec<u32> {
    let first = |slot| (0..nodes).find(|other| same(slot, *other)).expect("it belongs to itself");
    (0..nodes).map(|slot| first(slot) as u32).collect()
}

/// For each pair, the number of shortest ways.
pub(crate) fn ways(matrix: &[Vec<f64>], hops: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let nodes = matrix.len();
    let mut ways = vec![vec![0.0; nodes]; nodes];
    for from in 0..nodes {
        let mut order: Vec<usize> = (0..nodes).filter(|to| hops[from][*to].is_finite()).collect();
        order.sort_by(|a, b| hops[from][*a].total_cmp(&hops[from][*b]));
        ways[from][from] = 1.0;
        for to in order.into_iter().skip(1) {
            let last = |by: &usize| {
                matrix[*by][to] > 0.0 && *by != to && same(hops[from][*by] + 1.0, hops[from][to])
            };
            ways[from][to] = (0..nodes).filter(last).map(|by| ways[from][by]).sum();
        }
    }
    ways
}

/// Equal, as far as sums of another order can be.
pub(crate) fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
}

pub(crate) fn assert_same(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let all = found.iter().zip(expected).all(|(a, b)| same(*a, *b));
    assert!(all, "found {found:?}, expected {expected:?}");
}
