//! Groups of points, against what can be looked up pair by pair.

use proptest::prelude::*;
use weft_kernels::analytics::{
    AnalysisError, DbscanParams, KMeansParams, Place, Unobserved, dbscan, k_means,
};

fn squared(a: &Place, b: &Place) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

/// Places on a coarse grid, so that many are equal and many distances are exactly those asked for.
fn places() -> impl Strategy<Value = Vec<Place>> {
    let flat = prop::bool::ANY;
    (flat, prop::collection::vec(prop::array::uniform3(-6_i32..7), 0..60)).prop_map(|(flat, points)| {
        let place = |point: [i32; 3]| {
            let [x, y, z] = point.map(f64::from);
            if flat { [x, y, 0.0] } else { [x, y, z] }
        };
        points.into_iter().map(place).collect()
    })
}

/// By the definition: cores, what is reached from core to core, and the nearest core of the rest.
fn naive(places: &[Place], params: &DbscanParams) -> (Vec<Option<u32>>, usize) {
    let reach = params.distance * params.distance;
    let near = |a: usize, b: usize| squared(&places[a], &places[b]) <= reach;
    let all = 0..places.len();
    let is_core: Vec<bool> =
        all.clone().map(|a| all.clone().filter(|b| near(a, *b)).count() >= params.min_points).collect();
    let mut labels: Vec<Option<u32>> = vec![None; places.len()];
    for start in all.clone().filter(|at| is_core[*at]) {
        let mut waiting = vec![start];
        while let Some(at) = waiting.pop() {
            if labels[at].is_some() {
                continue;
            }
            labels[at] = Some(start as u32);
            waiting.extend(all.clone().filter(|other| is_core[*other] && near(at, *other)));
        }
    }
    let names = labels.clone();
    for point in all.clone().filter(|at| !is_core[*at]) {
        let cores = all.clone().filter(|core| is_core[*core] && near(point, *core));
        let far = |core: usize| squared(&places[point], &places[core]);
        let nearest = cores.min_by(|a, b| far(*a).total_cmp(&far(*b)).then(a.cmp(b)));
        labels[point] = nearest.and_then(|core| names[core]);
    }
    let count = (0..places.len()).filter(|at| names[*at] == Some(*at as u32)).count();
    (labels, count)
}

proptest! {
    #[test]
    fn dense_groups_are_those_of_the_definition(
        places in places(),
        distance in prop::sample::select(vec![0.5, 1.0, 1.5, 2.0, 7.5]),
        min_points in 1_usize..6,
    ) {
        let params = DbscanParams { distance, min_points };
        let found = dbscan(&places, &params, &Unobserved).unwrap();
        let (labels, count) = naive(&places, &params);
        prop_assert_eq!(found.labels, labels);
        prop_assert_eq!(found.count, count);
    }

    #[test]
    fn everybody_is_with_the_nearest_middle(places in places(), groups in 1_usize..9, seed in any::<u64>()) {
        let params = KMeansParams { groups, rounds: 1_000, seed };
        let found = k_means(&places, &params, &Unobserved).unwrap();
        prop_assert!(found.converged);
        prop_assert_eq!(&found, &k_means(&places, &params, &Unobserved).unwrap());
        // The middles of the groups that came out.
        let mut middles: Vec<(u32, Place, f64)> = Vec::new();
        for (label, place) in found.labels.iter().zip(&places) {
            let at = middles.iter().position(|middle| middle.0 == *label).unwrap_or_else(|| {
                middles.push((*label, [0.0; 3], 0.0));
                middles.len() - 1
            });
            let (_, sum, count) = &mut middles[at];
            sum.iter_mut().zip(place).for_each(|(sum, part)| *sum += part);
            *count += 1.0;
        }
        for (_, sum, count) in &mut middles {
            *sum = sum.map(|sum| sum / *count);
        }
        prop_assert_eq!(found.count, middles.len());
        prop_assert!(found.count <= groups);
        let mut inertia = 0.0;
        for (label, place) in found.labels.iter().zip(&places) {
            let own = middles.iter().find(|middle| middle.0 == *label).map(|middle| squared(place, &middle.1));
            let best = middles.iter().map(|middle| squared(place, &middle.1)).fold(f64::INFINITY, f64::min);
            prop_assert!(own.unwrap() <= best + 1e-9);
            inertia += own.unwrap();
        }
        prop_assert!((found.inertia - inertia).abs() < 1e-6);
    }
}

#[test]
fn a_hundred_thousand_points_in_one_place_are_one_group() {
    let places = vec![[3.0, 4.0, 0.0]; 100_000];
    let found = dbscan(&places, &DbscanParams { distance: 1.0, min_points: 10 }, &Unobserved).unwrap();
    assert_eq!((found.count, found.cores), (1, 100_000));
    let params = KMeansParams { groups: 5, rounds: 10, seed: 1 };
    assert_eq!(k_means(&places, &params, &Unobserved).unwrap().count, 1);
}

#[test]
fn what_is_no_place_is_refused_and_who_cancels_is_obeyed() {
    let params = DbscanParams { distance: 1.0, min_points: 2 };
    let means = KMeansParams { groups: 2, rounds: 5, seed: 0 };
    for bad in [[f64::NAN, 0.0, 0.0], [0.0, f64::INFINITY, 0.0]] {
        assert!(matches!(dbscan(&[bad], &params, &Unobserved), Err(AnalysisError::Parameter { .. })));
        assert!(matches!(k_means(&[bad], &means, &Unobserved), Err(AnalysisError::Parameter { .. })));
    }
    let far = dbscan(&[[1e50, 0.0, 0.0]], &params, &Unobserved);
    assert!(matches!(far, Err(AnalysisError::Parameter { .. })));
    let zero = DbscanParams { distance: 0.0, ..params };
    assert!(matches!(dbscan(&[], &zero, &Unobserved), Err(AnalysisError::Parameter { .. })));
    let never = |_: f64| false;
    assert_eq!(dbscan(&[[0.0; 3]], &params, &never), Err(AnalysisError::Cancelled));
    assert_eq!(k_means(&[[0.0; 3], [1.0; 3]], &means, &never), Err(AnalysisError::Cancelled));
    assert_eq!(k_means(&[], &means, &Unobserved).unwrap().count, 0);
}
