//! What each kernel should compute, in Rust: over slices, one thread, in double precision where that
//! matters, and written to be read.
//!
//! | file | kernels |
//! |---|---|
//! | `bounds.rs` | `bounds_pieces`, `bounds_frame` |
//! | `cells.rs` | `cells_*` |
//! | `share.rs` | `share_*` |
//! | `spread.rs` | `spread_2`, `spread_3` |
//! | `convolve.rs` | `convolve_*` |
//! | `field.rs` | `field_2`, `field_3` |
//! | `step.rs` | `springs_long`, `step_*` |
//!
//! The tests in `../tests` run both on the same vectors; that the twins as a whole agree with the processor's
//! tick follows from the ticks compared there.

pub(super) mod bounds;
pub(super) mod cells;
pub(super) mod convolve;
pub(super) mod field;
pub(super) mod share;
pub(super) mod spread;
pub(super) mod step;

/// A node's place counted in near cells, and its mass.
pub(super) type Place = [f32; 4];

/// A point of a cubic B-spline (centred at 0) and its first and second derivative.
pub(super) fn spline(distance: f64) -> [f64; 3] {
    let d = distance.abs();
    let [value, slope, bend] = if d < 1.0 {
        [2.0 / 3.0 - d * d * (1.0 - 0.5 * d), -2.0 * d + 1.5 * d * d, 3.0 * d - 2.0]
    } else if d < 2.0 {
        let left = 2.0 - d;
        [left.powi(3) / 6.0, -0.5 * left * left, left]
    } else {
        [0.0; 3]
    };
    [value, slope * distance.signum(), bend]
}
