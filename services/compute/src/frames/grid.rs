//! Which places a state in steps can name, and where a layout's nodes are on them.

use super::{Columns, Corners, DecodeError, header::f32_at};

/// Steps along the largest extent of a fresh grid.
const FRESH: f64 = 12_288.0;
/// Steps along the largest extent at least. Half a step is a quarter of a pixel where 7,680 of them
/// are seen on 3,840 pixels; the rest is for what a float rounds.
const FEWEST: f64 = 8_192.0;
/// Steps along the largest extent at most: finer ones would be sent for nobody to see.
const MOST: f64 = 24_576.0;
/// Steps to each side of the origin.
const REACH: f32 = 32_767.0;
/// Added to a small float it leaves the nearest integer in the lower bits: 1.5 · 2^23.
const ROUNDING: f32 = 12_582_912.0;

/// Places at equal distances along each axis: a step k stands for `origin + step · k`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Grid {
    /// Distance between two places, in layout units.
    pub step: f32,
    /// The place that step 0 stands for.
    pub origin: [f32; 3],
}

impl Grid {
    /// Length of a grid in a frame, in bytes.
    pub(super) const BYTES: usize = 16;

    /// A grid for a layout in this box, with room to grow.
    pub fn of((min, max): Corners) -> Self {
        let middle = |axis: usize| f64::midpoint(f64::from(min[axis]), f64::from(max[axis])) as f32;
        let step = (extent((min, max)) / FRESH) as f32;
        Self { step: step.max(f32::MIN_POSITIVE), origin: [middle(0), middle(1), middle(2)] }
    }

    /// Whether it is neither too coarse nor too fine nor too small for this box.
    pub fn suits(&self, (min, max): Corners) -> bool {
        let steps = extent((min, max)) / f64::from(self.step);
        let within = |axis: usize| {
            let origin = f64::from(self.origin[axis]);
            let reach = f64::from(self.step) * f64::from(REACH);
            origin - reach <= f64::from(min[axis]) && f64::from(max[axis]) <= origin + reach
        };
        (FEWEST..=MOST).contains(&steps) && (0..3).all(within)
    }

    /// The nearest step of each coordinate of an axis. Written so that the compiler makes vector
    /// instructions of it on any processor.
    fn steps(&self, axis: usize, coordinates: impl Iterator<Item = f32>) -> Vec<i16> {
        let (origin, scale) = (self.origin[axis], self.step.recip());
        let step = |coordinate: f32| {
            let steps = ((coordinate - origin) * scale).clamp(-REACH, REACH);
            // The lower 16 bits are the integer.
            (steps + ROUNDING).to_bits() as i16
        };
        coordinates.map(step).collect()
    }

    /// The coordinates that steps of an axis stand for.
    pub(super) fn coordinates(&self, axis: usize, steps: &[i16]) -> Vec<f32> {
        steps.iter().map(|step| self.origin[axis] + self.step * f32::from(*step)).collect()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.step.to_le_bytes());
        out.extend(self.origin.iter().flat_map(|place| place.to_le_bytes()));
    }

    pub(super) fn read(bytes: &[u8; Self::BYTES]) -> Result<Self, DecodeError> {
        let grid =
            Self { step: f32_at(bytes, 0), origin: [f32_at(bytes, 4), f32_at(bytes, 8), f32_at(bytes, 12)] };
        // Its farthest places must be numbers, then all are.
        let far = |origin: &f32| (origin.abs() + grid.step * (REACH + 1.0)).is_finite();
        if grid.step > 0.0 && grid.origin.iter().all(far) {
            Ok(grid)
        } else {
            Err(DecodeError::NotFinite("a grid"))
        }
    }
}

fn extent((min, max): Corners) -> f64 {
    (0..3).map(|axis| f64::from(max[axis]) - f64::from(min[axis])).fold(0.0, f64::max)
}

/// One state in steps of a grid: what one frame of differences builds on, and the next one leads to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Number of the state among those that its layout showed.
    pub sequence: u64,
    /// Number of the node order.
    pub membership: u32,
    /// What the steps are of.
    pub grid: Grid,
    /// Steps along x, y and z; z is empty in two dimensions.
    pub columns: [Vec<i16>; 3],
}

impl State {
    /// Where all nodes are on a grid.
    pub fn of(columns: &Columns, grid: Grid) -> Self {
        Self::at(columns, grid, |axis, column| grid.steps(axis, column.iter().copied()))
    }

    /// Where the nodes at these indices are, on a grid of their own: the smaller their box, the finer.
    pub(super) fn cut(columns: &Columns, indices: &[u32]) -> Self {
        let corner = |pick: fn(f32, f32) -> f32| -> [f32; 3] {
            std::array::from_fn(|axis| {
                let column = &columns.positions[axis];
                let places = indices.iter().filter_map(|index| column.get(*index as usize).copied());
                places.reduce(pick).unwrap_or(0.0)
            })
        };
        let grid = Grid::of((corner(f32::min), corner(f32::max)));
        Self::at(columns, grid, |axis, column| {
            grid.steps(axis, indices.iter().map(|index| column[*index as usize]))
        })
    }

    fn at(columns: &Columns, grid: Grid, steps: impl Fn(usize, &[f32]) -> Vec<i16>) -> Self {
        let mut state = Self {
            sequence: columns.sequence,
            membership: columns.membership,
            grid,
            columns: Default::default(),
        };
        for axis in 0..columns.dimensions() {
            state.columns[axis] = steps(axis, &columns.positions[axis]);
        }
        state
    }

    /// Whether a frame may say what has changed since `before`.
    pub fn follows(&self, before: &Self) -> bool {
        self.membership == before.membership
            && self.grid == before.grid
            && self.sequence > before.sequence
            && self.columns.iter().zip(&before.columns).all(|(now, then)| now.len() == then.len())
    }
}
