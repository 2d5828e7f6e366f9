//! k-means: as many groups of points as are asked for, each near its own centre.

use rayon::prelude::*;

use super::places::{Place, check_places, squared};
use super::{AnalysisError, Observer, ask, check};
use crate::random::mix;

/// How k-means is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KMeansParams {
    /// Groups, from 1; where there are fewer different places, as many as these.
    pub groups: usize,
    /// Rounds at most, from 1; ends earlier when one moves nobody.
    pub rounds: u32,
    /// Where the first centres are, the same for the same seed.
    pub seed: u64,
}

/// A partition of points.
#[derive(Debug, Clone, PartialEq)]
pub struct KMeans {
    /// For each point, the smallest index of its group: its name.
    pub labels: Vec<u32>,
    /// Number of groups that have points.
    pub count: usize,
    /// The sum of the squares of all distances to the centres of the groups: the smaller the better.
    pub inertia: f64,
    /// Rounds that it took.
    pub rounds: u32,
    /// Whether the last round moved nobody.
    pub converged: bool,
}

/// Points that one thread takes at a time: sums are added up piece by piece, in order, whatever the number of threads.
const PIECE: usize = 4_096;

/// Lloyd's rounds (1957) from centres that are drawn far from each other (k-means++: Arthur and Vassilvitskii, 2007).
/// A point as near to two centres belongs to the one drawn first.
///
/// # Errors
/// Parameters out of range, places that are not finite; cancelled.
pub fn k_means(
    places: &[Place],
    params: &KMeansParams,
    observer: &dyn Observer,
) -> Result<KMeans, AnalysisError> {
    check("groups", params.groups as f64, 1.0, f64::from(u32::MAX))?;
    check("rounds", f64::from(params.rounds), 1.0, f64::from(u32::MAX))?;
    check_places(places)?;
    let mut centres = draw(places, params, observer)?;
    let mut nearest = vec![0_u32; places.len()];
    let (mut rounds, mut converged) = (0, places.is_empty());
    while rounds < params.rounds && !converged {
        ask(observer, f64::from(rounds) / f64::from(params.rounds))?;
        rounds += 1;
        let moved: usize = nearest
            .par_chunks_mut(PIECE)
            .zip(places.par_chunks(PIECE))
            .map(|(nearest, places)| {
                let mut moved = 0;
                for (nearest, place) in nearest.iter_mut().zip(places) {
                    let found = closest(&centres, place).0 as u32;
                    moved += usize::from(found != *nearest);
                    *nearest = found;
                }
                moved
            })
            .sum();
        converged = rounds > 1 && moved == 0;
        settle(&mut centres, places, &nearest);
    }
    let inertia = places.iter().zip(&nearest).map(|(place, at)| squared(place, &centres[*at as usize])).sum();
    let mut names = vec![u32::MAX; centres.len()];
    for (point, group) in nearest.iter().enumerate() {
        let name = &mut names[*group as usize];
        *name = (*name).min(point as u32);
    }
    let count = names.iter().filter(|name| **name != u32::MAX).count();
    let labels = nearest.iter().map(|group| names[*group as usize]).collect();
    Ok(KMeans { labels, count, inertia, rounds, converged })
}

/// The first centres: each a point, drawn in proportion to the square of its distance from those before.
fn draw(
    places: &[Place],
    params: &KMeansParams,
    observer: &dyn Observer,
) -> Result<Vec<Place>, AnalysisError> {
    let mut centres = Vec::new();
    let Some(first) = places.get((mix(params.seed, 0) % places.len().max(1) as u64) as usize) else {
        return Ok(centres);
    };
    centres.push(*first);
    let mut distances = vec![f64::INFINITY; places.len()];
    while centres.len() < params.groups {
        ask(observer, 0.0)?;
        let last = centres[centres.len() - 1];
        distances
            .par_iter_mut()
            .with_min_len(PIECE)
            .zip(places)
            .for_each(|(distance, place)| *distance = distance.min(squared(place, &last)));
        let all: f64 = distances.iter().sum();
        // All points lie on centres.
        if all <= 0.0 {
            break;
        }
        // 53 bits are all that a number from 0 to 1 has.
        let drawn = (mix(params.seed, centres.len() as u64) >> 11) as f64 / (1_u64 << 53) as f64 * all;
        let mut passed = 0.0;
        let found = distances.iter().position(|distance| {
            passed += distance;
            passed > drawn
        });
        let farthest = || (0..places.len()).max_by(|a, b| distances[*a].total_cmp(&distances[*b]));
        centres.extend(found.or_else(farthest).map(|at| places[at]));
    }
    Ok(centres)
}

/// Index of the closest centre, the first of several, and the square of its distance.
fn closest(centres: &[Place], place: &Place) -> (usize, f64) {
    let mut best = (0, f64::INFINITY);
    for (at, centre) in centres.iter().enumerate() {
        let distance = squared(place, centre);
        if distance < best.1 {
            best = (at, distance);
        }
    }
    best
}

/// Puts each centre into the middle of its points; one without points stays.
fn settle(centres: &mut [Place], places: &[Place], nearest: &[u32]) {
    let mut sums = vec![([0.0; 3], 0_u32); centres.len()];
    for (place, group) in places.iter().zip(nearest) {
        let (sum, count) = &mut sums[*group as usize];
        for (sum, coordinate) in sum.iter_mut().zip(place) {
            *sum += coordinate;
        }
        *count += 1;
    }
    for (centre, (sum, count)) in centres.iter_mut().zip(sums) {
        if count > 0 {
            *centre = sum.map(|sum| sum / f64::from(count));
        }
    }
}
