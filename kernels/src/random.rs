//! Repeatable scatter: numbers that depend on a seed and a name, never on call order.

use crate::{Dim, Point};

/// Mixes `seed` and `name` into 64 well-spread bits (the finaliser of Steele, Lea and Flood's
/// SplitMix64, 2014).
pub(crate) fn mix(seed: u64, name: u64) -> u64 {
    let mut bits = seed.wrapping_add(name.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// A number in 0..1 for the `round`-th draw of `name`.
pub(crate) fn unit(seed: u64, name: u32, round: u32) -> f32 {
    let bits = mix(seed ^ 0x5851_F42D_4C95_7F2D, u64::from(name) << 32 | u64::from(round));
    (bits >> 40) as f32 / (1_u64 << 24) as f32
}

/// A point spread evenly in the unit disc or ball, never its exact centre.
pub(crate) fn in_ball(dim: Dim, seed: u64, name: u32) -> Point {
    // Half of all draws fall into the ball at worst, so 32 rounds always end; the fallback only
    // satisfies the type.
    for round in 0..32 {
        let axis = |index: u32| 2.0 * unit(seed, name, round * 3 + index) - 1.0;
        let z = match dim {
            Dim::Two => 0.0,
            Dim::Three => axis(2),
        };
        let point = [axis(0), axis(1), z];
        let square = point.iter().map(|c| c * c).sum::<f32>();
        if square <= 1.0 && square > 1e-4 {
            return point;
        }
    }
    [1.0, 0.0, 0.0]
}

/// A direction of length 1.
pub(crate) fn direction(dim: Dim, seed: u64, name: u32) -> Point {
    let point = in_ball(dim, seed, name);
    let length = point.iter().map(|c| c * c).sum::<f32>().sqrt();
    point.map(|c| c / length)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the same bits are meant")]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_gives_the_same_point_and_another_name_another() {
        assert_eq!(in_ball(Dim::Three, 1, 7), in_ball(Dim::Three, 1, 7));
        assert_ne!(in_ball(Dim::Three, 1, 7), in_ball(Dim::Three, 1, 8));
        assert_ne!(in_ball(Dim::Three, 1, 7), in_ball(Dim::Three, 2, 7));
    }

    #[test]
    fn points_fill_the_disc_evenly() {
        let inner = (0..10_000)
            .filter(|name| {
                let [x, y, z] = in_ball(Dim::Two, 5, *name);
                assert!(z == 0.0);
                x * x + y * y < 0.25
            })
            .count();
        assert!((2_300..2_700).contains(&inner), "{inner}");
    }
}
