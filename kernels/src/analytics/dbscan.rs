//! DBSCAN: groups of points that lie densely, of any shape, and points that belong to none.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::places::{Place, check_places, squared};
use super::{AnalysisError, Observer, ask, check};

/// How dense is dense.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DbscanParams {
    /// How far neighbours are from each other at most; above 0.
    pub distance: f64,
    /// Neighbours, itself included, that make a point the core of a group; from 1.
    pub min_points: usize,
}

/// Groups, and those outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dbscan {
    /// For each point, the smallest index of a core of its group, or nothing.
    pub labels: Vec<Option<u32>>,
    /// Number of groups.
    pub count: usize,
    /// Number of points that are cores.
    pub cores: usize,
}

/// Cells between two questions whether to go on.
const PER_QUESTION: usize = 1_024;

/// Groups of points around cores that are neighbours of each other (Ester, Kriegel, Sander and Xu, 1996). A point that is a
/// neighbour of cores without being one belongs to the nearest, of several to that of the smallest index: the
/// order of the points does not matter, as it does in the source.
///
/// Points lie in cells so small that all in one are neighbours (Gunawan, 2013): a cell with enough points needs no looking.
///
/// # Errors
/// Parameters out of range, places that are not finite, or more than 2^50 neighbourhoods apart; cancelled.
pub fn dbscan(
    places: &[Place],
    params: &DbscanParams,
    observer: &dyn Observer,
) -> Result<Dbscan, AnalysisError> {
    check("distance", params.distance, f64::MIN_POSITIVE.sqrt(), 1e100)?;
    check("min_points", params.min_points as f64, 1.0, f64::from(u32::MAX))?;
    check_places(places)?;
    let grid = Grid::new(places, params.distance)?;
    let reach = params.distance * params.distance;
    let stopped = AtomicBool::new(false);
    let go_on = |at: usize, part: f64| {
        if at.is_multiple_of(PER_QUESTION) && !observer.progress(part) {
            stopped.store(true, Ordering::Relaxed);
        }
        !stopped.load(Ordering::Relaxed)
    };
    let cells = grid.cells.len().max(1) as f64;
    let cores: Vec<Vec<u32>> = (0..grid.cells.len())
        .into_par_iter()
        .map(|cell| {
            if !go_on(cell, 0.5 * cell as f64 / cells) {
                return Vec::new();
            }
            let members = &grid.cells[cell].1;
            if members.len() >= params.min_points {
                return members.clone();
            }
            let is_core = |point: &u32| {
                let near =
                    |other: &&u32| squared(&places[*point as usize], &places[**other as usize]) <= reach;
                let others = grid.around(cell).flat_map(|cell| &grid.cells[cell].1);
                others.filter(near).take(params.min_points).count() >= params.min_points
            };
            members.iter().copied().filter(is_core).collect()
        })
        .collect();
    ask(observer, 0.5)?;
    let mut forest = Forest((0..places.len() as u32).collect());
    for cell in 0..grid.cells.len() {
        if cell % PER_QUESTION == 0 {
            ask(observer, 0.5 + 0.3 * cell as f64 / cells)?;
        }
        let Some(first) = cores[cell].first() else { continue };
        for core in &cores[cell] {
            forest.join(*first, *core);
        }
        for other in grid.around(cell).filter(|other| *other > cell) {
            let Some(there) = cores[other].first() else { continue };
            let meets = |a: &u32| {
                cores[other].iter().any(|b| squared(&places[*a as usize], &places[*b as usize]) <= reach)
            };
            // Cells that are joined already need no looking at their points.
            if forest.root(*first) != forest.root(*there) && cores[cell].iter().any(meets) {
                forest.join(*first, *there);
            }
        }
    }
    ask(observer, 0.8)?;
    let mut labels = vec![None; places.len()];
    for core in cores.iter().flatten() {
        labels[*core as usize] = Some(forest.root(*core));
    }
    let joined: Vec<(u32, u32)> = (0..grid.cells.len())
        .into_par_iter()
        .flat_map_iter(|cell| {
            let goes_on = go_on(cell, 0.8 + 0.2 * cell as f64 / cells);
            let outside = grid.cells[cell].1.iter().filter(|point| labels[**point as usize].is_none());
            let (cores, grid) = (&cores, &grid);
            outside.filter(move |_| goes_on).filter_map(move |point| {
                let cores = grid.around(cell).flat_map(|cell| &cores[cell]);
                let far = |core: &u32| squared(&places[*point as usize], &places[*core as usize]);
                let nearest = cores.map(|core| (far(core), *core)).filter(|(far, _)| *far <= reach);
                let nearest = nearest.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))?;
                Some((*point, nearest.1))
            })
        })
        .collect();
    if stopped.load(Ordering::Relaxed) {
        return Err(AnalysisError::Cancelled);
    }
    for (point, core) in joined {
        labels[point as usize] = Some(forest.root(core));
    }
    let core_count = cores.iter().map(Vec::len).sum();
    let is_root = |core: &&u32| forest.0[**core as usize] == **core;
    let count = cores.iter().flatten().filter(is_root).count();
    Ok(Dbscan { labels, count, cores: core_count })
}

/// Points by cells.
struct Grid {
    /// Where each cell is, and its points, ascending.
    cells: Vec<([i64; 3], Vec<u32>)>,
    at: HashMap<[i64; 3], usize>,
    /// How many cells away a neighbour can be on each axis.
    reach: [i64; 3],
}

impl Grid {
    fn new(places: &[Place], distance: f64) -> Result<Self, AnalysisError> {
        /// Cells from the centre: whole numbers of this size are exact.
        const FARTHEST: f64 = (1_u64 << 50) as f64;
        let flat = places.iter().all(|place| place[2] == 0.0);
        let dimensions: f64 = if flat { 2.0 } else { 3.0 };
        // A little less than fits, so that rounding never puts two points into a cell that are no neighbours.
        let side = distance / dimensions.sqrt() * (1.0 - 1e-9);
        let mut cells: Vec<([i64; 3], Vec<u32>)> = Vec::new();
        let mut at = HashMap::new();
        for (point, place) in places.iter().enumerate() {
            for coordinate in place {
                check("coordinate over distance", coordinate / side, -FARTHEST, FARTHEST)?;
            }
            let key = place.map(|coordinate| (coordinate / side).floor() as i64);
            let cell = *at.entry(key).or_insert_with(|| {
                cells.push((key, Vec::new()));
                cells.len() - 1
            });
            cells[cell].1.push(point as u32);
        }
        Ok(Self { cells, at, reach: [2, 2, if flat { 0 } else { 2 }] })
    }

    /// The cells in which neighbours of a cell's points can be, itself included.
    fn around(&self, cell: usize) -> impl Iterator<Item = usize> + '_ {
        let [wide, high, deep] = self.reach;
        let [left, low, near] = self.cells[cell].0;
        let along = move |from: i64, reach: i64| from - reach..=from + reach;
        along(left, wide)
            .flat_map(move |x| along(low, high).flat_map(move |y| along(near, deep).map(move |z| [x, y, z])))
            .filter_map(|key| self.at.get(&key).copied())
    }
}

/// Trees whose roots are their smallest members.
struct Forest(Vec<u32>);

impl Forest {
    fn root(&mut self, mut point: u32) -> u32 {
        while self.0[point as usize] != point {
            let above = self.0[self.0[point as usize] as usize];
            self.0[point as usize] = above;
            point = above;
        }
        point
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b) as usize] = a.min(b);
    }
}
