//! The push `1/r` of two nodes, split: a short part that ends at a reach and is summed pair by
//! pair, and a smooth long part that a mesh can carry (Hockney and Eastwood, 1981).
//!
//! With `u` the squared distance in reaches, the short part is `(1 - u)⁴ / u` times the distance,
//! up to `u = 1`. The long part is the rest: inside the reach an even polynomial, outside the
//! whole. Counted in mesh points it never changes, so it is transformed once for each size.

use super::frame::ratio;

/// Potential of the long part at squared distance `square`, counted in mesh points; its constant
/// is such that it vanishes at distance `zero`, which keeps the numbers on the mesh small.
pub(super) fn long_potential<const D: usize>(square: f64, zero: f64) -> f64 {
    let reach = f64::from(ratio::<D>());
    let u = square / (reach * reach);
    if u >= 1.0 {
        return zero.ln() - 0.5 * square.ln();
    }
    // The integral of (1 - (1 - u)⁴) / u, that is of 4 - 6u + 4u² - u³, joined to the logarithm.
    let inside = u * (2.0 - u * (1.5 - u * (2.0 / 3.0 - u * 0.125)));
    25.0 / 24.0 - inside + (zero / reach).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_long_part_meets_the_whole_at_the_reach() {
        let at = |distance: f64| long_potential::<2>(distance * distance, 10.0);
        let reach = f64::from(ratio::<2>());
        assert!((at(reach - 1e-9) - at(reach + 1e-9)).abs() < 1e-8);
        // And its slope, the push, is the whole's there and nothing at the origin.
        let push = |distance: f64| (at(distance - 1e-5) - at(distance + 1e-5)) / 2e-5;
        assert!((push(reach) - 1.0 / reach).abs() < 1e-6);
        assert!(push(1e-4) < 1e-3);
        // Half way, the short part makes up for what is missing.
        let u: f64 = 0.25;
        let short = (1.0 - u).powi(4) / u * 0.5 / reach;
        assert!((push(0.5 * reach) + short - 2.0 / reach).abs() < 1e-6);
    }
}
