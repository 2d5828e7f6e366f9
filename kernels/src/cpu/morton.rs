//! Position along the Z-order curve (Morton, 1966): points near on the curve are near in space,
//! and the nodes of any quadtree or octree cell are consecutive on it.

use crate::{Bounds, Dim, Point};

/// Bits per axis in 2D.
const BITS_2: u32 = 31;
/// Bits per axis in 3D.
const BITS_3: u32 = 21;

/// Maps points of one box to keys on the curve.
pub(super) struct Curve {
    dim: Dim,
    origin: Point,
    scale: f32,
}

impl Curve {
    /// A curve through all of `bounds`.
    pub(super) fn new(dim: Dim, bounds: &Bounds) -> Self {
        let bits = match dim {
            Dim::Two => BITS_2,
            Dim::Three => BITS_3,
        };
        Self {
            dim,
            origin: bounds.min,
            scale: (1_u64 << bits) as f32 / bounds.side().max(f32::MIN_POSITIVE * 1e9),
        }
    }

    /// Bits that a key has.
    pub(super) fn bits(dim: Dim) -> u32 {
        match dim {
            Dim::Two => 2 * BITS_2,
            Dim::Three => 3 * BITS_3,
        }
    }

    /// Key of `point`. A tree level is one bit of every axis: 2 or 3 bits of the key.
    pub(super) fn key(&self, point: Point) -> u64 {
        // The cast saturates, so rounding at the upper edge stays inside.
        let cell = |axis: usize| ((point[axis] - self.origin[axis]) * self.scale) as u32;
        match self.dim {
            Dim::Two => {
                let [x, y] = [0, 1].map(|axis| spread_by_2(cell(axis).min((1 << BITS_2) - 1)));
                y << 1 | x
            }
            Dim::Three => {
                let [x, y, z] = [0, 1, 2].map(|axis| spread_by_3(cell(axis).min((1 << BITS_3) - 1)));
                z << 2 | y << 1 | x
            }
        }
    }
}

/// Puts one zero bit between the bits of `value`.
fn spread_by_2(value: u32) -> u64 {
    let mut bits = u64::from(value);
    bits = (bits | bits << 16) & 0x0000_FFFF_0000_FFFF;
    bits = (bits | bits << 8) & 0x00FF_00FF_00FF_00FF;
    bits = (bits | bits << 4) & 0x0F0F_0F0F_0F0F_0F0F;
    bits = (bits | bits << 2) & 0x3333_3333_3333_3333;
    (bits | bits << 1) & 0x5555_5555_5555_5555
}

/// Puts two zero bits between the lower 21 bits of `value`.
fn spread_by_3(value: u32) -> u64 {
    let mut bits = u64::from(value);
    bits = (bits | bits << 32) & 0x001F_0000_0000_FFFF;
    bits = (bits | bits << 16) & 0x001F_0000_FF00_00FF;
    bits = (bits | bits << 8) & 0x100F_00F0_0F00_F00F;
    bits = (bits | bits << 4) & 0x10C3_0C30_C30C_30C3;
    (bits | bits << 2) & 0x1249_2492_4924_9249
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreading_leaves_room_for_the_other_axes() {
        assert_eq!(spread_by_2(0b1011), 0b100_0101);
        assert_eq!(spread_by_3(0b1011), 0b10_0000_1001);
        assert_eq!(spread_by_2(u32::MAX).count_ones(), 32);
        assert_eq!(spread_by_3((1 << 21) - 1).count_ones(), 21);
    }

    #[test]
    fn quadrants_come_in_order_and_corners_stay_inside() {
        let bounds = Bounds { min: [-1.0, -1.0, 0.0], max: [1.0, 1.0, 0.0] };
        let curve = Curve::new(Dim::Two, &bounds);
        let quadrant = |x, y| curve.key([x, y, 0.0]) >> 60;
        assert_eq!(
            [(-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0)].map(|(x, y)| quadrant(x, y)),
            [0, 1, 2, 3]
        );
    }

    #[test]
    fn a_single_point_has_a_key() {
        let point = [3.0, 4.0, 5.0];
        let bounds = Bounds { min: point, max: point };
        assert_eq!(Curve::new(Dim::Three, &bounds).key(point), 0);
    }
}
